//! What is asked for servers: taken in once, one at a time, to its end.

use std::ops::Deref;

use domain::{
    ids::{ActionId, ApiKeyId, InstanceId, OrderId, UserId},
    instance::{ActionKind, ActionStatus, ActionTurn, InstanceAction, InstanceStatus, PowerState},
    order::OrderStatus,
    provisioning::FailureClass,
    server::ServerState,
};
use serde_json::json;
use sqlx::PgPool;
use store::{
    StoreError,
    audit::{Actor, Origin},
    instance_actions::{Action, NewAction, RequestedBy},
    page::PageRequest,
    provisioning::ProviderTrouble,
};
use testkit::{TestApp, by_user, new_money_act};
use uuid::Uuid;

const ALL: PageRequest = PageRequest { before: None, limit: 100 };

/// A customer with a server.
struct Shop {
    app: TestApp,
    customer: UserId,
    order: OrderId,
    server: InstanceId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    /// With a server that is being made.
    async fn provisioning(pool: PgPool) -> Self {
        let app = TestApp::new(pool).await;
        let order = app.order().provisioning().await;
        Self { app, customer: order.customer, order: order.id, server: order.server() }
    }

    /// With a running server.
    async fn active(pool: PgPool) -> Self {
        let shop = Self::provisioning(pool).await;
        shop.store.save_server(shop.order, "4711").await.unwrap();
        shop.store
            .save_address(shop.order, Some("203.0.113.7".to_owned()), None, PowerState::On)
            .await
            .unwrap();
        shop.store.activate_order(shop.order).await.unwrap();
        shop
    }

    fn me(&self) -> Origin {
        by_user(self.customer)
    }

    async fn ask(&self, action: &InstanceAction, key: Option<&str>) -> Result<Action, StoreError> {
        let new = NewAction {
            instance: self.server,
            by: RequestedBy::Customer(self.customer),
            action,
            origin: &self.me(),
            idempotency_key: key,
        };
        self.store.request_action(&new).await
    }

    /// As a program does.
    async fn delete(&self) -> Result<Action, StoreError> {
        let origin = Origin { actor: Actor::ApiKey(ApiKeyId(Uuid::nil())), ip: None, request_id: None };
        let new = NewAction {
            instance: self.server,
            by: RequestedBy::Program,
            action: &InstanceAction::Delete,
            origin: &origin,
            idempotency_key: None,
        };
        self.store.request_action(&new).await
    }

    async fn turn(&self) -> ActionTurn {
        self.store.next_action(self.server).await.unwrap()
    }

    async fn begin(&self) -> ActionId {
        self.turn().await.work.expect("an action waits").action_id
    }

    async fn read(&self, action: ActionId) -> Action {
        self.store.any_action(self.server, action).await.unwrap()
    }

    async fn outbox(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT kind FROM outbox WHERE workflow_id = $1 ORDER BY id")
            .bind(format!("instance/{}", self.server))
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

fn conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Conflict { object: store::Object::Instance, state }) => state,
        other => panic!("no conflict: {other:?}"),
    }
}

fn observed() -> ServerState {
    ServerState { power: PowerState::Off, ipv4: None, ipv6: Some("2001:db8::7".parse().unwrap()) }
}

