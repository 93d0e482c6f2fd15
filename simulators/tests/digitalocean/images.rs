//! Snapshots and images.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::sim::{Sim, unlimited};

/// Takes a snapshot of a droplet and gives its id.
async fn snapshot(sim: &Sim, droplet: u64, name: &str) -> u64 {
    sim.act(droplet, json!({ "type": "snapshot", "name": name })).await;
    sim.droplet(droplet).await["snapshot_ids"].as_array().unwrap().last().unwrap().as_u64().unwrap()
}

#[tokio::test]
async fn a_snapshot_is_seen_everywhere_and_outlives_its_droplet() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let kept = snapshot(&sim, id, "before the upgrade").await;

    let of_droplet = sim.get(&format!("/v2/droplets/{id}/snapshots")).await.body;
    assert_eq!(of_droplet["meta"]["total"], 1);
    let seen = &of_droplet["snapshots"][0];
    assert_eq!(
        (&seen["id"], &seen["type"], &seen["min_disk_size"]),
        (&json!(kept), &json!("snapshot"), &json!(25))
    );
    let of_account = sim.get("/v2/snapshots?resource_type=droplet").await.body["snapshots"][0].clone();
    for (field, value) in [
        ("id", json!(kept.to_string())),
        ("name", json!("before the upgrade")),
        ("resource_id", json!(id.to_string())),
        ("resource_type", json!("droplet")),
        ("regions", json!(["sgp1"])),
        ("tags", json!([])),
    ] {
        assert_eq!(of_account[field], value, "{field}");
    }
    assert_eq!(sim.get("/v2/snapshots?resource_type=volume").await.body["snapshots"], json!([]));
    let image = sim.get(&format!("/v2/images/{kept}")).await.body["image"].clone();
    assert_eq!(
        (&image["type"], &image["public"], &image["slug"]),
        (&json!("snapshot"), &json!(false), &Value::Null)
    );
    assert_eq!(image["distribution"], "Ubuntu");
    assert_eq!(sim.get("/v2/images?private=true").await.body["images"], json!([image]));
    let public = sim.get("/v2/images?type=distribution").await.body["images"].clone();
    assert!(public.as_array().unwrap().iter().all(|image| image["public"] == true));

    sim.delete(&format!("/v2/droplets/{id}")).await;
    let path = format!("/v2/snapshots/{kept}");
    assert_eq!(sim.get(&path).await.body["snapshot"]["id"], kept.to_string());
    let made = sim.made(json!({ "image": kept })).await;
    assert_eq!(sim.droplet(made).await["image"]["id"], kept);
    assert_eq!(sim.delete(&path).await.status, 204);
    assert_eq!(sim.get(&path).await.status, 404);
    assert_eq!(sim.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_snapshot_takes_its_time() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 1.0, ..unlimited() }).await;
    let id = sim.made(json!({})).await;
    assert_eq!(sim.act(id, json!({ "type": "snapshot" })).await.status, 201);
    assert_eq!(sim.get("/v2/snapshots").await.body["snapshots"], json!([]));
    sim.until("/v2/snapshots", |a| a.body["meta"]["total"] == 1).await;
    let name = sim.get("/v2/snapshots").await.body["snapshots"][0]["name"].clone();
    assert!(name.as_str().unwrap().starts_with("web-1-"), "{name}");
}

#[tokio::test]
async fn an_image_goes_only_where_it_is_and_fits() {
    let sim = Sim::start().await;
    let id = sim.made(json!({ "size": "s-1vcpu-2gb" })).await;
    let kept = snapshot(&sim, id, "s").await;
    let small = sim.create(json!({ "image": kept, "size": "s-1vcpu-1gb" })).await;
    assert!(small.body["message"].as_str().unwrap().contains("smaller disk"), "{}", small.body);
    let afar = json!({ "image": kept, "size": "s-1vcpu-2gb", "region": "fra1" });
    assert!(sim.create(afar.clone()).await.body["message"].as_str().unwrap().contains("invalid image"));

    let actions = format!("/v2/images/{kept}/actions");
    let sent = sim.post(&actions, json!({ "type": "transfer", "region": "fra1" })).await;
    let action = &sent.body["action"];
    assert_eq!(
        (sent.status, &action["resource_type"], &action["resource_id"]),
        (201, &json!("image"), &json!(kept))
    );
    let again = sim.get(&format!("{actions}/{}", action["id"])).await;
    assert_eq!(again.body["action"]["status"], "completed");
    assert_eq!(sim.get(&actions).await.body["meta"]["total"], 1);
    assert_eq!(sim.create(afar).await.status, 202);
    assert_eq!(sim.post(&actions, json!({ "type": "transfer", "region": "mars1" })).await.status, 422);
    assert_eq!(sim.post(&actions, json!({ "type": "melt" })).await.status, 422);
}

#[tokio::test]
async fn a_backup_becomes_a_snapshot_and_a_public_image_stays() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let backup = sim.post(&format!("/__sim/servers/{id}/backups"), json!(null)).await.body["image"].clone();
    let wrong = sim.get(&format!("/v2/snapshots/{backup}")).await;
    assert_eq!((wrong.status, &wrong.body["message"]), (400, &json!("the resource is not a snapshot")));
    sim.post(&format!("/v2/images/{backup}/actions"), json!({ "type": "convert" })).await;
    assert_eq!(sim.get(&format!("/v2/snapshots/{backup}")).await.status, 200);

    let path = format!("/v2/images/{backup}");
    let renamed = sim.call(Method::PUT, &path, Some(json!({ "name": "golden" }))).await.unwrap();
    assert_eq!((renamed.status, &renamed.body["image"]["name"]), (200, &json!("golden")));
    assert_eq!(sim.delete(&path).await.status, 204);
    assert_eq!(sim.delete("/v2/images/195932981").await.status, 403);
    assert_eq!(sim.get("/v2/images?type=base").await.status, 400);
}
