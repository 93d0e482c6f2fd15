//! A customer whose part of the vendor's limit has room for one call at a time.

use std::time::Instant;

use adapters::providers::{Call, CallOutcome, NotAdmitted, Paced, Pacer};
use domain::rate_limit::{Caller, HeldBy};

use super::*;

/// How often there is room for a call.
const ROOM: Duration = Duration::from_millis(60);

#[derive(Debug, Default)]
struct OneAtATime(std::sync::Mutex<Option<Instant>>);

#[async_trait::async_trait]
impl Pacer for OneAtATime {
    async fn admit(&self, _: &'static str, _: Caller, _: Call) -> Result<(), NotAdmitted> {
        let mut last = self.0.lock().unwrap();
        let left = last.map(|last| ROOM.saturating_sub(last.elapsed())).unwrap_or_default();
        if !left.is_zero() {
            let reason = "used up".to_owned();
            return Err(NotAdmitted { reason, retry_after: left, by: HeldBy::Party });
        }
        *last = Some(Instant::now());
        Ok(())
    }

    async fn report(&self, _: &'static str, _: &CallOutcome) {}
}

/// Each call waits for its turn. Were the attempt to begin anew, its first calls would use up what the last one needs.
#[sqlx::test(migrations = "../migrations")]
async fn an_action_comes_to_its_end_however_small_the_customers_part_is(pool: PgPool) {
    let mut world = World::new(pool).await;
    let stingy = world.simulated.adapter_with(|account| {
        account.listing_lag = LAG;
        account.pacer = Paced::new(Arc::new(OneAtATime::default()), Caller::Servers);
    });
    world.activities.providers = Arc::new(Registry::new(vec![stingy]));
    let action = world.begin(InstanceAction::Reboot).await;
    world.run(action).await.unwrap();
    assert_eq!(world.read(action).await.status, ActionStatus::Completed);
    assert_eq!(world.simulated.simulator.calls(ACTIONS), 1);
}

/// A customer's part of a limit is few calls: a reboot takes no more of them than it needs.
#[sqlx::test(migrations = "../migrations")]
async fn a_reboot_takes_two_calls_once_its_server_has_shown_whose_it_is(pool: PgPool) {
    let world = World::new(pool).await;
    let mut used = Vec::new();
    for _ in 0..3 {
        let before = world.simulated.simulator.all_calls();
        assert_eq!(world.done(InstanceAction::Reboot).await.status, ActionStatus::Completed);
        used.push(world.simulated.simulator.all_calls() - before);
        assert_eq!(world.instance().await.power_state, PowerState::On);
    }
    assert_eq!(used, [3, 2, 2]);
}
