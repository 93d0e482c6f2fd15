//! A Linode from its create to its delete.

use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::{Sim, unlimited};

#[tokio::test]
async fn a_linode_is_born_provisioning_and_grows_up() {
    let sim = Sim::start().await;
    let born = sim
        .create(json!({ "label": "web-1", "tags": ["webrana", "env:prod"], "metadata": { "user_data": "Y29vbA==" } }))
        .await;
    assert_eq!((born.status, &born.body["status"]), (200, &json!("provisioning")));
    assert!(born.body["id"].is_u64());
    assert!(born.body["ipv4"][0].as_str().unwrap().starts_with("198."), "an address at once");
    for required in [
        "alerts",
        "backups",
        "capabilities",
        "created",
        "disk_encryption",
        "group",
        "has_user_data",
        "host_uuid",
        "hypervisor",
        "image",
        "interface_generation",
        "ipv6",
        "label",
        "lke_cluster_id",
        "placement_group",
        "region",
        "specs",
        "tags",
        "type",
        "updated",
        "watchdog_enabled",
    ] {
        assert!(born.body.get(required).is_some(), "{required}");
    }
    assert_eq!(born.body["tags"], json!(["env:prod", "webrana"]));
    assert_eq!(born.body["has_user_data"], true);
    let created = born.body["created"].as_str().unwrap();
    assert_eq!((created.len(), created.contains('Z')), ("2018-01-02T03:04:05".len(), false));

    let path = format!("/v4/linode/instances/{}", born.body["id"]);
    let grown = sim.get(&path).await;
    assert_eq!(grown.body["status"], "running");
    assert_eq!(grown.body["specs"]["memory"], 1024);

    let gone = sim.delete(&path).await;
    assert_eq!((gone.status, &gone.body), (200, &json!({})));
    assert_eq!((sim.get(&path).await.status, sim.delete(&path).await.status), (404, 404));
}

#[tokio::test]
async fn a_boot_takes_its_time_and_may_be_left_out() {
    let sim = Sim::with(Settings { boot_seconds: 0.5, ..unlimited() }).await;
    let path = sim.made(json!({})).await;
    assert_eq!(sim.get(&path).await.body["status"], "provisioning");
    sim.until(&path, |a| a.body["status"] == "booting").await;
    sim.until(&path, |a| a.body["status"] == "running").await;
    let off = sim.made(json!({ "booted": false })).await;
    sim.until(&off, |a| a.body["status"] == "offline").await;
    let bare = sim.made(json!({ "image": null, "root_pass": null })).await;
    sim.until(&bare, |a| a.body["status"] == "offline").await;
    assert_eq!(sim.get(&bare).await.body["image"], Value::Null);
}

#[tokio::test]
async fn power_goes_off_and_on() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let id = path.rsplit('/').next().unwrap();
    let refused = sim.post(&format!("{path}/boot"), json!({})).await;
    assert_eq!(refused.reasons(), [(String::new(), format!("Linode {id} already booted."))]);
    sim.act(&path, "reboot", json!({})).await;
    assert_eq!(sim.get(&path).await.body["status"], "running");
    sim.act(&path, "shutdown", json!({})).await;
    assert_eq!(sim.get(&path).await.body["status"], "offline");
    assert_eq!(sim.post(&format!("{path}/reboot"), json!({})).await.status, 400);
    sim.act(&path, "password", json!({ "root_pass": "another-Password-7" })).await;
    sim.act(&path, "boot", json!({ "config_id": null })).await;
    assert_eq!(sim.get(&path).await.body["status"], "running");
    assert_eq!(
        sim.post(&format!("{path}/password"), json!({ "root_pass": "another-Password-7" })).await.status,
        400
    );
}

#[tokio::test]
async fn what_is_under_way_refuses_what_comes_next() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 30.0, ..unlimited() }).await;
    let path = sim.made(json!({})).await;
    sim.act(&path, "reboot", json!({})).await;
    assert_eq!(sim.get(&path).await.body["status"], "rebooting");
    for (action, body) in [
        ("shutdown", json!({})),
        ("resize", json!({ "type": "g6-standard-1" })),
        ("rebuild", json!({ "image": "linode/debian12", "root_pass": "thisIsYourRootPassword" })),
    ] {
        let refused = sim.post(&format!("{path}/{action}"), body).await;
        assert_eq!(refused.reasons(), [(String::new(), "Linode busy.".to_owned())], "{action}");
    }
    assert_eq!(sim.delete(&path).await.status, 200, "a delete does not wait");
}

