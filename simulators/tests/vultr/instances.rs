//! Creating, listing, reading, deleting.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::{Sim, axes, unlimited};

#[tokio::test]
async fn an_instance_is_born_pending_and_grows_up() {
    let sim = Sim::with(Settings { boot_seconds: 3.0, ..unlimited() }).await;
    let change = json!({
        "label": "wb-1", "tags": ["webrana", "wb-1"], "enable_ipv6": true, "backups": "disabled",
        "user_data": "I2Nsb3VkLWNvbmZpZwo=", "block_devices": null, "sshkey_id": null,
    });
    let born = sim.create(change).await;
    assert_eq!(born.status, 202);
    let instance = &born.body["instance"];
    assert_eq!(axes(instance), ["pending", "running", "none"]);
    assert_eq!(
        (&instance["main_ip"], &instance["kvm"], &instance["disk"]),
        (&json!("0.0.0.0"), &json!(""), &json!(0))
    );
    assert_eq!(instance["default_password"].as_str().unwrap().len(), 16);
    assert_eq!((&instance["tag"], &instance["tags"]), (&json!("webrana"), &json!(["webrana", "wb-1"])));
    assert_eq!((&instance["os"], &instance["plan"]), (&json!("Ubuntu 24.04 LTS x64"), &json!("vc2-1c-1gb")));

    let path = format!("/v2/instances/{}", instance["id"].as_str().unwrap());
    let early = sim.call(reqwest::Method::DELETE, &path, None).await.unwrap();
    assert!(early.refusal(500).contains("This subscription is not currently active, you cannot destroy it."));

    sim.until(&path, |a| axes(&a.body["instance"]) == ["active", "running", "installingbooting"]).await;
    let grown = sim.until(&path, |a| axes(&a.body["instance"]) == ["active", "running", "ok"]).await;
    let grown = &grown.body["instance"];
    assert!(grown["main_ip"].as_str().unwrap().starts_with("198."));
    assert!(grown["v6_main_ip"].as_str().unwrap().starts_with("2001:db8:"));
    assert_eq!(
        (&grown["v6_network_size"], &grown["v6_networks"][0]["main_ip"]),
        (&json!(64), &grown["v6_main_ip"])
    );
    assert_eq!((&grown["features"], &grown["disk"]), (&json!(["ipv6"]), &json!(25)));
    assert!(grown["kvm"].as_str().unwrap().starts_with("https://"));
    assert_eq!(sim.get(&format!("{path}/user-data")).await.body["user_data"]["data"], "I2Nsb3VkLWNvbmZpZwo=");

    assert_eq!(sim.delete(&path).await.status, 204);
    assert_eq!(sim.get(&path).await.refusal(404), "instance not found");
    assert_eq!(sim.delete(&path).await.status, 404);
    assert_eq!(sim.listed("").await, [""; 0]);
}

#[tokio::test]
async fn an_instance_has_every_field_of_the_vendors_document() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    let instance = sim.get("/v2/instances?show_pending_charges=true").await.body["instances"][0].clone();
    let fields: BTreeSet<_> = instance.as_object().unwrap().keys().map(String::as_str).collect();
    // All but `default_password`, which only the answer to a create tells.
    #[rustfmt::skip]
    let documented = [
        "id", "os", "ram", "disk", "main_ip", "vcpu_count", "region", "date_created", "status",
        "power_status", "server_status", "allowed_bandwidth", "netmask_v4", "gateway_v4", "v6_networks", "hostname",
        "label", "tag", "internal_ip", "vpc_only", "vpcs", "kvm", "os_id", "app_id", "image_id", "snapshot_id",
        "firewall_group_id", "features", "plan", "tags", "user_scheme", "v6_network", "v6_main_ip",
        "v6_network_size", "pending_charges",
    ];
    assert_eq!(fields, documented.into());
    assert_eq!(instance["id"], json!(id));
    assert!(instance["date_created"].as_str().unwrap().ends_with("+00:00"));
}

