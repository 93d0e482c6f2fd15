//! Turns of calls that have a share: each leases its own slot, and waits for it only as long as its kind may.

use std::time::Duration;

use adapters::providers::NotAdmitted;
use domain::rate_limit::Caller;
use store::provider_budgets::SlotLease;
use tokio::time::{Instant, sleep, sleep_until};

use super::line::{Line, Turn};

/// Longest pause before the database is asked again, since a share may be lent meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Shortest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// How long a call waits for a share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits(Duration);

impl Waits {
    /// What is only shown has an older answer to fall back on, and does not wait. Whoever waits for an action comes back
    /// when told to. The system's records have time.
    pub(super) const fn of(caller: Caller) -> Self {
        Self(match caller {
            Caller::Servers | Caller::Display(_) => Duration::ZERO,
            Caller::Action(_) => Duration::from_secs(5),
            Caller::Records => Duration::from_secs(60),
        })
    }
}

impl Line {
    /// Waits for a slot of the caller's share.
    pub(super) async fn shared_turn(&self, caller: Caller, waits: Waits) -> Turn {
        let until = Instant::now() + waits.0;
        loop {
            match self.lease_one(caller).await {
                Ok(lease) => {
                    if self.reach(&lease).await {
                        self.show_share(caller, lease.share_left);
                        return Ok(());
                    }
                }
                Err(refusal) => {
                    let again = Instant::now() + refusal.retry_after;
                    if again > until {
                        return Err(refusal);
                    }
                    self.pause(&refusal).await;
                }
            }
        }
    }

    async fn pause(&self, refusal: &NotAdmitted) {
        sleep(refusal.retry_after.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }

    /// Waits until the slot is due. `false` when it was missed: it is lost then, never made up for.
    async fn reach(&self, lease: &SlotLease) -> bool {
        let Some(delay) = lease.delays.first() else { return false };
        let due = Instant::from_std(lease.read_at) + *delay;
        sleep_until(due).await;
        if !lease.begins_idle_line && Instant::now() > due + lease.pace.tolerance() / 2 {
            let (provider, lane) = (self.account.provider, self.lane.name);
            metrics::counter!("provider_slots_missed_total", "provider" => provider, "lane" => lane)
                .increment(1);
            return false;
        }
        while let Some(wait) = self.held_back(lease.pace) {
            sleep(wait).await;
        }
        true
    }

    fn show_share(&self, caller: Caller, left: Option<u32>) {
        if let Some(left) = left {
            let (provider, lane, class) = (self.account.provider, self.lane.name, caller.class().as_str());
            metrics::gauge!("provider_share_left", "provider" => provider, "lane" => lane, "class" => class)
                .set(f64::from(left));
        }
    }
}
