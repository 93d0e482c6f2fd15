//! Several installations on one account.

use super::*;

/// What a server of nobody's order at another installation, or without any installation's tag, is to this one.
#[sqlx::test(migrations = "../migrations")]
async fn another_installations_servers_on_the_same_account_are_never_touched(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let theirs = fleet.marked("webrana-staging", Uuid::now_v7().into()).await;
    let unmarked = fleet.marked(FLEET_TAG, Uuid::now_v7().into()).await;
    let ours = fleet.server(Uuid::now_v7().into()).await;
    let settings = ReconcileSettings { quarantine_ms: 0, ..ACT };
    for _ in 0..3 {
        let found = fleet.compare(settings).await;
        assert_eq!(found.iter().filter(|finding| finding.provider_instance_id != ours.id).count(), 0);
    }
    assert!(fleet.is_gone(&ours).await && fleet.is_on(&theirs).await && fleet.is_on(&unmarked).await);
}

/// A database that was copied knows the original's servers; it must not accuse them, nor miss them as its own.
#[sqlx::test(migrations = "../migrations")]
async fn a_copys_records_of_another_installations_servers_change_nothing_there(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let order = fleet.provisioning().await;
    let theirs = fleet.marked("webrana-production", order).await;
    fleet.attach(order, &theirs).await;
    fleet.store().activate_order(order).await.unwrap();
    fleet.terminate(order).await;
    fleet.compare(ACT).await;
    assert!(fleet.is_on(&theirs).await);
    assert_eq!((fleet.calls(ACTIONS), fleet.calls(DELETES)), (0, 0));
}
