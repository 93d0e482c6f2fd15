//! What the engine shows of workflows that are under way.

use serde_json::Value;
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution, workflowservice::v1::DescribeWorkflowExecutionRequest,
};
use tonic::{Code, IntoRequest};

use crate::stack::Stack;

/// A step that the engine tries again and again, as its web UI shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingStep {
    /// Its name.
    pub name: String,
    /// Why it failed last.
    pub last_failure: String,
}

/// Steps of an order's workflow that are to be done.
pub async fn pending(stack: &Stack, order: &Value) -> Vec<PendingStep> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: stack.temporal.namespace.clone(),
        execution: Some(WorkflowExecution {
            workflow_id: format!("order/{}", order["id"].as_str().expect("an id")),
            run_id: String::new(),
        }),
    };
    let client = engine::connect(&stack.temporal).await.expect("the engine");
    let mut service = client.connection().workflow_service();
    let described = service.describe_workflow_execution(request.into_request());
    let pending = match described.await {
        Ok(described) => described.into_inner().pending_activities,
        // The dispatcher has not told the engine of it yet.
        Err(status) if status.code() == Code::NotFound => Vec::new(),
        Err(status) => panic!("the engine describes no workflow: {status}"),
    };
    pending
        .into_iter()
        .map(|step| PendingStep {
            name: step.activity_type.unwrap_or_default().name,
            last_failure: step.last_failure.unwrap_or_default().message,
        })
        .collect()
}
