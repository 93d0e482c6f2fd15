//! Against simulators and a database of the test's own.

use std::{ops::Deref, time::Duration};

use domain::{
    ids::{SshKeyId, UserId},
    installation::Installation,
};
use serde_json::{Value, json};
use simulators::{Handle, provider::Settings};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::audit::Origin;
use testkit::{SimulatedCloud, TestApp, at_once};
use uuid::Uuid;

use super::*;
use crate::skewed_clock;

mod stepping_in;

const DROPLETS: &str = "POST /v2/droplets";
const DROPLET_LISTS: &str = "GET /v2/droplets";
const LINODES: &str = "POST /v4/linode/instances";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A seeded shop whose orders wait for a server.
pub(crate) struct Shop {
    app: TestApp,
    pub(crate) activities: ProviderActivities,
    customer: UserId,
    ssh_key: SshKeyId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    pub(crate) async fn new(pool: PgPool, cloud: Arc<dyn CloudProvider>) -> Self {
        let app = TestApp::new(pool).await;
        let activities = ProviderActivities::new(app.store.clone(), Arc::new(Registry::new(vec![cloud])));
        let customer = app.customer().await;
        let ssh_key = app.ssh_key(customer, "laptop").await;
        Self { app, activities, customer, ssh_key }
    }

    /// From now on somebody else orders.
    pub(crate) async fn next_customer(&mut self) {
        self.customer = self.customer().await;
        self.ssh_key = self.ssh_key(self.customer, "laptop").await;
    }

    pub(crate) async fn order(&self, plan: &str, region: &str) -> OrderId {
        let order = self.app.order().by(self.customer).plan(plan).region(region);
        order.ssh_keys(&[self.ssh_key]).provisioning().await.id
    }

    pub(crate) async fn job(&self, order: OrderId) -> ProvisioningJob {
        self.activities.store.provisioning_job(order).await.unwrap()
    }

    /// A create was sent and its answer lost, long enough ago.
    async fn create_was_lost(&self, order: OrderId) {
        sqlx::query(
            "UPDATE provisioning_tasks SET create_sent_at = now() - interval '1 hour', create_fence = 1 WHERE order_id = $1",
        )
        .bind(order.0)
        .execute(&self.pool)
        .await
        .unwrap();
    }
}

pub(crate) async fn ocean(boot_seconds: f64, listing_lag: Duration) -> (Handle, Arc<dyn CloudProvider>) {
    let listing_lag_seconds = listing_lag.as_secs_f64();
    let cloud =
        SimulatedCloud::start("digitalocean", Settings { boot_seconds, listing_lag_seconds, ..at_once() });
    let cloud = cloud.await;
    let adapter = cloud.adapter_with(|account| account.listing_lag = listing_lag);
    (cloud.simulator, adapter)
}

async fn akamai() -> (Handle, Arc<dyn CloudProvider>) {
    let settings = Settings { action_seconds: 1.0, ..at_once() };
    let cloud = SimulatedCloud::start("linode", settings).await;
    let adapter = cloud.adapter();
    (cloud.simulator, adapter)
}

