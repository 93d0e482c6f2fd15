//! Account, keys, scripts and the catalog.

use serde_json::json;

use crate::Sim;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test";

#[tokio::test]
async fn keys_are_kept_and_put_on_instances() {
    let sim = Sim::start().await;
    let made = sim.post("/v2/ssh-keys", json!({ "name": "laptop", "ssh_key": KEY })).await;
    assert_eq!(made.status, 201);
    let id = made.body["ssh_key"]["id"].as_str().unwrap();
    assert_eq!(sim.create(json!({ "sshkey_id": [id] })).await.status, 202);
    let path = format!("/v2/ssh-keys/{id}");
    assert_eq!(sim.patch(&path, json!({ "name": "desktop" })).await.status, 204);
    assert_eq!(sim.get(&path).await.body["ssh_key"]["name"], "desktop");
    assert_eq!(sim.get("/v2/ssh-keys").await.body["meta"]["total"], 1);
    assert_eq!(sim.delete(&path).await.status, 204);
    sim.get(&path).await.refusal(404);
    for bad in [json!({ "name": "x", "ssh_key": "hello" }), json!({ "ssh_key": KEY }), json!({ "name": "x" })]
    {
        sim.post("/v2/ssh-keys", bad).await.refusal(400);
    }
}

#[tokio::test]
async fn scripts_are_kept_and_put_on_instances() {
    let sim = Sim::start().await;
    let script = json!({ "name": "hello", "script": "IyEvYmluL3NoCg==" });
    let made = sim.post("/v2/startup-scripts", script).await;
    assert_eq!((made.status, &made.body["startup_script"]["type"]), (201, &json!("boot")));
    let id = made.body["startup_script"]["id"].as_str().unwrap();
    assert_eq!(sim.create(json!({ "script_id": id })).await.status, 202);
    let path = format!("/v2/startup-scripts/{id}");
    assert_eq!(sim.patch(&path, json!({ "type": "pxe" })).await.status, 204);
    assert_eq!(sim.get(&path).await.body["startup_script"]["type"], "pxe");
    sim.patch(&path, json!({ "script": "plain text" })).await.refusal(400);
    assert_eq!(sim.delete(&path).await.status, 204);
    assert_eq!(sim.get("/v2/startup-scripts").await.body["startup_scripts"], json!([]));
}

#[tokio::test]
async fn the_catalog_has_the_vendors_names() {
    let sim = Sim::start().await;
    let regions = sim.get("/v2/regions").await.body;
    assert_eq!(
        (&regions["regions"][0]["id"], &regions["regions"][0]["country"]),
        (&json!("sgp"), &json!("SG"))
    );
    let plans = sim.get("/v2/plans?per_page=500&type=vc2").await.body["plans"].as_array().unwrap().clone();
    assert!(plans.iter().all(|plan| plan["type"] == "vc2"));
    let small = plans.iter().find(|plan| plan["id"] == "vc2-1c-1gb").unwrap();
    assert_eq!((&small["ram"], &small["monthly_cost"]), (&json!(1024), &json!(5.0)));
    assert!(small["locations"].as_array().unwrap().contains(&json!("sgp")));
    let systems = sim.get("/v2/os").await.body["os"].as_array().unwrap().clone();
    assert!(systems.iter().any(|os| os["id"] == 2284 && os["family"] == "ubuntu"));

    let here = sim.get("/v2/regions/sgp/availability").await.body["available_plans"].clone();
    let here = here.as_array().unwrap();
    assert!(here.contains(&json!("vc2-1c-1gb")) && !here.contains(&json!("vc2-1c-0.5gb")));
    sim.get("/v2/regions/mars/availability").await.refusal(404);
    assert_eq!(sim.get("/v2/account").await.body["account"]["email"], "owner@example.com");
    for (path, key) in
        [("bare-metals", "bare_metals"), ("private-networks", "networks"), ("backups", "backups")]
    {
        assert_eq!(sim.get(&format!("/v2/{path}")).await.body[key], json!([]));
    }
}

#[tokio::test]
async fn the_account_has_its_limit() {
    let sim = Sim::start().await;
    sim.post("/__sim/config", json!({ "account_limit": 1 })).await;
    assert_eq!(sim.create(json!({})).await.status, 202);
    assert!(sim.create(json!({})).await.refusal(400).contains("maximum number of active virtual machines"));
    sim.post("/__sim/config", json!({ "account_limit": null })).await;
    assert_eq!(sim.create(json!({})).await.status, 202);
}
