//! When a connection ends: nobody says whose it is, or whoever held it may not any more.

use std::{sync::Arc, time::Duration};

use api::{AppState, AuthConfig, Live, LiveSettings};
use domain::{api_token::TokenScope, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{api_tokens::NewApiToken, audit::Origin};
use testkit::{
    http::{Expect, Method, PASSWORD, TestApi},
    leftovers,
};
use tokio::io::AsyncReadExt;

use crate::tab::Tab;

async fn open_with(pool: PgPool, settings: LiveSettings) -> TestApi {
    let change = |state: AppState| AppState { live: Live::new(state.store.clone(), settings), ..state };
    TestApi::setup(pool).unseeded().state(change).open().await
}

fn ended(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[sqlx::test(migrations = "../migrations")]
async fn a_connection_is_somebodys_within_seconds_or_closed(pool: PgPool) {
    let settings = LiveSettings { authenticate_within: Duration::from_millis(50), ..LiveSettings::default() };
    let api = open_with(pool, settings).await;
    let address = api.listen().await;
    let mut tab = Tab::connect(&address).await;
    assert_eq!(tab.end().await, ended(4408, "not_authenticated_in_time"));
}

#[sqlx::test(migrations = "../migrations")]
async fn who_is_nobody_is_told_so(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    for first in ["", "hello", r#"{"event":"subscribe"}"#, r#"{"event":"authenticate","data":{}}"#] {
        let mut tab = Tab::connect(&address).await;
        tab.write(first).await;
        assert_eq!(tab.end().await, ended(4400, "unreadable"), "{first}");
    }
    let mut tab = Tab::connect(&address).await;
    tab.write(&format!(r#"{{"event":"authenticate","data":"{}"}}"#, "x".repeat(9_000))).await;
    assert_eq!(tab.end().await, ended(4400, "unreadable"), "too long");

    let siti = api.user(Role::Customer).await;
    siti.post("/auth/logout", &Value::Null).await.expect(204);
    for (token, code) in
        [("a.b.c", "token_invalid"), (&siti.token, "session_revoked"), ("wbp_x", "token_invalid")]
    {
        let mut tab = Tab::connect(&address).await;
        tab.authenticate(token).await;
        let answer = tab.hear().await;
        assert_eq!(answer["event"], "authenticated");
        assert_eq!((&answer["data"]["success"], &answer["data"]["code"]), (&json!(false), &json!(code)));
        assert_eq!(tab.end().await, ended(4401, "unauthenticated"));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_connection_lasts_as_long_as_its_token_or_the_next_one(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let shortly = api.beside(|state| {
        let auth = AuthConfig { access_ttl: Duration::from_secs(4), ..(*state.auth).clone() };
        AppState { auth: Arc::new(auth), ..state }
    });
    let login = json!({ "email": siti.email, "password": PASSWORD });
    let session = shortly.nobody().request(Method::POST, "/auth/login").json(&login).await.expect(200);
    let short = session["access_token"].as_str().unwrap();
    let (mut ends, _) = Tab::open(&address, short).await;
    let (mut stays, _) = Tab::open(&address, short).await;
    stays.authenticate(&siti.token).await;
    let again = stays.hear().await;
    assert_eq!((&again["event"], &again["data"]["success"]), (&json!("authenticated"), &json!(true)));
    assert!(again["cursor"].is_string(), "with a place of now");
    assert_eq!(ends.end().await, ended(4401, "token_expired"));
    let id = leftovers::told(&api.pool, siti.id.0).await;
    assert_eq!(stays.ids(1).await, [json!(id)]);

    let budi = api.user(Role::Customer).await;
    stays.authenticate(&budi.token).await;
    assert_eq!(stays.end().await, ended(4403, "forbidden"), "it stays whose it is");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_connection_ends_with_its_login_its_token_or_its_account(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let login = json!({ "email": siti.email, "password": PASSWORD });
    let other = api.nobody().request(Method::POST, "/auth/login").json(&login).await.expect(200);
    let new = NewApiToken { name: "Terraform".to_owned(), scopes: vec![TokenScope::Read], life: None };
    let (made, token) = api.store.make_api_token(siti.id, &new, &Origin::system()).await.unwrap();
    let (mut stays, _) = Tab::open(&address, &siti.token).await;
    let (mut logged_out, _) = Tab::open(&address, other["access_token"].as_str().unwrap()).await;
    let (mut removed, _) = Tab::open(&address, &token).await;

    api.holding(&other).post("/auth/logout", &Value::Null).await.expect(204);
    assert_eq!(logged_out.end().await, ended(4401, "unauthenticated"));
    api.store.remove_api_token(siti.id, made.id, &Origin::system()).await.unwrap();
    assert_eq!(removed.end().await, ended(4401, "unauthenticated"));
    let id = leftovers::told(&api.pool, siti.id.0).await;
    while stays.hear().await["data"]["id"] != json!(id) {}

    let program = api.store.make_api_token(siti.id, &new, &Origin::system()).await.unwrap().1;
    let (mut program, _) = Tab::open(&address, &program).await;
    let admin = api.user(Role::Admin).await;
    let suspend = json!({ "reason": "abuse" });
    admin.post(&format!("/admin/users/{}/suspend", siti.id), &suspend).await.expect_success();
    for tab in [&mut stays, &mut program] {
        assert_eq!(tab.end().await, ended(4401, "unauthenticated"));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn who_does_not_answer_pings_is_gone(pool: PgPool) {
    let api =
        open_with(pool, LiveSettings { ping_every: Duration::from_secs(1), ..LiveSettings::default() }).await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let (mut answers, _) = Tab::open(&address, &siti.token).await;
    let (dead, _) = Tab::open(&address, &siti.token).await;
    let mut dead = dead.lose();
    let reading = async {
        let mut last = Vec::new();
        dead.read_to_end(&mut last).await.unwrap();
        last
    };
    // The one tab reads, and so it answers; the other one's network takes what comes, and nobody is there.
    let last = tokio::select! {
        last = reading => last,
        other = answers.end() => panic!("{other:?}"),
    };
    let code = 4410_u16.to_be_bytes();
    assert!(last.windows(2).any(|two| two == code), "{last:?}");
    assert!(last.starts_with(&[0x89, 0]), "a ping before");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_that_stops_says_so(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let (mut tab, _) = Tab::open(&address, &siti.token).await;
    let mut nobodys = Tab::connect(&address).await;
    let (_, one, two) = tokio::join!(api.state.live.stop(), tab.end(), nobodys.end());
    assert_eq!((one, two), (ended(1001, "going_away"), ended(1001, "going_away")));
    assert_eq!(api.state.live.seated(), 0);
    assert!(Tab::try_connect(&address, &[]).await.is_err());
}
