//! What is kept across restarts, and what a reset leaves.

use serde_json::json;
use simulators::{linode::DESCRIPTOR, provider::Config};

use crate::{Sim, labels, unlimited};

#[tokio::test]
async fn a_state_file_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        settings: unlimited(),
        state: Some(folder.path().join("linode.jsonl")),
        ..DESCRIPTOR.config()
    };
    let sim = Sim::of(config.clone()).await;
    let kept = sim.made(json!({ "label": "kept", "tags": ["webrana"] })).await;
    let gone = sim.made(json!({ "label": "gone" })).await;
    assert_eq!(sim.delete(&gone).await.status, 200);
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    assert_eq!(labels(&sim.get("/v4/linode/instances").await), ["kept"]);
    sim.until(&kept, |a| a.body["status"] == "running").await;
    assert!(sim.get("/v4/account/events").await.body["results"].as_u64().unwrap() >= 5);
    let next = sim.made(json!({})).await;
    assert!(next > gone, "ids are never given twice");
}

#[tokio::test]
async fn a_reset_empties_the_account() {
    let sim = Sim::start().await;
    sim.made(json!({ "label": "web" })).await;
    sim.configure(json!({ "boot_seconds": 9 })).await;
    assert_eq!(sim.post("/__sim/reset", json!({})).await.status, 204);
    let counters = sim.get("/__sim/counters").await.body;
    assert_eq!((&counters["calls"], &counters["resources"]["linodes"]), (&json!({}), &json!(0)));
    assert_eq!(sim.get("/__sim/config").await.body["boot_seconds"], 0.0);
    assert_eq!(sim.create(json!({ "label": "web" })).await.status, 200);
}

#[tokio::test]
async fn settings_that_make_no_sense_change_nothing() {
    let sim = Sim::start().await;
    for bad in [json!({ "boot_seconds": -1 }), json!({ "speed": 1 }), json!({ "account_limit": "many" })] {
        assert_eq!(sim.post("/__sim/config", bad.clone()).await.status, 400, "{bad}");
    }
    assert_eq!(sim.get("/__sim/config").await.body["boot_seconds"], 0.0);
}
