//! What people's own programs may do with a token. `api/tests/authorization.rs` asks for every operation with every scope.

use api::Access;
use domain::{api_token::TokenScope, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Expect, TestApi, User};

use crate::calls::open;

const TOKENS: &str = "/auth/me/api-tokens";

async fn program(api: &TestApi, user: &User, scopes: &[&str]) -> (Caller, Value) {
    let body = json!({ "name": "Terraform", "scopes": scopes });
    let made = user.post(TOKENS, &body).await.expect(201);
    (api.nobody().as_user(made["token"].as_str().unwrap()), made)
}

#[test]
fn identity_and_staff_are_not_for_programs() {
    for (method, path, access) in api::operations() {
        let Access::Own { token, .. } = access else { continue };
        let is_about_identity =
            path.starts_with("/api/v1/auth/") && !path.contains("ssh-keys") && method != "GET";
        if is_about_identity || path.contains("/2fa") {
            assert_eq!(token, None, "{method} {path}");
        }
        if method != "GET" && !path.ends_with("/quote") {
            assert_ne!(token, Some(TokenScope::Read), "{method} {path} changes something");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_program_reads_with_its_token_until_that_is_removed(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    let (program, made) = program(&api, &siti, &["read", "read"]).await;
    assert_eq!(made["scopes"], json!(["read"]));
    assert_eq!(made["expires_at"], Value::Null);
    assert_eq!(program.get("/auth/me").await.expect(200)["email"], siti.email.as_str());
    program.get("/orders").await.expect(200);
    let listed = siti.get(TOKENS).await.expect(200);
    assert_eq!(listed["data"][0]["id"], made["id"]);
    assert!(listed["data"][0]["last_used_at"].is_string() && listed["data"][0].get("token").is_none());
    program.get(TOKENS).await.expect_problem(403, "forbidden");
    let removal = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    let other = api.user(Role::Customer).await;
    other.delete(&removal).await.expect_problem(404, "not_found");
    siti.delete(&removal).await.expect(204);
    program.get("/auth/me").await.expect_problem(401, "token_invalid");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_that_we_do_not_make_names_the_field(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    let good = json!({ "name": "Terraform", "scopes": ["read"], "expires_in_days": 365 });
    for (field, bad, code) in [
        ("name", json!(" "), "validation_failed"),
        ("scopes", json!([]), "validation_failed"),
        ("scopes", json!(["admin"]), "invalid_body"),
        ("expires_in_days", json!(366), "validation_failed"),
        ("expires_in_days", json!(0), "validation_failed"),
    ] {
        let mut body = good.clone();
        body[field] = bad;
        siti.post(TOKENS, &body).await.expect_problem(422, code);
    }
    let made = siti.post(TOKENS, &good).await.expect(201);
    assert!(made["expires_at"].is_string());
    api.run("UPDATE users SET suspended_at = now()").await;
    let program = api.nobody().as_user(made["token"].as_str().unwrap());
    program.get("/auth/me").await.expect_problem(403, "account_suspended");
}
