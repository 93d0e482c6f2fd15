//! Verifying an address, replacing a forgotten password, changing the address.

use domain::{event::EventKind, role::Role};
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Answer, Expect, Method, PASSWORD, TestApi, User};

use crate::calls::try_login;

const NEW: &str = "gajah-biru-tidur-9";

async fn open(pool: PgPool) -> TestApi {
    let api = crate::calls::open(pool).await;
    api.open_mail().await;
    api
}

async fn post(api: &TestApi, path: &str, body: serde_json::Value) -> Answer {
    api.nobody().request(Method::POST, path).json(&body).await
}

async fn reset_token(api: &TestApi, user: &User) -> String {
    post(api, "/auth/forgot-password", json!({ "email": user.email })).await.expect(202);
    api.mailed_link(user.id, EventKind::PasswordResetAsked).await.token
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_is_verified_by_the_link_that_was_mailed(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.register("siti@example.com").await;
    assert_eq!(siti.get("/auth/me").await.expect(200)["email_verified"], false);
    let link = api.mailed_link(siti.id, EventKind::EmailToVerify).await;
    post(&api, "/auth/verify-email", json!({ "token": "wbl_0" })).await.expect_problem(422, "link_invalid");
    post(&api, "/auth/verify-email", json!({ "token": link.token })).await.expect(204);
    assert_eq!(siti.get("/auth/me").await.expect(200)["email_verified"], true);
    let again = post(&api, "/auth/verify-email", json!({ "token": link.token })).await;
    again.expect_problem(422, "link_invalid");
}

#[sqlx::test(migrations = "../migrations")]
async fn asking_tells_nobody_whether_there_is_such_an_account(pool: PgPool) {
    let api = open(pool).await;
    api.register("siti@example.com").await;
    for path in ["/auth/forgot-password", "/auth/resend-verification"] {
        let mut answers = Vec::new();
        for email in [" SITI@example.com", "nobody@example.com", "no address"] {
            let begun = std::time::Instant::now();
            let mut answer = post(&api, path, json!({ "email": email })).await;
            assert!(begun.elapsed().as_millis() >= 250, "the time tells nothing either");
            for header in ["x-request-id", "ratelimit-remaining", "ratelimit-reset"] {
                answer.headers.remove(header);
            }
            answers.push((answer.status.as_u16(), answer.body, answer.headers));
        }
        assert_eq!(answers[0].0, 202);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_forgotten_password_is_replaced(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.register("siti@example.com").await;
    let token = reset_token(&api, &siti).await;
    for bad in ["too-short", "SITI@example.com", "password1234"] {
        let body = json!({ "token": token, "new_password": bad });
        let refused = post(&api, "/auth/reset-password", body).await;
        assert_eq!(refused.fields(), ["new_password"]);
        refused.expect_problem(422, "validation_failed");
    }
    let body = json!({ "token": token, "new_password": NEW });
    post(&api, "/auth/reset-password", body.clone()).await.expect(204);
    post(&api, "/auth/reset-password", body).await.expect_problem(422, "link_invalid");
    siti.get("/auth/me").await.expect_problem(401, "session_revoked");
    assert_eq!(try_login(&api, "siti@example.com", PASSWORD).await.status, 401);
    assert_eq!(try_login(&api, "siti@example.com", NEW).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_is_changed_with_the_password_and_from_both_addresses(pool: PgPool) {
    let api = open(pool).await;
    let (siti, budi) = (api.user(Role::Customer).await, api.user(Role::Customer).await);
    let ask = async |password: &str, new: &str| {
        siti.post("/auth/me/email", &json!({ "password": password, "new_email": new })).await
    };
    ask("wrong-password", "new@example.com").await.expect_problem(422, "wrong_password");
    ask(PASSWORD, "no address").await.expect_problem(422, "validation_failed");
    ask(PASSWORD, &budi.email).await.expect_problem(409, "email_taken");
    ask(PASSWORD, "new@example.com").await.expect(202);
    let links = api.mailed_links(siti.id, EventKind::EmailChangeAsked).await;
    let confirm = async |place: usize| {
        let body = json!({ "token": links[place].token });
        post(&api, "/auth/confirm-email-change", body).await
    };
    assert_eq!(confirm(0).await.expect(200)["changed"], false);
    assert_eq!(siti.get("/auth/me").await.expect(200)["email"], siti.email.as_str());
    assert_eq!(confirm(1).await.expect(200)["changed"], true);
    confirm(1).await.expect_problem(422, "link_invalid");
    let me = siti.get("/auth/me").await.expect(200);
    assert_eq!((&me["email"], &me["email_verified"]), (&json!("new@example.com"), &json!(true)));
    assert_eq!(try_login(&api, "new@example.com", PASSWORD).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn changes_of_an_address_are_bounded(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    for n in 0..6 {
        let body = json!({ "password": PASSWORD, "new_email": format!("new-{n}@example.com") });
        let answer = siti.post("/auth/me/email", &body).await;
        match n {
            5 => answer.expect_problem(429, "too_many_links"),
            _ => answer.expect(202),
        };
    }
}
