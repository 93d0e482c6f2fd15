//! What is done to a server: one thing after the other, also when its workflow was lost or its term is over.

use client::Method;
use futures::StreamExt;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use temporalio_client::{WorkflowFetchHistoryOptions, WorkflowListOptions, WorkflowTerminateOptions};
use testkit::leftovers;
use webrana_tests::{
    customer::{Customer, Expect},
    stack,
    wait_until::until,
};
use workflows::InstanceWorkflow;

/// A customer with a running server.
struct Owner {
    customer: Customer<'static>,
    server: String,
}

impl Owner {
    async fn new() -> Self {
        let customer = Customer::register(stack::shared().await).await;
        let order = customer.place_order().await;
        customer.pay(&order).await;
        let active = customer.await_status(&order, "ACTIVE").await;
        Self { customer, server: active["instance_id"].as_str().expect("a server").to_owned() }
    }

    async fn ask(&self, request: Value) -> String {
        let path = format!("/instances/{}/actions", self.server);
        let taken = self.customer.post(&path, &request).await.expect(202);
        taken["action"]["id"].as_str().expect("an id").to_owned()
    }

    async fn ended(&self, action: &str) -> Value {
        let path = format!("/instances/{}/actions/{action}", self.server);
        until(&format!("action {action} ends"), || async {
            let now = self.customer.get(&path).await.expect(200);
            (now["finished_at"].is_string()).then_some(now)
        })
        .await
    }

    async fn act(&self, request: Value) -> Value {
        self.ended(&self.ask(request).await).await
    }

    async fn sql(&self, statement: &'static str) {
        let mut database =
            PgConnection::connect(&self.customer.stack.database_url).await.expect("a database");
        let id: uuid::Uuid = self.server.parse().expect("an id");
        sqlx::query(statement).bind(id).execute(&mut database).await.expect("a statement");
    }

    async fn term_is_over(&self) -> bool {
        let mut database =
            PgConnection::connect(&self.customer.stack.database_url).await.expect("a database");
        let id: uuid::Uuid = self.server.parse().expect("an id");
        let noted = sqlx::query_scalar("SELECT term_ended_at IS NOT NULL FROM instances WHERE id = $1");
        noted.bind(id).fetch_one(&mut database).await.expect("a row")
    }

    /// What the engine recorded of the workflow.
    async fn history(&self) -> Value {
        let client = engine::connect(&self.customer.stack.temporal).await.expect("the engine");
        let workflow = client.get_workflow_handle::<InstanceWorkflow>(format!("instance/{}", self.server));
        let history = workflow.fetch_history(WorkflowFetchHistoryOptions::default()).to_json();
        serde_json::from_slice(&history.await.expect("a history")).expect("JSON")
    }

    /// Waits until the engine lists the workflow with this status.
    async fn await_workflow(&self, status: &str) {
        let client = engine::connect(&self.customer.stack.temporal).await.expect("the engine");
        let query = format!("WorkflowId = 'instance/{}' AND ExecutionStatus = '{status}'", self.server);
        until(&query, || async {
            let mut listed = client.list_workflows(query.as_str(), WorkflowListOptions::default());
            listed.next().await.map(|found| found.expect("a listing"))
        })
        .await;
    }

    async fn lose_workflow(&self) {
        let client = engine::connect(&self.customer.stack.temporal).await.expect("the engine");
        let workflow = client.get_workflow_handle::<InstanceWorkflow>(format!("instance/{}", self.server));
        workflow.terminate(WorkflowTerminateOptions::default()).await.expect("it ends");
    }
}

#[tokio::test]
async fn actions_wait_for_each_other() {
    let owner = Owner::new().await;
    let mut asked = Vec::new();
    for action in ["power_off", "reboot", "power_on", "snapshot", "power_off"] {
        let params = if action == "snapshot" { json!({ "name": "before" }) } else { json!({}) };
        asked.push(owner.ask(json!({ "action": action, "params": params })).await);
    }
    let mut done = Vec::new();
    for action in &asked {
        done.push(owner.ended(action).await);
    }
    let how: Vec<_> = done.iter().map(|action| action["status"].as_str().unwrap_or_default()).collect();
    assert_eq!(how, ["completed", "failed", "completed", "completed", "completed"], "{done:?}");
    assert_eq!(done[1]["failure"]["class"], "CONFLICT", "a reboot of what is off: {}", done[1]);
    for pair in done.windows(2) {
        let (earlier, later) = (pair[0]["finished_at"].as_str(), pair[1]["started_at"].as_str());
        assert!(earlier <= later, "{earlier:?} {later:?}");
    }
    let snapshots = owner.customer.get(&format!("/instances/{}/snapshots", owner.server)).await.expect(200);
    assert_eq!(snapshots["data"][0]["id"], done[3]["result"]["snapshot_id"], "{snapshots}");
    assert_eq!(snapshots["data"].as_array().map(Vec::len), Some(1));
    let later = owner.act(json!({ "action": "power_on" })).await;
    assert_eq!(later["status"], "completed", "after a rest: {later}");
}

