//! What an owner changes about a server, at every provider that can: another plan up and down, another image, snapshots.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::instance::Capability;
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    owner::Owner,
    stack::{self, Options, Stack},
    wait_until::until,
};

/// The providers that can do it. There is no test without one.
fn clouds_with(capability: Capability) -> Vec<Cloud> {
    let able: Vec<Cloud> =
        Cloud::all().filter(|cloud| cloud.vendor().capabilities.contains(&capability)).collect();
    assert!(!able.is_empty(), "no provider can do {capability}");
    able
}

/// The plans of a provider that the server's region has, the cheapest first.
async fn plans(owner: &Owner<'_>) -> Vec<Value> {
    let region = owner.now().await["region"].clone();
    let listed = owner.customer.get(&format!("/plans?provider={}", owner.cloud.slug())).await.expect(200);
    let mut plans = listed["data"].as_array().expect("plans").clone();
    plans.retain(|plan| plan["regions"].as_array().is_some_and(|regions| regions.contains(&region)));
    plans.sort_by_key(|plan| plan["price_monthly"].as_i64());
    plans
}

/// Asks for another plan.
async fn wants(owner: &Owner<'_>, plan: &Value, method: &str) -> Value {
    let wish = json!({ "plan_id": plan["id"], "payment_method": method });
    owner.customer.post(&owner.path("/resizes"), &wish).await.expect(202)
}

/// Waits until a change of plans is over; answers with it.
async fn over(owner: &Owner<'_>, resize: &Value) -> Value {
    let path = owner.path(&format!("/resizes/{}", resize["id"].as_str().expect("an id")));
    until(&format!("a change of plans at {} is over", owner.cloud.slug()), || async {
        let now = owner.customer.get(&path).await.expect(200);
        now["ended_at"].is_string().then_some(now)
    })
    .await
}

/// The size that the provider has the server at.
async fn size(owner: &Owner<'_>) -> Value {
    let server = owner.simulated().await;
    server.get("size").or(server.get("plan")).expect("a size").clone()
}

#[tokio::test]
async fn a_dearer_plan_is_had_once_it_is_paid_and_a_cheaper_one_gives_the_difference_back() {
    // Of its own: prices change here.
    let stack = Stack::start(Options::default()).await.expect("a system");
    let system = &stack;
    join_all(clouds_with(Capability::Resize).into_iter().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        let plans = plans(&owner).await;
        let (first, second, third) = (&plans[0], &plans[1], &plans[2]);
        paid_up(&owner, second).await;
        lapses_unpaid(&owner, third).await;
        // What it has now becomes the dearer one, and the larger disk stays.
        let mut database = PgConnection::connect(&system.database_url).await.expect("a database");
        sqlx::query("UPDATE plans SET price_monthly = 60000 WHERE id = $1::uuid")
            .bind(third["id"].as_str().expect("an id"))
            .execute(&mut database)
            .await
            .expect("a price");
        credited_down(&owner, third).await;
        let smaller = json!({ "plan_id": first["id"], "payment_method": "WALLET" });
        let refused = owner.customer.post(&owner.path("/resizes"), &smaller).await;
        refused.expect_problem(422, "plan_not_offered");
    }))
    .await;
    let books = stack.store.check_ledger().await.expect("a report");
    assert!(books.sound, "{:#?}", books.findings);
}

async fn paid_up(owner: &Owner<'_>, plan: &Value) {
    let before = size(owner).await;
    let quoted = json!({ "plan_id": plan["id"] });
    let quote = owner.customer.post(&owner.path("/resize/quote"), &quoted).await.expect(200);
    assert_eq!((&quote["direction"], &quote["grows_disk"]), (&json!("up"), &json!(true)), "{quote}");
    let asked = wants(owner, plan, "QRIS").await;
    assert_eq!((&asked["status"], &asked["action_id"]), (&json!("OPEN"), &Value::Null), "{asked}");
    // A second or two went by since it was quoted.
    let (quoted, billed) = (quote["total"].as_i64().unwrap(), asked["invoice"]["total"].as_i64().unwrap());
    assert!((quoted - 100..=quoted).contains(&billed) && billed > 0, "{quote} {asked}");
    assert_eq!(size(owner).await, before, "nothing is begun before it is paid");
    owner.customer.pay(&asked).await;
    let done = over(owner, &asked).await;
    assert_eq!(
        (&done["status"], &done["invoice"]["status"]),
        (&json!("COMPLETED"), &json!("PAID")),
        "{done}"
    );
    owner.is_powered("ON").await;
    assert_eq!(owner.now().await["plan"], plan["slug"]);
    assert_ne!(size(owner).await, before);
}

async fn lapses_unpaid(owner: &Owner<'_>, plan: &Value) {
    let (before, balance) = (size(owner).await, owner.balance().await);
    let asked = wants(owner, plan, "QRIS").await;
    time_is_up(owner).await;
    // As the sweep does each minute.
    owner.customer.stack.store.lapse_resizes(100).await.expect("a number");
    let lapsed = over(owner, &asked).await;
    assert_eq!((&lapsed["status"], &lapsed["action_id"]), (&json!("LAPSED"), &Value::Null), "{lapsed}");
    owner.customer.pay(&asked).await;
    until("money that came too late is on the balance", || async {
        let now = owner.balance().await;
        (now == balance + asked["invoice"]["total"].as_i64().expect("rupiah")).then_some(())
    })
    .await;
    assert_eq!(size(owner).await, before);
}

/// The time to pay for another plan is over, which its row does not let anybody write.
async fn time_is_up(owner: &Owner<'_>) {
    let over = format!(
        "SET session_replication_role = replica;
         UPDATE resizes SET lapses_at = now() WHERE instance_id = '{}' AND status = 'OPEN'",
        owner.server
    );
    let mut database = PgConnection::connect(&owner.customer.stack.database_url).await.expect("a database");
    sqlx::raw_sql(sqlx::AssertSqlSafe(over)).execute(&mut database).await.expect("an open change of plans");
}

async fn credited_down(owner: &Owner<'_>, plan: &Value) {
    let balance = owner.balance().await;
    let quoted = json!({ "plan_id": plan["id"] });
    let quote = owner.customer.post(&owner.path("/resize/quote"), &quoted).await.expect(200);
    assert_eq!((&quote["direction"], &quote["total"]), (&json!("down"), &json!(0)), "{quote}");
    assert_eq!(quote["next_price_monthly"], 60_000, "{quote}");
    let done = over(owner, &wants(owner, plan, "WALLET").await).await;
    assert_eq!(done["status"], "COMPLETED", "{done}");
    let (quoted, credited) = (quote["credit"].as_i64().unwrap(), done["credited"].as_i64().unwrap());
    // What was served since is not given back.
    assert!((quoted - 100..=quoted).contains(&credited) && credited > 0, "{quote} {done}");
    assert_eq!(owner.balance().await, balance + credited);
    owner.is_powered("ON").await;
    assert_eq!(owner.now().await["plan"], plan["slug"]);
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
        assert_eq!(listed().await, std::slice::from_ref(snapshot), "{}", cloud.slug());
        owner.does(json!({ "action": "restore", "params": { "snapshot_id": snapshot } })).await;
        assert_eq!(listed().await, std::slice::from_ref(snapshot), "it stays");
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
