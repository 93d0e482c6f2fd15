//! Accounts: finding them, suspending them, what they may do, notes.

use domain::{ids::UserId, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method, PASSWORD, TestApi, User};
use uuid::Uuid;

fn emails(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

async fn actions(app: &TestApi, user: UserId) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE object_id = $1 AND action LIKE 'user.%' ORDER BY id",
    )
    .bind(user.0)
    .fetch_all(&app.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn accounts_are_found_and_sorted(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let budi = app.customer().name("Budi Santoso").email("Budi_100%@toko.example").await;
    app.customer().name("Ayu 50 Lestari").email("ayu@toko.example").await;
    app.customer().name("Citra").email("citra@toko.example").unverified().await;
    app.order().by(budi).active().await;

    let list = async |query: &str| support.get(&format!("/admin/users?{query}")).await.expect(200);
    assert_eq!(emails(&list("search=SANTOSO").await), ["Budi_100%@toko.example"]);
    assert_eq!(emails(&list("search=i_100%25@").await), ["Budi_100%@toko.example"]);
    assert_eq!(emails(&list("search=y_@").await), [""; 0], "a pattern's letters are letters");
    assert_eq!(emails(&list("search=toko&status=unverified").await), ["citra@toko.example"]);
    assert_eq!(emails(&list("role=support").await), [support.email.as_str()]);
    assert_eq!(list("search=Santoso").await["data"][0]["servers"], 1);

    let mut sorted = Vec::new();
    let mut query = "search=toko&sort=email&limit=1".to_owned();
    loop {
        let page = list(&query).await;
        sorted.extend(emails(&page).iter().map(|&email| email.to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("search=toko&sort=email&limit=1&cursor={cursor}");
        let other = support.get(&format!("/admin/users?sort=-email&cursor={cursor}")).await;
        assert_eq!(other.problem(), (400, "invalid_query"));
    }
    assert_eq!(sorted, ["ayu@toko.example", "Budi_100%@toko.example", "citra@toko.example"]);
    let backwards = list("search=toko&sort=-email").await;
    assert_eq!(emails(&backwards), ["citra@toko.example", "Budi_100%@toko.example", "ayu@toko.example"]);

    for query in
        ["sort=password_hash", "sort=email;drop", "status=gone", "role=root", "limit=0", "cursor=AAAA"]
    {
        let refused = support.get(&format!("/admin/users?{query}")).await;
        assert_eq!(refused.problem(), (400, "invalid_query"), "{query}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_suspended_account_is_out_at_once(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (sari, admin) = (app.user(Role::Customer).await, app.user(Role::Admin).await);
    let login = async || {
        let body = json!({ "email": sari.email, "password": PASSWORD });
        app.nobody().request(Method::POST, "/auth/login").json(&body).await
    };
    let elsewhere = app.holding(&login().await.expect(200));
    let path = format!("/admin/users/{}", sari.id);

    let short = admin.post(&format!("{path}/suspend"), &json!({ "reason": "x" })).await;
    assert_eq!(short.problem(), (422, "validation_failed"));
    let unknown =
        admin.post(&format!("{path}/suspend"), &json!({ "reason": "spam", "until": "tomorrow" })).await;
    assert_eq!(unknown.problem(), (422, "invalid_body"));
    assert_eq!(sari.get("/auth/me").await.status, 200);

    let suspended =
        admin.post(&format!("{path}/suspend"), &json!({ "reason": "Sends spam" })).await.expect(200);
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(suspended["suspension"]["reason"], "Sends spam");
    assert_eq!(suspended["suspension"]["by"], json!(admin.id));
    let refresh = async |user: &User| {
        let body = json!({ "refresh_token": user.refresh_token });
        app.nobody().request(Method::POST, "/auth/refresh").json(&body).await
    };
    for user in [&sari, &elsewhere] {
        assert_eq!(user.get("/auth/me").await.problem(), (403, "account_suspended"));
        assert_eq!(refresh(user).await.problem(), (403, "account_suspended"));
    }
    assert_eq!(login().await.problem(), (403, "account_suspended"));
    assert_eq!(
        app.count(
            "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
                          WHERE u.suspended_at IS NOT NULL AND s.revoked_at IS NULL"
        )
        .await,
        0
    );
    let again = admin.post(&format!("{path}/suspend"), &json!({ "reason": "Sends spam" })).await;
    assert_eq!(again.problem(), (409, "user_conflict"));

    let lifted = admin.post(&format!("{path}/unsuspend"), &Value::Null).await.expect(200);
    assert_eq!((&lifted["status"], &lifted["suspension"]), (&json!("active"), &Value::Null));
    assert_eq!(
        admin.post(&format!("{path}/unsuspend"), &Value::Null).await.problem(),
        (409, "user_conflict")
    );
    // The sessions of before are over; a new login is as good as ever.
    assert_eq!(sari.get("/auth/me").await.problem(), (401, "session_revoked"));
    assert_eq!(refresh(&elsewhere).await.problem(), (401, "refresh_token_invalid"));
    login().await.expect(200);
    assert_eq!(actions(&app, sari.id).await, ["user.created", "user.suspended", "user.unsuspended"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_locked_account_is_opened_again(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (sari, admin) = (app.user(Role::Customer).await, app.user(Role::Admin).await);
    // A guesser from elsewhere, as often as strangers may all together, and once more.
    app.run("UPDATE sessions SET network = '198.51.100.0'").await;
    let login = async |password: &str| {
        let body = json!({ "email": sari.email, "password": password });
        app.nobody().request(Method::POST, "/auth/login").json(&body).await
    };
    while login("not-the-password").await.problem() != (429, "login_locked") {}
    assert_eq!(login(PASSWORD).await.problem(), (429, "login_locked"));
    let path = format!("/admin/users/{}/unlock", sari.id);
    assert_eq!(admin.post(&path, &Value::Null).await.expect(200)["status"], "active");
    login(PASSWORD).await.expect(200);
    let unlocked = "SELECT count(*) FROM audit_log WHERE action = 'auth.login_unlocked'";
    assert_eq!(app.count(unlocked).await, 1);
    let own = admin.post(&format!("/admin/users/{}/unlock", admin.id), &Value::Null).await;
    assert_eq!(own.problem(), (403, "own_account"));
    let other = app.user(Role::Admin).await;
    let colleague = admin.post(&format!("/admin/users/{}/unlock", other.id), &Value::Null).await;
    assert_eq!(colleague.problem(), (403, "forbidden"));
    let nobody = admin.post(&format!("/admin/users/{}/unlock", Uuid::now_v7()), &Value::Null).await;
    assert_eq!(nobody.problem(), (404, "not_found"));
}

#[sqlx::test(migrations = "../migrations")]
async fn who_may_not_decide_about_an_account_does_not(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (admin, other, boss) =
        (app.user(Role::Admin).await, app.user(Role::Admin).await, app.user(Role::Superadmin).await);
    let reason = json!({ "reason": "Left the company" });
    let suspend = async |by: &User, id: UserId| by.post(&format!("/admin/users/{id}/suspend"), &reason).await;
    assert_eq!(suspend(&admin, admin.id).await.problem(), (403, "own_account"));
    assert_eq!(suspend(&admin, other.id).await.problem(), (403, "forbidden"));
    assert_eq!(suspend(&admin, UserId(Uuid::now_v7())).await.problem(), (404, "not_found"));
    assert_eq!(other.get("/auth/me").await.status, 200);
    suspend(&boss, other.id).await.expect(200);
    assert_eq!(other.get("/admin/orders").await.problem(), (403, "account_suspended"));
    let lift = admin.post(&format!("/admin/users/{}/unsuspend", other.id), &Value::Null).await;
    assert_eq!(lift.problem(), (403, "forbidden"));

    let role = async |by: &User, id: UserId, role: &str| {
        by.put(&format!("/admin/users/{id}/role"), &json!({ "role": role })).await
    };
    assert_eq!(role(&boss, boss.id, "customer").await.problem(), (403, "own_account"));
    assert_eq!(role(&admin, other.id, "customer").await.problem(), (403, "forbidden"));
    assert_eq!(role(&boss, admin.id, "root").await.problem(), (422, "invalid_body"));
    assert_eq!(role(&boss, admin.id, "admin").await.expect(200)["role"], "admin");
    assert_eq!(actions(&app, admin.id).await, ["user.created"]);
    assert_eq!(role(&boss, admin.id, "support").await.expect(200)["role"], "support");
    assert_eq!(suspend(&admin, other.id).await.problem(), (403, "forbidden"));
    assert_eq!(actions(&app, admin.id).await, ["user.created", "user.role_changed"]);
    let log = boss.get(&format!("/admin/audit-log?object_id={}&action=user.role_changed", admin.id)).await;
    let entry = &log.body["data"][0];
    assert_eq!(
        (&entry["before"], &entry["after"]),
        (&json!({ "role": "admin" }), &json!({ "role": "support" }))
    );
}

/// Two who demote each other at the same time don't leave nobody.
#[sqlx::test(migrations = "../migrations")]
async fn a_superadministrator_is_left(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (one, two) = (app.user(Role::Superadmin).await, app.user(Role::Superadmin).await);
    let demote = async |by: &User, id: UserId| {
        by.put(&format!("/admin/users/{id}/role"), &json!({ "role": "admin" })).await.status.as_u16()
    };
    let mut statuses = [0; 2];
    (statuses[0], statuses[1]) = tokio::join!(demote(&one, two.id), demote(&two, one.id));
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    assert_eq!(app.count("SELECT count(*) FROM users WHERE role = 'superadmin'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn notes_stay(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (sari, admin, support) =
        (app.user(Role::Customer).await, app.user(Role::Admin).await, app.user(Role::Support).await);
    let path = format!("/admin/users/{}/notes", sari.id);
    for text in ["", "   ", &"x".repeat(4_001)] {
        assert_eq!(admin.post(&path, &json!({ "text": text })).await.problem(), (422, "validation_failed"));
    }
    let stranger = format!("/admin/users/{}/notes", Uuid::now_v7());
    assert_eq!(admin.post(&stranger, &json!({ "text": "who?" })).await.problem(), (404, "not_found"));
    assert_eq!(support.get(&stranger).await.problem(), (404, "not_found"));
    assert_eq!(app.count("SELECT count(*) FROM user_notes").await, 0);

    for text in [" Pays by transfer on Friday ", "Paid <b>"] {
        admin.post(&path, &json!({ "text": text })).await.expect(201);
    }
    let page = support.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(
        (&page["data"][0]["text"], &page["data"][0]["author_email"]),
        (&json!("Paid <b>"), &json!(admin.email))
    );
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = support.get(&format!("{path}?cursor={cursor}")).await.expect(200);
    assert_eq!(rest["data"][0]["text"], "Pays by transfer on Friday");
    assert_eq!(support.get(&format!("/admin/users/{}", sari.id)).await.expect(200)["notes"], 2);
    for change in ["UPDATE user_notes SET text = 'x'", "DELETE FROM user_notes", "TRUNCATE user_notes"] {
        assert!(sqlx::query(change).execute(&app.pool).await.is_err(), "{change}");
    }
}
