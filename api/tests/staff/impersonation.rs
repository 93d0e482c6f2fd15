//! Looking at an account as its owner sees it: what it shows, what it refuses, who is told, and how it ends.

use domain::{ids::UserId, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Expect, Method, TestApi, User};

const SOME_ID: &str = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";

fn wish() -> Value {
    json!({ "reason": "Ticket 4711: an invoice is missing" })
}

fn address(user: UserId) -> String {
    format!("/admin/users/{user}/impersonate")
}

/// Whoever holds the token of a session that was just begun.
async fn begun(app: &TestApi, admin: &User, customer: UserId) -> Caller {
    let begun = admin.post(&address(customer), &wish()).await.expect(201);
    app.nobody().as_user(begun["access_token"].as_str().unwrap())
}

/// What was asked for in somebody's name: the actions, operations, and whether all of them name both.
async fn noted(app: &TestApi, staff: UserId, customer: UserId) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT action, after ->> 'operation' FROM audit_log
         WHERE actor_kind = 'user' AND actor_id = $1 AND on_behalf_of = $2 AND action LIKE 'impersonation.%' ORDER BY id",
    )
    .bind(staff.0)
    .bind(customer.0)
    .fetch_all(&app.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_see_what_the_customer_sees_and_it_is_told_and_noted(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (siti, admin) = (app.user(Role::Customer).await, app.user(Role::Admin).await);
    let order = app.order().by(siti.id).active().await;
    let begun = admin.post(&address(siti.id), &wish()).await.expect(201);
    assert_eq!((begun["expires_in"].as_u64(), begun.get("refresh_token")), (Some(900), None));

    let support = app.nobody().as_user(begun["access_token"].as_str().unwrap());
    assert_eq!(support.get("/auth/me").await.expect(200)["email"], siti.email.as_str());
    let one = format!("/orders/{}", order.id);
    assert_eq!(support.get(&one).await.expect(200)["status"], "ACTIVE");
    support.get("/wallet").await.expect(200);

    let sessions = siti.get("/auth/me/sessions").await.expect(200);
    let supports = &sessions["data"][0];
    assert_eq!((&supports["id"], &supports["support_until"]), (&begun["session_id"], &begun["ends_at"]));
    assert!(supports["ip"].is_null() && supports["user_agent"].is_null(), "who it is is ours to know");
    assert!(sessions["data"][1]["support_until"].is_null());
    let told = siti.get("/notifications").await.expect(200);
    assert_eq!(told["data"][0]["type"], "SECURITY_NOTICE");
    assert_eq!(told["data"][0]["metadata"]["session_id"], begun["session_id"]);

    let expected = ["GET /api/v1/auth/me", "GET /api/v1/orders/{id}", "GET /api/v1/wallet"]
        .map(|operation| ("impersonation.used".to_owned(), operation.to_owned()));
    assert_eq!(noted(&app, admin.id, siti.id).await, expected);
    let log = format!("/admin/audit-log?on_behalf_of={}", siti.id);
    let log = admin.get(&log).await.expect(200);
    assert_eq!(log["data"].as_array().unwrap().len(), 3);
    assert_eq!(log["data"][0]["actor"]["id"], json!(admin.id));
    let reason: String = sqlx::query_scalar(
        "SELECT after ->> 'reason' FROM audit_log WHERE action = 'user.impersonated' AND object_id = $1 AND actor_id = $2",
    )
    .bind(siti.id.0)
    .bind(admin.id.0)
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert_eq!(reason, wish()["reason"]);
}

/// Whatever the table does not have for staff in a customer's name is refused, and that is noted too.
#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_changed_and_no_secret_shown_in_a_customers_name(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (siti, admin) = (app.user(Role::Customer).await, app.user(Role::Superadmin).await);
    let support = begun(&app, &admin, siti.id).await;
    let (mut shown, mut refused) = (Vec::new(), 0);
    for (method, path, access) in api::operations() {
        let may = match access {
            api::Access::Own { support, .. } => support,
            api::Access::Staff(_) => false,
            api::Access::Anybody | api::Access::Key(_) => continue,
        };
        if path == "/api/v1/auth/logout" {
            continue;
        }
        let segments = path.strip_prefix("/api/v1").unwrap().split('/');
        let filled: Vec<_> = segments.map(|one| if one.starts_with('{') { SOME_ID } else { one }).collect();
        let request = support.request(method.parse::<Method>().unwrap(), &filled.join("/"));
        let answer = request.json(&if method == "GET" { Value::Null } else { json!({}) }).await;
        let code = answer.body["code"].as_str().unwrap_or_default();
        if may {
            assert_ne!(answer.status.as_u16(), 401, "{method} {path}");
            assert_ne!(answer.status.as_u16(), 403, "{method} {path}");
            shown.push((method, path));
        } else {
            assert_eq!((answer.status.as_u16(), code), (403, "impersonation_forbidden"), "{method} {path}");
            refused += 1;
        }
    }
    for (method, path) in &shown {
        assert!(*method == "GET" || path.ends_with("/quote"), "{method} {path} may change something");
        for secret in ["credentials", "console", "2fa", "api-tokens", "telegram", "/admin/"] {
            assert!(!path.contains(secret), "{method} {path}");
        }
    }
    let noted = noted(&app, admin.id, siti.id).await;
    let of = |action: &str| noted.iter().filter(|(noted, _)| noted == action).count();
    assert_eq!((of("impersonation.used"), of("impersonation.refused")), (shown.len(), refused));
}

