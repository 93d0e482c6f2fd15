//! What an owner changes about a server, at every provider that can: another image, snapshots; and what it is told first.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::instance::Capability;
use futures::future::join_all;
use serde_json::{Value, json};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    owner::Owner,
    stack,
};

/// The providers that can do it. There is no test without one.
fn clouds_with(capability: Capability) -> Vec<Cloud> {
    let able: Vec<Cloud> =
        Cloud::all().filter(|cloud| cloud.vendor().capabilities.contains(&capability)).collect();
    assert!(!able.is_empty(), "no provider can do {capability}");
    able
}

#[tokio::test]
async fn a_server_is_built_anew_from_another_image_and_keeps_its_address() {
    let system = stack::shared().await;
    join_all(clouds_with(Capability::Rebuild).into_iter().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        let before = owner.now().await;
        owner.does(json!({ "action": "rebuild", "params": { "image": "debian-12" } })).await;
        owner.is_powered("ON").await;
        let after = owner.now().await;
        assert_eq!((&after["ipv4"], &after["id"]), (&before["ipv4"], &before["id"]), "{}", cloud.slug());
        assert_eq!((&before["image"], &after["image"]), (&json!("ubuntu-24-04"), &json!("debian-12")));
        assert_eq!(owner.at_provider().await, 1);
    }))
    .await;
}

#[tokio::test]
async fn a_snapshot_is_taken_put_back_and_deleted() {
    let system = stack::shared().await;
    join_all(clouds_with(Capability::Snapshot).into_iter().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        let listed = || snapshots(&owner);
        assert_eq!(listed().await, Vec::<Value>::new());
        if cloud.vendor().capabilities.contains(&Capability::EnableBackups) {
            // Where snapshots need backups to be on.
            owner.does(json!({ "action": "enable_backups" })).await;
        }
        let taken = owner.does(json!({ "action": "snapshot", "params": { "name": "before" } })).await;
        let snapshot = &taken["result"]["snapshot_id"];
        assert_eq!(listed().await, [snapshot.clone()], "{}", cloud.slug());
        owner.does(json!({ "action": "restore", "params": { "snapshot_id": snapshot } })).await;
        assert_eq!(listed().await, [snapshot.clone()], "it stays");
        let gone = json!({ "action": "delete_snapshot", "params": { "snapshot_id": snapshot } });
        owner.does(gone.clone()).await;
        assert_eq!(listed().await, Vec::<Value>::new());
        let again = owner.customer.post(&owner.path("/actions"), &gone).await;
        again.expect_problem(422, "snapshot_unknown");
    }))
    .await;
}

async fn snapshots(owner: &Owner<'_>) -> Vec<Value> {
    let listed = owner.customer.get(&owner.path("/snapshots")).await.expect(200);
    listed["data"].as_array().expect("snapshots").iter().map(|snapshot| snapshot["id"].clone()).collect()
}

#[tokio::test]
async fn user_data_as_long_as_a_provider_takes_reaches_the_server_whole() {
    let system = stack::shared().await;
    join_all(Cloud::all().map(|cloud| async move {
        let customer = Customer::register(system).await;
        let mut wish = customer.good_order_at(cloud).await;
        let most = cloud.vendor().first_boot_bytes - domain::user_data::OURS;
        let script = |length: usize| format!("#!{}", "x".repeat(length - 2));
        wish["user_data"] = json!(script(most + 1));
        let refused = customer.post("/orders", &wish).await.expect_problem(422, "user_data_too_long");
        let told = refused["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(told.contains("1 bytes too long") && told.contains(&most.to_string()), "{told}");
        wish["user_data"] = json!(script(most));
        let owner = Owner::buying(customer, cloud, &wish).await;
        let kept = owner.simulated().await["user_data"].as_str().expect("user data").to_owned();
        let kept = match STANDARD.decode(&kept) {
            Ok(text) => String::from_utf8(text).expect("a text"),
            Err(_) => kept,
        };
        assert!(kept.contains(&script(most)), "{}: {} bytes", cloud.slug(), kept.len());
    }))
    .await;
}
