//! The circuits of one provider, as one process meets them. What stands is in Postgres, for all processes; here is only
//! what this one was told a moment ago.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use adapters::providers::{Health, Shut};
use domain::circuit::CircuitScope;
use store::{Store, provider_budgets::Entry};

/// Longest wait for the database.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);
/// When to come back after the database did not answer.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// So long at most the database is not asked again about a circuit that it told to be open.
const REMEMBERED: Duration = Duration::from_secs(2);

/// A provider's circuits.
#[derive(Debug)]
pub(super) struct Circuits {
    store: Store,
    provider: &'static str,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Calls that are not made, and until when nobody asks about that.
    shut: BTreeMap<CircuitScope, (Shut, Instant)>,
    /// Calls that failed lately: the next answer is worth a note.
    suspect: BTreeSet<CircuitScope>,
}

impl Circuits {
    pub(super) fn new(store: Store, provider: &'static str) -> Self {
        Self { store, provider, known: Mutex::default() }
    }

    /// What this process was told a moment ago.
    pub(super) fn known_shut(&self, scope: CircuitScope) -> Option<Shut> {
        let mut known = self.lock();
        let (shut, until) = known.shut.get(&scope)?;
        if *until > Instant::now() {
            return Some(shut.clone());
        }
        known.shut.remove(&scope);
        None
    }

    /// Asks whether such a call may be sent now.
    pub(super) async fn enter(&self, scope: CircuitScope) -> Result<(), Shut> {
        let asked = self.store.enter_circuit(self.provider, scope);
        let shut = match tokio::time::timeout(DATABASE_TIMEOUT, asked).await {
            Ok(Ok(Entry::Open { suspect })) => {
                if suspect {
                    self.lock().suspect.insert(scope);
                }
                return Ok(());
            }
            Ok(Ok(Entry::Shut(shut))) => {
                let store::provider_budgets::Shut { reason, retry_after, refused } = shut;
                Shut { reason, retry_after, refused }
            }
            unasked => {
                tracing::warn!(
                    event = "provider.circuit_unreadable",
                    provider = self.provider,
                    ?unasked,
                    "a circuit can't be asked about"
                );
                let reason = "whether the provider works can't be asked: the database does not answer";
                let retry_after = DATABASE_PAUSE;
                return Err(Shut { reason: reason.to_owned(), retry_after, refused: false });
            }
        };
        let until = Instant::now() + shut.retry_after.min(REMEMBERED);
        self.lock().shut.insert(scope, (shut.clone(), until));
        Err(shut)
    }

    /// Notes how an entered call went. A note that can't be written is made up for by the next call's.
    pub(super) async fn left(&self, scope: CircuitScope, health: &Health) {
        let noted = match health {
            Health::Answered if !self.lock().suspect.remove(&scope) => return,
            Health::Answered => self.store.note_answered_call(self.provider, scope).await,
            Health::Unclear => return,
            Health::Failed(reason) => {
                metrics::counter!("provider_trouble_total", "provider" => self.provider).increment(1);
                self.store.note_failed_call(self.provider, scope, reason).await
            }
            Health::Refused(refused, reason) => {
                metrics::counter!("provider_trouble_total", "provider" => self.provider).increment(1);
                self.store.note_refused_call(self.provider, *refused, reason).await
            }
        };
        if !matches!(health, Health::Answered) || noted.is_err() {
            self.lock().suspect.insert(scope);
        }
        if let Err(error) = noted {
            tracing::warn!(
                event = "provider.circuit_not_noted",
                provider = self.provider,
                %scope,
                %error,
                "could not note how a call went"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
