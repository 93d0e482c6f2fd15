//! What a customer may have done, and what is refused with a clear problem.

use domain::{
    instance::{ActionStatus, InstanceAction},
    role::Role,
};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use testkit::http::{Method, StatusCode, redacted};

use crate::{World, assert_problem};

#[sqlx::test(migrations = "../migrations")]
async fn an_action_is_taken_in_and_watched(pool: PgPool) {
    let world = World::open(pool).await;
    let taken = world.ask(json!({ "action": "rebuild", "params": { "image": "debian-12" } })).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.body);
    let action = &taken.body["action"];
    assert_json_snapshot!(redacted(&taken.body));
    assert_eq!(world.told_to_look().await, 1);

    let id = action["id"].as_str().unwrap();
    let seen = world.mine(Method::GET, &format!("/actions/{id}"), &Value::Null).await;
    assert_eq!((seen.status, &seen.body["status"]), (StatusCode::OK, &json!("pending")), "{}", seen.body);

    let second = world.ask(json!({ "action": "reboot" })).await.body["action"]["id"].clone();
    let page = world.mine(Method::GET, "/actions?limit=1", &Value::Null).await.body;
    assert_eq!(page["data"][0]["id"], second);
    let next = format!("/actions?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = world.mine(Method::GET, &next, &Value::Null).await.body;
    assert_eq!((&rest["data"][0]["id"], &rest["next_cursor"]), (&json!(id), &Value::Null));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failure_is_told_in_words_and_keeps_the_providers_own(pool: PgPool) {
    let world = World::open(pool).await;
    let id = world.ask(json!({ "action": "reboot" })).await.body["action"]["id"].clone();
    let id = id.as_str().unwrap();
    let store = &world.store;
    store.next_action(world.server).await.unwrap();
    let class = domain::provisioning::FailureClass::Configuration;
    store.fail_action(id.parse().unwrap(), class, "digitalocean: Unable to authenticate you.").await.unwrap();

    let seen = world.mine(Method::GET, &format!("/actions/{id}"), &Value::Null).await.body;
    assert_eq!((&seen["status"], &seen["failure"]["class"]), (&json!("failed"), &json!("CONFIGURATION")));
    assert!(!seen.to_string().contains("authenticate"), "{seen}");
    let within = world
        .program(Method::GET, &format!("/instances/{}/actions/{id}", world.server), &Value::Null)
        .await
        .body;
    assert_eq!(within["trouble"]["message"], "digitalocean: Unable to authenticate you.", "{within}");
    assert_eq!((&within["requested_by"], &within["status"]), (&json!("user"), &json!("failed")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_repeated_request_is_one_action(pool: PgPool) {
    let world = World::open(pool).await;
    let send = async |body: Value| world.mine(Method::POST, "/actions", &body).key("same").await;
    let first = send(json!({ "action": "reboot" })).await;
    let second = send(json!({ "action": "reboot", "params": {} })).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
    assert_eq!(first.body["action"]["id"], second.body["action"]["id"]);
    assert_eq!(world.told_to_look().await, 1);
    assert_problem(&send(json!({ "action": "power_off" })).await, 422, "idempotency_key_reused");
}

#[sqlx::test(migrations = "../migrations")]
async fn bad_input_is_named_and_changes_nothing(pool: PgPool) {
    let world = World::open(pool).await;
    let calls = world.calls("POST /v2/droplets/{id}/actions");
    for (body, status, code, field) in [
        (json!({}), 422, "invalid_body", "action"),
        (json!({ "action": "explode" }), 422, "unknown_action", "action"),
        (json!({ "action": "reboot", "force": true }), 422, "invalid_body", "force"),
        (json!({ "action": "reboot", "params": { "x": 1 } }), 422, "invalid_params", "params.x"),
        (json!({ "action": "rename" }), 422, "invalid_params", "params.name"),
        (json!({ "action": "rename", "params": { "name": "" } }), 422, "invalid_params", "params.name"),
        (
            json!({ "action": "rebuild", "params": { "image": "windows-95" } }),
            422,
            "image_not_for_provider",
            "params.image",
        ),
        (
            json!({ "action": "restore", "params": { "snapshot_id": "42" } }),
            422,
            "snapshot_unknown",
            "params.snapshot_id",
        ),
        (
            json!({ "action": "delete_snapshot", "params": { "snapshot_id": "42" } }),
            422,
            "snapshot_unknown",
            "params.snapshot_id",
        ),
        (
            json!({ "action": "restore", "params": { "snapshot_id": "../1" } }),
            422,
            "invalid_params",
            "params.snapshot_id",
        ),
    ] {
        let answer = world.ask(body.clone()).await;
        assert_problem(&answer, status, code);
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}: {}", answer.body);
    }
    let plan = json!({ "action": "resize", "params": { "plan_id": Uuid::nil() } });
    assert_problem(&world.ask(plan).await, 409, "not_supported_yet");
    assert_problem(&world.ask(json!({ "action": "delete" })).await, 409, "not_supported_yet");
    assert_eq!(world.told_to_look().await, 0);
    assert_eq!(world.calls("POST /v2/droplets/{id}/actions"), calls);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_customers_server_is_not_there(pool: PgPool) {
    let world = World::open(pool).await;
    let id = world.ask(json!({ "action": "reboot" })).await.body["action"]["id"].clone();
    let stranger = world.user(Role::Customer).await;
    let (own, action) = (format!("/instances/{}", world.server), id.as_str().unwrap());
    let reboot = json!({ "action": "reboot" });
    for (method, path, body) in [
        (Method::POST, format!("{own}/actions"), &reboot),
        (Method::GET, format!("{own}/actions"), &Value::Null),
        (Method::GET, format!("{own}/actions/{action}"), &Value::Null),
        (Method::GET, format!("{own}/snapshots"), &Value::Null),
        (Method::GET, format!("{own}/metrics?kind=cpu"), &Value::Null),
        (Method::POST, format!("{own}/console"), &Value::Null),
    ] {
        let answer = stranger.request(method, &path).json(body).await;
        assert_problem(&answer, 404, "not_found");
    }
    let unknown = world.mine(Method::GET, &format!("/actions/{}", Uuid::nil()), &Value::Null).await;
    assert_problem(&unknown, 404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_servers_state_is_named_when_it_forbids(pool: PgPool) {
    let world = World::open(pool).await;
    let deletion = world.program(Method::DELETE, &format!("/instances/{}", world.server), &Value::Null).await;
    assert_eq!(deletion.status, StatusCode::ACCEPTED, "{}", deletion.body);
    let refused = world.ask(json!({ "action": "reboot" })).await;
    assert_problem(&refused, 409, "instance_conflict");
    assert_eq!(refused.body["detail"], "the instance is being deleted");

    let id = deletion.body["action"]["id"].as_str().unwrap().parse().unwrap();
    world.store.next_action(world.server).await.unwrap();
    world.store.terminate_instance(id).await.unwrap();
    for refused in [
        world.ask(json!({ "action": "reboot" })).await,
        world.mine(Method::GET, "/snapshots", &Value::Null).await,
        world.mine(Method::GET, "/metrics?kind=cpu", &Value::Null).await,
    ] {
        assert_problem(&refused, 409, "instance_conflict");
        assert_eq!(refused.body["detail"], "the instance is TERMINATED");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_provider_lacks_is_said_with_its_reason(pool: PgPool) {
    let world = World::open(pool).await;
    let console = world.mine(Method::POST, "/console", &Value::Null).await;
    assert_problem(&console, 409, "unsupported_action");
    assert!(console.body["detail"].as_str().unwrap().contains("console"), "{}", console.body);

    // A server of a provider that is not set up here.
    world.run("UPDATE instances SET provider_id = (SELECT id FROM providers WHERE slug = 'linode')").await;
    for refused in [
        world.ask(json!({ "action": "reboot" })).await,
        world.mine(Method::GET, "/snapshots", &Value::Null).await,
        world.mine(Method::POST, "/console", &Value::Null).await,
    ] {
        assert_problem(&refused, 409, "provider_disabled");
    }
    let renamed = world.ask(json!({ "action": "rename", "params": { "name": "toko" } })).await;
    assert_eq!(renamed.status, StatusCode::ACCEPTED, "a rename is ours: {}", renamed.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn snapshots_and_measurements_are_the_providers(pool: PgPool) {
    let world = World::open(pool).await;
    let none = world.mine(Method::GET, "/snapshots", &Value::Null).await;
    assert_eq!((none.status, &none.body["data"]), (StatusCode::OK, &json!([])));

    let droplet = world.store.any_server_ref(world.server).await.unwrap().provider_instance_id.unwrap();
    let request = adapters::providers::ProviderAction::Snapshot { name: "before".to_owned() };
    let receipt = world.account().perform_action(&droplet, &request).await.unwrap();
    while world.account().action_progress(&droplet, &receipt).await.unwrap()
        == adapters::providers::ActionProgress::InProgress
    {
        tokio::task::yield_now().await;
    }
    world.outdate_reads().await;
    let one = world.mine(Method::GET, "/snapshots", &Value::Null).await.body;
    assert_eq!(one["data"][0]["name"], "before", "{one}");
    let restore = json!({ "action": "restore", "params": { "snapshot_id": one["data"][0]["id"] } });
    assert_eq!(world.ask(restore).await.status, StatusCode::ACCEPTED);

    let asked = world.calls("GET /v2/monitoring/metrics/droplet/{metric}");
    for _ in 0..3 {
        let metrics = world.mine(Method::GET, "/metrics?kind=cpu&range=6h", &Value::Null).await;
        assert_eq!(metrics.status, StatusCode::OK, "{}", metrics.body);
        assert_eq!((&metrics.body["kind"], &metrics.body["range"]), (&json!("cpu"), &json!("6h")));
        let line = &metrics.body["data"][0];
        // The server is too young for points.
        assert_eq!(*line, json!({ "name": "cpu", "unit": "percent", "points": [] }));
    }
    assert_eq!(world.calls("GET /v2/monitoring/metrics/droplet/{metric}"), asked + 1, "kept for a moment");
    for bad in ["/metrics", "/metrics?kind=mood", "/metrics?kind=cpu&range=1y"] {
        assert_problem(&world.mine(Method::GET, bad, &Value::Null).await, 400, "invalid_query");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_is_away_is_a_503(pool: PgPool) {
    let world = World::open(pool).await;
    world.break_once("GET /v2/droplets/{id}/snapshots").await;
    let refused = world.mine(Method::GET, "/snapshots", &Value::Null).await;
    assert_problem(&refused, 503, "provider_unavailable");
    assert!(refused.headers.contains_key("retry-after"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_rename_is_done_without_the_provider(pool: PgPool) {
    let world = World::open(pool).await;
    let name = InstanceAction::Rename { name: "Toko Bu Siti".to_owned() };
    let taken = world.ask(json!({ "action": "rename", "params": { "name": "Toko Bu Siti" } })).await.body;
    assert_eq!(taken["action"]["action"], json!(name.kind()));
    world.store.next_action(world.server).await.unwrap();
    let seen = world.mine(Method::GET, "", &Value::Null).await.body;
    assert_eq!((&seen["name"], &seen["hostname"]), (&json!("Toko Bu Siti"), &json!("web-1")));
    let id = taken["action"]["id"].as_str().unwrap().parse().unwrap();
    let done = world.store.action_of(world.me.id, world.server, id).await.unwrap();
    assert_eq!(done.status, ActionStatus::Completed);
}
