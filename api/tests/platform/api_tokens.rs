//! What people's own programs may do with a token, and that nothing is left undecided.

use std::collections::BTreeSet;

use api::{TokenAccess, token_access, token_operations};
use domain::{api_token::TokenScope, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Expect, Method, TestApi, User};

use crate::calls::open;

const TOKENS: &str = "/auth/me/api-tokens";
const SOME_ID: &str = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";

async fn program(api: &TestApi, user: &User, scopes: &[&str]) -> (Caller, Value) {
    let body = json!({ "name": "Terraform", "scopes": scopes });
    let made = user.post(TOKENS, &body).await.expect(201);
    (api.nobody().as_user(made["token"].as_str().unwrap()), made)
}

/// Every operation of the document that wants somebody who logged in.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let wants = operation["security"]
                .as_array()
                .is_some_and(|schemes| schemes.iter().any(|scheme| scheme.get("bearer").is_some()));
            if wants {
                found.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    found
}

#[test]
fn it_is_decided_of_every_operation_whether_it_takes_tokens() {
    let operations = operations();
    assert!(operations.len() > 100, "{}", operations.len());
    let undecided: Vec<_> =
        operations.iter().filter(|(method, path)| token_access(method, path).is_none()).collect();
    assert!(undecided.is_empty(), "say in api/src/auth/token_access.rs what they take: {undecided:?}");
    let documented: BTreeSet<_> =
        operations.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    let gone: Vec<_> = token_operations().filter(|operation| !documented.contains(operation)).collect();
    assert!(gone.is_empty(), "there is no such operation: {gone:?}");
}

#[test]
fn identity_and_staff_are_not_for_programs() {
    for (method, path) in operations() {
        let access = token_access(&method, &path).unwrap();
        let is_about_identity =
            path.starts_with("/api/v1/auth/") && !path.contains("ssh-keys") && method != Method::GET;
        if is_about_identity || path.contains("/admin/") || path.contains("/2fa") {
            assert_eq!(access, TokenAccess::LoginOnly, "{method} {path}");
        }
        if method != Method::GET && !path.ends_with("/quote") {
            assert_ne!(access, TokenAccess::With(TokenScope::Read), "{method} {path} changes something");
        }
    }
}

/// Of a token without a scope nothing is done; with all of them nothing that wants a login.
#[sqlx::test(migrations = "../migrations")]
async fn every_operation_asks_for_its_scope(pool: PgPool) {
    let api = open(pool).await;
    let admin = api.user(Role::Admin).await;
    let every: Vec<_> = TokenScope::ALL.iter().map(|scope| scope.as_str()).collect();
    let (all, _) = program(&api, &admin, &every).await;
    let others = |scope: &str| every.iter().copied().filter(|other| *other != scope).collect::<Vec<_>>();
    let mut without = std::collections::BTreeMap::new();
    for scope in &every {
        without.insert(*scope, program(&api, &admin, &others(scope)).await.0);
    }
    for (method, path) in operations() {
        let access = token_access(&method, &path).unwrap();
        let segments = path.strip_prefix("/api/v1").unwrap().split('/');
        let filled = segments.map(|segment| if segment.starts_with('{') { SOME_ID } else { segment });
        let address = filled.collect::<Vec<_>>().join("/");
        let (who, code) = match access {
            TokenAccess::LoginOnly => (&all, "forbidden"),
            TokenAccess::With(scope) => (&without[scope.as_str()], "scope_missing"),
        };
        let answer = who.request(method.clone(), &address).await;
        assert_eq!(answer.problem(), (403, code), "{method} {address}");
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
