//! Against DigitalOcean's simulator and a database of the test's own.

use std::time::Duration;

use serde_json::Value;
use simulators::Handle;
use sqlx::PgPool;

use super::*;
use crate::provision::tests::{Shop, ocean};

const MAKES: &str = "POST /v2/vpcs";
const REMOVES: &str = "DELETE /v2/vpcs/{id}";

/// The network of each droplet, by the droplet's id.
async fn networks(simulator: &Handle) -> BTreeMap<String, String> {
    let url = format!("{}/__sim/servers", simulator.url());
    let all: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let servers = all["servers"].as_array().unwrap().iter();
    servers.map(|server| (text(&server["id"]), text(&server["vpc_uuid"]))).collect()
}

impl Shop {
    /// Gets an order of its present customer a server; answers with the server's network.
    async fn network_of_new_server(&self, simulator: &Handle) -> (OrderId, String) {
        let order = self.order("do-basic-1gb", "sgp1").await;
        self.activities.provision(order).await.unwrap();
        let server = self.job(order).await.provider_instance_id.unwrap();
        (order, networks(simulator).await.remove(&server).unwrap())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_customers_servers_share_a_network_with_nobody_else(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let mut shop = Shop::new(pool, cloud).await;
    let (_, first) = shop.network_of_new_server(&simulator).await;
    let made = simulator.calls(MAKES);
    let (_, second) = shop.network_of_new_server(&simulator).await;
    assert_eq!((second, simulator.calls(MAKES)), (first.clone(), made), "it is known from then on");
    shop.next_customer().await;
    let (_, other) = shop.network_of_new_server(&simulator).await;
    assert_ne!(other, first);
}

#[sqlx::test(migrations = "../migrations")]
async fn many_orders_of_a_new_customer_at_once_make_one_network(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let mut orders = Vec::new();
    for _ in 0..10 {
        orders.push(shop.order("do-basic-1gb", "sgp1").await);
    }
    let provisioning = orders.iter().map(|order| shop.activities.provision(*order));
    for done in futures::future::join_all(provisioning).await {
        done.unwrap();
    }
    let all: std::collections::BTreeSet<String> = networks(&simulator).await.into_values().collect();
    assert_eq!(all.len(), 1);
    // The customer's, and the one that stands for the region's default.
    assert_eq!((simulator.calls(MAKES), simulator.calls("GET /v2/vpcs")), (2, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_network_that_is_gone_is_made_anew_by_the_next_try(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, Arc::clone(&cloud)).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.activities.store.save_network(order, "760e09ef-dc84-11e8-981e-3cfdfeaae000").await.unwrap();
    let lost = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(lost, StepError::NetworkLost(_)), "{lost}");
    assert!(shop.job(order).await.create_sent_ago.is_none(), "it was refused for certain");
    shop.activities.provision(order).await.unwrap();
    assert_eq!(networks(&simulator).await.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_network_stays_as_long_as_somebody_is_in_it(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, Arc::clone(&cloud)).await;
    let (one, network) = shop.network_of_new_server(&simulator).await;
    let store = &shop.activities.store;
    let waiting = shop.order("do-basic-1gb", "sgp1").await;
    let to_remove = async || store.networks_to_remove("digitalocean", None).await.unwrap();
    assert_eq!(to_remove().await, [""; 0]);

    // Only we believe that both are gone; the provider keeps what something is in.
    shop.run("ALTER TABLE instances DISABLE TRIGGER instances_transition_legal").await;
    shop.run("UPDATE instances SET status = 'TERMINATED'").await;
    remove_empty(store, cloud.as_ref(), None).await.unwrap();
    assert_eq!((to_remove().await, simulator.calls(REMOVES)), (vec![network.clone()], 1));
    assert_eq!(store.network_of(waiting).await.unwrap(), None, "who wants it asks for it again");
    store.save_network(waiting, &network).await.unwrap();
    shop.run("UPDATE instances SET status = 'PROVISIONING' WHERE provider_instance_id IS NULL").await;
    remove_empty(store, cloud.as_ref(), None).await.unwrap();
    assert_eq!((store.network_of(one).await.unwrap(), simulator.calls(REMOVES)), (Some(network), 1));

    shop.run("UPDATE instances SET status = 'TERMINATED'").await;
    for server in networks(&simulator).await.into_keys() {
        cloud.delete_server(&server).await.unwrap();
    }
    remove_empty(store, cloud.as_ref(), None).await.unwrap();
    assert_eq!((to_remove().await, simulator.calls(REMOVES)), (vec![], 2));
}
