//! Administrators and programs step into an order's course; staff read; people read their notifications.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use domain::{
    billing::PaymentMethod,
    ids::{OrderId, UserId},
    provisioning::FailureClass,
    role::Role,
};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use store::provisioning::{ProviderTrouble, ProvisioningFailure};
use testkit::http::{Answer, StatusCode, TestApi, User, redacted};
use uuid::Uuid;

/// An order of `customer` that waits for a bank transfer, of a server at a provider that is not set up here.
async fn unpaid_order(app: &TestApi, customer: UserId) -> OrderId {
    let order = app.order().by(customer).plan("vultr-regular-1gb").region("vultr-sgp");
    order.paid_by(PaymentMethod::ManualTransfer).place().await.id
}

/// Has an unpaid order paid, and its provider refuse it.
async fn fail(app: &TestApi, order: OrderId) {
    app.pay(app.ordered(order).await.payment.id).await;
    let begun = app.store.start_provisioning(order).await.unwrap();
    let (class, message) = (FailureClass::Configuration, "bad image".to_owned());
    let trouble = ProviderTrouble {
        class,
        message: message.clone(),
        code: Some("unprocessable_entity".to_owned()),
        request_id: Some("req-1".to_owned()),
    };
    app.store.note_provider_trouble(order, &trouble).await.unwrap();
    let failure = ProvisioningFailure { class, message };
    app.store.fail_provisioning(order, begun.try_number, &failure, &[]).await.unwrap();
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{:?}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

async fn outbox_kinds(app: &TestApi, order: OrderId) -> Vec<String> {
    sqlx::query_scalar("SELECT kind FROM outbox WHERE workflow_id = $1 ORDER BY id")
        .bind(format!("order/{order}"))
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_programs_at_once_one_retries(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let customer = app.user(Role::Customer).await.id;
    let key = app.api_key().await;
    let order = unpaid_order(&app, customer).await;
    let path = format!("/internal/orders/{order}/retry-provisioning");

    let early = app.nobody().with_key(&key).post(&path, &Value::Null).await;
    assert_problem(&early, StatusCode::CONFLICT, "order_conflict");
    assert_eq!(early.body["detail"], "the order is PENDING_PAYMENT");

    fail(&app, order).await;
    let tries = (0..5).map(|_| {
        let (program, path) = (app.nobody().with_key(&key), path.clone());
        tokio::spawn(async move { program.post(&path, &Value::Null).await })
    });
    let mut statuses = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        let answer = attempt.await.unwrap();
        statuses.push(answer.status.as_u16());
        if answer.status == StatusCode::ACCEPTED {
            assert_eq!(answer.body, json!({ "id": order, "status": "PROVISIONING", "retry": 1 }));
        } else {
            assert_problem(&answer, StatusCode::CONFLICT, "order_conflict");
            assert_eq!(answer.body["detail"], "the order is PROVISIONING");
        }
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409, 409, 409, 409]);
    assert_eq!(outbox_kinds(&app, order).await, ["start_order", "payment_confirmed", "retry_provisioning"]);

    let unknown = format!("/internal/orders/{}/retry-provisioning", Uuid::now_v7());
    assert_problem(
        &app.nobody().with_key(&key).post(&unknown, &Value::Null).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_retries_and_the_log_says_so(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let customer = app.user(Role::Customer).await.id;
    let admin = app.user(Role::Admin).await;
    let admin_id = admin.id;
    let order = unpaid_order(&app, customer).await;
    fail(&app, order).await;
    let path = format!("/admin/orders/{order}/retry-provisioning");

    let elsewhere = admin.post(&path, &json!({ "region": "vultr-nrt" })).await;
    assert_problem(&elsewhere, StatusCode::CONFLICT, "provider_disabled");
    let unknown = admin.post(&path, &json!({ "size": "big" })).await;
    assert_problem(&unknown, StatusCode::UNPROCESSABLE_ENTITY, "invalid_body");
    assert_eq!(outbox_kinds(&app, order).await, ["start_order", "payment_confirmed"]);

    assert_eq!(admin.post(&path, &json!({})).await.status, StatusCode::ACCEPTED);
    let log = admin.get(&format!("/admin/audit-log?object_id={order}")).await;
    let entry = &log.body["data"][0];
    assert_eq!(entry["actor"]["id"], json!(admin_id));
    assert_json_snapshot!("an_entry_of_the_audit_log", redacted(entry));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_approves_a_payment(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let customer = app.user(Role::Customer).await.id;
    let admin = app.user(Role::Admin).await;
    let order = unpaid_order(&app, customer).await;
    let path = format!("/admin/orders/{order}/approve-payment");
    let due = app.ordered(order).await.payment.amount.get();

    for nonsense in [json!(0), json!(-1), json!(1_000_000_000_001_i64)] {
        let refused = admin.post(&path, &json!({ "amount_received": nonsense })).await;
        assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "validation_failed");
    }
    let refused = admin.post(&path, &json!({ "amount_received": 1000.5 })).await;
    assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "invalid_body");
    let short = admin.post(&path, &json!({ "amount_received": 1000 })).await;
    assert_eq!(short.status, StatusCode::OK, "{:?}", short.body);
    assert_eq!(
        (&short.body["status"], &short.body["payment"]["status"]),
        (&json!("PENDING_PAYMENT"), &json!("PENDING"))
    );
    assert_eq!(short.body["payment"]["amount_due"], due - 1_000);
    assert_eq!(outbox_kinds(&app, order).await, ["start_order"]);

    let body = json!({ "amount_received": due - 1_000, "note": "seen on the statement" });
    let approved = admin.post(&path, &body).await;
    assert_eq!(approved.status, StatusCode::OK, "{:?}", approved.body);
    assert_eq!((&approved.body["id"], &approved.body["status"]), (&json!(order), &json!("PAID")));
    assert_eq!(approved.body["payment"]["status"], "PAID");
    assert_eq!(outbox_kinds(&app, order).await, ["start_order", "payment_confirmed"]);

    let again = admin.post(&path, &body).await;
    assert_problem(&again, StatusCode::CONFLICT, "order_conflict");
    assert_eq!(again.body["detail"], "the order is PAID");
    let applied = admin.get("/admin/payments?status=PAID&outcome=APPLIED").await;
    assert_eq!(applied.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(applied.body["data"][0]["note"], "seen on the statement");
    let idle = admin.get("/admin/payments?outcome=CREDITED").await;
    assert_eq!(idle.body["data"], json!([]));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_rejects_a_payment_and_cancels_the_order(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let token = app.user(Role::Customer).await;
    let customer = token.id;
    let admin = app.user(Role::Admin).await;
    let order = unpaid_order(&app, customer).await;

    let path = format!("/admin/orders/{order}/reject-payment");
    for bad in [json!({ "reason": "   " }), json!({ "reason": "x" }), json!({ "reason": "x".repeat(501) })] {
        let refused = admin.post(&path, &bad).await;
        assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "validation_failed");
    }
    let rejected = admin.post(&path, &json!({ "reason": "no such transfer" })).await;
    assert_eq!(rejected.status, StatusCode::OK, "{:?}", rejected.body);
    assert_eq!(rejected.body["status"], "PENDING_PAYMENT");
    assert_eq!(rejected.body["payment"]["status"], "DENIED");
    let again = admin.post(&path, &json!({ "reason": "no such transfer" })).await;
    assert_problem(&again, StatusCode::CONFLICT, "payment_conflict");

    let path = format!("/admin/orders/{order}/cancel");
    let cancelled = admin.post(&path, &json!({ "reason": "fraud suspected" })).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{:?}", cancelled.body);
    let expected = json!({ "id": order, "status": "CANCELLED", "was_paid": false, "returned": 0, "server_may_exist": false });
    assert_eq!(cancelled.body, expected);
    assert_eq!(outbox_kinds(&app, order).await, ["start_order", "order_closed"]);
    let again = admin.post(&path, &json!({ "reason": "fraud suspected" })).await;
    assert_problem(&again, StatusCode::CONFLICT, "order_conflict");
    let told = token.get("/notifications?limit=1").await;
    assert_eq!(told.body["data"][0]["type"], "ORDER_CANCELLED");
    assert!(told.body["next_cursor"].is_string());
}

#[sqlx::test(migrations = "../migrations")]
async fn support_reads_an_order_with_everything_around_it(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let customer = app.user(Role::Customer).await.id;
    let support = app.user(Role::Support).await;
    let order = unpaid_order(&app, customer).await;
    unpaid_order(&app, customer).await;
    fail(&app, order).await;

    let failed = support.get("/admin/orders?status=PROVISIONING_FAILED").await;
    assert_eq!(failed.body["data"].as_array().unwrap().len(), 1, "{:?}", failed.body);
    assert_eq!(failed.body["data"][0]["id"], json!(order));
    let all = support.get(&format!("/admin/orders?customer_id={customer}&limit=1")).await;
    let cursor = all.body["next_cursor"].as_str().unwrap();
    let rest = support.get(&format!("/admin/orders?limit=1&cursor={cursor}")).await;
    assert_eq!((&rest.body["data"][0]["id"], &rest.body["next_cursor"]), (&json!(order), &Value::Null));
    for query in ["status=LOST", "customer_id=x", "limit=0", "cursor=x", "search=%00"] {
        let refused = support.get(&format!("/admin/orders?{query}")).await;
        assert_problem(&refused, StatusCode::BAD_REQUEST, "invalid_query");
    }

    let one = support.get(&format!("/admin/orders/{order}")).await;
    assert_eq!(one.body["customer"]["id"], json!(customer));
    assert_json_snapshot!("an_order_for_staff", redacted(&one.body));
    for path in ["/admin/orders/none", "/admin/orders/0193e7d0-4362-7709-b262-4de1f9ad2f5e/timeline"] {
        assert_problem(&support.get(path).await, StatusCode::NOT_FOUND, "not_found");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_timeline_has_its_detail_for_staff(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let customer = app.user(Role::Customer).await.id;
    let admin = app.user(Role::Admin).await;
    let order = unpaid_order(&app, customer).await;
    fail(&app, order).await;
    admin.post(&format!("/admin/orders/{order}/retry-provisioning"), &Value::Null).await;
    let timeline = admin.get(&format!("/admin/orders/{order}/timeline")).await;
    let step = timeline.body["data"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&step["step"], &step["detail"]["provider_request_id"]),
        (&json!("provisioning_retried"), &json!("req-1"))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn people_tidy_their_own_notifications_only(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let token = app.user(Role::Customer).await;
    let user = token.id;
    let stranger = app.user(Role::Customer).await;
    unpaid_order(&app, user).await;
    let told = token.get("/notifications").await.body;
    let id = told["data"][0]["id"].as_str().unwrap();
    let count = async || token.get("/notifications/unread-count").await.body;
    assert_eq!(count().await, json!({ "count": 1 }));

    let theirs = stranger.post(&format!("/notifications/{id}/read"), &Value::Null).await;
    assert_problem(&theirs, StatusCode::NOT_FOUND, "not_found");
    assert_eq!(count().await, json!({ "count": 1 }));
    let first = token.post(&format!("/notifications/{id}/read"), &Value::Null).await;
    let again = token.post(&format!("/notifications/{id}/read"), &Value::Null).await;
    assert_eq!(first.body["is_read"], true);
    assert_eq!(first.body, again.body);
    assert_eq!(count().await, json!({ "count": 0 }));
    assert_eq!(token.get("/notifications?unread=true").await.body["data"], json!([]));
    let all = token.post("/notifications/read-all", &Value::Null).await;
    assert_eq!(all.body, json!({ "updated": 0 }));

    let delete = async |who: &User| who.delete(&format!("/notifications/{id}")).await.status;
    assert_eq!(delete(&stranger).await, StatusCode::NOT_FOUND);
    assert_eq!(delete(&token).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(&token).await, StatusCode::NOT_FOUND);
}
