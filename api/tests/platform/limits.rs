//! How often one client may ask: by network, account and token, in each class, whatever process answers.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use api::Limits;
use axum::extract::{ConnectInfo, Extension};
use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Expect, Request, TestApi};

/// A shop behind a proxy, whose clients come from wherever they say, with these limits and no others.
async fn open(pool: PgPool, change: impl FnOnce(&mut Limits) + Send + 'static) -> TestApi {
    let setup = TestApi::setup(pool).state(|mut state| {
        let limits = Arc::make_mut(&mut state.limits);
        limits.trusted_proxies = vec!["10.0.0.1/32".parse().unwrap()];
        change(limits);
        state
    });
    behind_proxy(setup.open().await)
}

fn behind_proxy(app: TestApi) -> TestApi {
    let proxy = Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
    app.layered(|router| router.layer(proxy))
}

/// Another process on the same database.
fn another(app: &TestApi) -> TestApi {
    behind_proxy(app.beside(|state| state))
}

fn from(request: Request, address: &str) -> Request {
    request.header("x-forwarded-for", address)
}

/// How many of so many requests are let through.
async fn let_through(requests: impl IntoIterator<Item = Request>) -> usize {
    let mut through = 0;
    for request in requests {
        let answer = request.await;
        match answer.status.as_u16() {
            429 => assert_eq!(answer.problem(), (429, "rate_limited")),
            _ => through += 1,
        }
    }
    through
}

