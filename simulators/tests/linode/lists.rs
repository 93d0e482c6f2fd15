//! Pages, filters, tags and the catalog.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::{Sim, labels};

#[tokio::test]
async fn long_lists_come_in_pages() {
    let sim = Sim::start().await;
    for n in 0..60 {
        sim.made(json!({ "label": format!("web-{n}") })).await;
    }
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let answer = sim.get(&format!("/v4/linode/instances?page={page}&page_size=25")).await;
        assert_eq!((&answer.body["pages"], &answer.body["results"]), (&json!(3), &json!(60)));
        seen.extend(labels(&answer).into_iter().map(str::to_owned));
    }
    assert_eq!(seen.len(), 60);
    for bad in ["page_size=10", "page_size=501", "page=0"] {
        let refused = sim.get(&format!("/v4/linode/instances?{bad}")).await;
        assert_eq!(refused.status, 400, "{bad}");
        assert!(bad.starts_with(&refused.reasons()[0].0));
    }
}

#[tokio::test]
async fn lists_are_filtered_and_sorted() {
    let sim = Sim::start().await;
    for (label, tags) in
        [("web-a", json!(["webrana", "blue"])), ("web-b", json!(["webrana"])), ("db-a", json!([]))]
    {
        sim.made(json!({ "label": label, "tags": tags })).await;
    }
    let path = "/v4/linode/instances";
    for (filter, expected) in [
        (json!({ "tags": "webrana" }), vec!["web-a", "web-b"]),
        (json!({ "label": "db-a" }), vec!["db-a"]),
        (json!({ "label": { "+contains": "-a" } }), vec!["web-a", "db-a"]),
        (json!({ "+or": [{ "label": "db-a" }, { "tags": "blue" }] }), vec!["web-a", "db-a"]),
        (json!({ "+and": [{ "tags": "webrana" }, { "tags": "blue" }] }), vec!["web-a"]),
        (json!({ "tags": "webrana", "+order_by": "label", "+order": "desc" }), vec!["web-b", "web-a"]),
    ] {
        assert_eq!(labels(&sim.filtered(path, filter.clone()).await), expected, "{filter}");
    }
    let refused = sim.filtered(path, json!({ "foo": "bar" })).await;
    assert_eq!(refused.reasons(), [("X-Filter".to_owned(), "Cannot filter on foo".to_owned())]);
}

#[tokio::test]
async fn tags_are_those_in_use() {
    let sim = Sim::start().await;
    let one = sim.made(json!({ "label": "one", "tags": ["webrana"] })).await;
    sim.made(json!({ "label": "two" })).await;
    let id: u64 = one.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(sim.post("/v4/tags", json!({ "label": "green", "linodes": [id] })).await.status, 200);
    assert_eq!(labels(&sim.get("/v4/tags").await), ["green", "webrana"]);
    let tagged = sim.get("/v4/tags/green").await.body;
    assert_eq!(
        (&tagged["data"][0]["type"], &tagged["data"][0]["data"]["id"]),
        (&json!("linode"), &json!(id))
    );
    assert_eq!(sim.delete("/v4/tags/green").await.status, 200);
    assert_eq!(labels(&sim.get("/v4/tags").await), ["webrana"]);
    assert_eq!(sim.put(&one, json!({ "tags": ["red"], "label": "uno" })).await.body["tags"], json!(["red"]));
}

#[tokio::test]
async fn the_catalog_is_public_and_has_real_names() {
    let sim = Sim::start().await;
    for (path, id) in [
        ("/v4/regions", "id-cgk"),
        ("/v4/linode/types", "g6-nanode-1"),
        ("/v4/images", "linode/ubuntu24.04"),
        ("/v4/linode/kernels", "linode/latest-64bit"),
    ] {
        let url = format!("{}{path}", sim.handle.url());
        let anonymous = sim.client.get(url).send().await.unwrap();
        assert_eq!(anonymous.status(), 200, "{path}");
        let list: serde_json::Value = anonymous.json().await.unwrap();
        assert!(list["data"].as_array().unwrap().iter().any(|item| item["id"] == id), "{path}");
        let escaped = format!("{path}/{}", id.replace('/', "%2F"));
        for one in [format!("{path}/{id}"), escaped, format!("{path}/{id}").replace("/v4/", "/v4beta/")] {
            assert_eq!(sim.get(&one).await.body["id"], id, "{one}");
        }
        assert_eq!(sim.get(&format!("{path}/atlantis")).await.status, 404, "{path}");
    }
    let nanode = sim.get("/v4/linode/types/g6-nanode-1").await.body;
    assert_eq!(nanode["price"], json!({ "hourly": 0.0075, "monthly": 5.0 }));
    assert_eq!(nanode["region_prices"][0], json!({ "id": "id-cgk", "hourly": 0.009, "monthly": 6.0 }));
    let available = sim.get("/v4/regions/id-cgk/availability").await.body;
    assert!(available.as_array().unwrap().iter().all(|entry| entry["available"] == true));
}

#[tokio::test]
async fn the_account_is_there_with_its_keys() {
    let sim = Sim::start().await;
    assert_eq!(sim.get("/v4/account").await.body["country"], "ID");
    let user = sim.get("/v4/profile").await.body["username"].clone();
    let key = json!({ "label": "laptop", "ssh_key": "ssh-ed25519 AAAA andi@laptop" });
    let key = sim.post("/v4/profile/sshkeys", key).await.body;
    let path = format!("/v4/profile/sshkeys/{}", key["id"]);
    assert_eq!(sim.put(&path, json!({ "label": "desk" })).await.body["label"], "desk");
    let refused = sim.post("/v4/profile/sshkeys", json!({ "label": "x", "ssh_key": "hello" })).await;
    assert!(refused.reasons()[0].1.contains("key-type must be one of"));
    let linode = sim.create(json!({ "root_pass": null, "authorized_users": [user] })).await;
    assert_eq!(linode.status, 200, "a user's keys let in without a password");
    assert_eq!(sim.delete(&path).await.status, 200);
    assert_eq!(sim.get(&path).await.status, 404);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_in_the_vendors_envelope() {
    let sim = Sim::start().await;
    let unknown = sim.get("/v4/linode/nonsense").await;
    assert_eq!((unknown.status, &unknown.reasons()[0].1[..]), (404, "Not found"));
    let method = sim.call(Method::PATCH, "/v4/linode/types", None, None).await.unwrap();
    assert_eq!((method.status, &method.reasons()[0].1[..]), (405, "Method Not Allowed"));
}
