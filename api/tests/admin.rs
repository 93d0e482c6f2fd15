//! Administrators and programs step into an order's course; staff read; people read their notifications.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod support;

use axum::http::StatusCode;
use domain::{
    ids::{OrderId, UserId},
    role::Role,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use support::{Answer, App, As, state};
use uuid::Uuid;

/// An order of `customer` that waits for a bank transfer, with its invoice, payment and task.
async fn unpaid_order(pool: &PgPool, customer: UserId) -> OrderId {
    let (order, catalog) = (Uuid::now_v7(), Uuid::now_v7());
    let statements = [
        "INSERT INTO providers (id, slug, name) VALUES ($2, 'provider-' || $2::text, 'A cloud')",
        "INSERT INTO regions (id, provider_id, slug, provider_slug, name, country)
         VALUES ($2, $2, 'region-' || $2::text, 'sgp1', 'Singapore', 'SG')",
        "INSERT INTO images (id, slug, name, distribution, version)
         VALUES ($2, 'image-' || $2::text, 'Ubuntu 24.04', 'ubuntu', '24.04')",
        "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                            price_monthly, cost_monthly_usd)
         VALUES ($2, 'plan-' || $2::text, 'Starter', $2, 's-1vcpu-1gb', 1, 1024, 25, 1000, 120000, 6)",
        "INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months, total,
                             policy, expires_at)
         VALUES ($1, $3, 'PENDING_PAYMENT', $2, $2, $2, $2, 'web-1.example.com', 1, 133200, $4,
                 now() + interval '1 day')",
        "INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax, tax_bp, total, due_at)
         VALUES ($1, 'INV/' || $1::text, $3, $1, 'OPEN', 120000, 0, 13200, 1100, 133200, now())",
        "INSERT INTO payments (id, invoice_id, order_id, user_id, gateway_order_id, method, amount, status)
         VALUES ($1, $1, $1, $3, 'WB-' || $1::text, 'MANUAL_TRANSFER', 133200, 'PENDING')",
        "INSERT INTO provisioning_tasks (id, order_id, provider_type) VALUES ($1, $1, 'digitalocean')",
    ];
    let policy = serde_json::to_value(domain::policy::OrderPolicy::default()).unwrap();
    for statement in statements {
        // Every statement may use all four; the casts tell Postgres the types of those it does not.
        let typed = format!("WITH types AS (SELECT $1::uuid, $2::uuid, $3::uuid, $4::jsonb) {statement}");
        sqlx::query(sqlx::AssertSqlSafe(typed))
            .bind(order)
            .bind(catalog)
            .bind(customer.0)
            .bind(&policy)
            .execute(pool)
            .await
            .unwrap();
    }
    OrderId(order)
}

