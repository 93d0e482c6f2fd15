//! When a call to a provider may be sent: the provider's whole budget is leased in small chunks from Postgres, so that
//! all processes together stay within the vendor's limits. Inside a process one queue per lane hands the slots of what
//! keeps and frees servers out: to what finishes begun work first, then to creates. All other calls lease their own slot
//! each, as far as their share goes. See `docs/adr/0015-rate-budget.md` and
//! `docs/adr/0035-shares-of-the-rate-budget.md`. Whether calls of a kind make sense at all, [`circuits`] knows.

mod circuits;
mod line;
mod shared;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use adapters::providers::{Call, CallOutcome, Health, NotAdmitted, Paced, Pacer, Shut};
use async_trait::async_trait;
use domain::{
    circuit::CircuitScope,
    rate_limit::{Caller, HeldBy, Lane, Shares},
};
use store::Store;

use circuits::Circuits;
use line::{Line, Rank};
use shared::Waits;

/// Silence after a refused call when the vendor did not say how long.
const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// One provider account's budget, as one process uses it.
#[derive(Debug)]
pub struct Budget {
    account: Account,
    /// Whether calls wait for a slot at all.
    is_limited: bool,
    circuits: Circuits,
    lines: BTreeMap<&'static str, Arc<Line>>,
}

/// Whose budget it is, and where it is kept.
#[derive(Debug, Clone)]
struct Account {
    store: Store,
    provider: &'static str,
    shares: Shares,
}

impl Budget {
    /// The budget of the provider with this slug, whose vendor counts calls by these lanes. Nothing is asked yet. Without
    /// shares nothing is limited, neither by classes nor in all: for measurements at a simulator that does not limit either.
    #[must_use]
    pub fn new(
        store: Store,
        provider: &'static str,
        lanes: &'static [Lane],
        shares: Option<Shares>,
    ) -> Arc<Self> {
        let circuits = Circuits::new(store.clone(), provider);
        let is_limited = shares.is_some();
        let account = Account { store, provider, shares: shares.unwrap_or(Shares::STANDARD) };
        let lines = lanes.iter().map(|lane| (lane.name, Line::new(account.clone(), *lane))).collect();
        Arc::new(Self { account, is_limited, circuits, lines })
    }

    /// The way to the provider for this caller's calls.
    #[must_use]
    pub fn paced(self: &Arc<Self>, caller: Caller) -> Paced {
        Paced::new(Arc::clone(self) as Arc<dyn Pacer>, caller)
    }

    fn line(&self, lane: &str) -> Result<&Arc<Line>, NotAdmitted> {
        self.lines.get(lane).ok_or_else(|| NotAdmitted {
            reason: format!("{} has no rate limit called `{lane}`", self.account.provider),
            retry_after: Duration::from_secs(60),
            by: HeldBy::Vendor,
        })
    }
}

#[async_trait]
impl Pacer for Budget {
    async fn admit(&self, lane: &'static str, caller: Caller, call: Call) -> Result<(), NotAdmitted> {
        if !self.is_limited {
            return Ok(());
        }
        let line = self.line(lane)?;
        let since = Instant::now();
        let turn = match caller {
            Caller::Servers => line.turn(Rank::of(call)).await,
            Caller::Records | Caller::Action(_) | Caller::Display(_) => {
                line.shared_turn(caller, Waits::of(caller)).await
            }
        };
        let (provider, class) = (self.account.provider, caller.class().as_str());
        metrics::histogram!("provider_slot_wait_seconds",
                            "provider" => provider, "lane" => lane, "class" => class)
        .record(since.elapsed().as_secs_f64());
        let outcome = if turn.is_ok() { "provider_admitted_total" } else { "provider_held_back_total" };
        metrics::counter!(outcome, "provider" => provider, "lane" => lane, "class" => class).increment(1);
        turn
    }

    fn is_limited(&self) -> bool {
        self.is_limited
    }

    async fn report(&self, lane: &'static str, outcome: &CallOutcome) {
        let account = &self.account;
        metrics::counter!("provider_calls_total", "provider" => account.provider, "lane" => lane)
            .increment(1);
        let Ok(line) = self.line(lane) else { return };
        let noted = match outcome {
            CallOutcome::Answered(Some(quota)) => line.observe(*quota).await,
            CallOutcome::RateLimited(silence) => {
                metrics::counter!("provider_rate_limited_total", "provider" => account.provider, "lane" => lane)
                    .increment(1);
                line.silence(*silence).await
            }
            CallOutcome::Answered(None) | CallOutcome::Silent => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(
                event = "provider.budget_not_noted",
                provider = account.provider,
                lane,
                %error,
                "could not note how a call went"
            );
        }
    }

    fn known_shut(&self, scope: CircuitScope) -> Option<Shut> {
        self.circuits.known_shut(scope)
    }

    async fn enter(&self, scope: CircuitScope) -> Result<(), Shut> {
        self.circuits.enter(scope).await
    }

    async fn left(&self, scope: CircuitScope, health: &Health) {
        self.circuits.left(scope, health).await;
    }
}