async fn sim(method: reqwest::Method, url: &str, path: &str, body: Value) {
    let sent =
        reqwest::Client::new().request(method, format!("{url}{path}")).json(&body).send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_hundred_orders_share_their_look_ups_and_their_looks_at_booting_servers(pool: PgPool) {
    let (simulator, cloud) = ocean(1.0, Duration::from_secs(5)).await;
    let shop = Shop::new(pool, cloud).await;
    let mut orders = Vec::new();
    for _ in 0..100 {
        orders.push(shop.order("do-basic-1gb", "sgp1").await);
    }
    let provisioning = orders.iter().map(|order| shop.activities.provision(*order));
    for done in futures::future::join_all(provisioning).await {
        done.unwrap();
    }
    assert_eq!(simulator.calls(DROPLETS), 100);
    assert_eq!(simulator.calls("GET /v2/droplets/{id}"), 0);
    let lists = simulator.calls(DROPLET_LISTS);
    assert!(lists <= 30, "{lists} lists for a hundred orders");
    let with_address: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT provider_instance_id) FROM instances WHERE ipv4 IS NOT NULL",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(with_address, 100);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lone_order_of_an_idle_system_takes_three_calls(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.activities.provision(order).await.unwrap();
    assert_eq!((simulator.calls(DROPLETS), simulator.calls(DROPLET_LISTS)), (1, 2));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_whose_create_was_never_answered_is_found_and_not_made_again(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let fault = json!({ "route": DROPLETS, "kind": "drop_after_create", "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    let lost = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(&lost, StepError::Provider(error) if error.is_ambiguous()), "{lost}");
    let early = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(early, StepError::OutcomePending(_)), "{early}");
    shop.create_was_lost(order).await;
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 1);
    assert!(shop.job(order).await.provider_instance_id.is_some());
}

/// A worker's clock may run fast (the database's is behind it) or slow.
async fn a_create_without_an_answer_is_judged_by_the_databases_clock(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let fault = json!({ "route": DROPLETS, "kind": "drop_after_create", "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    shop.activities.provision(order).await.unwrap_err();
    let early = shop.activities.provision(order).await.unwrap_err();
    let StepError::OutcomePending(left) = early else { panic!("{early}") };
    assert!(left <= TIMEOUT, "{left:?}");
    sqlx::query("UPDATE provisioning_tasks SET create_sent_at = create_sent_at - interval '6 seconds'")
        .execute(&shop.pool)
        .await
        .unwrap();
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_worker_whose_clock_runs_fast_makes_one_server(pool: PgPoolOptions, database: PgConnectOptions) {
    let pool = skewed_clock::open(pool, database, -60).await;
    a_create_without_an_answer_is_judged_by_the_databases_clock(pool).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_worker_whose_clock_runs_slow_waits_no_longer(pool: PgPoolOptions, database: PgConnectOptions) {
    let pool = skewed_clock::open(pool, database, 60).await;
    a_create_without_an_answer_is_judged_by_the_databases_clock(pool).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_lists_do_not_show_yet_is_waited_for(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::from_secs(1)).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_is_gone_is_forgotten_after_the_listing_lag(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::from_millis(300)).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.activities.store.save_server(order, "4242").await.unwrap();
    let lost = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(&lost, StepError::ServerLost(id) if id == "4242"), "{lost}");
    assert_eq!(simulator.calls("GET /v2/droplets/{id}"), 1);
    assert_eq!(shop.job(order).await.provider_instance_id, None);
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_lost_its_tags_is_read_by_itself(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::from_millis(300)).await;
    let shop = Shop::new(pool, Arc::clone(&cloud)).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let other = shop.order("do-basic-1gb", "sgp1").await;
    let stranger = CreateServer {
        tag: "wb-somebody".to_owned(),
        fleet: Installation::default().tag(),
        cohort: "wbc-long-ago".to_owned(),
        hostname: "web-1".to_owned(),
        size: "s-1vcpu-1gb".to_owned(),
        region: "sgp1".to_owned(),
        image: "ubuntu-24-04-x64".to_owned(),
        ssh_public_keys: vec![],
        root_password: None,
        user_data: None,
        network: None,
    };
    let made = cloud.create_server(cloud.ready_to_create().await.unwrap(), &stranger).await.unwrap();
    shop.activities.store.save_server(order, &made.id).await.unwrap();
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls("GET /v2/droplets/{id}"), 1);
    shop.activities.provision(other).await.unwrap();
    assert_ne!(shop.job(other).await.provider_instance_id, Some(made.id));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_taken_label_leads_to_the_orders_server(pool: PgPool) {
    let (simulator, cloud) = akamai().await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("linode-nanode-1gb", "linode-ap-south").await;
    // It is made, but neither our note of it nor the list tells.
    let fault = json!({ "route": LINODES, "kind": "drop_after_create", "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    shop.activities.provision(order).await.unwrap_err();
    shop.activities.store.clear_create_sent(order, 1).await.unwrap();
    let hidden = json!({ "route": "GET /v4/linode/instances", "kind": "status", "status": 200, "times": 1,
                         "body": { "data": [], "page": 1, "pages": 1, "results": 0 } });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", hidden).await;
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(LINODES), 2);
    assert!(shop.job(order).await.provider_instance_id.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_taken_label_without_a_listed_server_is_waited_for(pool: PgPool) {
    let (simulator, cloud) = akamai().await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("linode-nanode-1gb", "linode-ap-south").await;
    let body =
        json!({ "errors": [{ "reason": "Label must be unique among your linodes", "field": "label" }] });
    let fault = json!({ "route": LINODES, "kind": "status", "status": 400, "body": body, "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    let pending = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(pending, StepError::OutcomePending(_)), "{pending}");
    assert!(shop.job(order).await.create_sent_ago.is_some(), "the note stands until a look-up is certain");
}

/// Has the next calls of a route answered by somebody else, or refused.
async fn answered_by(simulator: &Handle, route: &str, status: u16, body: Value, times: u32) {
    let fault = json!({ "route": route, "kind": "status", "status": status, "body": body, "times": times });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_proxys_page_ends_no_order_whether_its_server_exists_or_not(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let mut orders = Vec::new();
    for _ in 0..6 {
        orders.push(shop.order("do-basic-1gb", "sgp1").await);
    }
    let page = json!("<html><h1>Access denied</h1></html>");
    for status in [403, 404, 200] {
        // The board tries a list twice before it tells.
        answered_by(&simulator, DROPLET_LISTS, status, page.clone(), 100).await;
        let waiting = orders.iter().map(|order| shop.activities.provision(*order));
        for told in futures::future::join_all(waiting).await {
            let told = told.unwrap_err();
            assert!(told.is_passing(), "{status}: {told}");
        }
        assert_eq!(simulator.calls(DROPLETS), 0);
        sim(reqwest::Method::DELETE, &simulator.url(), "/__sim/faults", json!({})).await;
    }

    // All but one have their server when the proxy begins again.
    let (late, early) = orders.split_last().unwrap();
    for order in early {
        shop.activities.provision(*order).await.unwrap();
    }
    answered_by(&simulator, DROPLET_LISTS, 403, page, 100).await;
    let again = orders.iter().map(|order| shop.activities.provision(*order));
    for told in futures::future::join_all(again).await {
        assert!(told.unwrap_err().is_passing());
    }
    for order in early {
        assert!(shop.job(*order).await.provider_instance_id.is_some());
    }
    sim(reqwest::Method::DELETE, &simulator.url(), "/__sim/faults", json!({})).await;
    shop.activities.provision(*late).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 6);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_vendor_says_of_our_account_ends_no_order(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let says = |id: &str, message: &str| json!({ "id": id, "message": message });
    for (route, status, body, times) in [
        (DROPLET_LISTS, 401, says("unauthorized", "Unable to authenticate you"), 2),
        (DROPLET_LISTS, 403, says("forbidden", "You are not authorized to perform this operation"), 2),
        (DROPLETS, 401, says("unauthorized", "Unable to authenticate you"), 1),
        (DROPLETS, 422, says("unprocessable_entity", "creating this will exceed your droplet limit"), 1),
    ] {
        answered_by(&simulator, route, status, body, times).await;
        let told = shop.activities.provision(order).await.unwrap_err();
        assert_eq!((told.class(), told.is_passing()), (FailureClass::Configuration, true), "{told}");
        assert_eq!(shop.job(order).await.create_sent_ago, None, "it was refused for certain");
    }
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 3);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_create_that_is_made_again_is_watched(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let (lost, plain) = (shop.order("do-basic-1gb", "sgp1").await, shop.order("do-basic-1gb", "sgp1").await);
    shop.create_was_lost(lost).await;
    shop.activities.provision(lost).await.unwrap();
    shop.activities.provision(plain).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 2);
    let watched: Vec<Uuid> = sqlx::query_scalar(
        "SELECT order_id FROM create_watches WHERE looks = 0
         AND next_look_at BETWEEN now() + interval '1 minute' AND now() + interval '2 minutes'",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    assert_eq!(watched, [lost.0]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_in_trouble_is_given_longer_to_show_a_lost_server(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::from_secs(10)).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.run(
        "UPDATE provisioning_tasks SET create_sent_at = now() - interval '20 seconds', create_fence = 1",
    )
    .await;
    shop.run(
        "INSERT INTO provider_circuits (provider, scope, failures) VALUES ('digitalocean', 'creates', 3)",
    )
    .await;
    let waits = shop.activities.provision(order).await.unwrap_err();
    // Four times the 5 s of a request and the 10 s of a list, less the 20 s that have gone by.
    assert!(matches!(waits, StepError::OutcomePending(left) if left.as_secs().abs_diff(40) <= 1), "{waits}");
    assert_eq!(simulator.calls(DROPLETS), 0);
    shop.run("UPDATE provider_circuits SET failures = 0").await;
    shop.activities.provision(order).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 1);
}

/// Whoever read the order before may hold the number of its creates still.
#[sqlx::test(migrations = "../migrations")]
async fn nobody_creates_for_an_order_that_left_provisioning_meanwhile(pool: PgPool) {
    let (_simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let before = shop.job(order).await.create_fence;
    shop.fail(order, FailureClass::Capacity).await;
    let store = &shop.activities.store;
    assert!(!store.mark_create_sent(order, before).await.unwrap());
    assert!(!store.mark_create_sent(order, shop.job(order).await.create_fence).await.unwrap());
    store.retry_provisioning(order, &Origin::system()).await.unwrap();
    shop.provision(order).await;
    assert!(!store.mark_create_sent(order, before).await.unwrap(), "the try before the failure");
    assert!(store.mark_create_sent(order, shop.job(order).await.create_fence).await.unwrap());
}