#[sqlx::test(migrations = "../migrations")]
async fn only_customers_are_looked_at_and_only_by_who_may_and_logged_in_lately(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (siti, admin) = (app.user(Role::Customer).await, app.user(Role::Admin).await);
    let (support, superadmin) = (app.user(Role::Support).await, app.user(Role::Superadmin).await);
    support.post(&address(siti.id), &wish()).await.expect_problem(403, "forbidden");
    for of_staff in [&support, &admin] {
        superadmin.post(&address(of_staff.id), &wish()).await.expect_problem(403, "forbidden");
    }
    admin.post(&address(admin.id), &wish()).await.expect_problem(403, "own_account");
    admin
        .post(&format!("/admin/users/{SOME_ID}/impersonate"), &wish())
        .await
        .expect_problem(404, "not_found");
    for (field, bad) in [("reason", json!("  ")), ("minutes", json!(0)), ("minutes", json!(61))] {
        let mut body = wish();
        body[field] = bad;
        let refused = admin.post(&address(siti.id), &body).await;
        assert_eq!(refused.problem(), (422, "validation_failed"), "{body}");
        assert_eq!(refused.fields(), [field]);
    }
    app.run("UPDATE sessions SET created_at = created_at - interval '61 minutes'").await;
    admin.post(&address(siti.id), &wish()).await.expect_problem(403, "login_not_fresh");
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE impersonated_by IS NOT NULL").await, 0);
    let other = app.user(Role::Admin).await;
    superadmin
        .post(&format!("/admin/users/{}/suspend", siti.id), &json!({ "reason": "spam" }))
        .await
        .expect(200);
    other.post(&address(siti.id), &wish()).await.expect_problem(409, "user_conflict");
}

#[sqlx::test(migrations = "../migrations")]
async fn it_ends_with_whatever_it_hangs_on(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (siti, superadmin) = (app.user(Role::Customer).await, app.user(Role::Superadmin).await);
    let me = "/auth/me";
    let someone = async || {
        let admin = app.user(Role::Admin).await;
        let support = begun(&app, &admin, siti.id).await;
        support.get(me).await.expect(200);
        (admin, support)
    };

    let (admin, support) = someone().await;
    admin.post("/auth/logout", &Value::Null).await.expect(204);
    support.get(me).await.expect_problem(401, "session_revoked");

    let (admin, support) = someone().await;
    let suspension = format!("/admin/users/{}/suspend", admin.id);
    superadmin.post(&suspension, &json!({ "reason": "left us" })).await.expect(200);
    support.get(me).await.expect_problem(401, "session_revoked");

    let (admin, support) = someone().await;
    let role = format!("/admin/users/{}/role", admin.id);
    superadmin.put(&role, &json!({ "role": "support" })).await.expect(200);
    support.get(me).await.expect_problem(401, "session_revoked");

    let (_, support) = someone().await;
    support.post("/auth/logout", &Value::Null).await.expect(204);
    support.get(me).await.expect_problem(401, "session_revoked");

    let (admin, support) = someone().await;
    admin.delete(&address(siti.id)).await.expect(204);
    support.get(me).await.expect_problem(401, "session_revoked");
    admin.delete(&address(siti.id)).await.expect_problem(404, "not_found");

    // The customer need not put up with it.
    let (_, support) = someone().await;
    let sessions = siti.get("/auth/me/sessions").await.expect(200);
    let of_support = |session: &&Value| session["support_until"].is_string();
    let open: Vec<_> = sessions["data"].as_array().unwrap().iter().filter(of_support).collect();
    assert_eq!(open.len(), 1, "what has ended is not listed");
    let one = format!("/auth/me/sessions/{}", open[0]["id"].as_str().unwrap());
    siti.delete(&one).await.expect(204);
    support.get(me).await.expect_problem(401, "session_revoked");

    let (_, support) = someone().await;
    app.run("UPDATE sessions SET ends_at = now() WHERE impersonated_by IS NOT NULL AND revoked_at IS NULL")
        .await;
    support.get(me).await.expect_problem(401, "session_ended");
    siti.get(me).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn no_token_of_it_outlives_an_hour(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (siti, admin) = (app.user(Role::Customer).await, app.user(Role::Admin).await);
    begun(&app, &admin, siti.id).await;
    let refused =
        async |sql: &'static str| sqlx::query(sql).execute(&app.pool).await.unwrap_err().to_string();
    let longer = refused(
        "UPDATE sessions SET ends_at = ends_at + interval '1 hour' WHERE impersonated_by IS NOT NULL",
    );
    assert!(longer.await.contains("sessions_impersonated_for_an_hour_at_most"));
    let refreshed = refused(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
         SELECT '\\x00', id, now() + interval '1 day' FROM sessions WHERE impersonated_by IS NOT NULL",
    );
    assert!(refreshed.await.contains("has no refresh token"));
}
