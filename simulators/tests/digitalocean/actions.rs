//! What can be done to a droplet.

use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::sim::{Answer, Sim, unlimited};

#[tokio::test]
async fn actions_take_turns() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 1.0, ..unlimited() }).await;
    let path = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let actions = format!("{path}/actions");
    let off = sim.post(&actions, json!({ "type": "power_off" })).await;
    assert_eq!((off.status, &off.body["action"]["status"]), (201, &json!("in-progress")));
    let busy = sim.post(&actions, json!({ "type": "reboot" })).await;
    assert_eq!(
        (busy.status, busy.body["message"].as_str().unwrap()),
        (422, "Droplet already has a pending event.")
    );

    let action = format!("/v2/actions/{}", off.body["action"]["id"]);
    sim.until(&action, |a| a.body["action"]["status"] == "completed").await;
    assert_eq!(sim.get(&path).await.body["droplet"]["status"], "off");
    assert_eq!(sim.post(&actions, json!({ "type": "reboot" })).await.status, 422);
    assert_eq!(sim.post(&actions, json!({ "type": "dance" })).await.status, 422);

    let on = sim.post(&actions, json!({ "type": "power_on" })).await.body["action"]["id"].clone();
    sim.until(&format!("{actions}/{on}"), |a| !a.body["action"]["completed_at"].is_null()).await;
    assert_eq!(sim.get(&path).await.body["droplet"]["status"], "active");
    assert_eq!(sim.get(&actions).await.body["meta"]["total"], 3);
    assert_eq!(sim.get("/v2/actions").await.body["actions"][0]["type"], "power_on");
}

/// An action that is over at once, and the droplet after it.
async fn done(sim: &Sim, id: u64, action: Value) -> Value {
    let kind = action["type"].clone();
    let answer = sim.act(id, action).await;
    assert_eq!((answer.status, &answer.body["action"]["type"]), (201, &kind), "{}", answer.body);
    sim.droplet(id).await
}

fn refused(answer: &Answer, words: &str) {
    assert_eq!((answer.status, &answer.body["id"]), (422, &json!("unprocessable_entity")), "{}", answer.body);
    assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
}

#[tokio::test]
async fn a_size_changes_only_while_off_and_never_to_a_smaller_disk() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let resize = |size: &str, disk: bool| json!({ "type": "resize", "size": size, "disk": disk });
    refused(&sim.act(id, resize("s-1vcpu-2gb", true)).await, "is currently on");
    done(&sim, id, json!({ "type": "power_off" })).await;

    let grown = done(&sim, id, resize("s-1vcpu-2gb", false)).await;
    assert_eq!(
        (&grown["size_slug"], &grown["memory"], &grown["disk"]),
        (&json!("s-1vcpu-2gb"), &json!(2048), &json!(25))
    );
    assert_eq!(grown["status"], "off");
    let grown = done(&sim, id, resize("s-1vcpu-2gb", true)).await;
    assert_eq!(grown["disk"], 50);
    assert_eq!(grown["disk_info"][0]["size"]["amount"], 50);
    refused(&sim.act(id, resize("s-1vcpu-1gb", false)).await, "smaller disk");
    refused(&sim.act(id, resize("huge", false)).await, "invalid size");
    sim.fault(json!({ "route": "POST /v2/droplets/{id}/actions", "kind": "capacity" })).await;
    refused(&sim.act(id, resize("s-2vcpu-4gb", true)).await, "not available in this region");

    let elsewhere = sim.made(json!({ "region": "syd1" })).await;
    done(&sim, elsewhere, json!({ "type": "power_off" })).await;
    refused(&sim.act(elsewhere, resize("g-2vcpu-8gb", true)).await, "not available in this region");
}

#[tokio::test]
async fn a_droplet_is_rebuilt_and_restored() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let other = sim.made(json!({})).await;
    done(&sim, id, json!({ "type": "power_off" })).await;
    let rebuilt = done(&sim, id, json!({ "type": "rebuild", "image": "debian-12-x64" })).await;
    assert_eq!((&rebuilt["image"]["slug"], &rebuilt["status"]), (&json!("debian-12-x64"), &json!("active")));
    let rebuilt = done(&sim, id, json!({ "type": "rebuild", "image": 195_932_981 })).await;
    assert_eq!(rebuilt["image"]["slug"], "ubuntu-24-04-x64");
    refused(&sim.act(id, json!({ "type": "rebuild", "image": "templeos" })).await, "invalid image");
    refused(&sim.act(id, json!({ "type": "rebuild" })).await, "invalid image");

    let kept = done(&sim, id, json!({ "type": "snapshot", "name": "kept" })).await["snapshot_ids"][0].clone();
    let restored = done(&sim, id, json!({ "type": "restore", "image": kept })).await;
    assert_eq!((&restored["image"]["id"], &restored["image"]["type"]), (&kept, &json!("snapshot")));
    refused(&sim.act(other, json!({ "type": "restore", "image": kept })).await, "invalid image");
    refused(&sim.act(id, json!({ "type": "restore", "image": "debian-12-x64" })).await, "invalid image");
    sim.delete(&format!("/v2/images/{kept}")).await;
    assert_eq!(sim.droplet(id).await["image"]["status"], "deleted");
}

