//! Stepping into an order's course, the audit log's permanence, and notifications.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use domain::{
    ids::{NotificationId, OrderId, UserId},
    language::Language,
    order::OrderStatus,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{
    Store, StoreError,
    admin::{AuditFilter, OrderFilter},
    audit::{Actor, Origin},
    idempotency::Idempotency,
    money_act::MoneyAct,
    page::PageRequest,
};
use uuid::Uuid;

const FIRST_PAGE: PageRequest = PageRequest { before: None, limit: 50 };

/// A customer's order in the given status, with its invoice, an open payment and its task.
async fn order_in(pool: &PgPool, status: &str) -> (UserId, OrderId) {
    let order = Uuid::now_v7();
    let user = Uuid::now_v7();
    let statements = [
        format!(
            "INSERT INTO users (id, email, full_name, password_hash)
             VALUES ('{user}', 'budi-{user}@example.com', 'Budi Santoso', 'x')"
        ),
        format!("INSERT INTO providers (id, slug, name) VALUES ('{user}', 'provider-{user}', 'A cloud')"),
        format!(
            "INSERT INTO regions (id, provider_id, slug, provider_slug, name, country)
             VALUES ('{user}', '{user}', 'region-{user}', 'sgp1', 'Singapore', 'SG')"
        ),
        format!(
            "INSERT INTO images (id, slug, name, distribution, version)
             VALUES ('{user}', 'image-{user}', 'Ubuntu 24.04', 'ubuntu', '24.04')"
        ),
        format!(
            "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                                price_monthly, cost_monthly_usd)
             VALUES ('{user}', 'plan-{user}', 'Starter', '{user}', 's-1vcpu-1gb', 1, 1024, 25, 1000, 120000, 6)"
        ),
        format!(
            "INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months,
                                 total, policy, expires_at)
             VALUES ('{order}', '{user}', 'PENDING_PAYMENT', '{user}', '{user}', '{user}', '{user}',
                     'web-{user}.example.com', 1, 133200, '{{}}', now() + interval '1 day')"
        ),
        format!(
            "INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax, tax_bp, total, due_at)
             VALUES ('{order}', 'INV/{order}', '{user}', '{order}', 'OPEN', 120000, 0, 13200, 1100, 133200, now())"
        ),
        format!(
            "INSERT INTO payments (id, invoice_id, order_id, user_id, gateway_order_id, method, amount, status)
             VALUES ('{order}', '{order}', '{order}', '{user}', 'WB-{order}-1', 'MANUAL_TRANSFER', 133200, 'PENDING')"
        ),
        format!(
            "INSERT INTO provisioning_tasks (id, order_id, provider_type, status, attempts, last_error_class, last_error,
                                             last_error_code, provider_request_id)
             VALUES ('{order}', '{order}', 'digitalocean', 'FAILED', 1, 'CONFIGURATION', 'bad image',
                     'unprocessable_entity', 'req-1')"
        ),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
    walk_to(pool, order, status).await;
    (UserId(user), OrderId(order))
}

/// Takes an order along the legal arrows to `status`.
async fn walk_to(pool: &PgPool, order: Uuid, status: &str) {
    let path = ["PAID", "PROVISIONING", "PROVISIONING_FAILED"];
    let steps = path.iter().position(|step| *step == status).map_or(0, |last| last + 1);
    for step in &path[..steps] {
        let failure = (*step == "PROVISIONING_FAILED").then_some(("CONFIGURATION", "bad image"));
        sqlx::query("UPDATE orders SET status = $2, failure_class = $3, failure_message = $4 WHERE id = $1")
            .bind(order)
            .bind(step)
            .bind(failure.map(|f| f.0))
            .bind(failure.map(|f| f.1))
            .execute(pool)
            .await
            .unwrap();
    }
    if steps > 0 {
        sqlx::query("UPDATE invoices SET status = 'PAID', paid_at = now() WHERE order_id = $1")
            .bind(order)
            .execute(pool)
            .await
            .unwrap();
    }
}

fn origin() -> Origin {
    Origin { actor: Actor::System, ip: Some("127.0.0.1".to_owned()), request_id: Some("r-1".to_owned()) }
}

