//! Stepping into an order's course, the audit log's permanence, and notifications.

use domain::{
    ids::{NotificationId, OrderId, UserId},
    language::Language,
    order::OrderStatus,
    provisioning::FailureClass,
    sorting::{AuditSort, OrderSort},
};
use serde_json::Value;
use sqlx::PgPool;
use store::{
    StoreError,
    admin::{AuditFilter, OrderFilter},
    audit::{Actor, Origin},
    money_act::MoneyAct,
    page::{PageRequest, SortedRequest},
    provisioning::{ProviderTrouble, ProvisioningFailure},
};
use testkit::{TestApp, new_money_act};
use uuid::Uuid;

const FIRST_PAGE: PageRequest = PageRequest { before: None, limit: 50 };

/// A customer's order at Vultr in the given status. Of one that failed it is known what the provider said.
async fn order_in(app: &TestApp, status: &str) -> (UserId, OrderId) {
    let user = app.account().name("Budi Santoso").await;
    let order = app.order().by(user).plan("vultr-regular-1gb").region("vultr-sgp").hostname(hostname(user));
    let ordered = match status {
        "PENDING_PAYMENT" => order.place().await,
        "PAID" => order.paid().await,
        "PROVISIONING" => order.provisioning().await,
        _ => {
            let ordered = order.provisioning().await;
            let (class, message) = (FailureClass::Configuration, "bad image".to_owned());
            let code = Some("unprocessable_entity".to_owned());
            let trouble = ProviderTrouble {
                class,
                message: message.clone(),
                code,
                request_id: Some("req-1".to_owned()),
            };
            app.store.note_provider_trouble(ordered.id, &trouble).await.unwrap();
            let failure = ProvisioningFailure { class, message };
            app.store.fail_provisioning(ordered.id, 1, &failure, &[]).await.unwrap();
            ordered
        }
    };
    assert_eq!(app.status(ordered.id).await.as_str(), status);
    (user, ordered.id)
}

fn hostname(user: UserId) -> String {
    format!("web-{user}.example.com")
}

fn origin() -> Origin {
    Origin { actor: Actor::System, ip: Some("127.0.0.1".to_owned()), request_id: Some("r-1".to_owned()) }
}

/// An administrator acts on a customer's money, by a request like no other.
async fn act(app: &TestApp) -> MoneyAct {
    new_money_act(app.admin().await)
}

