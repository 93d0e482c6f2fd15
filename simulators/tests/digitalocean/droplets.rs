//! Creating, reading, listing and deleting droplets, and the account around them.

use reqwest::Method;
use serde_json::json;
use simulators::provider::Settings;

use crate::sim::{Sim, unlimited};

#[tokio::test]
async fn a_droplet_is_born_locked_and_grows_up() {
    let sim = Sim::start().await;
    let change =
        json!({ "tags": ["webrana", "env:prod"], "ipv6": true, "monitoring": true, "ssh_keys": null });
    let born = sim.create(change).await;
    assert_eq!(born.status, 202);
    let droplet = &born.body["droplet"];
    assert_eq!((&droplet["status"], &droplet["locked"]), (&json!("new"), &json!(true)));
    assert_eq!(droplet["networks"], json!({ "v4": [], "v6": [] }));
    for required in [
        "id",
        "name",
        "memory",
        "vcpus",
        "disk",
        "created_at",
        "features",
        "backup_ids",
        "next_backup_window",
        "snapshot_ids",
        "image",
        "volume_ids",
        "size",
        "size_slug",
        "region",
        "tags",
    ] {
        assert!(droplet.get(required).is_some(), "{required}");
    }
    let action = &born.body["links"]["actions"][0];
    let id = action["id"].as_u64().unwrap();
    assert_eq!(action["href"], format!("{}/v2/actions/{id}", sim.handle.url()));
    assert_eq!(sim.get(&format!("/v2/actions/{id}")).await.body["action"]["status"], "completed");

    let path = format!("/v2/droplets/{}", droplet["id"]);
    let grown = sim.get(&path).await.body["droplet"].clone();
    assert_eq!((&grown["status"], &grown["locked"]), (&json!("active"), &json!(false)));
    assert_eq!(grown["features"], json!(["private_networking", "ipv6", "monitoring"]));
    let kinds: Vec<_> = grown["networks"]["v4"].as_array().unwrap().iter().map(|n| &n["type"]).collect();
    assert_eq!(kinds, ["private", "public"]);
    assert_eq!(grown["networks"]["v6"].as_array().unwrap().len(), 1);

    assert_eq!(sim.delete(&path).await.status, 204);
    let gone = sim.get(&path).await;
    assert_eq!((gone.status, &gone.body["id"]), (404, &json!("not_found")));
    assert_eq!(sim.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_boot_takes_its_time() {
    let sim = Sim::with(Settings { boot_seconds: 1.0, ..unlimited() }).await;
    let path = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let young = sim.get(&path).await.body["droplet"].clone();
    assert_eq!((&young["status"], &young["locked"]), (&json!("new"), &json!(true)));
    sim.until(&path, |a| a.body["droplet"]["status"] == "active").await;
}

#[tokio::test]
async fn several_names_make_several_droplets() {
    let sim = Sim::start().await;
    let body = json!({ "names": ["a", "b"], "region": "nyc", "size": "c-2", "image": 195_412_640 });
    let answer = sim.post("/v2/droplets", body).await;
    let names: Vec<_> =
        answer.body["droplets"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(answer.body["droplets"][0]["region"]["slug"], "nyc1");
    assert_eq!(answer.body["droplets"][0]["image"]["slug"], "debian-12-x64");
    assert_eq!(answer.body["links"]["actions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nonsense_is_refused_in_the_vendors_words() {
    let sim = Sim::start().await;
    let long = "x".repeat(64 * 1024 + 1);
    for (change, words) in [
        (json!({ "name": null }), "Name can't be blank"),
        (json!({ "name": "web_1" }), "Only valid hostname characters"),
        (
            json!({ "name": null, "names": (0..11).map(|n| format!("w{n}")).collect::<Vec<_>>() }),
            "at most 10",
        ),
        (json!({ "size": "huge" }), "invalid size"),
        (json!({ "image": "templeos" }), "You specified an invalid image for Droplet creation."),
        (json!({ "image": null }), "invalid image"),
        (json!({ "region": "mars1" }), "Region is not available"),
        (json!({ "region": "ams2" }), "Region is not available"),
        (json!({ "region": "syd1", "size": "g-2vcpu-8gb" }), "Size is not available in this region."),
        (json!({ "ssh_keys": [1, "aa:bb"] }), "1, \"aa:bb\" are invalid key identifiers"),
        (json!({ "user_data": long }), "64 KiB"),
        (json!({ "tags": ["no spaces"] }), "Tag name"),
        (json!({ "public_networking": false, "ipv6": true }), "IPv6"),
        (json!({ "volumes": ["506f78a4-e098-11e5-ad9f-000f53306ae1"] }), "volume"),
    ] {
        let answer = sim.create(change.clone()).await;
        assert_eq!((answer.status, &answer.body["id"]), (422, &json!("unprocessable_entity")), "{change}");
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
    }
    assert_eq!(sim.post("/v2/droplets", json!({ "name": 1 })).await.status, 400);
    assert_eq!(sim.get("/__sim/counters").await.body["resources"]["droplets"], 0);
}

#[tokio::test]
async fn strangers_and_wrong_paths_get_the_envelope() {
    let mut sim = Sim::start().await;
    assert_eq!(sim.get("/v2/volumes").await.body["id"], "not_found");
    assert_eq!(sim.call(Method::PATCH, "/v2/droplets", None).await.unwrap().body["id"], "method_not_allowed");
    sim.token = "wrong".to_owned();
    let refused = sim.get("/v2/droplets").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.body, json!({ "id": "unauthorized", "message": "Unable to authenticate you." }));
    assert!(refused.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let sim = Sim::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let tag = if n == 0 { "odd-one" } else { "fleet" };
        ids.push(sim.made(json!({ "name": format!("web-{n}"), "tags": [tag] })).await);
    }
    ids.reverse();
    let first = sim.get("/v2/droplets?per_page=2&tag_name=fleet").await.body;
    assert_eq!(first["meta"]["total"], 4);
    let next = first["links"]["pages"]["next"].as_str().unwrap();
    assert!(first["links"]["pages"].get("prev").is_none());
    let second = sim.listed(next.split_once("/v2/droplets").unwrap().1).await;
    assert_eq!(second, ids[2..4]);

    assert_eq!(sim.listed("?tag_name=odd-one").await, ids[4..]);
    assert_eq!(sim.listed("?tag_name=none").await, [0; 0]);
    assert_eq!(sim.listed("?name=WEB-0").await, ids[4..]);
    assert_eq!(sim.listed("?type=gpus").await, [0; 0]);
    assert_eq!(sim.get("/v2/droplets?name=a&tag_name=b").await.status, 422);

    assert_eq!(sim.delete("/v2/droplets?tag_name=fleet").await.status, 204);
    assert_eq!(sim.listed("").await, ids[4..]);
    assert_eq!(sim.delete("/v2/droplets").await.status, 400);
}

#[tokio::test]
async fn the_account_has_keys_limits_and_a_catalog() {
    let sim = Sim::start().await;
    let public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test";
    let key = sim.post("/v2/account/keys", json!({ "name": "laptop", "public_key": public_key })).await;
    assert_eq!(key.status, 201);
    let (id, print) = (key.body["ssh_key"]["id"].clone(), key.body["ssh_key"]["fingerprint"].clone());
    assert_eq!(
        sim.get(&format!("/v2/account/keys/{}", print.as_str().unwrap())).await.body["ssh_key"]["id"],
        id
    );
    assert_eq!(sim.create(json!({ "ssh_keys": [id, print] })).await.status, 202);
    let again = sim.post("/v2/account/keys", json!({ "name": "x", "public_key": public_key })).await;
    assert_eq!(again.body["message"], "SSH Key is already in use on your account");
    assert_eq!(sim.post("/v2/account/keys", json!({ "name": "x", "public_key": "hello" })).await.status, 422);

    sim.post("/__sim/config", json!({ "account_limit": 1 })).await;
    assert_eq!(sim.get("/v2/account").await.body["account"]["droplet_limit"], 1);
    let refused = sim.create(json!({})).await;
    assert_eq!(refused.body["message"], "creating this/these droplet(s) will exceed your droplet limit");
    sim.post("/__sim/config", json!({ "account_limit": null })).await;
    assert_eq!(sim.create(json!({})).await.status, 202);

    assert_eq!(sim.get("/v2/regions").await.body["regions"][0]["slug"], "sgp1");
    let sizes = sim.get("/v2/sizes?per_page=200").await.body;
    let sgp1 = json!("sgp1");
    assert!(
        sizes["sizes"].as_array().unwrap().iter().all(|s| s["regions"].as_array().unwrap().contains(&sgp1))
    );
    assert_eq!(sim.get("/v2/images?type=application").await.body["images"], json!([]));
    assert_eq!(sim.get("/v2/images/debian-12-x64").await.body["image"]["distribution"], "Debian");
}
