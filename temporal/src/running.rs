//! Which workflows run, as the engine says.

use std::{collections::HashSet, time::Duration};

use activities::{EngineError, RunningWorkflows};
use futures::future::join_all;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::WorkflowExecutionStatus,
    workflowservice::v1::{DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest},
};
use tonic::{Code, IntoRequest, Status};
use workflows::queues::WorkflowQueue;

/// Longest wait for the engine's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Workflows in one part of a list.
const PAGE: i32 = 1_000;
/// Workflows asked about one by one, at once.
const AT_ONCE: usize = 16;

/// Asks the engine about the workflows of one installation.
pub(crate) struct Engine {
    client: Client,
    namespace: String,
    queue_prefix: String,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("namespace", &self.namespace)
            .field("queue_prefix", &self.queue_prefix)
            .finish()
    }
}

impl Engine {
    pub(crate) fn new(client: Client, namespace: &str, queue_prefix: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), queue_prefix: queue_prefix.to_owned() }
    }

    /// Those that the list of running ones has, which may be a moment old.
    async fn listed(&self) -> Result<HashSet<String>, Status> {
        let queues = WorkflowQueue::ALL.map(|queue| format!("'{}'", queue.name(&self.queue_prefix)));
        let query = format!("TaskQueue IN ({}) AND ExecutionStatus = 'Running'", queues.join(", "));
        let (mut ids, mut next_page_token) = (HashSet::new(), Vec::new());
        loop {
            let request = ListWorkflowExecutionsRequest {
                namespace: self.namespace.clone(),
                page_size: PAGE,
                next_page_token,
                query: query.clone(),
            };
            let mut service = self.client.connection().workflow_service();
            let page = service.list_workflow_executions(timed(request)).await?.into_inner();
            ids.extend(page.executions.into_iter().filter_map(|run| Some(run.execution?.workflow_id)));
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() {
                return Ok(ids);
            }
        }
    }

    /// Whether the latest run of a workflow is under way.
    async fn runs(&self, workflow_id: &str) -> Result<bool, Status> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), ..Default::default() }),
        };
        let mut service = self.client.connection().workflow_service();
        match service.describe_workflow_execution(timed(request)).await {
            Ok(answer) => Ok(answer
                .into_inner()
                .workflow_execution_info
                .is_some_and(|info| info.status() == WorkflowExecutionStatus::Running)),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }
}

#[async_trait::async_trait]
impl RunningWorkflows for Engine {
    async fn not_running(
        &self,
        workflow_ids: &[String],
        most: usize,
    ) -> Result<HashSet<String>, EngineError> {
        let listed = self.listed().await.map_err(Answered)?;
        // The list may be behind; each that it has not is asked about.
        let unlisted: Vec<&String> =
            workflow_ids.iter().filter(|id| !listed.contains(id.as_str())).take(most).collect();
        let mut missing = HashSet::new();
        for some in unlisted.chunks(AT_ONCE) {
            let asked = join_all(some.iter().map(|id| self.runs(id))).await;
            for (id, runs) in some.iter().zip(asked) {
                if !runs.map_err(Answered)? {
                    missing.insert((*id).clone());
                }
            }
        }
        Ok(missing)
    }
}

/// What the engine said instead of an answer.
#[derive(Debug)]
struct Answered(Status);

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Temporal answered {}: {}", self.0.code(), self.0.message())
    }
}

impl std::error::Error for Answered {
    /// What is behind the status, which says no more than is said here: a connection that broke.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

fn timed<T>(message: T) -> tonic::Request<T> {
    let mut request = message.into_request();
    request.set_timeout(CALL_TIMEOUT);
    request
}
