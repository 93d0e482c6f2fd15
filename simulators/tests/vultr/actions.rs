//! What is done to instances and their snapshots.

use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::{Sim, axes, unlimited};

async fn slow() -> Sim {
    Sim::with(Settings { boot_seconds: 0.0, action_seconds: 0.5, ..unlimited() }).await
}

const NOTHING: Value = Value::Null;
const READY: [&str; 3] = ["active", "running", "ok"];

#[tokio::test]
async fn power_goes_off_and_on() {
    let sim = slow().await;
    let (one, two) = (sim.made(json!({})).await, sim.made(json!({})).await);
    let path = format!("/v2/instances/{one}");
    assert_eq!(sim.post(&format!("{path}/halt"), NOTHING).await.status, 204);
    sim.until(&path, |a| axes(&a.body["instance"]) == ["active", "stopped", "ok"]).await;
    assert_eq!(sim.post(&format!("{path}/start"), NOTHING).await.status, 204);
    sim.until(&path, |a| axes(&a.body["instance"]) == READY).await;
    assert_eq!(sim.post(&format!("{path}/reboot"), NOTHING).await.status, 204);

    let both = json!({ "instance_ids": [one, two] });
    assert_eq!(sim.post("/v2/instances/halt", both.clone()).await.status, 204);
    let second = format!("/v2/instances/{two}");
    sim.until(&second, |a| a.body["instance"]["power_status"] == "stopped").await;
    assert_eq!(sim.post("/v2/instances/reboot", both.clone()).await.status, 204);
    sim.until(&second, |a| a.body["instance"]["power_status"] == "running").await;
    assert_eq!(sim.post("/v2/instances/start", both).await.status, 204);
    let stranger = json!({ "instance_ids": [one, "cb676a46-66fd-4dfb-b839-443f2e6c0b60"] });
    sim.post("/v2/instances/start", stranger).await.refusal(404);
    sim.post("/v2/instances/start", json!({})).await.refusal(400);
}

#[tokio::test]
async fn a_pending_instance_refuses_actions() {
    let sim = Sim::with(Settings { boot_seconds: 60.0, ..unlimited() }).await;
    let path = format!("/v2/instances/{}", sim.made(json!({})).await);
    assert!(sim.post(&format!("{path}/halt"), NOTHING).await.refusal(500).contains("not currently active"));
    assert!(sim.patch(&path, json!({ "os_id": 2136 })).await.refusal(500).contains("not currently active"));
}

#[tokio::test]
async fn a_locked_instance_refuses_actions() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 60.0, ..unlimited() }).await;
    let id = sim.made(json!({})).await;
    let path = format!("/v2/instances/{id}");
    let snapshot =
        sim.post("/v2/snapshots", json!({ "instance_id": id })).await.body["snapshot"]["id"].clone();
    assert_eq!(axes(&sim.instance(&id).await), ["active", "running", "locked"]);
    assert_eq!(
        sim.delete(&path).await.refusal(500),
        "Unable to destroy server: Unable to remove VM: Server is currently locked"
    );
    for (action, body) in
        [("reboot", NOTHING), ("reinstall", NOTHING), ("restore", json!({ "snapshot_id": snapshot }))]
    {
        let refused = sim.post(&format!("{path}/{action}"), body).await;
        assert_eq!(refused.refusal(500), format!("Unable to {action} server: Server is currently locked"));
    }
    assert!(sim.patch(&path, json!({ "plan": "vc2-2c-4gb" })).await.refusal(500).contains("locked"));
    assert!(sim.post("/v2/snapshots", json!({ "instance_id": id })).await.refusal(500).contains("locked"));
    let unfinished = sim.delete(&format!("/v2/snapshots/{}", snapshot.as_str().unwrap())).await;
    assert!(unfinished.refusal(400).contains("not complete"));
}

#[tokio::test]
async fn a_plan_can_grow_only() {
    let sim = slow().await;
    let id = sim.made(json!({})).await;
    let path = format!("/v2/instances/{id}");
    let upgrades = sim.get(&format!("{path}/upgrades?type=plans")).await.body["upgrades"].clone();
    assert!(upgrades.get("os").is_none());
    let plans = upgrades["plans"].as_array().unwrap();
    assert!(plans.contains(&json!("vc2-2c-4gb")) && !plans.contains(&json!("vc2-1c-1gb")));
    let all = sim.get(&format!("{path}/upgrades")).await.body["upgrades"].clone();
    assert!(all["os"].as_array().unwrap().iter().all(|os| os["id"] != 2284));
    assert_eq!(all["applications"][0]["name"], "Docker");

    let resized = sim.patch(&path, json!({ "plan": "vc2-2c-4gb", "tags": null })).await;
    assert_eq!((resized.status, axes(&resized.body["instance"])), (202, ["resizing", "running", "locked"]));
    let grown = sim.until(&path, |a| axes(&a.body["instance"]) == READY).await.body["instance"].clone();
    assert_eq!(
        (&grown["plan"], &grown["ram"], &grown["disk"]),
        (&json!("vc2-2c-4gb"), &json!(4096), &json!(80))
    );

    for bad in ["vc2-1c-1gb", "vhf-4c-16gb", "huge"] {
        assert!(
            sim.patch(&path, json!({ "plan": bad })).await.refusal(400).starts_with("Invalid plan chosen")
        );
    }
}