/// An administrator acts on a customer's money, by a request like no other.
async fn act(pool: &PgPool) -> MoneyAct {
    let by = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO users (id, email, full_name, password_hash, role) VALUES ($1, $2, 'Ani', 'x', 'admin')",
    )
    .bind(by)
    .bind(format!("{by}@example.com"))
    .execute(pool)
    .await
    .unwrap();
    let origin = Origin { actor: Actor::User(by.into()), ..origin() };
    MoneyAct { by: by.into(), origin, request: Idempotency::new("test", "once", &by).unwrap() }
}

async fn count(pool: &PgPool, sql: &'static str, id: OrderId) -> i64 {
    sqlx::query_scalar(sql).bind(id.0).fetch_one(pool).await.unwrap()
}

async fn text(pool: &PgPool, sql: &'static str, id: OrderId) -> Option<String> {
    sqlx::query_scalar(sql).bind(id.0).fetch_one(pool).await.unwrap()
}

const OUTBOX_ROWS: &str = "SELECT count(*) FROM outbox WHERE workflow_id = 'order/' || $1::text";

#[sqlx::test(migrations = "../migrations")]
async fn of_five_retries_at_once_one_wins(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    let tries = (0..5).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.retry_provisioning(order, &origin()).await })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(retried) => {
                won += 1;
                assert_eq!((retried.status, retried.retry), (OrderStatus::Provisioning, 1));
            }
            Err(StoreError::Conflict { object: store::Object::Order, state }) => {
                assert_eq!(state, "PROVISIONING")
            }
            Err(other) => panic!("unexpected: {other}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(count(&pool, OUTBOX_ROWS, order).await, 1);
    assert_eq!(count(&pool, "SELECT count(*) FROM audit_log WHERE object_id = $1", order).await, 1);
    assert_eq!(count(&pool, "SELECT count(*) FROM order_timeline WHERE order_id = $1", order).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_clears_the_error_and_keeps_it_in_the_audit_log(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    sqlx::query("UPDATE provisioning_tasks SET create_sent_at = now() WHERE order_id = $1")
        .bind(order.0)
        .execute(&pool)
        .await
        .unwrap();
    store.retry_provisioning(order, &origin()).await.unwrap();

    let detail = store.order_for_staff(order).await.unwrap();
    assert_eq!(detail.order.status, OrderStatus::Provisioning);
    assert_eq!((detail.order.failure_class, detail.order.failure_message), (None, None));
    let task = detail.task.unwrap();
    assert_eq!((task.status.as_str(), task.attempts), ("PENDING", 1));
    assert_eq!((task.last_error_class, task.last_error, task.last_error_code), (None, None, None));
    assert_eq!(task.provider_request_id, None);
    assert!(task.create_sent_at.is_some(), "the next try must know that a server may exist");

    let kind = text(&pool, "SELECT kind FROM outbox WHERE workflow_id = 'order/' || $1::text", order).await;
    assert_eq!(kind.as_deref(), Some("retry_provisioning"));
    let filter = AuditFilter { object_id: Some(order.0), ..AuditFilter::default() };
    let log = store.audit_log(&filter, FIRST_PAGE).await.unwrap().data;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].action, "order.retry_provisioning");
    assert_eq!((log[0].ip.as_deref(), log[0].request_id.as_deref()), (Some("127.0.0.1"), Some("r-1")));
    let (before, after) = (log[0].before.clone().unwrap(), log[0].after.clone().unwrap());
    assert_eq!(
        (&before["status"], &before["task"]["status"]),
        (&"PROVISIONING_FAILED".into(), &"FAILED".into())
    );
    assert_eq!(
        (&before["task"]["last_error"], &before["failure_message"]),
        (&"bad image".into(), &"bad image".into())
    );
    assert_eq!((&after["status"], &after["task"]["status"]), (&"PROVISIONING".into(), &"PENDING".into()));
}

