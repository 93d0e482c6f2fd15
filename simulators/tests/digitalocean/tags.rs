//! Tags and what carries them.

use reqwest::Method;
use serde_json::json;

use crate::sim::Sim;

#[tokio::test]
async fn tags_come_with_droplets_and_outlive_them() {
    let sim = Sim::start().await;
    let id = sim.made(json!({ "tags": ["env:prod", "web"] })).await;
    let tags = sim.get("/v2/tags").await.body;
    assert_eq!((&tags["meta"]["total"], &tags["tags"][0]["name"]), (&json!(2), &json!("env:prod")));
    let tag = sim.get("/v2/tags/env:prod").await.body["tag"].clone();
    assert_eq!(tag["resources"]["droplets"]["count"], 1);
    let last = tag["resources"]["last_tagged_uri"].as_str().unwrap();
    assert!(last.ends_with(&format!("/v2/droplets/{id}")), "{last}");
    sim.delete(&format!("/v2/droplets/{id}")).await;
    let bare = sim.get("/v2/tags/web").await.body["tag"]["resources"].clone();
    assert_eq!((&bare["count"], bare.get("last_tagged_uri")), (&json!(0), None));
}

#[tokio::test]
async fn things_are_tagged_and_untagged() {
    let sim = Sim::start().await;
    let id = sim.made(json!({})).await;
    sim.act(id, json!({ "type": "snapshot", "name": "s" })).await;
    let image = sim.droplet(id).await["snapshot_ids"][0].clone();
    let created = sim.post("/v2/tags", json!({ "name": "awesome" })).await;
    assert_eq!((created.status, &created.body["tag"]["resources"]["count"]), (201, &json!(0)));

    let resources = json!({ "resources": [
        { "resource_id": id.to_string(), "resource_type": "droplet" },
        { "resource_id": image.to_string(), "resource_type": "image" },
    ] });
    let path = "/v2/tags/awesome/resources";
    for _ in 0..2 {
        assert_eq!(sim.post(path, resources.clone()).await.status, 204);
    }
    assert_eq!(sim.droplet(id).await["tags"], json!(["awesome"]));
    assert_eq!(sim.listed("?tag_name=awesome").await, [id]);
    assert_eq!(sim.get("/v2/images?tag_name=awesome").await.body["images"][0]["id"], image);
    assert_eq!(sim.get("/v2/tags/awesome").await.body["tag"]["resources"]["count"], 2);
    assert_eq!(sim.call(Method::DELETE, path, Some(resources)).await.unwrap().status, 204);
    assert_eq!(sim.listed("?tag_name=awesome").await, [0; 0]);

    let droplet = json!({ "resources": [{ "resource_id": id.to_string(), "resource_type": "droplet" }] });
    sim.post(path, droplet).await;
    assert_eq!(sim.delete("/v2/tags/awesome").await.status, 204);
    assert_eq!(sim.droplet(id).await["tags"], json!([]));
    assert_eq!(sim.delete("/v2/tags/awesome").await.status, 404);
}

#[tokio::test]
async fn bad_tags_are_refused() {
    let sim = Sim::start().await;
    let refused = sim.post("/v2/tags", json!({ "name": "no spaces" })).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body["error"].as_str().unwrap().contains("invalid characters"));
    assert_eq!(refused.body["root_causes"].as_array().unwrap().len(), 1);

    sim.post("/v2/tags", json!({ "name": "t" })).await;
    let with = |kind: &str, id: &str| json!({ "resources": [{ "resource_id": id, "resource_type": kind }] });
    for (body, status) in
        [(with("droplet", "1"), 404), (with("volume", "1"), 404), (with("ship", "1"), 422), (json!({}), 400)]
    {
        assert_eq!(sim.post("/v2/tags/t/resources", body).await.status, status);
    }
    assert_eq!(sim.post("/v2/tags/unknown/resources", with("droplet", "1")).await.status, 404);
}
