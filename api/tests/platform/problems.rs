//! Requests that can't be read: each mistake has its own problem.

use serde_json::json;
use sqlx::PgPool;

use testkit::http::{Expect, Method, PASSWORD};

use crate::calls::{open, try_login};

#[sqlx::test(migrations = "../migrations")]
async fn bodies(pool: PgPool) {
    let app = open(pool).await;
    let login = |body: &str| app.nobody().request(Method::POST, "/auth/login").body("application/json", body);
    assert_eq!(login("{\"email\":").await.problem(), (400, "malformed_json"));
    assert_eq!(login("").await.problem(), (400, "malformed_json"));
    assert_eq!(login("[]").await.problem(), (422, "invalid_body"));

    let unknown = login(r#"{"email":"a@b.id","password":"x","admin":true}"#).await;
    assert_eq!((unknown.problem(), unknown.fields()), ((422, "invalid_body"), vec!["admin"]));
    let missing = login(r#"{"email":"a@b.id"}"#).await;
    assert_eq!((missing.problem(), missing.fields()), ((422, "invalid_body"), vec!["password"]));
    let wrong_type = login(r#"{"email":7,"password":"x"}"#).await;
    assert_eq!((wrong_type.problem(), wrong_type.fields()), ((422, "invalid_body"), vec!["email"]));
    let nul = login(r#"{"email":"a\u0000@b.id","password":"x"}"#).await;
    assert_eq!((nul.problem(), nul.fields()), ((422, "invalid_body"), vec!["email"]));

    let large = format!(r#"{{"email":"{}","password":"x"}}"#, "x".repeat(70_000));
    assert_eq!(login(&large).await.problem(), (413, "body_too_large"));

    let form = app
        .nobody()
        .request(Method::POST, "/auth/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .await;
    assert_eq!(form.problem(), (415, "unsupported_media_type"));
}

#[sqlx::test(migrations = "../migrations")]
async fn paths_methods_and_queries(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    let get = |path: &str| login.get(path);

    assert_eq!(get("/nothing-here").await.problem(), (404, "route_not_found"));
    assert_eq!(app.root().get("/outside").await.problem(), (404, "route_not_found"));
    let method = app.nobody().delete("/auth/login").await;
    assert_eq!(method.problem(), (405, "method_not_allowed"));
    assert_eq!(method.header("allow"), Some("POST"));

    let no_id = login.delete("/auth/me/sessions/not-an-id").await;
    assert_eq!(no_id.problem(), (404, "not_found"));
    assert_eq!(get("/plans/a%00b").await.problem(), (400, "invalid_path"));
    assert_eq!(get("/plans/%FF").await.problem(), (400, "invalid_path"));
    assert_eq!(get("/plans/%C3%A9").await.problem(), (404, "not_found"));

    for query in ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=x", "cursor=AAAA"] {
        let answer = get(&format!("/auth/me/sessions?{query}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{query}");
        assert_eq!(answer.fields(), [query.split('=').next().unwrap()]);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_follow_each_other(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    for _ in 0..4 {
        try_login(&app, "siti@example.com", PASSWORD).await;
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let part = login.get(&format!("/auth/me/sessions?{query}")).await;
        seen.extend(
            part.body["data"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()),
        );
        match part.body["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice: {seen:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_database_that_is_away_is_our_problem_and_passing(pool: PgPool) {
    let app = open(pool.clone()).await;
    pool.close().await;
    let body = json!({ "email": "siti@example.com", "password": "some-password" });
    let answer = app.nobody().request(Method::POST, "/auth/login").json(&body).await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}
