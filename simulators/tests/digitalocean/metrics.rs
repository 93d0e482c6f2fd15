//! Monitoring.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::sim::Sim;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A metric of a droplet over the time around now.
async fn matrix(sim: &Sim, metric: &str, droplet: u64, more: &str) -> Value {
    let (start, end) = (now() - 3_600, now() + 3_600);
    let query = format!("host_id={droplet}&start={start}&end={end}{more}");
    let answer = sim.get(&format!("/v2/monitoring/metrics/droplet/{metric}?{query}")).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("success")), "{metric}");
    assert_eq!(answer.body["data"]["resultType"], "matrix");
    answer.body["data"]["result"].clone()
}

#[tokio::test]
async fn a_monitored_droplet_has_every_metric() {
    let sim = Sim::start().await;
    let id = sim.made(json!({ "monitoring": true })).await;
    let modes = matrix(&sim, "cpu", id, "").await;
    assert_eq!(modes.as_array().unwrap().len(), 8);
    assert_eq!(modes[0]["metric"], json!({ "host_id": id.to_string(), "mode": "idle" }));
    for metric in [
        "memory_total",
        "memory_free",
        "memory_available",
        "memory_cached",
        "load_1",
        "load_5",
        "load_15",
        "filesystem_size",
        "filesystem_free",
    ] {
        let result = matrix(&sim, metric, id, "").await;
        assert_eq!(result[0]["metric"]["host_id"], id.to_string(), "{metric}");
    }
    let traffic = matrix(&sim, "bandwidth", id, "&interface=public&direction=outbound").await;
    assert_eq!(traffic[0]["metric"]["direction"], "outbound");
}

#[tokio::test]
async fn without_monitoring_there_is_nothing_and_nonsense_is_refused() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    assert_eq!(matrix(&sim, "cpu", id, "").await, json!([]));
    let path = "/v2/monitoring/metrics/droplet";
    for query in [
        format!("cpu?host_id={id}&start=1"),
        "cpu?start=1&end=2".to_owned(),
        format!("cpu?host_id={id}&start=2&end=1"),
        format!("cpu?host_id={id}&start=yesterday&end=1"),
        format!("bandwidth?host_id={id}&start=1&end=2&interface=public"),
    ] {
        assert_eq!(sim.get(&format!("{path}/{query}")).await.status, 400, "{query}");
    }
    let monitored = sim.made(json!({ "monitoring": true })).await;
    assert_eq!(sim.get(&format!("{path}/mood?host_id={monitored}&start=1&end=2")).await.status, 404);
}
