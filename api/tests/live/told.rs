//! What is told, and to whom.

use api::{AppState, Live, LiveSettings};
use domain::{api_token::TokenScope, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{api_tokens::NewApiToken, audit::Origin};
use testkit::{
    http::{Expect, TestApi},
    leftovers,
};

use crate::tab::Tab;

/// Another process on the same database.
pub fn another(api: &TestApi, settings: LiveSettings) -> TestApi {
    api.beside(|state| AppState { live: Live::new(state.store.clone(), settings), ..state })
}

#[sqlx::test(migrations = "../migrations")]
async fn every_tab_is_told_what_is_new_and_what_another_has_read(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let (here, there) = (api.listen().await, another(&api, LiveSettings::default()).listen().await);
    let siti = api.user(Role::Customer).await;
    let (mut one, _) = Tab::open(&here, &siti.token).await;
    let (mut two, _) = Tab::open(&here, &siti.token).await;
    let (mut elsewhere, _) = Tab::open(&there, &siti.token).await;
    let (mut in_indonesian, _) = {
        let mut tab = Tab::try_connect(&here, &[]).await.unwrap();
        tab.authenticate(&siti.token).await;
        let welcome = tab.hear().await;
        (tab, welcome)
    };
    siti.post("/auth/me/api-tokens", &json!({ "name": "Terraform", "scopes": ["read"] })).await.expect(201);
    let listed = siti.get("/notifications").await.expect(200)["data"][0].clone();
    let id = listed["id"].as_str().unwrap().to_owned();
    for tab in [&mut one, &mut two, &mut elsewhere] {
        let new = tab.hear().await;
        assert_eq!((&new["event"], &new["data"]), (&json!("notification:new"), &listed));
    }
    let new = in_indonesian.hear().await;
    assert_eq!(new["data"]["id"], id);
    assert_ne!(new["data"]["title"], listed["title"], "the words are in the language of the profile");

    siti.post(&format!("/notifications/{id}/read"), &Value::Null).await.expect(200);
    siti.post(&format!("/notifications/{id}/read"), &Value::Null).await.expect(200);
    let next = leftovers::told(&api.pool, siti.id.0).await;
    for tab in [&mut one, &mut two, &mut elsewhere, &mut in_indonesian] {
        let read = tab.hear().await;
        assert_eq!((&read["event"], &read["data"]), (&json!("notification:read"), &json!({ "id": id })));
        assert_eq!(tab.hear().await["data"]["id"], json!(next), "it was read once");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_and_servers_are_told_of_to_their_owner_only(pool: PgPool) {
    let api = TestApi::new(pool).await;
    let address = api.listen().await;
    let (siti, budi) = (api.user(Role::Customer).await, api.user(Role::Customer).await);
    let (mut hers, _) = Tab::open(&address, &siti.token).await;
    let (mut his, _) = Tab::open(&address, &budi.token).await;
    let order = api.order().by(siti.id).active().await;
    let theirs = leftovers::told(&api.pool, budi.id.0).await;
    assert_eq!(his.hear().await["data"]["id"], json!(theirs), "nothing of hers");

    let (mut orders, mut servers) = (Vec::new(), Vec::new());
    while servers.last() != Some(&json!(["ACTIVE", "ON"])) || orders.last() != Some(&json!("ACTIVE")) {
        let told = hers.hear().await;
        let data = &told["data"];
        match told["event"].as_str().unwrap() {
            "order:status" => {
                assert_eq!(data["id"], json!(order.id));
                orders.push(data["status"].clone());
            }
            "instance:status" => {
                assert_eq!(data["id"], json!(order.server()));
                servers.push(json!([data["status"], data["power_state"]]));
            }
            event => assert_eq!(event, "notification:new"),
        }
    }
    assert_eq!(orders, [json!("PAID"), json!("PROVISIONING"), json!("ACTIVE")]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_committed_late_is_told_late_and_once(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let (mut tab, _) = Tab::open(&address, &siti.token).await;
    let mut late = api.pool.begin().await.unwrap();
    let first = leftovers::told(&mut *late, siti.id.0).await;
    let second = leftovers::told(&api.pool, siti.id.0).await;
    assert_eq!(tab.ids(1).await, [json!(second)]);
    late.commit().await.unwrap();
    assert_eq!(tab.ids(1).await, [json!(first)]);
    let third = leftovers::told(&api.pool, siti.id.0).await;
    assert_eq!(tab.ids(1).await, [json!(third)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn programs_are_told_with_the_right_to_read(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let token = async |scope| {
        let new = NewApiToken { name: "Terraform".to_owned(), scopes: vec![scope], life: None };
        api.store.make_api_token(siti.id, &new, &Origin::system()).await.unwrap().1
    };
    let (reads, orders) = (token(TokenScope::Read).await, token(TokenScope::Orders).await);
    let (mut tab, _) = Tab::open(&address, &reads).await;
    let id = leftovers::told(&api.pool, siti.id.0).await;
    assert_eq!(tab.ids(1).await, [json!(id)]);

    let mut refused = Tab::connect(&address).await;
    refused.authenticate(&orders).await;
    let answer = refused.hear().await;
    assert_eq!(
        (&answer["data"]["success"], &answer["data"]["code"]),
        (&json!(false), &json!("scope_missing"))
    );
    assert_eq!(refused.end().await, (4403, "forbidden".to_owned()));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_that_lost_its_connection_to_the_database_goes_on(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let (mut tab, _) = Tab::open(&address, &siti.token).await;
    for _ in 0..2 {
        let id = leftovers::told(&api.pool, siti.id.0).await;
        assert_eq!(tab.ids(1).await, [json!(id)]);
        let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        assert_eq!(api.count(lost).await, 1);
        let id = leftovers::told(&api.pool, siti.id.0).await;
        assert_eq!(tab.ids(1).await, [json!(id)]);
    }
}
