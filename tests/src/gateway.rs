//! The simulated gateway, seen and steered from outside, and the janitor that asks it.

use domain::{
    payment_check::{PaymentCheckPolicy, PaymentCheckStart},
    policy::StepPolicy,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use temporalio_client::{WorkflowGetResultOptions, WorkflowStartOptions};
use testkit::http::{Expect, control as simulator};
use workflows::{PaymentCheckWorkflow, PaymentsChecked, queues::WorkflowQueue};

use crate::stack::Stack;

/// Where notifications get lost.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// The variables by which a process of a system finds the gateway and is known there.
pub fn environment(stack: &Stack) -> Vec<(&'static str, String)> {
    let (vendor, account) = (stack.gateway.vendor, &stack.gateway.account);
    let secrets = vendor.credentials.iter().zip(&account.credentials);
    let secrets = secrets.map(|(known, secret)| (known.env, secret.expose_secret().to_owned()));
    std::iter::once((vendor.url_env, stack.gateway.simulator.url())).chain(secrets).collect()
}

/// Posts to the control API of the gateway's simulator.
pub async fn control(stack: &Stack, call: &str, body: &Value) -> Value {
    simulator(&stack.gateway.simulator).post(&format!("/{call}"), body).await.expect_success()
}

/// Has notifications sent to `url`; one that is refused is sent again after that many seconds, as often as the vendor
/// does.
pub async fn notify_at(stack: &Stack, url: &str, retry_seconds: f64) {
    let change = json!({ "notification_url": url, "retry_interval_seconds": retry_seconds });
    control(stack, "config", &change).await;
}

/// Has every notification from now on get lost for good.
pub async fn lose_notifications(stack: &Stack) {
    notify_at(stack, NOWHERE, 3_600.0).await;
}

/// Has the next charges fail in some way.
pub async fn fault(stack: &Stack, fault: Value) {
    let mut fault = fault;
    fault["route"] = json!(stack.gateway.charge());
    control(stack, "faults", &fault).await;
}

/// The customer pays what the gateway calls `gateway_order_id`; answers with the simulator's report of the first round of
/// notifications.
pub async fn pay(stack: &Stack, gateway_order_id: &Value) -> Value {
    control(stack, "pay", &json!({ "order_id": gateway_order_id })).await
}

/// What the gateway gave back: for each refund the charge's order id there, and the amount.
pub async fn given_back(stack: &Stack) -> Vec<(Value, i64)> {
    let all = simulator(&stack.gateway.simulator).get("/transactions").await.expect_success();
    let charges = all["transactions"].as_array().expect("transactions").iter();
    let refunds = charges.flat_map(|charge| {
        let refunds = charge["refunds"].as_array().expect("refunds").iter();
        refunds.map(|refund| (charge["order_id"].clone(), refund["amount"].as_i64().expect("an amount")))
    });
    refunds.collect()
}

/// A run of the janitor under way.
pub struct Check {
    client: temporalio_client::Client,
    workflow_id: String,
}

impl Check {
    /// Starts a run that asks about every payment that waits, whatever its age.
    pub async fn start(stack: &Stack) -> Self {
        let client = engine::connect(&stack.temporal).await.expect("the engine answers");
        let prefix = &stack.temporal.queue_prefix;
        let start = PaymentCheckStart {
            policy: PaymentCheckPolicy {
                pending_after_ms: 0,
                unknown_after_ms: 0,
                steps: StepPolicy {
                    heartbeat_timeout_ms: 1_000,
                    retry_initial_ms: 100,
                    retry_max_ms: 500,
                    ..StepPolicy::OF_UPKEEP
                },
                ..PaymentCheckPolicy::default()
            },
        };
        let id = format!("{prefix}payment-check/{}", uuid::Uuid::now_v7());
        let options = WorkflowStartOptions::new(WorkflowQueue::Upkeep.name(prefix), &id).build();
        let run = client.start_workflow(PaymentCheckWorkflow::run, start, options).await;
        run.expect("the workflow starts");
        Self { client, workflow_id: id }
    }

    /// Waits for its end; answers with what it came to.
    pub async fn done(&self) -> PaymentsChecked {
        let run = self.client.get_workflow_handle::<PaymentCheckWorkflow>(&self.workflow_id);
        run.get_result(WorkflowGetResultOptions::default()).await.expect("the janitor's run ends well")
    }
}