#[tokio::test]
async fn a_lost_workflow_goes_on_with_what_its_predecessor_left() {
    let owner = Owner::new().await;
    owner.await_workflow("Running").await;
    owner.lose_workflow().await;
    owner.await_workflow("Terminated").await;
    // What its predecessor had begun, as if it had been lost right then.
    let mut database = PgConnection::connect(&owner.customer.stack.database_url).await.unwrap();
    let under_way = leftovers::action_under_way(&mut database, owner.server.parse().unwrap()).await;
    assert_eq!(
        owner.act(json!({ "action": "reboot" })).await["status"],
        "failed",
        "it was powered off before"
    );
    let left = owner.ended(under_way).await;
    assert_eq!(left["status"], "completed", "{left}");
}

#[tokio::test]
async fn the_end_of_the_term_is_noted_once_and_is_not_the_servers_end() {
    let owner = Owner::new().await;
    owner.await_workflow("Running").await;
    owner.lose_workflow().await;
    owner.sql("UPDATE instances SET expires_at = now() WHERE id = $1").await;
    assert_eq!(owner.act(json!({ "action": "reboot" })).await["status"], "completed");
    until("the end of the term is noted", || async { owner.term_is_over().await.then_some(()) }).await;
    assert_eq!(owner.act(json!({ "action": "power_off" })).await["status"], "completed");
    owner.await_workflow("Running").await;
    let stack = owner.customer.stack;
    let path = format!("/instances/{}", owner.server);
    owner.customer.call_internal(Method::DELETE, &path, None).await.expect(202);
    owner.await_workflow("Completed").await;
    let gone = owner.customer.get(&path).await.expect(200);
    assert_eq!(gone["status"], "TERMINATED", "{gone} {}", stack.api_url);
}

#[tokio::test]
async fn a_renewal_from_the_balance_takes_a_term_that_was_over_up_again() {
    let owner = Owner::new().await;
    owner.await_workflow("Running").await;
    owner.lose_workflow().await;
    owner.sql("UPDATE instances SET expires_at = now() WHERE id = $1").await;
    assert_eq!(owner.act(json!({ "action": "reboot" })).await["status"], "completed");
    until("the end of the term is noted", || async { owner.term_is_over().await.then_some(()) }).await;

    let deposit = json!({ "amount": 500_000, "payment_method": "QRIS" });
    let deposit = owner.customer.post("/wallet/deposits", &deposit).await.expect(201);
    owner.customer.pay(&deposit).await;
    let wish = json!({ "term_months": 3, "payment_method": "WALLET" });
    let renewed = owner.customer.post(&format!("/instances/{}/renew", owner.server), &wish).await.expect(201);
    assert_eq!(renewed["invoice"]["status"], "PAID", "{renewed}");
    let server = owner.customer.get(&format!("/instances/{}", owner.server)).await.expect(200);
    assert_eq!(server["expires_at"], renewed["ends_at"]);
    assert!(!owner.term_is_over().await);
    assert!(owner.customer.notifications().await.contains(&"VPS_RENEWED".to_owned()));
    // The workflow waits for the later end now.
    until("the workflow waits for months", || async {
        let history = owner.history().await;
        let events = history["events"].as_array().expect("events").iter();
        let waits = events
            .filter_map(|e| e["attributes"]["TimerStartedEventAttributes"]["start_to_fire_timeout"].as_str());
        let seconds = waits.filter_map(|wait| wait.trim_end_matches('s').parse::<f64>().ok());
        seconds.max_by(f64::total_cmp).filter(|longest| *longest > 80.0 * 86_400.0)
    })
    .await;
    let books = owner.customer.stack.store.check_ledger().await.expect("a report");
    assert!(books.sound, "{:#?}", books.findings);
}