/// What staff's commands told the order's workflow, the last first.
async fn told_workflow(app: &TestApp, order: OrderId) -> Vec<String> {
    let sql = "SELECT kind FROM outbox WHERE workflow_id = 'order/' || $1::text
               AND kind NOT IN ('start_order', 'payment_confirmed') ORDER BY id DESC";
    sqlx::query_scalar(sql).bind(order.0).fetch_all(&app.pool).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_retries_at_once_one_wins(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
    let tries = (0..5).map(|_| {
        let store = app.store.clone();
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
    assert_eq!(told_workflow(&app, order).await.len(), 1);
    assert_eq!(app.count_of("SELECT count(*) FROM audit_log WHERE object_id = $1", order).await, 1);
    let steps = app.steps(order).await;
    assert_eq!(steps.iter().filter(|step| *step == "provisioning_retried").count(), 1, "{steps:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_clears_the_error_and_keeps_it_in_the_audit_log(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
    app.run_of("UPDATE provisioning_tasks SET create_sent_at = now() WHERE order_id = $1", order).await;
    let attempts = store.order_for_staff(order).await.unwrap().task.unwrap().attempts;
    store.retry_provisioning(order, &origin()).await.unwrap();

    let detail = store.order_for_staff(order).await.unwrap();
    assert_eq!(detail.order.status, OrderStatus::Provisioning);
    assert_eq!((detail.order.failure_class, detail.order.failure_message), (None, None));
    let task = detail.task.unwrap();
    assert_eq!((task.status.as_str(), task.attempts), ("PENDING", attempts));
    assert_eq!((task.last_error_class, task.last_error, task.last_error_code), (None, None, None));
    assert_eq!(task.provider_request_id, None);
    assert!(task.create_sent_at.is_some(), "the next try must know that a server may exist");

    assert_eq!(told_workflow(&app, order).await, ["retry_provisioning"]);
    let filter = AuditFilter { object_id: Some(order.0), ..AuditFilter::default() };
    let log = store.audit_log(&filter, AuditSort::Newest, SortedRequest::first(50)).await.unwrap().data;
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
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
    assert_eq!(store.retry_provisioning(order, &origin()).await.unwrap().retry, 1);
    app.fail(order, FailureClass::Capacity).await;
    assert_eq!(store.retry_provisioning(order, &origin()).await.unwrap().retry, 2);
    let steps = store.any_timeline(order).await.unwrap();
    let retries = steps.iter().filter(|step| step.step == "provisioning_retried");
    let retries: Vec<&Value> = retries.map(|step| &step.detail["retry"]).collect();
    assert_eq!(retries, [&Value::from(1), &Value::from(2)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_elsewhere_names_the_status_and_changes_nothing(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    for status in ["PENDING_PAYMENT", "PAID", "PROVISIONING"] {
        let (_, order) = order_in(&app, status).await;
        let task = async || store.order_for_staff(order).await.unwrap().task.unwrap().status;
        let before = task().await;
        let refused = store.retry_provisioning(order, &origin()).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("the order is {status}"));
        assert_eq!(told_workflow(&app, order).await.len(), 0);
        assert_eq!(task().await, before);
        let filter = AuditFilter { object_id: Some(order.0), ..AuditFilter::default() };
        assert_eq!(
            store.audit_log(&filter, AuditSort::Newest, SortedRequest::first(50)).await.unwrap().data.len(),
            0
        );
    }
    let unknown = store.retry_provisioning(OrderId(Uuid::now_v7()), &origin()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("order"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_audit_log_is_append_only(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
    app.store.retry_provisioning(order, &origin()).await.unwrap();
    for forbidden in ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"] {
        let refused = sqlx::query(forbidden).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("audit_log is append-only"), "{forbidden}: {refused}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_an_unpaid_order_voids_its_invoice_and_closes_its_payments(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (user, order) = order_in(&app, "PENDING_PAYMENT").await;
    let cancelled =
        store.cancel_order_for_staff(order, "the card was stolen", &act(&app).await).await.unwrap();
    assert!(!cancelled.was_paid && !cancelled.server_may_exist);

    let detail = store.order_for_staff(order).await.unwrap();
    assert_eq!(detail.order.status, OrderStatus::Cancelled);
    assert_eq!(detail.invoice.unwrap().status.as_str(), "VOID");
    assert_eq!(detail.payments[0].status.as_str(), "CANCELLED");
    assert_eq!(told_workflow(&app, order).await, ["order_closed"]);
    let mut told = store.notifications(user, true, FIRST_PAGE).await.unwrap().data;
    told.retain(|notice| notice.kind == "ORDER_CANCELLED");
    assert_eq!(told.len(), 1);
    let words = messages::in_app(told[0].event.as_ref().unwrap(), Language::English).unwrap().message;
    assert!(words.ends_with("the card was stolen"), "{words}");

    let again = store.cancel_order_for_staff(order, "twice", &act(&app).await).await.unwrap_err();
    assert_eq!(again.to_string(), "the order is CANCELLED");
    assert_eq!(told_workflow(&app, order).await.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_a_paid_order_refunds_its_invoice(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    for status in ["PAID", "PROVISIONING", "PROVISIONING_FAILED"] {
        let (_, order) = order_in(&app, status).await;
        let cancelled = store.cancel_order_for_staff(order, "sold out", &act(&app).await).await.unwrap();
        assert!(cancelled.was_paid);
        let detail = store.order_for_staff(order).await.unwrap();
        assert_eq!(detail.order.status, OrderStatus::Cancelled);
        assert_eq!(detail.invoice.unwrap().status.as_str(), "REFUNDED");
    }
    let order = app.order().expired().await.id;
    let refused = store.cancel_order_for_staff(order, "too late", &act(&app).await).await.unwrap_err();
    assert_eq!(refused.to_string(), "the order is EXPIRED");
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_says_when_a_server_may_exist(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
    app.run_of("UPDATE provisioning_tasks SET create_sent_at = now() WHERE order_id = $1", order).await;
    assert!(store.cancel_order_for_staff(order, "x", &act(&app).await).await.unwrap().server_may_exist);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_retry_and_a_cancellation_at_once_end_in_the_cancellation(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    for _ in 0..5 {
        let (_, order) = order_in(&app, "PROVISIONING_FAILED").await;
        let (origin, act) = (origin(), act(&app).await);
        let (retry, cancel) = tokio::join!(
            store.retry_provisioning(order, &origin),
            store.cancel_order_for_staff(order, "sold out", &act),
        );
        assert!(cancel.is_ok(), "{cancel:?}");
        assert_eq!(told_workflow(&app, order).await.len(), 1 + usize::from(retry.is_ok()));
        assert_eq!(store.order_for_staff(order).await.unwrap().order.status, OrderStatus::Cancelled);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_orders(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (user, order) = order_in(&app, "PROVISIONING_FAILED").await;
    let other = app.order().place().await.id;
    let email = app.store.user(user).await.unwrap().email.to_uppercase();
    let search = |words: String| OrderFilter { search: Some(words), ..OrderFilter::default() };
    let filters = [
        OrderFilter { status: Some(OrderStatus::ProvisioningFailed), ..OrderFilter::default() },
        OrderFilter { customer: Some(user), ..OrderFilter::default() },
        OrderFilter { provider: Some("vultr".to_owned()), ..OrderFilter::default() },
        search(order.to_string()),
        search(hostname(user)),
        search(format!(" {email}")),
    ];
    for filter in filters {
        let found =
            store.orders_for_staff(&filter, OrderSort::Newest, SortedRequest::first(50)).await.unwrap().data;
        assert_eq!(found.iter().map(|o| o.id).collect::<Vec<_>>(), [order], "{filter:?}");
    }
    let none = store
        .orders_for_staff(&search("web".to_owned()), OrderSort::Newest, SortedRequest::first(50))
        .await
        .unwrap();
    assert!(none.data.is_empty());

    for (sort, expected) in [(OrderSort::Newest, [other, order]), (OrderSort::Oldest, [order, other])] {
        let all = OrderFilter::default();
        let first = store.orders_for_staff(&all, sort, SortedRequest::first(1)).await.unwrap();
        let rest = SortedRequest { after: first.next, limit: 1 };
        let second = store.orders_for_staff(&all, sort, rest).await.unwrap();
        assert_eq!([first.data[0].id, second.data[0].id], expected);
        assert_eq!(second.next, None);
    }
    let unknown = store.order_for_staff(OrderId(Uuid::now_v7())).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("order"))));
}

/// The customer is told that an order of theirs was placed.
async fn notice_for(app: &TestApp, user: UserId) -> NotificationId {
    app.order().by(user).place().await;
    app.store.notifications(user, false, FIRST_PAGE).await.unwrap().data[0].id
}

#[sqlx::test(migrations = "../migrations")]
async fn notifications_are_read_once_and_only_by_their_owner(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let store = &app.store;
    let (user, stranger) = (app.customer().await, app.customer().await);
    let first = notice_for(&app, user).await;
    let second = notice_for(&app, user).await;
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
