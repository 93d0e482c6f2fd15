//! Failures on request.

use serde_json::json;

use crate::{Sim, labels};

const CREATE: &str = "POST /v4/linode/instances";

#[tokio::test]
async fn a_dropped_answer_leaves_a_linode_whose_label_is_taken() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": CREATE, "kind": "drop_after_create" })).await;
    let body = json!({
        "region": "id-cgk", "type": "g6-nanode-1", "label": "order-1", "image": "linode/debian12",
        "root_pass": "thisIsYourRootPassword",
    });
    let lost = sim.call(reqwest::Method::POST, "/v4/linode/instances", Some(body), None).await;
    assert!(lost.is_err());
    assert_eq!(labels(&sim.get("/v4/linode/instances").await), ["order-1"]);
    let again = sim.create(json!({ "label": "order-1" })).await;
    assert_eq!(again.reasons(), [("label".to_owned(), "Label must be unique among your linodes".to_owned())]);
}

#[tokio::test]
async fn a_listing_lag_hides_from_lists_only() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": CREATE, "kind": "listing_lag", "seconds": 30 })).await;
    let path = sim.made(json!({ "label": "hidden", "tags": ["webrana"] })).await;
    assert_eq!(sim.get(&path).await.status, 200);
    assert!(labels(&sim.filtered("/v4/linode/instances", json!({ "tags": "webrana" })).await).is_empty());
    let servers = sim.get("/__sim/servers?tag=webrana").await.body;
    assert_eq!(servers["servers"][0]["name"], "hidden");
    assert_eq!(sim.get("/__sim/servers?tag=other").await.body["servers"], json!([]));
    assert_eq!(sim.create(json!({ "label": "hidden" })).await.status, 400, "its label is taken all the same");

    sim.configure(json!({ "listing_lag_seconds": 0.3 })).await;
    sim.made(json!({ "label": "late" })).await;
    sim.until("/v4/linode/instances", |a| a.body["results"] == 1).await;
}

#[tokio::test]
async fn a_linode_may_be_unknown_addressless_or_locked_for_a_while() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": CREATE, "kind": "not_found_after_create", "seconds": 0.3 })).await;
    let unknown = sim.made(json!({})).await;
    assert_eq!(sim.get(&unknown).await.status, 404);
    sim.until(&unknown, |a| a.status == 200).await;

    sim.fault(json!({ "route": CREATE, "kind": "active_without_ip", "seconds": 0.3 })).await;
    let bare = sim.made(json!({})).await;
    let seen = sim.get(&bare).await.body;
    assert_eq!(
        (&seen["status"], &seen["ipv4"], &seen["ipv6"]),
        (&json!("running"), &json!([]), &json!(null))
    );
    sim.until(&bare, |a| a.body["ipv4"].as_array().is_some_and(|ips| !ips.is_empty())).await;

    sim.fault(json!({ "route": "DELETE /v4/linode/instances/{id}", "kind": "locked_on_delete" })).await;
    assert_eq!(sim.delete(&bare).await.reasons()[0].1, "Linode busy.");
    assert_eq!(sim.delete(&bare).await.status, 200);
}

#[tokio::test]
async fn capacity_status_and_delay_are_as_ordered() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": CREATE, "kind": "capacity" })).await;
    assert_eq!(sim.create(json!({})).await.reasons()[0].1, "No open slots for this plan!");
    sim.fault(json!({ "route": CREATE, "kind": "status", "status": 500 })).await;
    let failed = sim.create(json!({})).await;
    assert_eq!((failed.status, &failed.reasons()[0].1[..]), (500, "Internal Server Error"));
    sim.fault(json!({ "route": CREATE, "kind": "delay", "seconds": 0.2 })).await;
    let started = std::time::Instant::now();
    assert_eq!(sim.create(json!({})).await.status, 200);
    assert!(started.elapsed().as_secs_f64() >= 0.2);
    let refused = sim.post("/__sim/faults", json!({ "route": "POST /v4/nothing", "kind": "capacity" })).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_server_can_disappear() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(sim.delete(&format!("/__sim/servers/{id}")).await.status, 204);
    assert_eq!(sim.get(&path).await.status, 404);
    assert_eq!(sim.delete(&format!("/__sim/servers/{id}")).await.status, 404);
}

#[tokio::test]
async fn help_shows_an_example_of_each_call() {
    let sim = Sim::start().await;
    let help = sim.get("/__sim").await.body;
    let help = help.as_str().unwrap();
    for word in
        ["Linode", "/__sim/servers?tag=webrana", "drop_after_create", "/v4/linode/instances/{id}/resize"]
    {
        assert!(help.contains(word), "{word}");
    }
}
