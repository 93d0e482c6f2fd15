//! The control API, and who may use it.

use serde_json::{Value, json};
use simulators::{gateway::Config, midtrans::DESCRIPTOR};

use super::{KEY, Sim};

#[tokio::test]
async fn the_control_calls_name_what_is_wrong() {
    let sim = Sim::start().await;
    sim.charge("WB-1").await;
    let says = async |path: &str, body: Value| {
        let (status, answer) = sim.post(path, body).await;
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    };
    let (status, error) = says("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    assert!(status == 400 && error.contains("notification_url"), "{error}");
    assert_eq!(says("/__sim/config", json!({ "notification_url": "nowhere" })).await.0, 400);
    let url = json!({ "notification_url": "http://127.0.0.1:9/" });
    assert_eq!(says("/__sim/config", url).await.0, 200);
    assert_eq!(says("/__sim/pay", json!({ "order_id": "WB-2" })).await.0, 404);
    let (status, error) = says("/__sim/pay", json!({ "order_id": "WB-1", "outcom": "deny" })).await;
    assert!(status == 400 && error.contains("outcom"), "{error}");
    assert_eq!(says("/__sim/faults", json!({ "route": "POST /v2/charge", "kind": "capacity" })).await.0, 400);
    let help = sim.get("/__sim").await.1;
    assert!(help.as_str().unwrap().contains("/__sim/pay"), "{help}");
}

#[tokio::test]
async fn transactions_survive_a_restart_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().join("midtrans.jsonl"));
    let config = Config { credentials: vec![KEY.to_owned()], state, ..DESCRIPTOR.config() };
    let sim = Sim::of(config.clone()).await;
    let (_, charged) = sim.charge("WB-1").await;
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    assert_eq!(sim.get("/v2/WB-1/status").await.1["transaction_id"], charged["transaction_id"]);
    sim.post("/__sim/reset", Value::Null).await;
    assert_eq!(sim.get("/v2/WB-1/status").await.0, 404);
}

#[tokio::test]
async fn pages_of_other_sites_control_nothing() {
    let sim = Sim::start().await;
    let url = |path: &str| format!("{}/__sim/{path}", sim.handle.url());
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let post = |path: &str| sim.client.post(url(path));
    let settings = r#"{"retry_interval_seconds":1}"#;
    let json = || post("config").header("content-type", "application/json; charset=utf-8").body(settings);

    assert_eq!(status(json()).await, 200);
    assert_eq!(status(json().header("origin", "http://localhost:5173")).await, 200);
    assert_eq!(status(post("reset")).await, 204);
    // A name of the page's own that leads here, a form, and a request that a page may send without asking.
    assert_eq!(status(json().header("host", "evil.example")).await, 403);
    assert_eq!(status(sim.client.get(url("config")).header("host", "evil.example:4020")).await, 403);
    assert_eq!(status(post("config").body(settings)).await, 415);
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(status(post("config").header("content-type", kind).body(settings)).await, 415, "{kind}");
    }
    for origin in ["https://evil.example", "null"] {
        assert_eq!(status(post("reset").header("origin", origin)).await, 403, "{origin}");
    }
}