#[tokio::test]
async fn a_resize_shows_once_it_is_done() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 0.3, ..unlimited() }).await;
    let path = sim.made(json!({})).await;
    sim.act(&path, "resize", json!({ "type": "g6-standard-2" })).await;
    let during = sim.get(&path).await.body;
    assert_eq!((&during["status"], &during["type"]), (&json!("migrating"), &json!("g6-nanode-1")));
    let done = sim.until(&path, |a| a.body["status"] == "running").await.body;
    assert_eq!((&done["type"], &done["specs"]["vcpus"]), (&json!("g6-standard-2"), &json!(2)));
    let disks = sim.get(&format!("{path}/disks")).await.body;
    assert_eq!(disks["data"][0]["size"], 81_920 - 512, "the disk grew too");
    let same = sim.post(&format!("{path}/resize"), json!({ "type": "g6-standard-2" })).await;
    assert!(same.reasons()[0].1.contains("already running"));
    let down = json!({ "type": "g6-nanode-1", "allow_auto_disk_resize": false });
    let refused = sim.post(&format!("{path}/resize"), down).await;
    assert!(refused.reasons()[0].1.contains("allocated more disk"));
}

#[tokio::test]
async fn a_rebuild_answers_with_the_linode() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let body = json!({ "image": "linode/rocky9", "root_pass": "thisIsYourRootPassword" });
    let answer = sim.post(&format!("{path}/rebuild"), body).await;
    assert_eq!(
        (&answer.body["status"], &answer.body["image"]),
        (&json!("rebuilding"), &json!("linode/rocky9"))
    );
    assert_eq!(sim.get(&path).await.body["status"], "running");
    let disks = sim.get(&format!("{path}/disks")).await.body;
    assert_eq!(disks["data"][0]["label"], "Rocky Linux 9 Disk");
    let refused = sim.post(&format!("{path}/rebuild"), json!({ "image": "linode/rocky9" })).await;
    assert!(refused.reasons()[0].1.contains("root_pass"));
}

#[tokio::test]
async fn backups_hold_one_snapshot_that_comes_back() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let backups = format!("{path}/backups");
    let refused = sim.post(&backups, json!({ "label": "early" })).await;
    assert!(refused.reasons()[0].1.contains("not enabled"));
    sim.act(&path, "backups/enable", json!({})).await;
    assert_eq!(sim.get(&path).await.body["backups"]["enabled"], true);

    let first = sim.post(&backups, json!({ "label": "first" })).await.body;
    assert_eq!((&first["status"], &first["type"]), (&json!("pending"), &json!("snapshot")));
    let second = sim.post(&backups, json!({ "label": "second" })).await.body;
    let listed = sim.get(&backups).await.body;
    assert_eq!(listed["snapshot"]["current"]["label"], "second", "the first was replaced");
    assert_eq!(listed["snapshot"]["current"]["status"], "successful");
    assert_eq!(listed["snapshot"]["in_progress"], Value::Null);
    assert_eq!(sim.get(&format!("{backups}/{}", first["id"])).await.status, 404);

    let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
    sim.act(
        &path,
        &format!("backups/{}/restore", second["id"]),
        json!({ "linode_id": id, "overwrite": true }),
    )
    .await;
    assert_eq!(sim.get(&path).await.body["status"], "offline");
    sim.act(&path, "backups/cancel", json!({})).await;
    assert_eq!(sim.get(&backups).await.body["snapshot"]["current"], Value::Null);
}

#[tokio::test]
async fn a_private_image_outlives_its_linode() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let disk = sim.get(&format!("{path}/disks")).await.body["data"][0]["id"].clone();
    let image =
        sim.post("/v4/images", json!({ "disk_id": disk, "label": "golden", "tags": ["webrana"] })).await.body;
    assert_eq!((&image["status"], &image["size"]), (&json!("creating"), &json!(1_800)));
    assert_eq!(sim.delete(&path).await.status, 200);

    let id = image["id"].as_str().unwrap();
    assert!(id.starts_with("private/"));
    let escaped = format!("/v4/images/{}", id.replace('/', "%2F"));
    assert_eq!(sim.get(&escaped).await.body["status"], "available");
    assert_eq!(sim.get(&format!("/v4/images/{id}")).await.body["label"], "golden");
    let copy = sim.made(json!({ "image": id })).await;
    assert_eq!(sim.get(&copy).await.body["image"], id);
    assert_eq!(sim.put(&escaped, json!({ "label": "silver" })).await.body["label"], "silver");
    assert_eq!(sim.delete(&escaped).await.status, 200);
    assert_eq!(sim.get(&escaped).await.status, 404);
}