#[tokio::test]
async fn installing_afresh_tells_no_password() {
    let sim = slow().await;
    let id = sim.made(json!({})).await;
    let path = format!("/v2/instances/{id}");
    let before = sim.instance(&id).await;
    let again = sim.post(&format!("{path}/reinstall"), json!({ "hostname": "web-2" })).await;
    assert_eq!(
        (again.status, axes(&again.body["instance"])),
        (202, ["active", "running", "installingbooting"])
    );
    assert_eq!(again.body["instance"]["hostname"], "web-2");
    assert!(again.body["instance"].get("default_password").is_none());
    sim.until(&path, |a| axes(&a.body["instance"]) == READY).await;

    let debian =
        sim.patch(&path, json!({ "os_id": "2136", "user_data": "QQ==", "ddos_protection": null })).await;
    assert_eq!((debian.status, &debian.body["instance"]["os_id"]), (202, &json!(2136)));
    let debian = sim.until(&path, |a| axes(&a.body["instance"]) == READY).await.body["instance"].clone();
    assert_eq!((&debian["os"], &debian["main_ip"]), (&json!("Debian 12 x64 (bookworm)"), &before["main_ip"]));
    assert_eq!(sim.get(&format!("{path}/user-data")).await.body["user_data"]["data"], "QQ==");
    assert!(sim.patch(&path, json!({ "os_id": 1 })).await.refusal(400).contains("Invalid operating system"));
}

#[tokio::test]
async fn small_changes_happen_at_once() {
    let sim = Sim::start().await;
    let id = sim.made(json!({ "label": "old", "tags": ["a"] })).await;
    let path = format!("/v2/instances/{id}");
    let change = json!({ "label": "new", "tags": ["b", "c"], "backups": "enabled", "enable_ipv6": true });
    let changed = sim.patch(&path, change).await.body["instance"].clone();
    assert_eq!((&changed["label"], &changed["tags"]), (&json!("new"), &json!(["b", "c"])));
    assert_eq!(changed["features"], json!(["ipv6", "auto_backups"]));

    let schedule = format!("{path}/backup-schedule");
    assert_eq!(sim.post(&schedule, json!({ "type": "weekly", "hour": 10, "dow": 3 })).await.status, 200);
    let told = sim.get(&schedule).await.body["backup_schedule"].clone();
    assert_eq!(
        (&told["enabled"], &told["type"], &told["hour"], &told["dow"]),
        (&json!(true), &json!("weekly"), &json!(10), &json!(3))
    );
    assert!(told["next_scheduled_time_utc"].as_str().unwrap().ends_with("10:00:00"));
    sim.post(&schedule, json!({ "type": "hourly" })).await.refusal(400);

    let changed =
        sim.patch(&path, json!({ "backups": "disabled", "tags": null })).await.body["instance"].clone();
    assert_eq!((&changed["features"], &changed["tags"]), (&json!(["ipv6"]), &json!(["b", "c"])));
    assert_eq!(sim.get(&schedule).await.body["backup_schedule"]["enabled"], false);
}

