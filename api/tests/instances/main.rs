//! What customers and programs have done to servers, over HTTP, against DigitalOcean's simulator. No workflow runs here:
//! what is taken in waits.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../support/mod.rs"]
mod support;

mod customers;
mod programs;
mod reads;

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, CreateServer, Paced, Registry};
use api::AppState;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use domain::{
    ids::{InstanceId, OrderId, UserId},
    installation::Installation,
    instance::PowerState,
    provisioning::{cohort_tag, order_tag},
    role::Role,
};
use serde_json::{Value, json};
use simulators::{Handle, provider::Settings};
use sqlx::PgPool;
use support::{Answer, App, As};
use testkit::{SimulatedCloud, at_once};
use tower::ServiceExt;
use uuid::Uuid;

/// A customer with a server at DigitalOcean's simulator.
struct World {
    pool: PgPool,
    app: App,
    /// Another process.
    other: App,
    internal: Router,
    provider: Arc<dyn CloudProvider>,
    simulator: Handle,
    customer: UserId,
    token: String,
    key: String,
    order: OrderId,
    server: InstanceId,
}

impl World {
    async fn open(pool: PgPool) -> Self {
        Self::open_with(pool, Paced::unpaced(), |state| state).await
    }

    /// With a rate budget, and with other settings.
    async fn open_with(pool: PgPool, pacer: Paced, set: impl FnOnce(AppState) -> AppState) -> Self {
        let settings = Settings { action_seconds: 1.0, account_limit: None, ..at_once() };
        let simulated = SimulatedCloud::start("digitalocean", settings).await;
        let provider = simulated.adapter_with(|account| {
            account.listing_lag = Duration::from_millis(10);
            account.pacer = pacer;
        });
        let simulator = simulated.simulator;
        let registry = Arc::new(Registry::new(vec![Arc::clone(&provider)]));
        let state = set(AppState { providers: registry, ..support::state(&pool) });
        let other = App::new(state.clone());
        let internal = api::internal_router(state.clone());
        let app = App::new(state);
        app.store.seed().await.unwrap();
        let (customer, token) = app.user(Role::Customer).await;
        let key = app.api_key().await;
        let order = place(&app, &token).await;
        let server = Uuid::nil().into();
        let mut world =
            Self { pool, app, other, internal, provider, simulator, customer, token, key, order, server };
        world.server = world.activate(order).await;
        world
    }

    /// Does to an order what its workflow would.
    async fn activate(&self, order: OrderId) -> InstanceId {
        let store = &self.app.store;
        self.set_status(order, "PAID").await;
        let server = store.start_provisioning(order).await.unwrap().instance_id.unwrap();
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
            network: None,
        };
        let ticket = self.provider.ready_to_create().await.unwrap();
        let made = self.provider.create_server(ticket, &request).await.unwrap();
        store.save_server(order, &made.id).await.unwrap();
        store.save_address(order, Some("203.0.113.7".to_owned()), None, PowerState::On).await.unwrap();
        store.activate_order(order).await.unwrap();
        server
    }

    async fn set_status(&self, order: OrderId, status: &str) {
        sqlx::query("UPDATE orders SET status = $2 WHERE id = $1")
            .bind(order.0)
            .bind(status)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    fn me(&self) -> As<'_> {
        As::Token(&self.token)
    }

    /// A customer's request under the server's path.
    async fn mine(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.app.call(method, &format!("/instances/{}{path}", self.server), self.me(), body).await
    }

    async fn ask(&self, body: Value) -> Answer {
        self.mine(Method::POST, "/actions", &body).await
    }

    /// A program's request on the internal port.
    async fn internal(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.internal_with(method, path, body, Some(&self.key), None).await
    }

    async fn internal_with(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
        idempotency_key: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/internal{path}"));
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        let response = self.internal.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// Makes the provider answer a route once with 500.
    async fn break_once(&self, route: &str) {
        let fault = json!({ "route": route, "kind": "status", "status": 500, "times": 1 });
        let set = reqwest::Client::new().post(format!("{}/__sim/faults", self.simulator.url())).json(&fault);
        assert!(set.send().await.unwrap().status().is_success());
    }

    /// What is kept of providers is as old as it may be.
    async fn outdate_reads(&self) {
        sqlx::query(
            "UPDATE provider_reads SET fresh_until = now(), next_refresh_at = now(), \
                     fetched_at = fetched_at - interval '90 seconds'",
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// How often the server's workflow was told to look.
    async fn told(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM outbox WHERE workflow_id = $1 AND kind = 'action_requested'")
            .bind(format!("instance/{}", self.server))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

async fn place(app: &App, token: &str) -> OrderId {
    let plans = app.get("/plans?provider=digitalocean", As::Nobody).await.body;
    let body = json!({
        "plan_id": plans["data"][0]["id"], "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1",
        "term_months": 1, "payment_method": "MANUAL_TRANSFER",
    });
    let request = Request::post("/api/v1/orders")
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", Uuid::now_v7().to_string())
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let placed = app.send(request.unwrap()).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
    placed.body["id"].as_str().unwrap().parse().unwrap()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}