#[tokio::test]
async fn nonsense_is_refused_in_the_vendors_words() {
    let sim = Sim::start().await;
    let nobody = "cb676a46-66fd-4dfb-b839-443f2e6c0b60";
    for (change, words) in [
        (json!({ "region": null }), "Invalid location chosen."),
        (json!({ "region": "mars" }), "Invalid location chosen."),
        (json!({ "plan": "huge" }), "Invalid plan chosen."),
        (json!({ "plan": null }), "Invalid plan chosen."),
        (json!({ "os_id": 1 }), "Invalid operating system chosen."),
        (json!({ "os_id": "templeos" }), "Invalid operating system chosen."),
        (json!({ "os_id": null }), "Exactly one of os_id"),
        (json!({ "app_id": 37 }), "Exactly one of os_id"),
        (json!({ "os_id": null, "image_id": "templeos" }), "Invalid application image"),
        (json!({ "os_id": null, "snapshot_id": nobody }), "Invalid snapshot"),
        (json!({ "os_id": null, "iso_id": nobody }), "Invalid iso_id"),
        (json!({ "plan": "vc2-1c-0.5gb" }), "Plan is not available in the selected datacenter."),
        (json!({ "sshkey_id": [nobody] }), "Invalid SSH key"),
        (json!({ "script_id": nobody }), "Invalid script_id"),
        (json!({ "hostname": "no_host" }), "Invalid hostname."),
        (json!({ "user_data": "#cloud-config" }), "base64"),
        (json!({ "user_data": "QUFB".repeat(30_000) }), "too large"),
        (json!({ "backups": true }), "Invalid request: invalid type"),
        (json!({ "backups": "daily" }), "Invalid backups"),
        (json!({ "user_scheme": "admin" }), "Invalid user_scheme"),
        (json!({ "tags": "webrana" }), "Invalid request: invalid type"),
        (json!({ "attach_vpc": [nobody] }), "Invalid attach_vpc"),
    ] {
        let refused = sim.create(change.clone()).await;
        assert!(refused.refusal(400).contains(words), "{change}: {}", refused.body);
    }
    assert_eq!(sim.get("/__sim/counters").await.body["resources"]["instances"], 0);
}

#[tokio::test]
async fn lists_are_paged_by_cursor_and_filtered() {
    let sim = Sim::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let tags = if n == 0 { json!(["odd one"]) } else { json!(["fleet", format!("wb-{n}")]) };
        let region = if n == 4 { "nrt" } else { "sgp" };
        let change = json!({ "label": format!("web-{n}"), "hostname": format!("web-{n}"), "region": region, "tags": tags });
        ids.push(sim.made(change).await);
    }
    let cursor =
        |page: &Value, which: &str| page["meta"]["links"][which].as_str().unwrap().replace('=', "%3D");
    let first = sim.get("/v2/instances?per_page=2&tag=fleet").await.body;
    assert_eq!((&first["meta"]["total"], cursor(&first, "prev")), (&json!(4), String::new()));
    let query = format!("?per_page=2&tag=fleet&cursor={}", cursor(&first, "next"));
    assert_eq!(sim.listed(&query).await, ids[3..5]);
    let last = sim.get(&format!("/v2/instances{query}")).await.body;
    assert_eq!(cursor(&last, "next"), "");
    let back = format!("?per_page=2&tag=fleet&cursor={}", cursor(&last, "prev"));
    assert_eq!(sim.listed(&back).await, ids[1..3]);

    assert_eq!(sim.listed("?tag=odd%20one").await, ids[..1]);
    assert_eq!(sim.listed("?label=web-3").await, ids[3..4]);
    assert_eq!(sim.listed("?hostname=web-2").await, ids[2..3]);
    assert_eq!(sim.listed("?region=nrt").await, ids[4..]);
    let ip = sim.instance(&ids[1]).await["main_ip"].as_str().unwrap().to_owned();
    assert_eq!(sim.listed(&format!("?main_ip={ip}")).await, ids[1..2]);
    assert_eq!(sim.listed("?tag=none").await, [""; 0]);
    for bad in ["per_page=501", "per_page=0", "cursor=nonsense"] {
        sim.get(&format!("/v2/instances?{bad}")).await.refusal(400);
    }
}

#[tokio::test]
async fn labels_may_come_twice() {
    let sim = Sim::start().await;
    let (one, two) = (sim.made(json!({ "label": "same" })).await, sim.made(json!({ "label": "same" })).await);
    assert_eq!(sim.listed("?label=same").await, [one, two]);
}

#[tokio::test]
async fn strangers_and_wrong_paths_get_the_envelope() {
    let mut sim = Sim::start().await;
    sim.get("/v2/dns").await.refusal(404);
    sim.call(reqwest::Method::PUT, "/v2/instances", None).await.unwrap().refusal(405);
    sim.token = "wrong".to_owned();
    assert_eq!(sim.get("/v2/instances").await.body, json!({ "error": "Invalid API token.", "status": 401 }));
    assert_eq!(sim.get("/v2/plans").await.status, 200, "the catalog is for everybody");
}
