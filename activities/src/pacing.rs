//! When a call to a provider may be sent: the provider's whole budget is leased in small chunks from Postgres, so that
//! all processes together stay within the vendor's limits. Inside a process one queue per lane hands the slots out:
//! to customers first, then to what finishes begun work, then to creates. See `docs/adr/0015-rate-budget.md`.

mod line;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adapters::providers::{Call, CallOutcome, NotAdmitted, Pacer};
use async_trait::async_trait;
use domain::rate_limit::{Lane, Priority};
use store::Store;

use line::{Line, Rank};

/// Silence after a refused call when the vendor did not say how long.
const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// One provider account's budget, as one process uses it.
#[derive(Debug)]
pub struct Budget {
    account: Account,
    lines: BTreeMap<&'static str, Arc<Line>>,
}

/// Whose budget it is, and where it is kept.
#[derive(Debug, Clone)]
struct Account {
    store: Store,
    provider: &'static str,
    /// Calls have failed lately: the next success is worth a note.
    suspect: Arc<AtomicBool>,
}

impl Budget {
    /// The budget of the provider with this slug, whose vendor counts calls by these lanes. Nothing is asked yet.
    #[must_use]
    pub fn new(store: Store, provider: &'static str, lanes: &'static [Lane]) -> Arc<Self> {
        let account = Account { store, provider, suspect: Arc::default() };
        let lines = lanes.iter().map(|lane| (lane.name, Line::new(account.clone(), *lane))).collect();
        Arc::new(Self { account, lines })
    }

    /// Who lets calls of this priority through. All pacers of a budget share its queues.
    #[must_use]
    pub fn pacer(self: &Arc<Self>, priority: Priority) -> LeasedPacer {
        LeasedPacer { budget: Arc::clone(self), priority }
    }

    fn line(&self, lane: &str) -> Result<&Arc<Line>, NotAdmitted> {
        self.lines.get(lane).ok_or_else(|| NotAdmitted {
            reason: format!("{} has no rate limit called `{lane}`", self.account.provider),
            retry_after: Duration::from_secs(60),
        })
    }
}

/// Lets calls through at the pace of a shared [`Budget`].
#[derive(Debug, Clone)]
pub struct LeasedPacer {
    budget: Arc<Budget>,
    priority: Priority,
}

#[async_trait]
impl Pacer for LeasedPacer {
    async fn admit(&self, lane: &'static str, call: Call) -> Result<(), NotAdmitted> {
        let line = self.budget.line(lane)?;
        let since = Instant::now();
        let turn = line.turn(Rank::of(self.priority, call)).await;
        let waited = since.elapsed().as_secs_f64();
        let provider = self.budget.account.provider;
        metrics::histogram!("provider_slot_wait_seconds", "provider" => provider, "lane" => lane)
            .record(waited);
        turn
    }

    async fn report(&self, lane: &'static str, outcome: &CallOutcome) {
        let account = &self.budget.account;
        metrics::counter!("provider_calls_total", "provider" => account.provider, "lane" => lane)
            .increment(1);
        let Ok(line) = self.budget.line(lane) else { return };
        let noted = match outcome {
            CallOutcome::Answered(quota) => {
                account.note_answer().await;
                match quota {
                    Some(quota) => line.observe(*quota).await,
                    None => Ok(()),
                }
            }
            CallOutcome::RateLimited(silence) => {
                metrics::counter!("provider_rate_limited_total", "provider" => account.provider, "lane" => lane)
                    .increment(1);
                account.note_answer().await;
                line.silence(*silence).await
            }
            CallOutcome::Trouble => self.note_trouble().await,
            CallOutcome::Unclear => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(provider = account.provider, lane, %error, "could not note how a call went");
        }
    }
}

impl LeasedPacer {
    async fn note_trouble(&self) -> Result<(), store::StoreError> {
        let account = &self.budget.account;
        metrics::counter!("provider_trouble_total", "provider" => account.provider).increment(1);
        account.suspect.store(true, Ordering::Relaxed);
        if account.store.note_failed_call(account.provider).await? {
            self.budget.lines.values().for_each(|line| line.forget_slots());
        }
        Ok(())
    }
}

impl Account {
    async fn note_answer(&self) {
        if self.suspect.swap(false, Ordering::Relaxed)
            && let Err(error) = self.store.note_answered_call(self.provider).await
        {
            self.suspect.store(true, Ordering::Relaxed);
            tracing::warn!(provider = self.provider, %error, "could not note that calls are answered again");
        }
    }
}
