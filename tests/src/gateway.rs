//! The simulated gateway, seen and steered from outside, and the janitor that asks it.

use domain::{
    payment_check::{PaymentCheckPolicy, PaymentCheckStart},
    policy::StepPolicy,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use temporalio_client::{WorkflowGetResultOptions, WorkflowStartOptions};
use workflows::{PaymentCheckWorkflow, PaymentsChecked, queues};

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
    let url = format!("{}/__sim/{call}", stack.gateway.simulator.url());
    let answer = reqwest::Client::new().post(url).json(body).send().await.expect("the gateway answers");
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    answer.json().await.unwrap_or_default()
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
        let options = WorkflowStartOptions::new(queues::lifecycle(prefix), &id).build();
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