#[tokio::test]
async fn names_passwords_and_addresses_are_changed() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    assert_eq!(done(&sim, id, json!({ "type": "rename", "name": "db-1" })).await["name"], "db-1");
    assert_eq!(sim.listed("?name=db-1").await, [id]);
    refused(&sim.act(id, json!({ "type": "rename", "name": "db_1" })).await, "hostname characters");
    done(&sim, id, json!({ "type": "password_reset" })).await;
    let with_ipv6 = done(&sim, id, json!({ "type": "enable_ipv6" })).await;
    assert_eq!(with_ipv6["networks"]["v6"].as_array().unwrap().len(), 1);
    refused(&sim.act(id, json!({ "type": "change_kernel", "kernel": 1 })).await, "kernel");
}

#[tokio::test]
async fn backups_follow_their_policy() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let policy = format!("/v2/droplets/{id}/backups/policy");
    assert_eq!(sim.get(&policy).await.body["policy"]["backup_enabled"], false);
    let change = json!({ "type": "change_backup_policy", "backup_policy": { "plan": "daily", "hour": 8 } });
    refused(&sim.act(id, change.clone()).await, "not enabled");

    let backed = done(&sim, id, json!({ "type": "enable_backups" })).await;
    assert!(backed["features"].as_array().unwrap().contains(&json!("backups")));
    assert!(backed["next_backup_window"]["start"].is_string());
    assert_eq!(sim.get(&policy).await.body["policy"]["backup_policy"]["plan"], "weekly");
    done(&sim, id, change).await;
    let daily = sim.get(&policy).await.body["policy"]["backup_policy"].clone();
    assert_eq!(
        (&daily["plan"], &daily["hour"], &daily["retention_period_days"]),
        (&json!("daily"), &json!(8), &json!(7))
    );
    let bad = json!({ "type": "enable_backups", "backup_policy": { "plan": "daily", "hour": 9 } });
    refused(&sim.act(id, bad).await, "invalid hour");

    let image = sim.post(&format!("/__sim/servers/{id}/backups"), json!(null)).await.body["image"].clone();
    assert_eq!(sim.droplet(id).await["backup_ids"], json!([image]));
    assert_eq!(sim.get(&format!("/v2/droplets/{id}/backups")).await.body["backups"][0]["type"], "backup");
    assert_eq!(done(&sim, id, json!({ "type": "restore", "image": image })).await["image"]["id"], image);

    let without = done(&sim, id, json!({ "type": "disable_backups" })).await;
    assert_eq!((&without["next_backup_window"], &without["backup_ids"]), (&json!(null), &json!([image])));
    assert_eq!(
        sim.get("/v2/droplets/backups/policies").await.body["policies"][id.to_string()]["droplet_id"],
        id
    );
    let supported = sim.get("/v2/droplets/backups/supported_policies").await.body;
    assert_eq!(supported["supported_policies"].as_array().unwrap().len(), 2);
    sim.delete(&format!("/v2/droplets/{id}")).await;
    assert_eq!(sim.get(&format!("/v2/images/{image}")).await.status, 404, "backups go with their droplet");
}

#[tokio::test]
async fn a_system_may_ignore_its_shutdown() {
    let sim = Sim::start().await;
    sim.post("/__sim/config", json!({ "ignore_shutdown": true })).await;
    let id = sim.made(json!({})).await;
    let answer = sim.act(id, json!({ "type": "shutdown" })).await;
    let action = format!("/v2/actions/{}", answer.body["action"]["id"]);
    assert_eq!(sim.get(&action).await.body["action"]["status"], "completed");
    assert_eq!(sim.droplet(id).await["status"], "active");
    assert_eq!(done(&sim, id, json!({ "type": "power_off" })).await["status"], "off");
}

#[tokio::test]
async fn one_call_acts_on_all_droplets_of_a_tag() {
    let sim = Sim::start().await;
    let ids = [sim.made(json!({ "tags": ["fleet"] })).await, sim.made(json!({ "tags": ["fleet"] })).await];
    let spared = sim.made(json!({})).await;
    let answer = sim.post("/v2/droplets/actions?tag_name=fleet", json!({ "type": "power_off" })).await;
    assert_eq!((answer.status, answer.body["actions"].as_array().unwrap().len()), (201, 2));
    for id in ids {
        assert_eq!(sim.droplet(id).await["status"], "off");
    }
    assert_eq!(sim.droplet(spared).await["status"], "active");
    let tagless = sim.post("/v2/droplets/actions", json!({ "type": "power_off" })).await;
    assert_eq!(tagless.status, 400);
    refused(&sim.post("/v2/droplets/actions?tag_name=fleet", json!({ "type": "rebuild" })).await, "for tags");
}

#[tokio::test]
async fn a_droplet_shows_what_it_becomes_only_when_it_has_become_it() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 1.0, ..unlimited() }).await;
    let id = sim.made(json!({})).await;
    let answer = sim.act(id, json!({ "type": "rename", "name": "later" })).await;
    let before = sim.droplet(id).await;
    assert_eq!((&before["name"], &before["locked"]), (&json!("web-1"), &json!(true)));
    let path = format!("/v2/actions/{}", answer.body["action"]["id"]);
    sim.until(&path, |a| a.body["action"]["status"] == "completed").await;
    let after = sim.droplet(id).await;
    assert_eq!((&after["name"], &after["locked"]), (&json!("later"), &json!(false)));
}
