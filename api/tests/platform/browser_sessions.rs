//! Sessions of browsers: the refresh token in a cookie, and out of reach of other sites.

use domain::role::Role;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Answer, Expect, Method, PASSWORD, TestApi};

use crate::calls::open;

const OURS: (&str, &str) = ("x-requested-with", "webrana");

/// Logs in as a browser.
async fn log_in(api: &TestApi, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD });
    api.nobody().request(Method::POST, "/auth/login").header("x-session", "cookie").json(&body).await
}

/// What a browser sends back, without what the cookie is besides.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    let (pair, attributes) = set.split_once("; ").unwrap();
    assert!(attributes.ends_with("HttpOnly; Secure; SameSite=Strict; Path=/api/v1/auth"), "{attributes}");
    pair.to_owned()
}

async fn refresh(api: &TestApi, cookie: &str, header: (&str, &str)) -> Answer {
    api.nobody()
        .request(Method::POST, "/auth/refresh")
        .header("cookie", &format!("theme=dark; {cookie}"))
        .header(header.0, header.1)
        .await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_browser_keeps_its_refresh_token_in_a_cookie(pool: PgPool) {
    let api = open(pool).await;
    let body = json!({ "email": "siti@example.com", "password": PASSWORD, "full_name": "Siti" });
    let register = api.nobody().request(Method::POST, "/auth/register").header("x-session", "cookie");
    let registered = register.json(&body).await;
    assert_eq!(registered.status, 201);
    assert!(cookie(&registered).starts_with("wb_refresh=wbr_"));
    let answer = log_in(&api, "siti@example.com").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body.get("refresh_token").is_none(), "{}", answer.body);
    let first = cookie(&answer);
    let renewed = refresh(&api, &first, OURS).await;
    assert_eq!(renewed.status, 200);
    assert!(renewed.body.get("refresh_token").is_none());
    let second = cookie(&renewed);
    assert_ne!(first, second);
    let access = renewed.body["access_token"].as_str().unwrap().to_owned();
    api.nobody().as_user(&access).get("/auth/me").await.expect(200);

    // Without a login, once the access token is over.
    let logout = api.nobody().request(Method::POST, "/auth/logout");
    let logout = logout.header("cookie", &second).header(OURS.0, OURS.1).await;
    assert_eq!((logout.status.as_u16(), cookie(&logout).as_str()), (204, "wb_refresh="));
    assert!(logout.header("set-cookie").unwrap().contains("Max-Age=0"));
    refresh(&api, &second, OURS).await.expect_problem(401, "refresh_token_invalid");
    api.nobody().as_user(&access).get("/auth/me").await.expect_problem(401, "session_revoked");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cookie_alone_does_nothing(pool: PgPool) {
    let api = open(pool).await;
    let siti = api.user(Role::Customer).await;
    let cookie = cookie(&log_in(&api, &siti.email).await);
    for header in [("accept", "*/*"), ("x-requested-with", "XMLHttpRequest")] {
        refresh(&api, &cookie, header).await.expect_problem(403, "csrf_header_required");
        let logout = api.nobody().request(Method::POST, "/auth/logout").header("cookie", &cookie);
        logout.header(header.0, header.1).await.expect_problem(403, "csrf_header_required");
    }
    assert_eq!(refresh(&api, &cookie, OURS).await.status, 200, "nothing was changed");
    let nothing = api.nobody().request(Method::POST, "/auth/refresh").header(OURS.0, OURS.1).await;
    nothing.expect_problem(401, "refresh_token_invalid");
    let nobody = api.nobody().request(Method::POST, "/auth/logout").header(OURS.0, OURS.1).await;
    nobody.expect_problem(401, "token_missing");
}

/// A page elsewhere may call the API, but sends neither the cookie nor the headers.
#[sqlx::test(migrations = "../migrations")]
async fn other_sites_may_not_send_what_the_cookie_wants(pool: PgPool) {
    let api = open(pool).await;
    let preflight = api
        .nobody()
        .request(Method::OPTIONS, "/auth/refresh")
        .header("origin", "https://elsewhere.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-requested-with")
        .await;
    let allowed = preflight.header("access-control-allow-headers").unwrap_or_default();
    assert!(!allowed.contains("x-requested-with") && !allowed.contains("x-session"), "{allowed}");
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
}
