//! What staff do about orders whose servers don't come up.

use domain::instance::{ActionKind, PowerState};
use store::{
    StoreError,
    admin::{FoundServer, NewBulkRetry},
    money_act::MoneyAct,
    pauses::EVERYWHERE,
    placements::{Elsewhere, ElsewhereRefusal, RetryError},
    provisioning::Activation,
    versions::IfMatch,
};

use super::*;

impl Shop {
    /// An order that failed, as many times as there are tries.
    async fn failed(&self, class: FailureClass) -> OrderId {
        let order = self.order(FailoverPolicy::OFF).await;
        self.store.fail_provisioning(order, 1, &failure(class), &configured()).await.unwrap();
        assert_eq!(self.status(order).await, "PROVISIONING_FAILED");
        order
    }

    async fn cancel(&self, order: OrderId) -> Result<store::admin::CancelledOrder, StoreError> {
        let act = MoneyAct { by: self.admin().await, request: any_request(), origin: Origin::system() };
        self.store.cancel_order_for_staff(order, "it takes too long", &act).await
    }

    async fn messages(&self, order: OrderId) -> Vec<String> {
        sqlx::query_scalar("SELECT kind FROM outbox WHERE workflow_id = 'order/' || $1::text ORDER BY id")
            .bind(order.0)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    async fn alerts(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM in_app_notifications WHERE type = $1")
            .bind(kind)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn found(id: &str) -> FoundServer {
    FoundServer {
        provider_instance_id: id.to_owned(),
        ipv4: Some("192.0.2.7".to_owned()),
        ipv6: None,
        power: PowerState::On,
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_is_called_off_on_its_way_has_its_server_deleted(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(FailoverPolicy::OFF).await;
    shop.store.save_server(order, "7").await.unwrap();
    let cancelled = shop.cancel(order).await.unwrap();
    assert!(cancelled.server_may_exist && cancelled.was_paid);
    assert_eq!(shop.status(order).await, "CANCELLED");
    let wanted = "SELECT a.action FROM instance_actions a JOIN instances i ON i.id = a.instance_id WHERE i.order_id = $1";
    assert_eq!(shop.text_of(wanted, order).await, ActionKind::Delete.as_str());

    // Whoever was about to finish or to fail the try finds it closed.
    let closed = Activation::Closed(domain::order::OrderStatus::Cancelled);
    assert_eq!(shop.store.activate_order(order).await.unwrap(), closed);
    let moved =
        shop.store.fail_provisioning(order, 1, &failure(FailureClass::Permanent), &configured()).await;
    assert_eq!(moved.unwrap(), None);
    assert_eq!(shop.status(order).await, "CANCELLED");

    let before = shop.order(FailoverPolicy::OFF).await;
    assert!(!shop.cancel(before).await.unwrap().server_may_exist);
    let fence = shop
        .count_of("SELECT create_fence::bigint FROM provisioning_tasks WHERE order_id = $1", before)
        .await;
    assert!(!shop.store.mark_create_sent(before, fence.try_into().unwrap()).await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_was_found_is_attached_once_to_one_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let failed = shop.failed(FailureClass::Capacity).await;
    let under_way = shop.order(FailoverPolicy::OFF).await;
    for order in [failed, under_way] {
        let server = found(&order.to_string());
        let attached =
            shop.store.attach_server(order, &server, "made by hand", &Origin::system()).await.unwrap();
        assert_eq!(shop.status(order).await, "ACTIVE");
        let again =
            shop.store.attach_server(order, &server, "made by hand", &Origin::system()).await.unwrap();
        assert_eq!(again, attached);
        assert_eq!(shop.store.activate_order(order).await.unwrap(), Activation::Before);
        assert_eq!(shop.messages(order).await.last().map(String::as_str), Some("order_closed"));
        let address = "SELECT ipv4 FROM instances WHERE order_id = $1 AND expires_at > now()";
        assert_eq!(shop.text_of(address, order).await, "192.0.2.7");
        let other =
            shop.store.attach_server(order, &found("8"), "another", &Origin::system()).await.unwrap_err();
        assert_eq!(other.to_string(), "the order is ACTIVE");
    }
    let late = shop.failed(FailureClass::Capacity).await;
    let taken =
        shop.store.attach_server(late, &found(&failed.to_string()), "theirs", &Origin::system()).await;
    assert!(matches!(taken, Err(StoreError::Conflict { object: store::Object::Server, .. })), "{taken:?}");
    assert_eq!(shop.status(late).await, "PROVISIONING_FAILED");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_replaced_and_the_order_goes_on(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(FailoverPolicy::OFF).await;
    let none = shop.store.replace_server(order, "none", &Origin::system()).await.unwrap_err();
    assert!(matches!(none, StoreError::Conflict { object: store::Object::Server, .. }), "{none}");
    shop.store.save_server(order, "7").await.unwrap();
    let replaced = shop.store.replace_server(order, "no address", &Origin::system()).await.unwrap();
    assert_eq!(shop.store.replace_server(order, "no address", &Origin::system()).await.unwrap(), replaced);
    assert_eq!(shop.store.provisioning_job(order).await.unwrap().replace_server.as_deref(), Some("7"));
    let told = "SELECT count(*) FROM order_timeline WHERE order_id = $1 AND step = 'server_replaced'";
    assert_eq!(shop.count_of(told, order).await, 1);

    shop.store.note_replaced(order, "7").await.unwrap();
    let job = shop.store.provisioning_job(order).await.unwrap();
    assert_eq!((job.provider_instance_id, job.replace_server, job.server_known_ago), (None, None, None));
    shop.store.save_server(order, "8").await.unwrap();

    // One that failed goes on by it.
    shop.store.fail_provisioning(order, 1, &failure(FailureClass::Permanent), &configured()).await.unwrap();
    shop.store.replace_server(order, "it failed", &Origin::system()).await.unwrap();
    assert_eq!(shop.status(order).await, "PROVISIONING");
    assert_eq!(shop.messages(order).await.last().map(String::as_str), Some("retry_provisioning"));
    shop.store.save_address(order, Some("192.0.2.7".to_owned()), None, PowerState::On).await.unwrap();
    shop.store.activate_order(order).await.unwrap();
    let over = shop.store.replace_server(order, "too late", &Origin::system()).await.unwrap_err();
    assert_eq!(over.to_string(), "the order is ACTIVE");
}

#[sqlx::test(migrations = "../migrations")]
async fn every_part_of_an_order_can_be_changed_with_a_retry(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.failed(FailureClass::Configuration).await;
    let wish = Elsewhere {
        image: Some("debian-12".to_owned()),
        hostname: Some(Hostname::parse("web-2").unwrap()),
        ssh_key_ids: Some(Vec::new()),
        configured: configured(),
        ..Elsewhere::default()
    };
    let unknown = Elsewhere { image: Some("plan-9".to_owned()), ..wish.clone() };
    let nobodys = Elsewhere { ssh_key_ids: Some(vec![Uuid::now_v7().into()]), ..wish.clone() };
    for (wish, refusal) in
        [(unknown, ElsewhereRefusal::ImageUnknown), (nobodys, ElsewhereRefusal::SshKeyUnknown)]
    {
        match shop.store.retry_provisioning_elsewhere(order, &wish, &Origin::system()).await {
            Err(RetryError::Refused(refused)) => assert_eq!(refused, refusal),
            other => panic!("{other:?}"),
        }
        assert_eq!(shop.status(order).await, "PROVISIONING_FAILED");
    }
    shop.store.retry_provisioning_elsewhere(order, &wish, &Origin::system()).await.unwrap();
    shop.store.start_provisioning(order).await.unwrap();
    let job = shop.store.provisioning_job(order).await.unwrap();
    assert_eq!((job.hostname.as_str(), job.image.as_str()), ("web-2", "debian-12-x64"));
    assert!(job.root_password.is_some(), "nobody could log in without a key");
    assert_eq!(shop.places(order).await, [place("digitalocean", "ordered"), place("digitalocean", "admin")]);
    assert_eq!(shop.text_of("SELECT name FROM instances WHERE order_id = $1", order).await, "web-2");
    assert_eq!(shop.text_of("SELECT hostname FROM orders WHERE id = $1", order).await, "web-2");

    // While a server of it may exist, it would not be as wished.
    shop.store.save_server(order, "7").await.unwrap();
    shop.store.fail_provisioning(order, 2, &failure(FailureClass::Permanent), &configured()).await.unwrap();
    let renamed = Elsewhere { hostname: Some(Hostname::parse("web-3").unwrap()), ..Elsewhere::default() };
    match shop.store.retry_provisioning_elsewhere(order, &renamed, &Origin::system()).await {
        Err(RetryError::Refused(ElsewhereRefusal::OutcomePending)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(shop.text_of("SELECT hostname FROM orders WHERE id = $1", order).await, "web-2");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_pause_holds_from_its_commit_on_until_it_is_ended(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let staff = shop.admin().await;
    let order = shop.order(FailoverPolicy::OFF).await;
    let job = shop.store.provisioning_job(order).await.unwrap();
    for scope in ["digitalocean", EVERYWHERE] {
        shop.store
            .pause_provisioning(scope, "an incident", staff, &IfMatch::Anyhow, &Origin::system())
            .await
            .unwrap();
        assert!(!shop.store.mark_create_sent(order, job.create_fence).await.unwrap(), "{scope}");
        let begun = shop.store.start_provisioning(order).await.unwrap();
        assert_eq!(begun.paused.as_deref(), Some("an incident"));
        shop.store.resume_provisioning(scope, &Origin::system()).await.unwrap();
        assert_eq!(shop.store.start_provisioning(order).await.unwrap().paused, None);
    }
    shop.store
        .pause_provisioning("vultr", "an incident", staff, &IfMatch::Anyhow, &Origin::system())
        .await
        .unwrap();
    shop.store
        .pause_provisioning("vultr", "a longer incident", staff, &IfMatch::Anyhow, &Origin::system())
        .await
        .unwrap();
    let paused = shop.store.pauses().await.unwrap();
    assert_eq!(
        paused.iter().map(|p| (p.scope.as_str(), p.reason.as_str())).collect::<Vec<_>>(),
        [("vultr", "a longer incident")]
    );
    assert!(shop.store.mark_create_sent(order, job.create_fence).await.unwrap(), "others go on");
    for nothing in [
        shop.store
            .pause_provisioning("aws", "no such", staff, &IfMatch::Anyhow, &Origin::system())
            .await
            .map(drop),
        shop.store.resume_provisioning(EVERYWHERE, &Origin::system()).await,
    ] {
        assert!(matches!(nothing, Err(StoreError::NotFound(_))), "{nothing:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn failed_orders_of_a_kind_are_tried_again_some_a_minute(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let staff = shop.admin().await;
    let mut wanted = Vec::new();
    for _ in 0..5 {
        wanted.push(shop.failed(FailureClass::Capacity).await);
    }
    let other = shop.failed(FailureClass::Configuration).await;
    let new = NewBulkRetry {
        failure_class: FailureClass::Capacity,
        provider: Some("digitalocean".to_owned()),
        per_minute: 2,
        staff,
    };
    let elsewhere = NewBulkRetry { provider: Some("linode".to_owned()), ..new.clone() };
    assert!(shop.store.request_bulk_retry(&elsewhere, &Origin::system()).await.is_err(), "nothing to retry");
    let bulk = shop.store.request_bulk_retry(&new, &Origin::system()).await.unwrap();
    assert_eq!((bulk.orders, bulk.waiting()), (5, 5));

    assert_eq!(shop.store.advance_bulk_retries().await.unwrap(), 2);
    assert_eq!(shop.store.advance_bulk_retries().await.unwrap(), 0, "within the minute");
    let minute_later = "UPDATE bulk_retries SET advanced_at = now() - interval '1 minute'";
    // One is no more for it.
    shop.cancel(wanted[2]).await.unwrap();
    shop.run(minute_later).await;
    assert_eq!(shop.store.advance_bulk_retries().await.unwrap(), 1);
    let bulk = shop.store.bulk_retry(bulk.id).await.unwrap();
    assert_eq!((bulk.retried, bulk.skipped, bulk.waiting()), (3, 1, 1));

    shop.store.stop_bulk_retry(bulk.id, &Origin::system()).await.unwrap();
    shop.run(minute_later).await;
    assert_eq!(shop.store.advance_bulk_retries().await.unwrap(), 0);
    let mut standing = Vec::new();
    for order in wanted.into_iter().chain([other]) {
        standing.push(shop.status(order).await);
    }
    let (tried, failed) = ("PROVISIONING", "PROVISIONING_FAILED");
    assert_eq!(standing, [tried, tried, "CANCELLED", tried, failed, failed]);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_there_is_trouble_with_or_that_failed_otherwise_stops_no_retry_behind_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("bulk_retry.order_failed");
    let staff = shop.admin().await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop.failed(FailureClass::Capacity).await);
    }
    let new = NewBulkRetry { failure_class: FailureClass::Capacity, provider: None, per_minute: 10, staff };
    let bulk = shop.store.request_bulk_retry(&new, &Origin::system()).await.unwrap();
    let poison = format!(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.id = '{}' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW;
         END $$;
         CREATE TRIGGER poison BEFORE UPDATE OF status ON orders FOR EACH ROW EXECUTE FUNCTION poison();",
        orders[0]
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(poison)).execute(&shop.pool).await.unwrap();
    // Somebody tried the second one by hand meanwhile, and now it is another trouble.
    shop.store.retry_provisioning(orders[1], &Origin::system()).await.unwrap();
    shop.store.start_provisioning(orders[1]).await.unwrap();
    let otherwise = failure(FailureClass::Configuration);
    shop.store.fail_provisioning(orders[1], 2, &otherwise, &configured()).await.unwrap();

    assert_eq!(shop.store.advance_bulk_retries().await.unwrap(), 1);
    let bulk = shop.store.bulk_retry(bulk.id).await.unwrap();
    assert_eq!((bulk.retried, bulk.skipped, bulk.waiting()), (1, 2, 0));
    let mut standing = Vec::new();
    for order in orders {
        standing.push(shop.status(order).await);
    }
    assert_eq!(standing, ["PROVISIONING_FAILED", "PROVISIONING_FAILED", "PROVISIONING"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_that_wait_for_a_person_are_told_of_after_an_hour_and_a_day(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.admin().await;
    let orders = [shop.failed(FailureClass::Capacity).await, shop.failed(FailureClass::Capacity).await];
    assert_eq!(shop.store.escalate_failed_orders().await.unwrap(), 0);
    let age = async |hours: i32| {
        // Events are append-only: what is told of is as old as its newest failure.
        sqlx::query("ALTER TABLE events DISABLE TRIGGER events_append_only")
            .execute(&shop.pool)
            .await
            .unwrap();
        sqlx::query("UPDATE events SET at = now() - make_interval(hours => $1)")
            .bind(hours)
            .execute(&shop.pool)
            .await
            .unwrap();
    };
    age(2).await;
    assert_eq!(shop.store.escalate_failed_orders().await.unwrap(), 2);
    assert_eq!(shop.store.escalate_failed_orders().await.unwrap(), 0);
    assert_eq!(shop.alerts("ORDER_WAITS").await, 1, "together");
    age(25).await;
    shop.store.retry_provisioning(orders[0], &Origin::system()).await.unwrap();
    assert_eq!(shop.store.escalate_failed_orders().await.unwrap(), 1);
    assert_eq!(shop.alerts("ORDER_WAITS").await, 2);
}