#[sqlx::test(migrations = "../migrations")]
async fn retries_are_numbered(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    assert_eq!(store.retry_provisioning(order, &origin()).await.unwrap().retry, 1);
    sqlx::query(
        "UPDATE orders SET status = 'PROVISIONING_FAILED', failure_class = 'CAPACITY', failure_message = 'sold out'
         WHERE id = $1",
    )
    .bind(order.0)
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(store.retry_provisioning(order, &origin()).await.unwrap().retry, 2);
    let steps = store.any_timeline(order).await.unwrap();
    let retries: Vec<&Value> = steps.iter().map(|step| &step.detail["retry"]).collect();
    assert_eq!(retries, [&Value::from(1), &Value::from(2)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_elsewhere_names_the_status_and_changes_nothing(pool: PgPool) {
    let store = Store::new(pool.clone());
    for status in ["PENDING_PAYMENT", "PAID", "PROVISIONING"] {
        let (_, order) = order_in(&pool, status).await;
        let refused = store.retry_provisioning(order, &origin()).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("the order is {status}"));
        assert_eq!(count(&pool, OUTBOX_ROWS, order).await, 0);
        let task = store.order_for_staff(order).await.unwrap().task.unwrap();
        assert_eq!(task.status.as_str(), "FAILED");
    }
    assert_eq!(store.audit_log(&AuditFilter::default(), FIRST_PAGE).await.unwrap().data.len(), 0);
    let unknown = store.retry_provisioning(OrderId(Uuid::now_v7()), &origin()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("order"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_audit_log_is_append_only(pool: PgPool) {
    let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    Store::new(pool.clone()).retry_provisioning(order, &origin()).await.unwrap();
    for forbidden in ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"] {
        let refused = sqlx::query(forbidden).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("audit_log is append-only"), "{forbidden}: {refused}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_an_unpaid_order_voids_its_invoice_and_closes_its_payments(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (user, order) = order_in(&pool, "PENDING_PAYMENT").await;
    let cancelled =
        store.cancel_order_for_staff(order, "the card was stolen", &act(&pool).await).await.unwrap();
    assert!(!cancelled.was_paid && !cancelled.server_may_exist);

    let detail = store.order_for_staff(order).await.unwrap();
    assert_eq!(detail.order.status, OrderStatus::Cancelled);
    assert_eq!(detail.invoice.unwrap().status.as_str(), "VOID");
    assert_eq!(detail.payments[0].status.as_str(), "CANCELLED");
    let kind = text(&pool, "SELECT kind FROM outbox WHERE workflow_id = 'order/' || $1::text", order).await;
    assert_eq!(kind.as_deref(), Some("order_closed"));
    let told = store.notifications(user, true, FIRST_PAGE).await.unwrap().data;
    assert_eq!(told.len(), 1);
    let words = messages::in_app(told[0].event.as_ref().unwrap(), Language::English).unwrap().message;
    assert!(words.ends_with("the card was stolen"), "{words}");

    let again = store.cancel_order_for_staff(order, "twice", &act(&pool).await).await.unwrap_err();
    assert_eq!(again.to_string(), "the order is CANCELLED");
    assert_eq!(count(&pool, OUTBOX_ROWS, order).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_a_paid_order_keeps_its_invoice(pool: PgPool) {
    let store = Store::new(pool.clone());
    for status in ["PAID", "PROVISIONING", "PROVISIONING_FAILED"] {
        let (_, order) = order_in(&pool, status).await;
        let cancelled = store.cancel_order_for_staff(order, "sold out", &act(&pool).await).await.unwrap();
        assert!(cancelled.was_paid);
        let detail = store.order_for_staff(order).await.unwrap();
        assert_eq!(detail.order.status, OrderStatus::Cancelled);
        assert_eq!(detail.invoice.unwrap().status.as_str(), "PAID");
    }
    let (_, order) = order_in(&pool, "PENDING_PAYMENT").await;
    sqlx::query("UPDATE orders SET status = 'EXPIRED' WHERE id = $1")
        .bind(order.0)
        .execute(&pool)
        .await
        .unwrap();
    let refused = store.cancel_order_for_staff(order, "too late", &act(&pool).await).await.unwrap_err();
    assert_eq!(refused.to_string(), "the order is EXPIRED");
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_says_when_a_server_may_exist(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    sqlx::query("UPDATE provisioning_tasks SET create_sent_at = now() WHERE order_id = $1")
        .bind(order.0)
        .execute(&pool)
        .await
        .unwrap();
    assert!(store.cancel_order_for_staff(order, "x", &act(&pool).await).await.unwrap().server_may_exist);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_and_a_cancellation_at_once_end_in_the_cancellation(pool: PgPool) {
    let store = Store::new(pool.clone());
    for _ in 0..5 {
        let (_, order) = order_in(&pool, "PROVISIONING_FAILED").await;
        let (origin, act) = (origin(), act(&pool).await);
        let (retry, cancel) = tokio::join!(
            store.retry_provisioning(order, &origin),
            store.cancel_order_for_staff(order, "sold out", &act),
        );
        assert!(cancel.is_ok(), "{cancel:?}");
        assert_eq!(count(&pool, OUTBOX_ROWS, order).await, 1 + i64::from(retry.is_ok()));
        assert_eq!(store.order_for_staff(order).await.unwrap().order.status, OrderStatus::Cancelled);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_orders(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (user, order) = order_in(&pool, "PROVISIONING_FAILED").await;
    let (_, other) = order_in(&pool, "PENDING_PAYMENT").await;
    let search = |words: String| OrderFilter { search: Some(words), ..OrderFilter::default() };
    let filters = [
        OrderFilter { status: Some(OrderStatus::ProvisioningFailed), ..OrderFilter::default() },
        OrderFilter { customer: Some(user), ..OrderFilter::default() },
        OrderFilter { provider: Some(format!("provider-{user}")), ..OrderFilter::default() },
        search(order.to_string()),
        search(format!("web-{user}.example.com")),
        search(format!(" BUDI-{user}@example.com")),
    ];
    for filter in filters {
        let found = store.orders_for_staff(&filter, FIRST_PAGE).await.unwrap().data;
        assert_eq!(found.iter().map(|o| o.id).collect::<Vec<_>>(), [order], "{filter:?}");
    }
    let none = store.orders_for_staff(&search("web".to_owned()), FIRST_PAGE).await.unwrap();
    assert!(none.data.is_empty());

    let page = PageRequest { before: None, limit: 1 };
    let first = store.orders_for_staff(&OrderFilter::default(), page).await.unwrap();
    assert_eq!((first.data[0].id, first.next), (other, Some(other.0)));
    let second = store
        .orders_for_staff(&OrderFilter::default(), PageRequest { before: first.next, limit: 1 })
        .await
        .unwrap();
    assert_eq!((second.data[0].id, second.next), (order, None));
    let unknown = store.order_for_staff(OrderId(Uuid::now_v7())).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("order"))));
}

async fn notice_for(pool: &PgPool, user: UserId, key: &str) -> NotificationId {
    let id = Uuid::now_v7();
    sqlx::query(
        "WITH event AS (
             INSERT INTO events (kind, data, dedupe_key) VALUES ('announcement', $4, $3) RETURNING id)
         INSERT INTO in_app_notifications (id, user_id, event_id, type)
         SELECT $1, $2, id, 'SYSTEM_ANNOUNCEMENT' FROM event",
    )
    .bind(id)
    .bind(user.0)
    .bind(key)
    .bind(json!({ "announcement_id": id, "title": "A title", "message": "A message" }))
    .execute(pool)
    .await
    .unwrap();
    NotificationId(id)
}

#[sqlx::test(migrations = "../migrations")]
async fn notifications_are_read_once_and_only_by_their_owner(pool: PgPool) {
    let store = Store::new(pool.clone());
    let (user, _) = order_in(&pool, "PENDING_PAYMENT").await;
    let (stranger, _) = order_in(&pool, "PENDING_PAYMENT").await;
    let first = notice_for(&pool, user, "a").await;
    let second = notice_for(&pool, user, "b").await;
    assert_eq!(store.unread_notifications(user).await.unwrap(), 2);

    let read = store.read_notification(user, first).await.unwrap();
    let again = store.read_notification(user, first).await.unwrap();
    assert!(read.is_read);
    assert_eq!(read.read_at, again.read_at, "the first time counts");
    let unread = store.notifications(user, true, FIRST_PAGE).await.unwrap().data;
    assert_eq!(unread.iter().map(|n| n.id).collect::<Vec<_>>(), [second]);
    assert_eq!(store.notifications(user, false, FIRST_PAGE).await.unwrap().data.len(), 2);

    assert!(matches!(store.read_notification(stranger, second).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.delete_notification(stranger, second).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.read_all_notifications(stranger).await.unwrap(), 0);
    assert_eq!(store.unread_notifications(user).await.unwrap(), 1);

    assert_eq!(store.read_all_notifications(user).await.unwrap(), 1);
    assert_eq!(store.read_all_notifications(user).await.unwrap(), 0);
    store.delete_notification(user, second).await.unwrap();
    assert!(matches!(store.delete_notification(user, second).await, Err(StoreError::NotFound(_))));
}