fn looks(who: &Caller, address: &str, times: usize) -> Vec<Request> {
    (0..times).map(|_| from(who.get("/plans"), address)).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_share_a_budget(pool: PgPool) {
    let app = open(pool, |limits| (limits.per_minute, limits.auth_per_minute) = (100, 4)).await;
    let other = another(&app);
    let login = |app: &TestApi| {
        let body = json!({ "email": "siti@example.com", "password": "wrong-password" });
        from(app.nobody().post("/auth/login", &body), "203.0.113.1")
    };
    let both = (0..4).flat_map(|_| [login(&app), login(&other)]);
    let through = let_through(both).await;
    assert!(
        (4..=5).contains(&through),
        "{through}: one at a time, from both, and every 15 seconds one comes in"
    );

    let began = Instant::now();
    let both = looks(&app.nobody(), "203.0.113.2", 100)
        .into_iter()
        .zip(looks(&other.nobody(), "203.0.113.2", 100))
        .flat_map(|(one, another)| [one, another]);
    let through = let_through(both).await;
    let came_in = began.elapsed().as_secs_f64() * 100.0 / 60.0;
    assert!(through >= 100 && (through as f64) < 102.0 + came_in, "{through}, of which {came_in} came in");
    // The last of what came in is soon used up.
    let more =
        looks(&app.nobody(), "203.0.113.2", 20).into_iter().chain(looks(&other.nobody(), "203.0.113.2", 20));
    assert!(let_through(more).await < 40);
}

#[sqlx::test(migrations = "../migrations")]
async fn most_requests_ask_no_database(pool: PgPool) {
    let app = open(pool, |limits| (limits.per_minute, limits.account_per_minute) = (600, 600)).await;
    app.run("CREATE TABLE leases (at timestamptz)").await;
    app.run(
        "CREATE FUNCTION count_lease() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO leases VALUES (now()); RETURN NEW; END $$",
    )
    .await;
    app.run(
        "CREATE TRIGGER counted BEFORE UPDATE ON request_budgets FOR EACH ROW EXECUTE FUNCTION count_lease()",
    )
    .await;
    let siti = app.user(Role::Customer).await;
    let requests = (0..300).map(|_| from(siti.get("/auth/me"), "203.0.113.1"));
    assert_eq!(let_through(requests).await, 300);
    // 60 at a time of each, the first of which makes the row.
    assert_eq!(app.count("SELECT count(*) FROM leases").await, 2 * 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_account_is_one_client_from_wherever_and_a_token_another(pool: PgPool) {
    let app = open(pool, |limits| limits.account_per_minute = 3).await;
    let (siti, budi) = (app.user(Role::Customer).await, app.user(Role::Customer).await);
    let asked = |who: &Caller| {
        let who = who.clone();
        (1..=5).map(move |n| from(who.get("/orders"), &format!("203.0.113.{n}"))).collect::<Vec<_>>()
    };
    assert_eq!(let_through(asked(&siti)).await, 3);
    assert_eq!(let_through(asked(&budi)).await, 3, "each has a budget");
    let body = json!({ "name": "Terraform", "scopes": ["read"] });
    let made = siti.post("/auth/me/api-tokens", &body).await.expect(201);
    let program = app.nobody().as_user(made["token"].as_str().unwrap());
    assert_eq!(let_through(asked(&program)).await, 3, "a token has its own");
}

#[sqlx::test(migrations = "../migrations")]
async fn money_is_counted_more_strictly_and_apart(pool: PgPool) {
    let app = open(pool, |limits| {
        (limits.per_minute, limits.account_per_minute) = (40, 40);
        (limits.writes_per_minute, limits.money_per_minute) = (3, 2);
    })
    .await;
    let siti = app.user(Role::Customer).await;
    let empty = json!({});
    let deposits = (0..4).map(|_| from(siti.post("/wallet/deposits", &empty), "203.0.113.1"));
    assert_eq!(let_through(deposits).await, 2);
    let orders = from(siti.post("/orders", &empty), "203.0.113.9").await;
    assert_eq!((orders.problem(), orders.header("ratelimit-limit")), ((429, "rate_limited"), Some("2")));
    let changes = (0..5).map(|_| from(siti.post("/notifications/read-all", &Value::Null), "203.0.113.1"));
    assert_eq!(let_through(changes).await, 3);
    let quote = from(siti.post("/orders/quote", &empty), "203.0.113.1").await;
    assert_eq!((quote.status.as_u16(), quote.header("ratelimit-limit")), (422, Some("40")), "it only looks");

    // Five customers behind one address are as many as it takes.
    let mut through = 0;
    for _ in 0..6 {
        let somebody = app.user(Role::Customer).await;
        through += let_through((0..2).map(|_| from(somebody.post("/orders", &empty), "203.0.113.1"))).await;
    }
    // One comes in every six seconds.
    assert!(
        (5 * 2 - 2..12).contains(&through),
        "{through}: the address has five times an account's, of which two were used"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn the_tightest_budget_is_told(pool: PgPool) {
    let app = open(pool, |limits| (limits.per_minute, limits.account_per_minute) = (40, 5)).await;
    let siti = app.user(Role::Customer).await;
    let answer = from(siti.get("/orders"), "203.0.113.1").await;
    let told = |name: &str| answer.header(name).map(str::to_owned);
    assert_eq!(told("ratelimit-limit").as_deref(), Some("5"));
    assert_eq!(told("ratelimit-remaining").as_deref(), Some("4"));
    assert_eq!(told("ratelimit-reset").as_deref(), Some("12"));
    let nobody = from(app.nobody().get("/plans"), "203.0.113.1").await;
    assert_eq!(
        (nobody.header("ratelimit-limit"), nobody.header("ratelimit-remaining")),
        (Some("40"), Some("38"))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_locked_out_while_budgets_cannot_be_had(pool: PgPool) {
    let app = open(pool, |limits| limits.per_minute = 5).await;
    app.run("ALTER TABLE request_budgets RENAME TO request_budgets_away").await;
    assert_eq!(let_through(looks(&app.nobody(), "203.0.113.1", 7)).await, 5, "each process counts alone");
    assert_eq!(let_through(looks(&another(&app).nobody(), "203.0.113.1", 7)).await, 5);
    app.run("ALTER TABLE request_budgets_away RENAME TO request_budgets").await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_kept_names_nobody_and_goes_when_it_is_of_no_use(pool: PgPool) {
    let app = open(pool, |limits| limits.per_minute = 5).await;
    let nobody = app.nobody();
    for n in 1..=3 {
        from(nobody.get("/plans"), &format!("203.0.113.{n}")).await.expect(200);
    }
    assert_eq!(app.count("SELECT count(*) FROM request_budgets WHERE octet_length(key_hash) = 16").await, 3);
    app.run("UPDATE request_budgets SET full_at = now() - interval '2 minutes'").await;
    from(nobody.get("/plans"), "203.0.113.4").await.expect(200);
    assert_eq!(app.count("SELECT count(*) FROM request_budgets").await, 1);
}