#[tokio::test]
async fn snapshots_belong_to_the_account_and_can_be_put_back() {
    let sim = slow().await;
    let id = sim.made(json!({})).await;
    let path = format!("/v2/instances/{id}");
    let made = sim.post("/v2/snapshots", json!({ "instance_id": id, "description": "before" })).await;
    assert_eq!((made.status, &made.body["snapshot"]["status"]), (201, &json!("pending")));
    let snapshot = made.body["snapshot"]["id"].as_str().unwrap().to_owned();
    let snapshot_path = format!("/v2/snapshots/{snapshot}");
    let restore = json!({ "snapshot_id": snapshot });
    let done = sim.until(&snapshot_path, |a| a.body["snapshot"]["status"] == "complete").await;
    assert_eq!(done.body["snapshot"]["size"], 25_u64 * 1024 * 1024 * 1024);

    let restored = sim.post(&format!("{path}/restore"), restore.clone()).await;
    assert_eq!(restored.status, 202);
    assert_eq!(
        restored.body["status"],
        json!({ "restore_type": "snapshot_id", "restore_id": snapshot, "status": "inprogress" })
    );
    let ready = sim.until(&path, |a| axes(&a.body["instance"]) == READY).await;
    assert_eq!(ready.body["instance"]["snapshot_id"], json!(snapshot));

    let copy = json!({ "os_id": null, "snapshot_id": snapshot });
    let copy = sim.made(copy).await;
    assert_eq!(sim.instance(&copy).await["os"], "Snapshot");
    assert_eq!(sim.delete(&path).await.status, 204);
    let kept = sim.get("/v2/snapshots?description=before").await.body;
    assert_eq!((&kept["meta"]["total"], &kept["snapshots"][0]["id"]), (&json!(1), &json!(snapshot)));

    let rename = json!({ "description": "after" });
    let put = sim.call(reqwest::Method::PUT, &snapshot_path, Some(rename)).await.unwrap();
    assert_eq!(put.status, 204);
    assert_eq!(sim.get(&snapshot_path).await.body["snapshot"]["description"], "after");
    assert_eq!(sim.delete(&snapshot_path).await.status, 204);
    sim.get(&snapshot_path).await.refusal(404);
    let second = format!("/v2/instances/{copy}/restore");
    sim.post(&second, restore).await.refusal(400);
    sim.post(&second, json!({})).await.refusal(400);
    sim.post(&second, json!({ "backup_id": snapshot })).await.refusal(400);
}

#[tokio::test]
async fn addresses_have_names_and_can_be_added() {
    let sim = Sim::start().await;
    let id = sim.made(json!({ "enable_ipv6": true })).await;
    let path = format!("/v2/instances/{id}");
    let main = sim.get(&format!("{path}/ipv4")).await.body["ipv4s"][0].clone();
    assert_eq!((&main["type"], &main["netmask"]), (&json!("main_ip"), &json!("255.255.254.0")));
    let ip = main["ip"].as_str().unwrap();

    let named = json!({ "ip": ip, "reverse": "web.example.com" });
    assert_eq!(sim.post(&format!("{path}/ipv4/reverse"), named).await.status, 204);
    assert_eq!(sim.get(&format!("{path}/ipv4")).await.body["ipv4s"][0]["reverse"], "web.example.com");
    assert_eq!(sim.post(&format!("{path}/ipv4/reverse/default"), json!({ "ip": ip })).await.status, 204);
    assert_eq!(sim.get(&format!("{path}/ipv4")).await.body["ipv4s"][0], main);

    let added = sim.post(&format!("{path}/ipv4"), json!({ "reboot": false })).await;
    let second = added.body["ipv4"]["ip"].as_str().unwrap();
    assert_eq!((added.status, second != ip), (202, true));
    assert_eq!(sim.get(&format!("{path}/ipv4")).await.body["meta"]["total"], 2);
    assert_eq!(sim.delete(&format!("{path}/ipv4/{second}")).await.status, 204);
    sim.delete(&format!("{path}/ipv4/{ip}")).await.refusal(400);

    let v6 = sim.get(&format!("{path}/ipv6")).await.body["ipv6s"][0]["ip"].as_str().unwrap().to_owned();
    let named = json!({ "ip": v6, "reverse": "v6.example.com" });
    assert_eq!(sim.post(&format!("{path}/ipv6/reverse"), named.clone()).await.status, 204);
    assert_eq!(sim.get(&format!("{path}/ipv6/reverse")).await.body["reverse_ipv6s"], json!([named]));
    assert_eq!(sim.delete(&format!("{path}/ipv6/reverse/{v6}")).await.status, 204);
    let foreign = json!({ "ip": "2001:db8:ffff::1", "reverse": "x.example.com" });
    sim.post(&format!("{path}/ipv6/reverse"), foreign).await.refusal(400);
}

#[tokio::test]
async fn traffic_is_told_by_the_day() {
    let sim = Sim::start().await;
    let path = format!("/v2/instances/{}/bandwidth", sim.made(json!({})).await);
    let days = sim.get(&path).await.body["bandwidth"].clone();
    let days = days.as_object().unwrap();
    assert!((1..=2).contains(&days.len()), "one, or two at midnight");
    for (day, traffic) in days {
        assert_eq!(day.len(), "2026-01-31".len());
        assert!(traffic["incoming_bytes"].is_u64() && traffic["outgoing_bytes"].is_u64());
    }
}
