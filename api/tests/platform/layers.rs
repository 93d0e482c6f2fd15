//! What wraps every endpoint: request ids, rate limits, CORS, time-outs, health.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use api::public::health::Probe;
use axum::{Extension, extract::ConnectInfo};
use futures::future::BoxFuture;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    calls::{Answer, TestApp},
    support::state,
};

#[sqlx::test(migrations = "../migrations")]
async fn every_answer_carries_the_request_id(pool: PgPool) {
    let app = TestApp::new(pool);
    let own = app.get("/nothing").header("x-request-id", "trace-42").send().await;
    assert_eq!(own.header("x-request-id"), Some("trace-42"));
    assert_eq!(own.body["instance"], "trace-42");
    assert_eq!(own.header("x-content-type-options"), Some("nosniff"));
    for bad in ["", "a b", "<script>"] {
        let answer = app.get("//livez").header("x-request-id", bad).send().await;
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn rate_limits_are_told_and_kept_by_client(pool: PgPool) {
    let mut state = state(&pool);
    let limits = Arc::make_mut(&mut state.limits);
    (limits.auth_per_minute, limits.per_minute) = (2, 100);
    limits.trusted_proxies = vec!["10.0.0.1".parse().unwrap()];
    let mut app = TestApp::with(state);
    app.router = app.router.layer(Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1)))));
    let attempt = |client: &str| {
        let body = json!({ "refresh_token": "wbr_none" });
        app.post("/auth/refresh").header("x-forwarded-for", client).json(&body).send()
    };

    let first = attempt("203.0.113.1").await;
    assert_eq!(first.status, 401);
    assert_eq!(
        (first.header("ratelimit-limit"), first.header("ratelimit-remaining")),
        (Some("2"), Some("1"))
    );
    assert_eq!(first.header("ratelimit-reset"), Some("30"));
    attempt("203.0.113.1").await;
    let refused = attempt("203.0.113.1").await;
    assert_eq!(refused.problem(), (429, "rate_limited"));
    assert!(matches!(refused.header("retry-after"), Some("29" | "30")));
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    // A header of the client's own is not what the proxy saw.
    assert_eq!(attempt("198.51.100.9, 203.0.113.1").await.status, 429);
    assert_eq!(attempt("203.0.113.2").await.status, 401);

    let elsewhere = app.get("/auth/me").header("x-forwarded-for", "203.0.113.1").send().await;
    assert_eq!((elsewhere.status, elsewhere.header("ratelimit-limit")), (401, Some("100")));
    let webhook = app.post("/webhooks/midtrans").header("x-forwarded-for", "203.0.113.1").send().await;
    assert_eq!(webhook.header("ratelimit-limit"), None, "money is not told to come later");
}

#[sqlx::test(migrations = "../migrations")]
async fn browsers_may_call_from_anywhere_without_cookies(pool: PgPool) {
    let app = TestApp::new(pool);
    let preflight = app
        .call("OPTIONS", "/auth/login")
        .header("origin", "https://app.webrana.id")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,idempotency-key")
        .send()
        .await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_request_that_takes_too_long_is_given_up(pool: PgPool) {
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE users").execute(&mut *blocker).await.unwrap();
    let mut state = state(&pool);
    Arc::make_mut(&mut state.limits).request_timeout = Duration::from_millis(100);
    let app = TestApp::with(state);
    let body = json!({ "email": "siti@example.com", "password": "some-password" });
    let answer = app.post("/auth/login").json(&body).send().await;
    assert_eq!(answer.problem(), (503, "timeout"));
}

struct Dead;

impl Probe for Dead {
    fn name(&self) -> &'static str {
        "temporal"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::pending())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn health_tells_each_dependency(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let healthy = app.get_until("//health", 200).await;
    assert_eq!((healthy.status, &healthy.body["status"]), (200, &json!("up")), "{:?}", healthy.body);
    assert_eq!(healthy.body["dependencies"]["database"]["status"], "up");
    assert!(healthy.body["dependencies"]["database"]["latency_ms"].is_u64());
    assert_eq!(healthy.body["dependencies"]["redis"]["status"], "not_configured");
    assert_eq!(healthy.body["services"]["order"], "up");

    let mut with_temporal = state(&pool);
    with_temporal.probes = Arc::new(vec![Arc::new(Dead)]);
    let app = TestApp::with(with_temporal);
    let degraded = app.get_until("//health", 200).await;
    assert_eq!((degraded.status, &degraded.body["status"]), (200, &json!("degraded")));
    assert_eq!(degraded.body["dependencies"]["temporal"]["status"], "down");
    // Orders are accepted without Temporal.
    app.get_until("//readyz", 200).await;

    pool.close().await;
    let down = app.get("//health").send().await;
    assert_eq!((down.status, &down.body["status"]), (503, &json!("down")));
    assert_eq!(app.get("//readyz").send().await.problem(), (503, "not_ready"));
    assert_eq!(app.get("//livez").send().await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn health_tells_each_providers_circuit(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let healthy = circuits_told(&app).await;
    assert_eq!(healthy.body["providers"], json!({ "digitalocean": { "circuit": "closed" } }));

    for state in ["half_open", "open"] {
        sqlx::query(
            "INSERT INTO provider_circuits (provider, state, failures, retry_at)
             VALUES ('digitalocean', $1, 7, now()), ('not-set-up', 'open', 5, now())
             ON CONFLICT (provider) DO UPDATE SET state = EXCLUDED.state",
        )
        .bind(state)
        .execute(&pool)
        .await
        .unwrap();
        let ill = circuits_told(&app).await;
        assert_eq!(ill.body["status"], "degraded");
        let provider = &ill.body["providers"]["digitalocean"];
        assert_eq!(
            (&provider["circuit"], &provider["reason"]),
            (&json!(state), &json!("7 calls in a row failed"))
        );
        assert!(provider["since"].is_string());
        assert!(ill.body["providers"].get("not-set-up").is_none());
    }
}

/// Asks until the database has told of the circuits in the time that `/health` gives it.
async fn circuits_told(app: &TestApp) -> Answer {
    let begun = std::time::Instant::now();
    loop {
        let health = app.get_until("//health", 200).await;
        if health.body["providers"].as_object().is_some_and(|providers| !providers.is_empty()) {
            return health;
        }
        assert!(begun.elapsed().as_secs() < 30, "the circuits are never told: {}", health.body);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draining_process_is_not_ready(pool: PgPool) {
    let app = TestApp::new(pool);
    app.get_until("//readyz", 200).await;
    app.state.ready.store(false, Ordering::Relaxed);
    assert_eq!(app.get("//readyz").send().await.problem(), (503, "not_ready"));
    let internal = TestApp { router: api::internal_router(app.state.clone()), state: app.state };
    assert_eq!(internal.get("//livez").send().await.status, 200);
    internal.get_until("//health", 200).await;
    assert_eq!(internal.get("/auth/me").send().await.problem(), (404, "route_not_found"));
}
