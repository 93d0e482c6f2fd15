//! How many connections there may be, and what may be said on them.

use api::{AppState, Live, LiveSettings};
use domain::role::Role;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Expect, TestApi};
use tokio_tungstenite::tungstenite::Error;

use crate::tab::Tab;

async fn open_with(pool: PgPool, settings: LiveSettings) -> (TestApi, String) {
    let change = |state: AppState| AppState { live: Live::new(state.store.clone(), settings), ..state };
    let api = TestApi::setup(pool).unseeded().state(change).open().await;
    let address = api.listen().await;
    (api, address)
}

/// The status and code that a connection is refused with.
async fn refusal(address: &str) -> (u16, String) {
    match Tab::try_connect(address, &[]).await.err().unwrap() {
        Error::Http(answer) => {
            let status = answer.status().as_u16();
            // The body does not always come with the head.
            (status, answer.headers()["content-type"].to_str().unwrap().to_owned())
        }
        other => panic!("{other}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_account_has_so_many(pool: PgPool) {
    let (api, address) = open_with(pool, LiveSettings { per_account: 2, ..LiveSettings::default() }).await;
    let (siti, budi) = (api.user(Role::Customer).await, api.user(Role::Customer).await);
    let (_one, _) = Tab::open(&address, &siti.token).await;
    let (mut two, _) = Tab::open(&address, &siti.token).await;
    let mut three = Tab::connect(&address).await;
    three.authenticate(&siti.token).await;
    let answer = three.hear().await;
    assert_eq!(answer["data"]["code"], "too_many_connections");
    assert_eq!(three.end().await, (4429, "too_many_connections".to_owned()));
    Tab::open(&address, &budi.token).await;

    for _ in 0..10 {
        two.say(&json!({ "event": "subscribe" })).await;
        assert_eq!(two.hear().await["data"]["code"], "unknown_message");
    }
    two.write("hello").await;
    assert_eq!(two.end().await, (4429, "too_many_messages".to_owned()));
    Tab::open(&address, &siti.token).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_has_so_many(pool: PgPool) {
    let (api, address) =
        open_with(pool, LiveSettings { connections: 3, guests_per_network: 2, ..LiveSettings::default() })
            .await;
    let siti = api.user(Role::Customer).await;
    let problem = (429, "application/problem+json".to_owned());
    let mut one = Tab::connect(&address).await;
    let _two = Tab::connect(&address).await;
    assert_eq!(refusal(&address).await, problem, "two that say nothing");
    one.authenticate(&siti.token).await;
    one.hear().await;
    let _three = Tab::connect(&address).await;
    assert_eq!(refusal(&address).await, problem, "three in all");
}

#[sqlx::test(migrations = "../migrations")]
async fn where_there_are_none_it_is_said(pool: PgPool) {
    let (api, address) = open_with(pool, LiveSettings { enabled: false, ..LiveSettings::default() }).await;
    api.root().get("/ws/notifications").await.expect_problem(404, "route_not_found");
    assert_eq!(refusal(&address).await.0, 404);
    let enabled = api
        .beside(|state| AppState { live: Live::new(state.store.clone(), LiveSettings::default()), ..state });
    let answer = enabled.root().get("/ws/notifications").await;
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    answer.expect_problem(426, "upgrade_required");
}
