//! What becomes of snapshots when a server is deleted.

use domain::ids::UserId;

use super::*;
use crate::final_snapshot::delete_expired;

const DELETES: &str = "DELETE /v2/snapshots/{id}";
const SERVER_DELETES: &str = "DELETE /v2/droplets/{id}";

impl World {
    /// Its plan includes a last snapshot.
    async fn with_final_snapshot(pool: PgPool) -> Self {
        let world = Self::of_plan(pool, Some(14)).await;
        assert_eq!(world.instance().await.final_snapshot_days, Some(14), "as it was bought");
        world
    }

    fn calls(&self, route: &str) -> u64 {
        self.simulated.simulator.calls(route)
    }

    async fn delete(&self) -> Result<(), StepError> {
        let delete = match self.store().next_action(self.server).await.unwrap().work {
            Some(work) => work.action_id,
            None => self.begin(InstanceAction::Delete).await,
        };
        self.activities.delete(delete).await
    }

    async fn last_snapshot(&self) -> store::final_snapshots::FinalSnapshot {
        self.store().instance_for_staff(self.server).await.unwrap().final_snapshot.unwrap()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_last_snapshot_is_taken_and_kept_and_all_others_go(pool: PgPool) {
    let world = World::with_final_snapshot(pool).await;
    world.done(InstanceAction::Snapshot { name: "nightly".to_owned() }).await;
    world.delete().await.unwrap();
    assert_eq!((world.droplets().await, world.instance().await.status), (0, InstanceStatus::Terminated));
    let kept = world.last_snapshot().await;
    let days = (kept.kept_until.unwrap() - kept.taken_at.unwrap()).num_days();
    assert_eq!((days, world.calls(DELETES)), (14, 1), "only the nightly one is deleted");
    assert_eq!(world.instance().await.final_snapshot_until, kept.kept_until);

    delete_expired(world.store(), world.cloud.as_ref()).await.unwrap();
    assert_eq!(world.calls(DELETES), 1, "its days are not over");
    sqlx::query("UPDATE final_snapshots SET kept_until = now()").execute(&world.pool).await.unwrap();
    delete_expired(world.store(), world.cloud.as_ref()).await.unwrap();
    delete_expired(world.store(), world.cloud.as_ref()).await.unwrap();
    assert_eq!(world.calls(DELETES), 2);
    assert!(world.last_snapshot().await.deleted_at.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn snapshots_of_a_plan_without_a_last_one_go_with_the_server(pool: PgPool) {
    let world = World::new(pool).await;
    world.done(InstanceAction::Snapshot { name: "nightly".to_owned() }).await;
    world.delete().await.unwrap();
    assert_eq!((world.calls(DELETES), world.instance().await.status), (1, InstanceStatus::Terminated));
    assert!(world.store().instance_for_staff(world.server).await.unwrap().final_snapshot.is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn no_server_is_deleted_before_its_last_snapshot_is_there(pool: PgPool) {
    let world = World::with_final_snapshot(pool).await;
    world.fault(ACTIONS, "status", 1).await;
    assert_eq!(class(world.delete().await), FailureClass::Retryable);
    // This one is made, and its answer lost: it is found, not made again.
    world.fault(ACTIONS, "drop_after_create", 1).await;
    assert_eq!(class(world.delete().await), FailureClass::Retryable);
    assert_eq!((world.calls(SERVER_DELETES), world.droplets().await), (0, 1));
    let asked = world.calls(ACTIONS);
    let ended = sqlx::query("UPDATE instances SET status = 'TERMINATED'").execute(&world.pool).await;
    let refused = ended.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().constraint(), Some("instances_final_snapshot_first"));

    world.delete().await.unwrap();
    assert_eq!((world.calls(ACTIONS), world.calls(DELETES)), (asked, 0));
    assert_eq!(world.instance().await.status, InstanceStatus::Terminated);
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_have_a_server_deleted_without_its_last_snapshot(pool: PgPool) {
    let world = World::with_final_snapshot(pool).await;
    let staff: UserId =
        sqlx::query_scalar("SELECT user_id FROM instances").fetch_one(&world.pool).await.unwrap();
    world.fault(ACTIONS, "status", 2).await;
    assert_eq!(class(world.delete().await), FailureClass::Retryable);
    let origin = Origin::system();
    let waive = || world.store().waive_final_snapshot(world.server, staff, "no room", &origin);
    waive().await.unwrap();
    assert!(waive().await.is_err(), "once");
    world.delete().await.unwrap();
    let waived = world.last_snapshot().await;
    assert_eq!((waived.waived_reason.as_deref(), waived.taken_at), (Some("no room"), None));
    assert_eq!(world.instance().await.status, InstanceStatus::Terminated);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_what_the_provider_lost_there_is_nothing_to_snapshot(pool: PgPool) {
    let world = World::with_final_snapshot(pool).await;
    world.cloud.delete_server(&world.droplet).await.unwrap();
    world.delete().await.unwrap();
    assert_eq!(world.instance().await.status, InstanceStatus::Terminated);
    assert!(world.last_snapshot().await.waived_at.is_some());
    assert_eq!(world.calls(ACTIONS), 0);
}
