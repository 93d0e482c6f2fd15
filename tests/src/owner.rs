//! A customer with a running server, and what is to be seen of its life from outside.

use domain::ids::InstanceId;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use store::audit::Origin;
use temporalio_client::WorkflowFetchHistoryOptions;
use testkit::http::control;
use workflows::InstanceWorkflow;

use crate::{
    cloud::{Cloud, servers_of},
    customer::{Customer, Expect},
    stack::Stack,
    wait_until::until,
};

/// A customer, the order they placed, and the server that came of it.
#[derive(Debug, Clone)]
pub struct Owner<'a> {
    /// Who.
    pub customer: Customer<'a>,
    /// The order as it was placed.
    pub order: Value,
    /// The server.
    pub server: InstanceId,
    /// Where it is.
    pub cloud: Cloud,
}

impl<'a> Owner<'a> {
    /// Registers somebody, who orders the provider's first plan, pays it and waits for the server.
    pub async fn at(stack: &'a Stack, cloud: Cloud) -> Self {
        let customer = Customer::register(stack).await;
        let wish = customer.good_order_at(cloud).await;
        Self::buying(customer, cloud, &wish).await
    }

    /// The same for an order of choice.
    pub async fn buying(customer: Customer<'a>, cloud: Cloud, wish: &Value) -> Self {
        let order = customer.post("/orders", wish).await.expect(201);
        customer.pay(&order).await;
        let active = customer.await_status(&order, "ACTIVE").await;
        let server = active["instance_id"].as_str().expect("a server").parse::<uuid::Uuid>().expect("an id");
        Self { customer, order, server: server.into(), cloud }
    }

    /// A path under the server's.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/instances/{}{rest}", self.server)
    }

    /// The server as its owner sees it.
    pub async fn now(&self) -> Value {
        self.customer.get(&self.path("")).await.expect(200)
    }

    /// Changes the server's row.
    pub async fn sql(&self, statement: &'static str) {
        let mut database = self.database().await;
        sqlx::query(statement).bind(self.server.0).execute(&mut database).await.expect("a statement");
    }

    /// Whether something is so of the server's row.
    pub async fn is(&self, question: &'static str) -> bool {
        let mut database = self.database().await;
        sqlx::query_scalar(question).bind(self.server.0).fetch_one(&mut database).await.expect("an answer")
    }

    async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.customer.stack.database_url).await.expect("a database")
    }

    /// The end of the term is this near, also to what its owner was told of it, and its workflow is told to look.
    pub async fn ends_in(&self, seconds: f64) {
        let moved = "WITH told AS (UPDATE life_notices t SET term_ends_at = now() + make_interval(secs => $2)
                                   FROM instances s WHERE s.id = $1 AND t.instance_id = s.id AND t.term_ends_at = s.expires_at)
                     UPDATE instances SET expires_at = now() + make_interval(secs => $2) WHERE id = $1";
        let mut database = self.database().await;
        sqlx::query(moved).bind(self.server.0).bind(seconds).execute(&mut database).await.expect("a server");
        let store = &self.customer.stack.store;
        store.note_payments_checked().await.expect("a note");
        store.wake_instance(self.server, &Origin::system()).await.expect("a message");
    }

    /// Waits until the server stands where it is to; payments are looked after meanwhile.
    pub async fn becomes(&self, status: &str) -> Value {
        until(&format!("the server is {status}"), || async {
            self.customer.stack.store.note_payments_checked().await.expect("a note");
            let now = self.now().await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    /// Waits until the server is on or off.
    pub async fn is_powered(&self, state: &str) {
        until(&format!("the server is {state}"), || async {
            (self.now().await["power_state"] == state).then_some(())
        })
        .await;
    }

    /// Asks for an action and waits until it is done.
    pub async fn does(&self, request: Value) -> Value {
        let ended = self.customer.act(&self.server.to_string(), &request).await;
        assert_eq!(ended["status"], "completed", "{request} at {}: {ended}", self.cloud.slug());
        ended
    }

    /// Wishes further terms paid from the balance.
    pub async fn auto_renew(&self) {
        let server =
            self.customer.put(&self.path("/auto-renew"), &json!({ "enabled": true })).await.expect(200);
        assert_eq!(server["auto_renew"], true);
    }

    /// Puts money on the balance.
    pub async fn deposit(&self, amount: i64) {
        let wish = json!({ "amount": amount, "payment_method": "QRIS" });
        let deposit = self.customer.post("/wallet/deposits", &wish).await.expect(201);
        self.customer.pay(&deposit).await;
    }

    /// What is on the balance.
    pub async fn balance(&self) -> i64 {
        self.customer.get("/wallet").await.expect(200)["balance"].as_i64().expect("rupiah")
    }

    /// How often the owner was told something.
    pub async fn told(&self, kind: &str) -> usize {
        self.customer.notifications_of(kind).await
    }

    /// What the owner heard of the server's life, oldest first, without reminders.
    pub async fn told_of_life(&self) -> Vec<String> {
        let mut told = self.customer.notifications().await;
        told.retain(|kind| {
            kind.starts_with("VPS_") && !["VPS_ACTIVE", "VPS_EXPIRING"].contains(&kind.as_str())
        });
        told
    }

    /// How many servers there are of the order at any provider.
    pub async fn at_provider(&self) -> usize {
        servers_of(self.customer.stack, &self.order).await
    }

    /// The server as its provider's simulator has it.
    pub async fn simulated(&self) -> Value {
        let tag = format!("wb-{}", self.order["id"].as_str().expect("an id"));
        let simulator = control(&self.customer.stack.clouds.at(self.cloud).simulator);
        let listed = simulator.get(&format!("/servers?tag={tag}")).await.expect_success();
        listed["servers"][0].clone()
    }

    /// What the engine recorded of a run of the server's workflow; of the present one when none is named.
    pub async fn events(&self, run: Option<String>) -> Vec<Value> {
        let client = engine::connect(&self.customer.stack.temporal).await.expect("the engine");
        let id = format!("instance/{}", self.server);
        let mut info = client.get_workflow_handle::<InstanceWorkflow>(id).info().clone();
        info.run_id = run.or(info.run_id);
        let history = info.bind_untyped(client).fetch_history(WorkflowFetchHistoryOptions::default());
        let history: Value =
            serde_json::from_slice(&history.to_json().await.expect("a history")).expect("JSON");
        history["events"].as_array().expect("events").clone()
    }

    /// The same of the run before the present one, once there is one.
    pub async fn events_before(&self) -> Vec<Value> {
        let before = until("a run continues another", || async {
            let begun = &self.events(None).await[0]["attributes"]["WorkflowExecutionStartedEventAttributes"];
            let before = begun["continued_execution_run_id"].as_str().unwrap_or_default().to_owned();
            (!before.is_empty()).then_some(before)
        })
        .await;
        self.events(Some(before)).await
    }
}
