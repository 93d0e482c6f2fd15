//! Rate limits, faults, the control API and the state file.

use reqwest::Method;
use serde_json::json;
use simulators::{
    digitalocean::DESCRIPTOR,
    provider::{Config, Settings},
};

use crate::sim::{Sim, header};

#[tokio::test]
async fn the_251st_call_of_a_minute_is_too_many() {
    let sim = Sim::with(Settings::default()).await;
    let first = sim.get("/v2/account").await;
    assert_eq!(
        (&first.headers["ratelimit-limit"], &first.headers["ratelimit-remaining"]),
        (&header("5000"), &header("4999"))
    );
    for _ in 1..250 {
        assert_eq!(sim.get("/v2/account").await.status, 200);
    }
    let refused = sim.get("/v2/account").await;
    assert_eq!((refused.status, &refused.body["id"]), (429, &json!("too_many_requests")));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");

    let counters = sim.get("/__sim/counters").await.body;
    assert_eq!((&counters["rate_limited"], &counters["calls"]["GET /v2/account"]), (&json!(1), &json!(251)));
    sim.post("/__sim/config", json!({ "rate_limits": false })).await;
    assert_eq!(sim.get("/v2/account").await.status, 200);
}

#[tokio::test]
async fn faults_fail_as_ordered_and_then_no_more() {
    let sim = Sim::start().await;
    let create = "POST /v2/droplets";
    sim.fault(json!({ "route": create, "kind": "status", "status": 503, "seconds": 3, "times": 2 })).await;
    assert_eq!(sim.get("/__sim/faults").await.body["faults"][0]["times"], 2);
    for _ in 0..2 {
        let failed = sim.create(json!({})).await;
        assert_eq!((failed.status, &failed.headers["retry-after"]), (503, &header("3")));
        assert_eq!(failed.body["id"], "service_unavailable");
    }
    sim.fault(json!({ "route": create, "kind": "status", "status": 418, "body": { "id": "teapot" } })).await;
    assert_eq!(sim.create(json!({})).await.body, json!({ "id": "teapot" }));
    sim.fault(json!({ "route": create, "kind": "capacity" })).await;
    assert_eq!(sim.create(json!({})).await.body["message"], "Size is not available in this region.");
    assert_eq!(sim.listed("").await, [0; 0]);

    sim.fault(json!({ "route": create, "kind": "drop_after_create" })).await;
    let body = json!({ "name": "lost", "size": "s-1vcpu-1gb", "image": "debian-12-x64" });
    let lost = sim.call(Method::POST, "/v2/droplets", Some(body)).await;
    assert!(lost.err().unwrap().is_request());
    let lost = sim.listed("?name=lost").await;
    assert_eq!(lost.len(), 1);

    sim.fault(json!({ "route": format!("DELETE /v2/droplets/{}", lost[0]), "kind": "locked_on_delete" }))
        .await;
    let other = sim.made(json!({})).await;
    assert_eq!(sim.delete(&format!("/v2/droplets/{other}")).await.status, 204);
    assert_eq!(sim.delete(&format!("/v2/droplets/{}", lost[0])).await.status, 422);
    assert_eq!(sim.delete(&format!("/v2/droplets/{}", lost[0])).await.status, 204);

    sim.fault(json!({ "route": create, "kind": "capacity", "times": 9 })).await;
    assert_eq!(sim.delete("/__sim/faults").await.status, 204);
    assert_eq!(sim.create(json!({})).await.status, 202);
}

#[tokio::test]
async fn quirks_of_a_young_droplet() {
    let sim = Sim::start().await;
    let create = "POST /v2/droplets";
    sim.fault(json!({ "route": create, "kind": "listing_lag", "seconds": 1 })).await;
    let hidden = sim.made(json!({ "tags": ["t"] })).await;
    assert_eq!(sim.listed("?tag_name=t").await, [0; 0]);
    assert_eq!(sim.get(&format!("/v2/droplets/{hidden}")).await.status, 200);
    assert_eq!(sim.get("/__sim/servers?tag=t").await.body["servers"][0]["id"], hidden.to_string());
    sim.until("/v2/droplets?tag_name=t", |a| a.body["droplets"][0]["id"] == hidden).await;

    sim.fault(json!({ "route": create, "kind": "not_found_after_create", "seconds": 1 })).await;
    let unknown = format!("/v2/droplets/{}", sim.made(json!({})).await);
    assert_eq!(sim.get(&unknown).await.status, 404);
    sim.until(&unknown, |a| a.status == 200).await;

    sim.fault(json!({ "route": create, "kind": "active_without_ip", "seconds": 1 })).await;
    let bare = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let droplet = sim.get(&bare).await.body["droplet"].clone();
    assert_eq!((&droplet["status"], &droplet["networks"]["v4"]), (&json!("active"), &json!([])));
    sim.until(&bare, |a| a.body["droplet"]["networks"]["v4"] != json!([])).await;

    sim.fault(json!({ "route": "GET /v2/droplets/{id}", "kind": "not_found_after_create" })).await;
    assert_eq!(sim.get(&bare).await.status, 404);
    assert_eq!(sim.get(&bare).await.status, 200);
}

