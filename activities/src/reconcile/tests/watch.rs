//! Servers that surface after their create was made again.

use domain::ids::OrderId;

use super::*;

impl Fleet {
    /// The order's create was made again, and a look is due.
    async fn create_again(&self, order: OrderId) {
        sqlx::query(
            "INSERT INTO create_watches (order_id, provider_id, next_look_at)
             SELECT id, provider_id, now() FROM orders WHERE id = $1",
        )
        .bind(order.0)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// A look at what is due, when everything has settled.
    async fn look(&self) -> Vec<Finding> {
        let due = self.store().due_create_watches(SLUG).await.unwrap();
        let key = Uuid::now_v7().to_string();
        let begun = self.store().begin_reconciliation(SLUG, None, &key, false).await.unwrap();
        let begun = Begun { at: Utc::now() + TimeDelta::hours(1), ..begun };
        let observation = Observation::new(self.store(), [self.cloud.as_ref(); 2], ACT, begun);
        self.activities.look_at(&observation, &due).await.unwrap();
        self.store().findings(observation.run.id, None, FINDINGS).await.unwrap().data
    }

    async fn looks_left(&self) -> i64 {
        self.count("SELECT coalesce(sum(3 - looks), 0)::bigint FROM create_watches").await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_surfaces_late_is_switched_off_at_once_and_told(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    fleet.expect_alert("create.surfaced_late");
    let (order, kept) = fleet.active().await;
    let (_, bystander) = fleet.active().await;
    fleet.create_again(order).await;
    assert!(fleet.look().await.is_empty(), "it has not surfaced");

    let late = fleet.server(order).await;
    sqlx::query("UPDATE create_watches SET next_look_at = now()").execute(&fleet.pool).await.unwrap();
    let found = fleet.look().await;
    assert_eq!(
        verdict(&found, &late),
        Some((FindingKind::Duplicate, FindingReason::OtherServerAttached, FindingAction::Quarantined))
    );
    assert_eq!(found.len(), 1);
    assert!(!fleet.is_on(&late).await && fleet.is_on(&kept).await && fleet.is_on(&bystander).await);
    assert_eq!(
        fleet.count("SELECT count(*) FROM in_app_notifications WHERE type = 'RECONCILIATION_REPORT'").await,
        1
    );
    assert_eq!(fleet.looks_left().await, 1);

    sqlx::query("UPDATE create_watches SET next_look_at = now()").execute(&fleet.pool).await.unwrap();
    fleet.look().await;
    assert_eq!(fleet.count("SELECT count(*) FROM create_watches").await, 0, "it was looked for often enough");
}

#[sqlx::test(migrations = "../migrations")]
async fn while_an_order_is_being_provisioned_no_look_counts(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let order = fleet.provisioning().await;
    fleet.create_again(order).await;
    let found = fleet.server(order).await;
    assert!(fleet.look().await.is_empty());
    assert!(fleet.is_on(&found).await);
    assert_eq!(fleet.looks_left().await, 3);
    assert!(fleet.store().due_create_watches(SLUG).await.unwrap().is_empty(), "it is looked at again later");
}