/// Takes an unpaid order along the legal arrows to `PROVISIONING_FAILED`.
async fn fail(pool: &PgPool, order: OrderId) {
    for status in ["PAID", "PROVISIONING"] {
        let moved = sqlx::query("UPDATE orders SET status = $2 WHERE id = $1").bind(order.0).bind(status);
        moved.execute(pool).await.unwrap();
    }
    let statements = [
        "UPDATE orders SET status = 'PROVISIONING_FAILED', failure_class = 'CONFIGURATION', failure_message = 'bad image'
         WHERE id = $1",
        "UPDATE provisioning_tasks SET status = 'FAILED', attempts = 1, last_error_class = 'CONFIGURATION',
                last_error = 'bad image', last_error_code = 'unprocessable_entity', provider_request_id = 'req-1'
         WHERE order_id = $1",
    ];
    for statement in statements {
        sqlx::query(statement).bind(order.0).execute(pool).await.unwrap();
    }
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{:?}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

async fn outbox_kinds(pool: &PgPool, order: OrderId) -> Vec<String> {
    sqlx::query_scalar("SELECT kind FROM outbox WHERE workflow_id = $1 ORDER BY id")
        .bind(format!("order/{order}"))
        .fetch_all(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_programs_at_once_one_retries(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, _) = app.user(Role::Customer).await;
    let key = app.api_key().await;
    let order = unpaid_order(&pool, customer).await;
    let path = format!("/internal/orders/{order}/retry-provisioning");

    let early = app.post(&path, As::Key(&key), &Value::Null).await;
    assert_problem(&early, StatusCode::CONFLICT, "order_conflict");
    assert_eq!(early.body["detail"], "the order is PENDING_PAYMENT");

    fail(&pool, order).await;
    let tries = (0..5).map(|_| {
        let (app, key, path) = (app.clone(), key.clone(), path.clone());
        tokio::spawn(async move { app.post(&path, As::Key(&key), &Value::Null).await })
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
    assert_eq!(outbox_kinds(&pool, order).await, ["retry_provisioning"]);

    let unknown = format!("/internal/orders/{}/retry-provisioning", Uuid::now_v7());
    assert_problem(
        &app.post(&unknown, As::Key(&key), &Value::Null).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_retries_and_the_log_says_so(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, _) = app.user(Role::Customer).await;
    let (admin_id, admin) = app.user(Role::Admin).await;
    let order = unpaid_order(&pool, customer).await;
    fail(&pool, order).await;
    let path = format!("/admin/orders/{order}/retry-provisioning");

    let elsewhere = app.post(&path, As::Token(&admin), &json!({ "region": "sgp1" })).await;
    assert_problem(&elsewhere, StatusCode::CONFLICT, "provider_disabled");
    let unknown = app.post(&path, As::Token(&admin), &json!({ "size": "big" })).await;
    assert_problem(&unknown, StatusCode::UNPROCESSABLE_ENTITY, "invalid_body");
    assert!(outbox_kinds(&pool, order).await.is_empty());

    assert_eq!(app.post(&path, As::Token(&admin), &json!({})).await.status, StatusCode::ACCEPTED);
    let log = app.get(&format!("/admin/audit-log?object_id={order}"), As::Token(&admin)).await;
    let entry = &log.body["data"][0];
    assert_eq!(entry["action"], "order.retry_provisioning");
    assert_eq!(entry["actor"]["id"], json!(admin_id));
    assert_eq!(entry["before"]["failure_message"], "bad image");
    assert_eq!(entry["after"]["status"], "PROVISIONING");
    assert!(entry["request_id"].is_string());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_approves_a_payment(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, _) = app.user(Role::Customer).await;
    let (_, admin) = app.user(Role::Admin).await;
    let order = unpaid_order(&pool, customer).await;
    let path = format!("/admin/orders/{order}/approve-payment");

    for nonsense in [json!(0), json!(-1), json!(1_000_000_000_001_i64)] {
        let refused = app.post_anew(&path, As::Token(&admin), &json!({ "amount_received": nonsense })).await;
        assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "validation_failed");
    }
    let refused = app.post_anew(&path, As::Token(&admin), &json!({ "amount_received": 1000.5 })).await;
    assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "invalid_body");
    let short = app.post_anew(&path, As::Token(&admin), &json!({ "amount_received": 1000 })).await;
    assert_eq!(short.status, StatusCode::OK, "{:?}", short.body);
    assert_eq!(
        (&short.body["status"], &short.body["payment"]["status"]),
        (&json!("PENDING_PAYMENT"), &json!("PENDING"))
    );
    assert_eq!(short.body["payment"]["amount_due"], 132_200);
    assert!(outbox_kinds(&pool, order).await.is_empty());

    let body = json!({ "amount_received": 132_200, "note": "seen on the statement" });
    let approved = app.post_anew(&path, As::Token(&admin), &body).await;
    assert_eq!(approved.status, StatusCode::OK, "{:?}", approved.body);
    assert_eq!((&approved.body["id"], &approved.body["status"]), (&json!(order), &json!("PAID")));
    assert_eq!(approved.body["payment"]["status"], "PAID");
    assert_eq!(outbox_kinds(&pool, order).await, ["payment_confirmed"]);

    let again = app.post_anew(&path, As::Token(&admin), &body).await;
    assert_problem(&again, StatusCode::CONFLICT, "order_conflict");
    assert_eq!(again.body["detail"], "the order is PAID");
    let applied = app.get("/admin/payments?status=PAID&outcome=APPLIED", As::Token(&admin)).await;
    assert_eq!(applied.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(applied.body["data"][0]["note"], "seen on the statement");
    let idle = app.get("/admin/payments?outcome=CREDITED", As::Token(&admin)).await;
    assert_eq!(idle.body["data"], json!([]));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_rejects_a_payment_and_cancels_the_order(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, token) = app.user(Role::Customer).await;
    let (_, admin) = app.user(Role::Admin).await;
    let order = unpaid_order(&pool, customer).await;

    let path = format!("/admin/orders/{order}/reject-payment");
    for bad in [json!({ "reason": "   " }), json!({ "reason": "x" }), json!({ "reason": "x".repeat(501) })] {
        let refused = app.post(&path, As::Token(&admin), &bad).await;
        assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "validation_failed");
    }
    let rejected = app.post(&path, As::Token(&admin), &json!({ "reason": "no such transfer" })).await;
    assert_eq!(rejected.status, StatusCode::OK, "{:?}", rejected.body);
    assert_eq!(rejected.body["status"], "PENDING_PAYMENT");
    assert_eq!(rejected.body["payment"]["status"], "DENIED");
    let again = app.post(&path, As::Token(&admin), &json!({ "reason": "no such transfer" })).await;
    assert_problem(&again, StatusCode::CONFLICT, "payment_conflict");

    let path = format!("/admin/orders/{order}/cancel");
    let cancelled = app.post_anew(&path, As::Token(&admin), &json!({ "reason": "fraud suspected" })).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{:?}", cancelled.body);
    let expected = json!({ "id": order, "status": "CANCELLED", "was_paid": false, "returned": 0, "server_may_exist": false });
    assert_eq!(cancelled.body, expected);
    assert_eq!(outbox_kinds(&pool, order).await, ["order_closed"]);
    let again = app.post_anew(&path, As::Token(&admin), &json!({ "reason": "fraud suspected" })).await;
    assert_problem(&again, StatusCode::CONFLICT, "order_conflict");
    let told = app.get("/notifications?limit=1", As::Token(&token)).await;
    assert_eq!(told.body["data"][0]["type"], "ORDER_CANCELLED");
    assert!(told.body["next_cursor"].is_string());
}

#[sqlx::test(migrations = "../migrations")]
async fn support_reads_an_order_with_everything_around_it(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, _) = app.user(Role::Customer).await;
    let (_, support) = app.user(Role::Support).await;
    let order = unpaid_order(&pool, customer).await;
    unpaid_order(&pool, customer).await;
    fail(&pool, order).await;

    let failed = app.get("/admin/orders?status=PROVISIONING_FAILED", As::Token(&support)).await;
    assert_eq!(failed.body["data"].as_array().unwrap().len(), 1, "{:?}", failed.body);
    assert_eq!(failed.body["data"][0]["id"], json!(order));
    let all = app.get(&format!("/admin/orders?customer_id={customer}&limit=1"), As::Token(&support)).await;
    let cursor = all.body["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/admin/orders?limit=1&cursor={cursor}"), As::Token(&support)).await;
    assert_eq!((&rest.body["data"][0]["id"], &rest.body["next_cursor"]), (&json!(order), &Value::Null));
    for query in ["status=LOST", "customer_id=x", "limit=0", "cursor=x", "search=%00"] {
        let refused = app.get(&format!("/admin/orders?{query}"), As::Token(&support)).await;
        assert_problem(&refused, StatusCode::BAD_REQUEST, "invalid_query");
    }

    let one = app.get(&format!("/admin/orders/{order}"), As::Token(&support)).await;
    assert_eq!(one.body["failure"], json!({ "class": "CONFIGURATION", "message": "bad image" }));
    assert_eq!(one.body["customer"]["id"], json!(customer));
    assert_eq!(one.body["payments"][0]["method"], "MANUAL_TRANSFER");
    assert_eq!(one.body["task"]["provider_request_id"], "req-1");
    assert_eq!(one.body["workflow"]["id"], format!("order/{order}"));
    let link = format!("http://127.0.0.1:8233/namespaces/default/workflows/order%2F{order}");
    assert_eq!(one.body["workflow"]["url"], link);
    for path in ["/admin/orders/none", "/admin/orders/0193e7d0-4362-7709-b262-4de1f9ad2f5e/timeline"] {
        assert_problem(&app.get(path, As::Token(&support)).await, StatusCode::NOT_FOUND, "not_found");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_timeline_has_its_detail_for_staff(pool: PgPool) {
    let app = App::new(state(&pool));
    let (customer, _) = app.user(Role::Customer).await;
    let (_, admin) = app.user(Role::Admin).await;
    let order = unpaid_order(&pool, customer).await;
    fail(&pool, order).await;
    app.post(&format!("/admin/orders/{order}/retry-provisioning"), As::Token(&admin), &Value::Null).await;
    let timeline = app.get(&format!("/admin/orders/{order}/timeline"), As::Token(&admin)).await;
    let step = &timeline.body["data"][0];
    assert_eq!(
        (&step["step"], &step["detail"]["provider_request_id"]),
        (&json!("provisioning_retried"), &json!("req-1"))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn people_tidy_their_own_notifications_only(pool: PgPool) {
    let app = App::new(state(&pool));
    let (user, token) = app.user(Role::Customer).await;
    let (_, stranger) = app.user(Role::Customer).await;
    let id = Uuid::now_v7();
    sqlx::query(
        "WITH event AS (
             INSERT INTO events (kind, data, dedupe_key) VALUES ('announcement', $3, 'a') RETURNING id)
         INSERT INTO in_app_notifications (id, user_id, event_id, type)
         SELECT $1, $2, id, 'SYSTEM_ANNOUNCEMENT' FROM event",
    )
    .bind(id)
    .bind(user.0)
    .bind(json!({ "announcement_id": id, "title": "A title", "message": "A message" }))
    .execute(&pool)
    .await
    .unwrap();
    let count = async || app.get("/notifications/unread-count", As::Token(&token)).await.body;
    assert_eq!(count().await, json!({ "count": 1 }));

    let theirs = app.post(&format!("/notifications/{id}/read"), As::Token(&stranger), &Value::Null).await;
    assert_problem(&theirs, StatusCode::NOT_FOUND, "not_found");
    assert_eq!(count().await, json!({ "count": 1 }));
    let first = app.post(&format!("/notifications/{id}/read"), As::Token(&token), &Value::Null).await;
    let again = app.post(&format!("/notifications/{id}/read"), As::Token(&token), &Value::Null).await;
    assert_eq!(first.body["is_read"], true);
    assert_eq!(first.body, again.body);
    assert_eq!(count().await, json!({ "count": 0 }));
    assert_eq!(app.get("/notifications?unread=true", As::Token(&token)).await.body["data"], json!([]));
    let all = app.post("/notifications/read-all", As::Token(&token), &Value::Null).await;
    assert_eq!(all.body, json!({ "updated": 0 }));

    let delete = async |who| {
        app.call(axum::http::Method::DELETE, &format!("/notifications/{id}"), who, &Value::Null).await.status
    };
    assert_eq!(delete(As::Token(&stranger)).await, StatusCode::NOT_FOUND);
    assert_eq!(delete(As::Token(&token)).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(As::Token(&token)).await, StatusCode::NOT_FOUND);
}