#[sqlx::test(migrations = "../migrations")]
async fn actions_are_done_one_at_a_time_in_the_order_asked(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let reboot = shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    let off = shop.ask(&InstanceAction::PowerOff, None).await.unwrap();
    assert_eq!(reboot.status, ActionStatus::Pending);
    assert_eq!(shop.outbox().await, ["start_instance", "action_requested", "action_requested"]);

    assert_eq!(shop.begin().await, reboot.id);
    assert_eq!(shop.begin().await, reboot.id, "its turn lasts until it is over");
    assert_eq!(shop.read(off.id).await.status, ActionStatus::Pending);

    shop.store.complete_action(reboot.id, None, &observed()).await.unwrap();
    let seen = shop.store.instance_of(shop.customer, shop.server).await.unwrap();
    assert_eq!(seen.power_state, PowerState::Off);
    assert_eq!(seen.ipv4.as_deref(), Some("203.0.113.7"), "what the provider does not tell is kept");
    assert_eq!(seen.ipv6.as_deref(), Some("2001:db8::7"));
    shop.store.fail_action(reboot.id, FailureClass::Permanent, "too late").await.unwrap();
    assert_eq!(shop.read(reboot.id).await.status, ActionStatus::Completed, "what is over stays");

    assert_eq!(shop.begin().await, off.id);
    shop.store.complete_action(off.id, None, &observed()).await.unwrap();
    assert!(matches!(shop.turn().await, ActionTurn { is_terminated: false, work: None, .. }));
    let listed = shop.store.actions_of(shop.customer, shop.server, &ALL).await.unwrap().data;
    assert_eq!(listed.iter().map(|action| action.id).collect::<Vec<_>>(), [off.id, reboot.id]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_rename_is_done_on_the_way(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let rename = shop.ask(&InstanceAction::Rename { name: "Toko".to_owned() }, None).await.unwrap();
    let reboot = shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    assert_eq!(shop.begin().await, reboot.id);
    assert_eq!(shop.read(rename.id).await.status, ActionStatus::Completed);
    assert_eq!(shop.store.any_instance(shop.server).await.unwrap().name, "Toko");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_means_one_action(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let many = (0..8).map(|_| shop.ask(&InstanceAction::Reboot, Some("k")));
    let asked = futures::future::join_all(many).await;
    let first = asked[0].as_ref().unwrap().id;
    assert!(asked.iter().all(|one| one.as_ref().unwrap().id == first));
    assert_eq!(shop.outbox().await, ["start_instance", "action_requested"]);
    assert!(matches!(
        shop.ask(&InstanceAction::PowerOff, Some("k")).await,
        Err(StoreError::IdempotencyMismatch)
    ));
    assert_ne!(shop.ask(&InstanceAction::Reboot, Some("k2")).await.unwrap().id, first);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_strangers_server_is_not_there(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let stranger = shop.customer().await;
    let new = NewAction {
        instance: shop.server,
        by: RequestedBy::Customer(stranger),
        action: &InstanceAction::Reboot,
        origin: &shop.me(),
        idempotency_key: None,
    };
    assert!(matches!(shop.store.request_action(&new).await, Err(StoreError::NotFound("instance"))));
    let mine = shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    let read = shop.store.action_of(stranger, shop.server, mine.id).await;
    assert!(matches!(read, Err(StoreError::NotFound("action"))));
    let listed = shop.store.actions_of(stranger, shop.server, &ALL).await;
    assert!(matches!(listed, Err(StoreError::NotFound("instance"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_servers_state_forbids(pool: PgPool) {
    let shop = Shop::provisioning(pool).await;
    assert_eq!(conflict(shop.ask(&InstanceAction::Reboot, None).await), "PROVISIONING");
    assert_eq!(conflict(shop.delete().await), "PROVISIONING", "its order is being worked on");

    shop.store.save_server(shop.order, "4711").await.unwrap();
    shop.store.save_address(shop.order, Some("203.0.113.7".into()), None, PowerState::On).await.unwrap();
    shop.store.activate_order(shop.order).await.unwrap();
    for _ in 0..10 {
        shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    }
    let full = conflict(shop.ask(&InstanceAction::Reboot, None).await);
    assert!(full.contains("10 actions are waiting"), "{full}");

    shop.run("UPDATE instances SET status = 'SUSPENDED'").await;
    assert_eq!(shop.turn().await.work, None, "what waits is refused when the state changed");
    let refused = shop.store.any_actions(shop.server, &ALL).await.unwrap().data;
    assert!(refused.iter().all(|a| a.failure_class == Some(FailureClass::Conflict)));
    assert_eq!(conflict(shop.ask(&InstanceAction::PowerOn, None).await), "SUSPENDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_delete_ends_the_server_and_all_that_waits(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let delete = shop.delete().await.unwrap();
    assert_eq!(shop.delete().await.unwrap().id, delete.id, "deleting twice is the same delete");
    assert_eq!(conflict(shop.ask(&InstanceAction::Reboot, None).await), "being deleted");
    let audited: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'instance.action_requested'")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert_eq!(audited, 1, "programs' acts are audited");

    assert_eq!(shop.begin().await, delete.id);
    let job = shop.store.deletion_job(delete.id).await.unwrap();
    assert_eq!((job.provider.as_str(), job.provider_instance_id.as_deref()), ("digitalocean", Some("4711")));
    shop.store.terminate_instance(delete.id).await.unwrap();
    shop.store.terminate_instance(delete.id).await.unwrap();
    let gone = shop.store.any_instance(shop.server).await.unwrap();
    assert_eq!((gone.status, gone.power_state), (InstanceStatus::Terminated, PowerState::Off));
    assert!(matches!(shop.turn().await, ActionTurn { is_terminated: true, work: None, .. }));
    assert_eq!(conflict(shop.ask(&InstanceAction::Reboot, None).await), "TERMINATED");
    assert_eq!(shop.delete().await.unwrap().status, ActionStatus::Completed);
    let told: i64 =
        sqlx::query_scalar("SELECT count(*) FROM in_app_notifications WHERE type = 'VPS_TERMINATED'")
            .fetch_one(&shop.pool)
            .await
            .unwrap();
    assert_eq!(told, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_called_off_order_left_can_be_deleted(pool: PgPool) {
    let shop = Shop::provisioning(pool).await;
    shop.fail(shop.order, FailureClass::Permanent).await;
    assert_eq!(conflict(shop.delete().await), "PROVISIONING");
    shop.run("UPDATE provisioning_tasks SET create_sent_at = now()").await;
    let act = new_money_act(shop.admin().await);
    assert!(
        shop.store.cancel_order_for_staff(shop.order, "called off", &act).await.unwrap().server_may_exist
    );
    let delete = shop.delete().await.unwrap();
    assert_eq!(shop.begin().await, delete.id);
    let job = shop.store.deletion_job(delete.id).await.unwrap();
    assert!(job.provider_instance_id.is_none() && job.create_sent_ago.is_some());
    let start = shop.store.instance_start(shop.server).await.unwrap();
    assert_eq!(start.expires_at_ms, 0, "it never had a term");
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_is_for_admins_and_failures_have_words_for_customers(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let action = shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    let trouble = ProviderTrouble {
        class: FailureClass::Configuration,
        message: "digitalocean: Unable to authenticate you.".to_owned(),
        code: Some("unauthorized".to_owned()),
        request_id: Some("req-1".to_owned()),
    };
    shop.store.note_action_trouble(action.id, &trouble).await.unwrap();
    assert!(shop.read(action.id).await.trouble.is_none(), "its turn has not come");
    shop.begin().await;
    shop.store.note_action_trouble(action.id, &trouble).await.unwrap();
    shop.store.fail_action(action.id, trouble.class, &trouble.message).await.unwrap();
    let failed = shop.read(action.id).await;
    assert_eq!(failed.status, ActionStatus::Failed);
    assert_eq!(failed.failure_class, Some(FailureClass::Configuration));
    assert!(!failed.failure_message.unwrap().contains("authenticate"));
    let told = failed.trouble.unwrap();
    assert_eq!((&told["code"], &told["provider_request_id"]), (&json!("unauthorized"), &json!("req-1")));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_may_be_at_the_provider_is_noted(pool: PgPool) {
    let shop = Shop::active(pool).await;
    let snapshot = InstanceAction::Snapshot { name: "before".to_owned() };
    let first = shop.ask(&snapshot, None).await.unwrap();
    assert!(!shop.store.mark_action_sent(first.id).await.unwrap(), "its turn has not come");
    shop.begin().await;
    assert!(shop.store.mark_action_sent(first.id).await.unwrap());
    assert!(shop.store.action_job(first.id).await.unwrap().sent_at.is_some());
    shop.store.clear_action_sent(first.id).await.unwrap();
    assert!(shop.store.action_job(first.id).await.unwrap().sent_at.is_none());
    shop.store.mark_action_sent(first.id).await.unwrap();
    shop.store.save_receipt(first.id, &json!({ "action_id": "7" })).await.unwrap();
    shop.store.clear_action_sent(first.id).await.unwrap();
    let job = shop.store.action_job(first.id).await.unwrap();
    assert!(job.sent_at.is_some() && job.receipt == Some(json!({ "action_id": "7" })));
    shop.store.complete_action(first.id, Some("snap-1"), &observed()).await.unwrap();
    assert_eq!(shop.read(first.id).await.result, Some(json!({ "snapshot_id": "snap-1" })));

    let second = shop.ask(&snapshot, None).await.unwrap();
    shop.begin().await;
    assert_eq!(shop.store.action_job(second.id).await.unwrap().other_snapshots, ["snap-1"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn rebuilds_and_resizes_go_by_the_catalog(pool: PgPool) {
    let shop = Shop::active(pool).await;
    assert!(shop.store.can_rebuild_from(shop.server, "debian-12").await.unwrap());
    assert!(!shop.store.can_rebuild_from(shop.server, "windows-95").await.unwrap());
    let rebuild = shop.ask(&InstanceAction::Rebuild { image: "debian-12".to_owned() }, None).await.unwrap();
    shop.begin().await;
    assert!(shop.store.action_job(rebuild.id).await.unwrap().image.is_some());
    shop.store.complete_action(rebuild.id, None, &observed()).await.unwrap();
    assert_eq!(shop.store.any_instance(shop.server).await.unwrap().image, "debian-12");
    sqlx::query("UPDATE image_sources SET unavailable_since = now(), unavailable_reason = 'gone'")
        .execute(&shop.pool)
        .await
        .unwrap();
    assert!(!shop.store.can_rebuild_from(shop.server, "debian-12").await.unwrap(), "the provider retired it");

    let larger: Uuid = sqlx::query_scalar(
        "SELECT l.id FROM plans l JOIN providers p ON p.id = l.provider_id
         WHERE p.slug = 'digitalocean' AND l.disk_gb > 25 ORDER BY l.disk_gb LIMIT 1",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    let elsewhere: Uuid = sqlx::query_scalar(
        "SELECT l.id FROM plans l JOIN providers p ON p.id = l.provider_id WHERE p.slug = 'vultr' LIMIT 1",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    let target = shop.store.resize_target(shop.server, larger.into()).await.unwrap();
    assert!(target.is_offered && target.is_in_region && !target.is_current && !target.shrinks_disk);
    assert!(!shop.store.resize_target(shop.server, elsewhere.into()).await.unwrap().is_offered);
    let unknown = shop.store.resize_target(shop.server, Uuid::nil().into()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("plan"))));

    let resize = shop.ask(&InstanceAction::Resize { plan_id: larger.into() }, None).await.unwrap();
    shop.begin().await;
    let job = shop.store.action_job(resize.id).await.unwrap();
    assert!(job.size.is_some() && job.grows_disk);
    shop.store.complete_action(resize.id, None, &observed()).await.unwrap();
    assert!(shop.store.resize_target(shop.server, larger.into()).await.unwrap().is_current);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_itself_keeps_actions_apart(pool: PgPool) {
    let shop = Shop::active(pool).await;
    shop.ask(&InstanceAction::Reboot, None).await.unwrap();
    let done = shop.begin().await;
    shop.ask(&InstanceAction::PowerOff, None).await.unwrap();
    let both = "UPDATE instance_actions SET status = 'in_progress', started_at = now()";
    let error = sqlx::query(both).execute(&shop.pool).await.unwrap_err();
    assert!(error.to_string().contains("instance_actions_one_in_progress"), "{error}");
    shop.store.complete_action(done, None, &observed()).await.unwrap();
    let again = "UPDATE instance_actions SET updated_at = now() WHERE status = 'completed'";
    assert!(sqlx::query(again).execute(&shop.pool).await.is_err(), "what is over does not change");
    for kind in ActionKind::ALL {
        let known: bool = sqlx::query_scalar(
            "SELECT pg_get_constraintdef(oid) LIKE '%''' || $1 || '''%' FROM pg_constraint
             WHERE conname = 'instance_actions_action_known'",
        )
        .bind(kind.as_str())
        .fetch_one(&shop.pool)
        .await
        .unwrap();
        assert!(known, "the database does not know {kind}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn asking_for_provisioning_wakes_a_paid_orders_workflow_once(pool: PgPool) {
    let shop = Shop::provisioning(pool).await;
    let standing = shop.store.ask_for_provisioning(shop.order).await.unwrap();
    assert_eq!((standing.status, standing.instance_id), (OrderStatus::Provisioning, Some(shop.server)));
    let unknown = shop.store.ask_for_provisioning(Uuid::nil().into()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("order"))));

    let paid = shop.app.order().by(shop.customer).paid().await.id;
    shop.run("UPDATE outbox SET dispatched_at = now()").await;
    for _ in 0..3 {
        let standing = shop.store.ask_for_provisioning(paid).await.unwrap();
        assert_eq!((standing.status, standing.instance_id), (OrderStatus::Paid, None));
    }
    let told: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM outbox WHERE workflow_id = $1 AND dispatched_at IS NULL")
            .bind(format!("order/{paid}"))
            .fetch_all(&shop.pool)
            .await
            .unwrap();
    assert_eq!(told, ["payment_confirmed"]);
}
