//! Rate limit, faults, settings, memory.

use reqwest::{Method, header::RETRY_AFTER};
use serde_json::json;
use simulators::{
    provider::{Config, Settings},
    vultr::DESCRIPTOR,
};

use crate::{Sim, axes};

#[tokio::test]
async fn more_than_30_calls_a_second_are_too_many() {
    let sim = Sim::with(Settings::default()).await;
    // A busy machine may need more than a second for thirty calls: then the window slides along.
    let refused = sim.until("/v2/account", |answer| answer.status == 429).await;
    assert!(refused.refusal(429).contains("30 requests/sec"));
    assert_eq!(refused.headers[RETRY_AFTER], "1");
    let counters = sim.get("/__sim/counters").await.body;
    assert_eq!(counters["rate_limited"], 1);
    assert!(counters["calls"]["GET /v2/account"].as_u64().unwrap() > 30);
    sim.until("/v2/account", |answer| answer.status == 200).await;
    sim.post("/__sim/config", json!({ "rate_limits": false })).await;
    for _ in 0..60 {
        assert_eq!(sim.get("/v2/account").await.status, 200);
    }
}

#[tokio::test]
async fn faults_fail_as_ordered_and_then_no_more() {
    let sim = Sim::start().await;
    let create = "POST /v2/instances";
    sim.fault(json!({ "route": create, "kind": "status", "status": 503, "seconds": 3, "times": 2 })).await;
    for _ in 0..2 {
        let failed = sim.create(json!({})).await;
        assert_eq!(
            (failed.refusal(503), &failed.headers[RETRY_AFTER]),
            ("Service temporarily unavailable", &"3".parse().unwrap())
        );
    }
    sim.fault(json!({ "route": create, "kind": "capacity" })).await;
    assert!(sim.create(json!({})).await.refusal(400).contains("Plan is not available"));
    assert_eq!(sim.listed("").await, [""; 0]);

    sim.fault(json!({ "route": create, "kind": "drop_after_create" })).await;
    let body = json!({ "region": "sgp", "plan": "vc2-1c-1gb", "os_id": 2284, "label": "lost" });
    let lost = sim.call(Method::POST, "/v2/instances", Some(body)).await;
    assert!(lost.err().unwrap().is_request());
    let lost = sim.listed("?label=lost").await;
    assert_eq!(lost.len(), 1);

    let path = format!("/v2/instances/{}", lost[0]);
    sim.fault(json!({ "route": format!("DELETE {path}"), "kind": "locked_on_delete" })).await;
    let other = sim.made(json!({})).await;
    assert_eq!(sim.delete(&format!("/v2/instances/{other}")).await.status, 204);
    assert!(sim.delete(&path).await.refusal(500).ends_with("Server is currently locked"));
    assert_eq!(sim.delete(&path).await.status, 204);
}

#[tokio::test]
async fn quirks_of_a_young_instance() {
    let sim = Sim::start().await;
    let create = "POST /v2/instances";
    sim.fault(json!({ "route": create, "kind": "listing_lag", "seconds": 2 })).await;
    let hidden = sim.made(json!({ "tags": ["t"], "label": "young" })).await;
    assert_eq!(sim.listed("?tag=t").await, [""; 0]);
    assert_eq!(sim.get(&format!("/v2/instances/{hidden}")).await.status, 200);
    let seen = sim.get("/__sim/servers?tag=t").await.body["servers"][0].clone();
    assert_eq!(
        (&seen["id"], &seen["name"], &seen["status"]),
        (&json!(hidden), &json!("young"), &json!("active"))
    );
    assert_eq!((&seen["tags"], seen["created_at"].is_string()), (&json!(["t"]), true));
    assert_eq!(sim.get("/__sim/servers?tag=other").await.body["servers"], json!([]));
    sim.until("/v2/instances?tag=t", |a| a.body["instances"][0]["id"] == json!(hidden)).await;

    sim.fault(json!({ "route": create, "kind": "not_found_after_create", "seconds": 2 })).await;
    let unknown = format!("/v2/instances/{}", sim.made(json!({})).await);
    assert_eq!(sim.get(&unknown).await.refusal(404), "instance not found");
    sim.until(&unknown, |a| a.status == 200).await;

    sim.fault(json!({ "route": create, "kind": "active_without_ip", "seconds": 2 })).await;
    let bare = format!("/v2/instances/{}", sim.made(json!({})).await);
    let instance = sim.get(&bare).await.body["instance"].clone();
    assert_eq!((axes(&instance), &instance["main_ip"]), (["active", "running", "ok"], &json!("0.0.0.0")));
    sim.until(&bare, |a| a.body["instance"]["main_ip"] != "0.0.0.0").await;

    sim.fault(json!({ "route": "GET /v2/instances/{id}", "kind": "not_found_after_create" })).await;
    assert_eq!(sim.get(&bare).await.status, 404);
    assert_eq!(sim.get(&bare).await.status, 200);
}

