//! Monitoring.

#![expect(clippy::disallowed_methods, reason = "the vendor simulated here lives by this machine's clock")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use simulators::{
    digitalocean::DESCRIPTOR,
    provider::{Config, Settings},
};

use crate::sim::{Sim, unlimited};

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

/// A point's moment and its value.
fn points(line: &Value) -> Vec<(u64, f64)> {
    let point = |point: &Value| (point[0].as_u64().unwrap(), point[1].as_str().unwrap().parse().unwrap());
    line["values"].as_array().unwrap().iter().map(point).collect()
}

#[tokio::test]
async fn an_hour_of_a_droplets_life_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("digitalocean.jsonl");
    let settings = Settings { boot_seconds: 0.0, ..unlimited() };
    let config = Config { settings, state: Some(state.clone()), ..DESCRIPTOR.config() };
    let sim = Sim::of(config.clone()).await;
    let id = sim.made(json!({ "monitoring": true })).await;
    let day =
        sim.get("/__sim/servers").await.body["servers"][0]["created_at"].as_str().unwrap()[..10].to_owned();
    sim.handle.stop().await.unwrap();
    // It was made on a day long ago.
    let remembered = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, remembered.replace(&day, "2024-01-01")).unwrap();

    let sim = Sim::of(config).await;
    let modes = matrix(&sim, "cpu", id, "").await;
    for mode in modes.as_array().unwrap() {
        let points = points(mode);
        assert!((30..=31).contains(&points.len()), "one every two minutes of the past hour");
        assert!(points.is_sorted_by(|a, b| a.0 + 120 == b.0 && a.1 <= b.1), "{mode}");
    }
    let again = points(&matrix(&sim, "cpu", id, "").await[0]);
    assert!(points(&modes[0]).iter().skip(1).all(|point| again.contains(point)), "the same each time");
    let total = points(&matrix(&sim, "memory_total", id, "").await[0]);
    let available = points(&matrix(&sim, "memory_available", id, "").await[0]);
    assert!(
        total.iter().zip(&available).all(|(total, available)| 0.0 < available.1 && available.1 < total.1)
    );
    let inbound = points(&matrix(&sim, "bandwidth", id, "&interface=public&direction=inbound").await[0]);
    assert!(inbound.iter().all(|(_, megabits)| *megabits > 0.0));
}