#[tokio::test]
async fn what_happened_is_told_as_events() {
    let sim = Sim::start().await;
    let path = sim.made(json!({ "label": "eventful" })).await;
    let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
    sim.act(&path, "reboot", json!({})).await;
    let filter = json!({
        "entity.id": id, "entity.type": "linode", "action": "linode_reboot", "+order_by": "created", "+order": "desc",
    });
    let events = sim.filtered("/v4/account/events", filter).await.body;
    assert_eq!((&events["results"], &events["data"][0]["status"]), (&json!(1), &json!("finished")));
    let event = format!("/v4/account/events/{}", events["data"][0]["id"]);
    assert_eq!(sim.get(&event).await.body["entity"]["label"], "eventful");
    assert_eq!(sim.post(&format!("{event}/read"), json!({})).await.status, 200);
    assert_eq!(sim.get(&event).await.body["read"], true);
}

#[tokio::test]
async fn statistics_cover_a_day_and_a_month() {
    let sim = Sim::start().await;
    let path = sim.made(json!({})).await;
    let day = sim.get(&format!("{path}/stats")).await.body;
    for series in [&day["cpu"], &day["io"]["io"], &day["netv4"]["in"], &day["netv6"]["private_out"]] {
        assert_eq!(series.as_array().unwrap().len(), 288);
    }
    assert_eq!(day["data"]["cpu"], day["cpu"], "as documented, and as clients read it");
    assert!(day["cpu"][0][0].as_u64().unwrap() > 1_700_000_000_000, "milliseconds");
    let month = sim.get(&format!("{path}/stats/2026/1")).await.body;
    assert_eq!(month["cpu"].as_array().unwrap().len(), 31 * 12 + 1);
    assert_eq!(sim.get(&format!("{path}/stats/2036/1")).await.status, 400);
    assert_eq!(sim.get(&format!("{path}/transfer")).await.body["quota"], 1000);
}

#[tokio::test]
async fn disks_profiles_and_addresses_can_be_managed() {
    let sim = Sim::start().await;
    let path = sim
        .made(json!({ "type": "g6-standard-1", "private_ip": true, "booted": false, "swap_size": 0 }))
        .await;
    let disks = sim.get(&format!("{path}/disks")).await.body;
    let disk = format!("{path}/disks/{}", disks["data"][0]["id"]);
    assert_eq!(disks["results"], 1);
    assert_eq!(sim.post(&format!("{path}/disks"), json!({ "size": 512 })).await.status, 400, "no room");
    sim.act(&disk, "resize", json!({ "size": 40_000 })).await;
    let made = sim.post(&format!("{path}/disks"), json!({ "size": 512, "label": "data" })).await.body;
    assert_eq!((&made["status"], &made["label"]), (&json!("not ready"), &json!("data")));
    assert_eq!(sim.delete(&format!("{path}/disks/{}", made["id"])).await.status, 200);

    let config = json!({ "label": "spare", "devices": { "sda": { "disk_id": made["id"] } } });
    let config = sim.post(&format!("{path}/configs"), config).await.body;
    assert_eq!((&config["label"], &config["devices"]["sdh"]), (&json!("spare"), &Value::Null));
    assert_eq!(sim.delete(&format!("{path}/configs/{}", config["id"])).await.status, 200);

    let ips = sim.get(&format!("{path}/ips")).await.body;
    assert_eq!(ips["ipv4"]["private"].as_array().unwrap().len(), 1);
    let extra = sim.post(&format!("{path}/ips"), json!({ "type": "ipv4", "public": true })).await.body;
    let extra = format!("{path}/ips/{}", extra["address"].as_str().unwrap());
    assert_eq!(sim.put(&extra, json!({ "rdns": "web.example.com" })).await.body["rdns"], "web.example.com");
    assert_eq!(sim.delete(&extra).await.status, 200);
    assert_eq!(sim.get(&path).await.body["ipv4"].as_array().unwrap().len(), 2);
}