#[tokio::test]
async fn a_delayed_create_happens_at_once() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": "POST /v2/instances", "kind": "delay", "seconds": 60 })).await;
    tokio::select! {
        _ = sim.create(json!({ "label": "slow" })) => panic!("answered"),
        _ = sim.until("/v2/instances?label=slow", |a| a.body["meta"]["total"] == 1) => {}
    }
}

#[tokio::test]
async fn the_control_api_explains_itself_and_starts_over() {
    let sim = Sim::start().await;
    let help = sim.get("/__sim").await.body.as_str().unwrap().to_owned();
    for part in
        ["Vultr", "/__sim/servers", "/__sim/faults", "locked_on_delete", "/v2/instances/{id}/bandwidth"]
    {
        assert!(help.contains(part), "{part}");
    }
    let refused = sim.post("/__sim/config", json!({ "boot_second": 1 })).await;
    assert!(refused.body["error"].as_str().unwrap().contains("unknown field `boot_second`"));
    sim.post("/__sim/config", json!({ "listing_lag_seconds": 60 })).await;
    sim.made(json!({})).await;
    assert_eq!(sim.listed("").await, [""; 0]);
    assert_eq!(sim.post("/__sim/reset", json!(null)).await.status, 204);
    assert_eq!(sim.get("/__sim/config").await.body["listing_lag_seconds"], 0.0);
    let resources = json!({ "instances": 0, "snapshots": 0, "ssh_keys": 0, "startup_scripts": 0 });
    assert_eq!(
        sim.get("/__sim/counters").await.body,
        json!({ "calls": {}, "rate_limited": 0, "resources": resources })
    );
}

#[tokio::test]
async fn state_survives_a_restart_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        settings: Settings { boot_seconds: 0.0, action_seconds: 0.0, ..Settings::default() },
        state: Some(folder.path().join("vultr.jsonl")),
        ..DESCRIPTOR.config()
    };
    let sim = Sim::of(config.clone()).await;
    let (kept, gone) = (sim.made(json!({ "tags": ["t"] })).await, sim.made(json!({})).await);
    sim.delete(&format!("/v2/instances/{gone}")).await;
    sim.post("/v2/snapshots", json!({ "instance_id": kept })).await;
    let before = sim.instance(&kept).await;
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    assert_eq!(sim.listed("?tag=t").await, [kept.as_str()]);
    assert_eq!(sim.instance(&kept).await, before);
    assert_eq!(sim.get("/v2/snapshots").await.body["meta"]["total"], 1);
    let newer = sim.made(json!({})).await;
    assert_eq!(sim.listed("").await, [kept.as_str(), &newer]);
    assert_eq!(sim.delete(&format!("/__sim/servers/{kept}")).await.status, 204);
    assert_eq!(sim.get(&format!("/v2/instances/{kept}")).await.status, 404);
}
