//! What customers and programs have done to servers, over HTTP, against DigitalOcean's simulator. No workflow runs here:
//! what is taken in waits.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod cancelling;
mod customers;
mod life;
mod programs;
mod reads;
mod refusals;

use std::{ops::Deref, sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, CreateServer, Paced};
use api::AppState;
use domain::{
    ids::{InstanceId, OrderId},
    installation::Installation,
    instance::PowerState,
    provisioning::{cohort_tag, order_tag},
    rate_limit::Caller,
    role::Role,
};
use serde_json::{Value, json};
use simulators::provider::Settings;
use sqlx::PgPool;
use testkit::{
    SimulatedCloud, at_once,
    http::{Answer, Caller as Client, Expect, Method, Request, TestApi, User},
};
use uuid::Uuid;

/// A customer with a server at DigitalOcean's simulator.
struct World {
    api: TestApi,
    me: User,
    /// The same customer at another process.
    me_there: Client,
    key: String,
    order: OrderId,
    server: InstanceId,
}

impl Deref for World {
    type Target = TestApi;

    fn deref(&self) -> &TestApi {
        &self.api
    }
}

impl World {
    async fn open(pool: PgPool) -> Self {
        Self::open_with(pool, Paced::unpaced(), |state| state).await
    }

    /// With a rate budget, and with other settings.
    async fn open_with(
        pool: PgPool,
        pacer: Paced,
        set: impl FnOnce(AppState) -> AppState + Send + 'static,
    ) -> Self {
        let settings = Settings { action_seconds: 1.0, account_limit: None, ..at_once() };
        let simulated = SimulatedCloud::start("digitalocean", settings).await;
        let setup = TestApi::setup(pool).cloud(simulated, |account| {
            account.listing_lag = Duration::from_millis(10);
            account.pacer = pacer;
        });
        let api = setup.state(set).open().await;
        let me = api.user(Role::Customer).await;
        let key = api.api_key().await;
        let (order, server) = (place(&me).await, Uuid::nil().into());
        let me_there = api.beside(|state| state).nobody().as_user(&me.token);
        let mut world = Self { api, me, me_there, key, order, server };
        world.server = world.run_at_the_cloud(order).await;
        world
    }

    /// Its account at the cloud.
    fn account(&self) -> Arc<dyn CloudProvider> {
        self.state.providers.get("digitalocean", Caller::Servers).unwrap()
    }

    /// How often a route of the cloud was called.
    fn calls(&self, route: &str) -> u64 {
        self.cloud("digitalocean").simulator.calls(route)
    }

    /// The transfer for an order arrives.
    async fn pay_for(&self, order: OrderId) {
        self.pay(self.ordered(order).await.payment.id).await;
    }

    /// Does to an order what its workflow would, with a server that is there.
    async fn run_at_the_cloud(&self, order: OrderId) -> InstanceId {
        self.pay_for(order).await;
        let server = self.provision(order).await;
        let request = CreateServer {
            tag: order_tag(order),
            fleet: Installation::default().tag(),
            cohort: cohort_tag(order),
            hostname: "web-1".to_owned(),
            size: "s-1vcpu-1gb".to_owned(),
            region: "sgp1".to_owned(),
            image: "ubuntu-24-04-x64".to_owned(),
            ssh_public_keys: Vec::new(),
            root_password: None,
            user_data: None,
            network: None,
        };
        let account = self.account();
        let ticket = account.ready_to_create().await.unwrap();
        let made = account.create_server(ticket, &request).await.unwrap();
        self.store.save_server(order, &made.id).await.unwrap();
        self.store.save_address(order, Some("203.0.113.7".to_owned()), None, PowerState::On).await.unwrap();
        self.store.activate_order(order).await.unwrap();
        server
    }

    /// A customer's request under the server's path.
    fn mine(&self, method: Method, path: &str, body: &Value) -> Request {
        self.me.request(method, &format!("/instances/{}{path}", self.server)).json(body)
    }

    async fn ask(&self, body: Value) -> Answer {
        self.mine(Method::POST, "/actions", &body).await
    }

    /// A program's request on the internal port.
    fn program(&self, method: Method, path: &str, body: &Value) -> Request {
        self.program_with(&self.key, method, path, body)
    }

    /// The same with another key.
    fn program_with(&self, key: &str, method: Method, path: &str, body: &Value) -> Request {
        self.internal().with_key(key).request(method, path).json(body)
    }

    /// Makes the provider answer a route once with 500.
    async fn break_once(&self, route: &str) {
        let fault = json!({ "route": route, "kind": "status", "status": 500, "times": 1 });
        self.cloud("digitalocean").control().post("/faults", &fault).await.expect_success();
    }

    /// What is kept of providers is as old as it may be.
    async fn outdate_reads(&self) {
        self.run(
            "UPDATE provider_reads SET fresh_until = now(), next_refresh_at = now(), \
                     fetched_at = fetched_at - interval '90 seconds'",
        )
        .await;
    }

    /// How often the server's workflow was told to look.
    async fn told_to_look(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM outbox WHERE workflow_id = $1 AND kind = 'action_requested'")
            .bind(format!("instance/{}", self.server))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

async fn place(customer: &User) -> OrderId {
    let plans = customer.get("/plans?provider=digitalocean").await.body;
    let body = json!({
        "plan_id": plans["data"][0]["id"], "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1",
        "term_months": 1, "payment_method": "MANUAL_TRANSFER",
    });
    let placed = customer.post("/orders", &body).await.expect(201);
    placed["id"].as_str().unwrap().parse().unwrap()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.problem(), (status, code), "{}", answer.body);
}
