//! What wraps every endpoint: request ids, rate limits, CORS, time-outs, health.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use api::{AppState, Probe};
use axum::{Extension, extract::ConnectInfo};
use futures::future::BoxFuture;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Answer, Expect, Method, TestApi};

use crate::calls::{ask_until, get_until, open};

#[sqlx::test(migrations = "../migrations")]
async fn every_answer_carries_the_request_id(pool: PgPool) {
    let app = open(pool).await;
    // Ours, whatever the client calls it: two clients may well say the same.
    let mut seen = std::collections::BTreeSet::new();
    for theirs in ["trace-42", "trace-42", "", "a b", "<script>"] {
        let answer = app.nobody().get("/nothing").header("x-request-id", theirs).await;
        let ours = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!((answer.body["instance"].as_str(), ours.len()), (Some(ours.as_str()), 36));
        seen.insert(ours);
    }
    assert_eq!(seen.len(), 5);
}

#[sqlx::test(migrations = "../migrations")]
async fn every_answer_is_protected_and_kept_by_nobody_unless_it_is_public(pool: PgPool) {
    let app = open(pool).await;
    app.store.seed().await.unwrap();
    let login = app.register("siti@example.com").await;
    let public = "public, max-age=60, stale-while-revalidate=300";
    for (path, cached) in [
        ("/auth/me", "no-store"),
        ("/orders", "no-store"),
        ("/nothing-here", "no-store"),
        ("//health", "no-store"),
        ("/plans/unknown", "no-store"),
        ("/plans", public),
        ("/providers", public),
        ("//api/openapi.json", "public, max-age=60"),
        ("//api/docs/", "public, max-age=3600"),
    ] {
        let who = match path.strip_prefix('/') {
            Some(from_the_root) if from_the_root.starts_with('/') => app.root(),
            _ => app.nobody(),
        };
        let path = path.replace("//", "/");
        let answer = who.as_user(&login.token).get(&path).await;
        assert_eq!(answer.header("cache-control"), Some(cached), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
    }
    let public = app.beside(|mut state| {
        Arc::make_mut(&mut state.limits).hsts = true;
        state
    });
    let answer = public.nobody().get("/plans").await;
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_docs_load_nothing_that_their_policy_forbids(pool: PgPool) {
    let app = open(pool).await;
    for (root, docs) in [(app.root(), "/api/docs"), (app.internal_root(), "/internal/docs")] {
        let page = root.get(&format!("{docs}/")).reply().await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'; ") && policy.contains("connect-src 'self'"), "{policy}");
        let html = std::str::from_utf8(&page.bytes).unwrap();
        let scripts: Vec<&str> = html.split("<script").skip(1).collect();
        assert!(scripts.len() >= 3, "{html}");
        for script in scripts {
            let (attributes, rest) = script.split_once('>').unwrap();
            let inline = rest.split("</script>").next().unwrap();
            assert!(
                attributes.contains("src=\"./") && inline.trim().is_empty(),
                "inline or foreign: {script}"
            );
        }
        let settings = root.get(&format!("{docs}/swagger-initializer.js")).reply().await;
        let settings = String::from_utf8(settings.bytes.to_vec()).unwrap();
        assert!(settings.contains(&docs.replace("docs", "openapi.json")), "{settings}");
        assert!(
            !settings.contains("petstore") && settings.contains("\"validatorUrl\": \"none\""),
            "{settings}"
        );
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_document_is_compressed_and_known_by_its_etag(pool: PgPool) {
    let app = open(pool).await;
    let plain = app.root().get("/api/openapi.json").await;
    assert_eq!((plain.status.as_u16(), plain.header("content-encoding")), (200, None));
    assert!(plain.body["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    let gzip = app.root().get("/api/openapi.json").header("accept-encoding", "br, gzip").await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let sizes = [&plain, &gzip].map(|answer| answer.header("etag").unwrap().to_owned());
    assert_ne!(sizes[0], sizes[1]);
    for (encoding, tag) in ["identity", "gzip"].iter().zip(&sizes) {
        let again = app
            .root()
            .get("/api/openapi.json")
            .header("accept-encoding", encoding)
            .header("if-none-match", tag)
            .await;
        assert_eq!((again.status.as_u16(), again.header("etag")), (304, Some(tag.as_str())));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn health_the_document_and_the_internal_port_are_limited_apart(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        let limits = Arc::make_mut(&mut state.limits);
        (limits.per_minute, limits.internal_per_minute) = (2, 1);
        state
    });
    let app = setup.open().await;
    for path in ["/health", "/api/openapi.json"] {
        for left in ["1", "0"] {
            assert_eq!(app.root().get(path).await.header("ratelimit-remaining"), Some(left), "{path}");
        }
        assert_eq!(app.root().get(path).await.problem(), (429, "rate_limited"), "{path}");
    }
    assert_eq!(app.root().get("/readyz").await.status, 429, "it asks the database as well");
    assert_eq!(app.root().get("/livez").await.status, 200);
    for path in ["/internal/regions", "/health"] {
        assert_ne!(app.internal_root().get(path).await.status, 429, "{path}");
        assert_eq!(app.internal_root().get(path).await.problem(), (429, "rate_limited"), "{path}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn rate_limits_are_told_and_kept_by_client(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        let limits = Arc::make_mut(&mut state.limits);
        (limits.auth_per_minute, limits.per_minute) = (2, 100);
        limits.refresh_per_minute = 50;
        limits.trusted_proxies = vec!["10.0.0.1/32".parse().unwrap()];
        state
    });
    let proxy = Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
    let app = setup.open().await.layered(|router| router.layer(proxy));
    let attempt = |client: &str| {
        let body = json!({ "email": "siti@example.com", "password": "wrong-password" });
        app.nobody().request(Method::POST, "/auth/login").header("x-forwarded-for", client).json(&body)
    };

    let first = attempt("203.0.113.1").await;
    assert_eq!(first.status.as_u16(), 401);
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

    // Carriers put many customers behind one address: their refreshes are no attempts to log in.
    let body = json!({ "refresh_token": "wbr_none" });
    let refresh = app
        .nobody()
        .request(Method::POST, "/auth/refresh")
        .header("x-forwarded-for", "203.0.113.1")
        .json(&body)
        .await;
    assert_eq!((refresh.status.as_u16(), refresh.header("ratelimit-limit")), (401, Some("50")));
    let logout =
        app.nobody().request(Method::POST, "/auth/logout").header("x-forwarded-for", "203.0.113.1").await;
    assert_eq!((logout.status.as_u16(), logout.header("ratelimit-remaining")), (401, Some("48")));
    let password =
        app.nobody().request(Method::PUT, "/auth/me/password").header("x-forwarded-for", "203.0.113.1").await;
    assert_eq!(password.problem(), (429, "rate_limited"), "it shows a password, too");

    let elsewhere = app.nobody().get("/auth/me").header("x-forwarded-for", "203.0.113.1").await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.header("ratelimit-limit")), (401, Some("100")));
    let webhook = app
        .nobody()
        .request(Method::POST, "/webhooks/midtrans")
        .header("x-forwarded-for", "203.0.113.1")
        .await;
    assert_eq!(webhook.header("ratelimit-limit"), None, "money is not told to come later");
}

#[sqlx::test(migrations = "../migrations")]
async fn browsers_may_call_from_anywhere_without_cookies(pool: PgPool) {
    let app = open(pool).await;
    let preflight = app
        .nobody()
        .request(Method::OPTIONS, "/auth/login")
        .header("origin", "https://app.webrana.id")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,idempotency-key")
        .await;
    assert_eq!(preflight.status.as_u16(), 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_request_that_takes_too_long_is_given_up(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        Arc::make_mut(&mut state.limits).request_timeout = Duration::from_millis(100);
        state
    });
    let app = setup.open().await;
    let mut blocker = app.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE users").execute(&mut *blocker).await.unwrap();
    let body = json!({ "email": "siti@example.com", "password": "some-password" });
    let answer = app.nobody().request(Method::POST, "/auth/login").json(&body).await;
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
    let app = open(pool.clone()).await;
    let healthy = ask_until(&app.root(), "/health", |answer| answer.body["status"] == "up").await;
    assert_eq!(healthy.status, 200);
    assert_eq!(healthy.body["dependencies"]["database"]["status"], "up");
    assert!(healthy.body["dependencies"]["database"]["latency_ms"].is_u64());
    assert_eq!(healthy.body["dependencies"]["redis"]["status"], "not_configured");
    assert_eq!(healthy.body["services"]["order"], "up");

    let app = app.beside(|state| AppState { probes: Arc::new(vec![Arc::new(Dead)]), ..state });
    let degraded = get_until(&app.root(), "/health", 200).await;
    assert_eq!((degraded.status.as_u16(), &degraded.body["status"]), (200, &json!("degraded")));
    assert_eq!(degraded.body["dependencies"]["temporal"]["status"], "down");
    // Orders are accepted without Temporal.
    get_until(&app.root(), "/readyz", 200).await;

    pool.close().await;
    let down = app.root().get("/health").await;
    assert_eq!((down.status.as_u16(), &down.body["status"]), (503, &json!("down")));
    assert_eq!(app.root().get("/readyz").await.problem(), (503, "not_ready"));
    assert_eq!(app.root().get("/livez").await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn health_tells_each_providers_circuit(pool: PgPool) {
    let app = open(pool.clone()).await;
    let healthy = circuits_told(&app).await;
    assert_eq!(healthy.body["providers"], json!({ "digitalocean": { "circuit": "closed" } }));

    for state in ["half_open", "open"] {
        sqlx::query(
            "INSERT INTO provider_circuits (provider, scope, state, failures, retry_at)
             VALUES ('digitalocean', 'lists', $1, 7, now()), ('not-set-up', 'lists', 'open', 5, now())
             ON CONFLICT (provider, scope) DO UPDATE SET state = EXCLUDED.state",
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
            (&json!(state), &json!("lists: 7 calls in a row failed"))
        );
        assert!(provider["since"].is_string());
        assert!(ill.body["providers"].get("not-set-up").is_none());
    }

    sqlx::query(
        "INSERT INTO provider_circuits (provider, scope, state, failures, retry_at, refused, reason)
         VALUES ('digitalocean', 'account', 'open', 1, now(), true, 'token dop_v1 of webrana-prod is unknown')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let refused = circuits_told(&app).await;
    let reason = &refused.body["providers"]["digitalocean"]["reason"];
    assert_eq!(reason, "account: it turns our account away", "and nobody learns the vendor's words");
}

#[sqlx::test(migrations = "../migrations")]
async fn charts_that_fail_make_no_cloud_ill(pool: PgPool) {
    let app = open(pool.clone()).await;
    sqlx::query(
        "INSERT INTO provider_circuits (provider, scope, state, failures, retry_at)
         VALUES ('digitalocean', 'metrics', 'open', 9, now())",
    )
    .execute(&pool)
    .await
    .unwrap();
    let healthy = circuits_told(&app).await;
    assert_eq!(healthy.body["providers"], json!({ "digitalocean": { "circuit": "closed" } }));
}

/// Asks until the database has told of the circuits in the time that `/health` gives it.
async fn circuits_told(app: &TestApi) -> Answer {
    let begun = std::time::Instant::now();
    loop {
        let health = get_until(&app.root(), "/health", 200).await;
        if health.body["providers"].as_object().is_some_and(|providers| !providers.is_empty()) {
            return health;
        }
        assert!(begun.elapsed().as_secs() < 30, "the circuits are never told: {}", health.body);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draining_process_is_not_ready(pool: PgPool) {
    let app = open(pool).await;
    get_until(&app.root(), "/readyz", 200).await;
    app.state.ready.store(false, Ordering::Relaxed);
    assert_eq!(app.root().get("/readyz").await.problem(), (503, "not_ready"));
    let internal = app.internal_root();
    assert_eq!(internal.get("/livez").await.status, 200);
    get_until(&internal, "/health", 200).await;
    assert_eq!(internal.get("/api/v1/auth/me").await.problem(), (404, "route_not_found"));
}