#[tokio::test]
async fn a_delayed_create_happens_at_once() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": "POST /v2/droplets", "kind": "delay", "seconds": 60 })).await;
    let body = json!({ "name": "slow", "size": "s-1vcpu-1gb", "image": "debian-12-x64" });
    let slow = sim.call(Method::POST, "/v2/droplets", Some(body));
    let seen = sim.until("/v2/droplets?name=slow", |a| a.body["meta"]["total"] == 1);
    tokio::select! {
        _ = slow => panic!("answered"),
        () = seen => {}
    }
}

#[tokio::test]
async fn the_control_api_explains_itself_and_refuses_what_it_does_not_know() {
    let sim = Sim::start().await;
    let help = sim.get("/__sim").await.body.as_str().unwrap().to_owned();
    for part in [
        "/__sim/config",
        "/__sim/faults",
        "/__sim/counters",
        "/__sim/reset",
        "drop_after_create",
        "/v2/sizes",
    ] {
        assert!(help.contains(part), "{part}");
    }
    for (path, body, words) in [
        (
            "/__sim/config",
            json!({ "boot_second": 1 }),
            "unknown field `boot_second`, expected one of `boot_seconds`",
        ),
        ("/__sim/config", json!({ "boot_seconds": -1 }), "boot_seconds must be between 0"),
        ("/__sim/config", json!({ "account_limit": "many" }), "neither a number nor null"),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/droplets", "kind": "meteor" }),
            "unknown variant `meteor`",
        ),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/x", "kind": "capacity" }),
            "no route `/v2/x`; there are /v2/droplets",
        ),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/droplets", "kind": "capacity", "x": 1 }),
            "unknown field `x`",
        ),
    ] {
        let refused = sim.post(path, body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["error"].as_str().unwrap().contains(words), "{}", refused.body);
    }

    let changed =
        sim.post("/__sim/config", json!({ "listing_lag_seconds": 60, "boot_seconds": 0.5 })).await.body;
    assert_eq!((&changed["listing_lag_seconds"], &changed["boot_seconds"]), (&json!(60.0), &json!(0.5)));
    sim.made(json!({})).await;
    assert_eq!(sim.listed("").await, [0; 0]);
    assert_eq!(sim.post("/__sim/reset", json!(null)).await.status, 204);
    assert_eq!(sim.get("/__sim/config").await.body["boot_seconds"], 0.0);
    let fresh = sim.get("/__sim/counters").await.body;
    assert_eq!(
        fresh,
        json!({ "calls": {}, "rate_limited": 0, "resources": { "actions": 0, "droplets": 0, "keys": 0, "snapshots": 0, "tags": 0, "vpcs": 0 } })
    );
}

#[tokio::test]
async fn state_survives_a_restart_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        settings: Settings { boot_seconds: 0.0, action_seconds: 0.0, ..Settings::default() },
        state: Some(folder.path().join("digitalocean.jsonl")),
        ..DESCRIPTOR.config()
    };
    let sim = Sim::of(config.clone()).await;
    let (kept, gone) = (sim.made(json!({ "tags": ["t"] })).await, sim.made(json!({})).await);
    sim.act(kept, json!({ "type": "snapshot", "name": "before" })).await;
    sim.act(kept, json!({ "type": "rename", "name": "renamed" })).await;
    sim.delete(&format!("/v2/droplets/{gone}")).await;
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    assert_eq!(sim.listed("?tag_name=t").await, [kept]);
    assert_eq!(sim.droplet(kept).await["name"], "renamed");
    assert_eq!(sim.get("/v2/snapshots").await.body["snapshots"][0]["name"], "before");
    assert_eq!(sim.get("/v2/tags").await.body["tags"][0]["name"], "t");
    assert!(sim.made(json!({})).await > gone, "no id comes twice");
    sim.delete(&format!("/__sim/servers/{kept}")).await;
    assert_eq!(sim.get(&format!("/v2/droplets/{kept}")).await.status, 404);
}
