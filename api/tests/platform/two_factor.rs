//! Logging in with a second factor.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    app_code,
    http::{Answer, Expect, Method, PASSWORD, TestApi, User},
};

use crate::calls::{open, try_login};

async fn code(api: &TestApi, secret: &str) -> String {
    let now = api.count("SELECT extract(epoch FROM clock_timestamp())::bigint").await;
    // The test goes on as if earlier codes had been used long ago.
    api.run("UPDATE second_factors SET last_step = 0").await;
    app_code(secret, now)
}

/// Sets it up, and answers with its secret and recovery codes.
async fn enable(api: &TestApi, user: &User) -> (String, Vec<String>) {
    let made = user.post("/auth/me/2fa/setup", &json!({ "password": PASSWORD })).await.expect(200);
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(made["otpauth_uri"].as_str().unwrap().starts_with("otpauth://totp/WeBrana"), "{made}");
    let right = json!({ "code": code(api, &secret).await });
    let answer = user.post("/auth/me/2fa/confirm", &right).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let codes = answer.expect(200)["recovery_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn challenge(api: &TestApi, user: &User) -> Value {
    try_login(api, &user.email, PASSWORD).await.expect(200)
}

async fn second(api: &TestApi, body: Value) -> Answer {
    api.nobody().request(Method::POST, "/auth/login/2fa").json(&body).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_login_is_ended_by_the_apps_code(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    let (secret, recovery) = enable(&api, &siti).await;
    let asked = challenge(&api, &siti).await;
    assert_eq!((&asked["two_factor_required"], &asked["expires_in"]), (&json!(true), &json!(300)));
    assert!(asked.get("access_token").is_none() && asked.get("user").is_none(), "{asked}");
    let token = &asked["challenge_token"];
    let body = json!({ "challenge_token": token, "code": "000000" });
    second(&api, body).await.expect_problem(422, "wrong_code");
    for odd in [
        json!({ "challenge_token": token }),
        json!({ "challenge_token": token, "code": "1", "recovery_code": "2" }),
    ] {
        second(&api, odd).await.expect_problem(422, "validation_failed");
    }
    let right = json!({ "challenge_token": token, "code": code(&api, &secret).await });
    let session = second(&api, right.clone()).await.expect(200);
    let me = api.holding(&session).get("/auth/me").await.expect(200);
    assert_eq!(me["email"], siti.email.as_str());
    second(&api, right).await.expect_problem(401, "challenge_invalid");

    let asked = challenge(&api, &siti).await;
    let body = json!({ "challenge_token": asked["challenge_token"], "recovery_code": recovery[0] });
    second(&api, body).await.expect(200);
    assert_eq!(siti.get("/auth/me/2fa").await.expect(200)["recovery_codes_left"], 9);
}

#[sqlx::test(migrations = "../migrations")]
async fn who_has_not_the_password_sees_no_challenge(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    enable(&api, &siti).await;
    try_login(&api, &siti.email, "wrong-password").await.expect_problem(401, "invalid_credentials");
}

#[sqlx::test(migrations = "../migrations")]
async fn it_is_changed_with_the_password_only(pool: PgPool) {
    let api = open(pool).await;
    let (siti, admin) = (api.user(Role::Customer).await, api.user(Role::Admin).await);
    let wrong = json!({ "password": "wrong-password" });
    siti.post("/auth/me/2fa/setup", &wrong).await.expect_problem(422, "wrong_password");
    siti.post("/auth/me/2fa/confirm", &json!({ "code": "0" }))
        .await
        .expect_problem(409, "two_factor_conflict");
    let (secret, recovery) = enable(&api, &siti).await;
    siti.post("/auth/me/2fa/setup", &json!({ "password": PASSWORD }))
        .await
        .expect_problem(409, "two_factor_conflict");
    for path in ["/auth/me/2fa/disable", "/auth/me/2fa/recovery-codes"] {
        let body = json!({ "password": "wrong-password", "code": code(&api, &secret).await });
        siti.post(path, &body).await.expect_problem(422, "wrong_password");
        let body = json!({ "password": PASSWORD, "code": "000000" });
        siti.post(path, &body).await.expect_problem(422, "wrong_code");
        api.run("DELETE FROM auth_throttles").await;
    }
    let body = json!({ "password": PASSWORD, "code": code(&api, &secret).await });
    let anew = siti.post("/auth/me/2fa/recovery-codes", &body).await.expect(200);
    assert_eq!(anew["recovery_codes"].as_array().unwrap().len(), 10);
    let body = json!({ "password": PASSWORD, "recovery_code": recovery[0] });
    siti.post("/auth/me/2fa/disable", &body).await.expect_problem(422, "wrong_code");
    let body = json!({ "password": PASSWORD, "recovery_code": anew["recovery_codes"][0] });
    siti.post("/auth/me/2fa/disable", &body).await.expect(204);
    assert_eq!(siti.get("/auth/me/2fa").await.expect(200)["enabled_at"], Value::Null);
    assert!(challenge(&api, &siti).await["access_token"].is_string());

    enable(&api, &siti).await;
    let path = format!("/admin/users/{}/reset-2fa", siti.id);
    admin.post(&path, &Value::Null).await.expect(200);
    admin.post(&path, &Value::Null).await.expect_problem(409, "two_factor_conflict");
    assert!(challenge(&api, &siti).await["access_token"].is_string());
}
