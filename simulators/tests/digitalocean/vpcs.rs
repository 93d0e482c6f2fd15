//! Private networks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::sim::Sim;

impl Sim {
    async fn vpc(&self, name: &str) -> Value {
        let made = self.post("/v2/vpcs", json!({ "name": name, "region": "sgp1" })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["vpc"].clone()
    }
}

fn path(vpc: &Value) -> String {
    format!("/v2/vpcs/{}", vpc["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_droplet_joins_the_network_it_names_or_its_regions_default() {
    let sim = Sim::start().await;
    let (one, two) = (sim.made(json!({})).await, sim.made(json!({ "vpc_uuid": "" })).await);
    let default = sim.droplet(one).await["vpc_uuid"].clone();
    assert_eq!(sim.droplet(two).await["vpc_uuid"], default);
    let own = sim.vpc("own").await;
    assert_eq!((&own["default"], &own["region"]), (&json!(false), &json!("sgp1")));
    let three = sim.made(json!({ "vpc_uuid": own["id"] })).await;
    assert_eq!(sim.droplet(three).await["vpc_uuid"], own["id"]);
    let members = sim.get(&format!("{}/members", path(&own))).await.body["members"].clone();
    assert_eq!((members.as_array().unwrap().len(), &members[0]["name"]), (1, &json!("web-1")));
    let nowhere = "760e09ef-dc84-11e8-981e-3cfdfeaae000";
    assert_eq!(sim.create(json!({ "vpc_uuid": nowhere })).await.status, 404);
    let elsewhere = sim.create(json!({ "vpc_uuid": own["id"], "region": "nyc3" })).await;
    assert_eq!(elsewhere.status, 422);
}

#[tokio::test]
async fn names_are_unique_and_plain() {
    let sim = Sim::start().await;
    sim.vpc("wb-1.sgp1").await;
    for name in ["wb-1.sgp1", "a_b", "a b", ""] {
        let refused = sim.post("/v2/vpcs", json!({ "name": name, "region": "sgp1" })).await;
        assert_eq!((refused.status, &refused.body["id"]), (422, &json!("unprocessable_entity")), "{name}");
    }
    assert_eq!(sim.post("/v2/vpcs", json!({ "name": "b", "region": "mars" })).await.status, 422);
    let listed = sim.get("/v2/vpcs?per_page=1").await.body;
    assert_eq!((&listed["meta"]["total"], &listed["vpcs"][0]["name"]), (&json!(1), &json!("wb-1.sgp1")));
}

#[tokio::test]
async fn only_an_empty_network_that_is_not_the_default_is_deleted() {
    let sim = Sim::start().await;
    let (first, second) = (sim.vpc("first").await, sim.vpc("second").await);
    assert_eq!((&first["default"], &second["default"]), (&json!(true), &json!(false)));
    assert_ne!(first["ip_range"], second["ip_range"]);
    let refused = sim.delete(&path(&first)).await;
    assert_eq!((refused.status, &refused.body["message"]), (403, &json!("Can not delete default VPCs")));

    let inside = sim.made(json!({ "vpc_uuid": second["id"] })).await;
    let refused = sim.delete(&path(&second)).await;
    assert_eq!((refused.status, &refused.body["message"]), (409, &json!("Can not delete VPC with members")));
    sim.delete(&format!("/v2/droplets/{inside}")).await;

    let relieved = sim.call(Method::PATCH, &path(&second), Some(json!({ "default": true }))).await.unwrap();
    assert_eq!(relieved.body["vpc"]["default"], true);
    assert_eq!(sim.get(&path(&first)).await.body["vpc"]["default"], false);
    assert_eq!(sim.delete(&path(&first)).await.status, 204);
    assert_eq!(sim.get(&path(&first)).await.status, 404);
}
