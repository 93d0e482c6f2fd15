//! Whether a start's delay still ends as the paid path needs it. Orders wait for money in a delayed start, and the
//! signal-with-start of a payment has to end the delay at once: the engine does so today, documents it nowhere, and is about
//! to change what belongs to it. So it is tried, at a dispatcher's start and every hour, with a workflow that nobody else
//! knows; whoever finds it broken starts orders without delay from then on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    command::v1::{Command, CompleteWorkflowExecutionCommandAttributes, command::Attributes},
    common::v1::{WorkflowExecution, WorkflowType},
    enums::v1::{CommandType, EventType},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        GetWorkflowExecutionHistoryRequest, PollWorkflowTaskQueueRequest,
        RespondWorkflowTaskCompletedRequest, SignalWithStartWorkflowExecutionRequest,
        StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest,
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

use engine::{TemporalConfig, connect, timed};

/// How often it is tried.
const EVERY: Duration = Duration::from_secs(3600);
/// The same when it could not be tried.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the task may take to come once the signal was taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// The delay that the signal has to end.
const DELAY: Duration = Duration::from_secs(3600);
/// What its workflow is called; nobody runs one of this type.
const CANARY: &str = "StartDelayCanary";
/// Events of a workflow that never had a task: its start and the signals that wait for it.
const EVENTS_OF_A_SLEEPER: i32 = 100;

/// Whether a signal-with-start ends a start's delay, as far as is known. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StartDelay(Arc<AtomicBool>);

impl Default for StartDelay {
    /// It does until it is seen not to.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl StartDelay {
    /// Whether it does.
    pub(crate) fn ends(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, ends: bool) {
        metrics::gauge!("workflow_start_delay_ends").set(if ends { 1.0 } else { 0.0 });
        match (self.0.swap(ends, Ordering::Relaxed), ends) {
            (_, false) => tracing::error!(
                alert = "start_delay.not_ended",
                "a signal does not end a workflow's start delay at this engine: orders are started without delay, \
                 and those that sleep are started anew when they are paid"
            ),
            (false, true) => {
                tracing::info!(event = "start_delay.ended", "a signal ends a workflow's start delay again")
            }
            (true, true) => {}
        }
    }
}

/// Tries it every hour until `stop`; `tried` says whether it was just now.
pub(crate) async fn watch(
    config: TemporalConfig,
    delay: StartDelay,
    mut tried: bool,
    stop: CancellationToken,
) {
    loop {
        let pause = if tried { EVERY } else { AGAIN };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        tried = look(&config, &delay).await;
    }
}

/// Tries it once and keeps what was seen; `false` when it could not be tried, which says nothing.
pub(crate) async fn look(config: &TemporalConfig, delay: &StartDelay) -> bool {
    let seen = match connect(config).await {
        Ok(client) => {
            try_out(&client, &config.queue_prefix).await.map_err(|status| status.message().to_owned())
        }
        Err(error) => Err(error.to_string()),
    };
    match seen {
        Ok(ends) => {
            delay.set(ends);
            true
        }
        Err(error) => {
            tracing::warn!(
                event = "start_delay.not_tried",
                error,
                "whether a signal ends a workflow's start delay could not be tried"
            );
            false
        }
    }
}

/// Starts a workflow delayed by an hour, signals it, and waits for its first task on a queue of its own, so that no worker
/// has to be up.
async fn try_out(client: &Client, queue_prefix: &str) -> Result<bool, Status> {
    let canary = Canary {
        client,
        namespace: client.options().namespace.clone(),
        name: format!("{queue_prefix}canary-{}", Uuid::now_v7()),
    };
    canary.start_delayed().await?;
    canary.signal().await?;
    match canary.first_task().await? {
        Some(task) => canary.complete(task).await.map(|()| true),
        None => canary.terminate().await.map(|()| false),
    }
}

struct Canary<'a> {
    client: &'a Client,
    namespace: String,
    /// Of the workflow and of its queue.
    name: String,
}

impl Canary<'_> {
    async fn start_delayed(&self) -> Result<(), Status> {
        let start = StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: self.name.clone(),
            workflow_type: Some(WorkflowType { name: CANARY.to_owned() }),
            task_queue: Some(self.queue()),
            identity: self.identity(),
            request_id: Uuid::now_v7().to_string(),
            workflow_start_delay: DELAY.try_into().ok(),
            // Also when nobody comes to end it.
            workflow_execution_timeout: DELAY.try_into().ok(),
            ..Default::default()
        };
        self.client.connection().workflow_service().start_workflow_execution(timed(start)).await.map(drop)
    }

    async fn signal(&self) -> Result<(), Status> {
        let signal = SignalWithStartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: self.name.clone(),
            workflow_type: Some(WorkflowType { name: CANARY.to_owned() }),
            task_queue: Some(self.queue()),
            identity: self.identity(),
            request_id: Uuid::now_v7().to_string(),
            signal_name: "wake".to_owned(),
            ..Default::default()
        };
        let mut service = self.client.connection().workflow_service();
        service.signal_with_start_workflow_execution(timed(signal)).await.map(drop)
    }

    /// The token of the first task, unless none comes in time.
    async fn first_task(&self) -> Result<Option<Vec<u8>>, Status> {
        let poll = PollWorkflowTaskQueueRequest {
            namespace: self.namespace.clone(),
            task_queue: Some(self.queue()),
            identity: self.identity(),
            ..Default::default()
        };
        let mut service = self.client.connection().workflow_service();
        match tokio::time::timeout(PATIENCE, service.poll_workflow_task_queue(timed(poll))).await {
            Ok(Ok(answer)) => {
                let token = answer.into_inner().task_token;
                Ok((!token.is_empty()).then_some(token))
            }
            Ok(Err(status)) => Err(status),
            Err(_) => Ok(None),
        }
    }

    async fn complete(&self, task_token: Vec<u8>) -> Result<(), Status> {
        let attributes = CompleteWorkflowExecutionCommandAttributes::default();
        let complete = Command {
            command_type: CommandType::CompleteWorkflowExecution.into(),
            attributes: Some(Attributes::CompleteWorkflowExecutionCommandAttributes(attributes)),
            ..Default::default()
        };
        let done = RespondWorkflowTaskCompletedRequest {
            namespace: self.namespace.clone(),
            task_token,
            commands: vec![complete],
            identity: self.identity(),
            ..Default::default()
        };
        self.client
            .connection()
            .workflow_service()
            .respond_workflow_task_completed(timed(done))
            .await
            .map(drop)
    }

    async fn terminate(&self) -> Result<(), Status> {
        let end = TerminateWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: Some(execution(&self.name)),
            reason: "no signal woke it".to_owned(),
            identity: self.identity(),
            ..Default::default()
        };
        self.client.connection().workflow_service().terminate_workflow_execution(timed(end)).await.map(drop)
    }

    fn queue(&self) -> TaskQueue {
        TaskQueue { name: self.name.clone(), ..Default::default() }
    }

    fn identity(&self) -> String {
        self.client.connection().identity().to_owned()
    }
}

/// Whether a workflow sleeps in its start's delay: it never had a task.
pub(crate) async fn sleeps(client: &Client, workflow_id: &str) -> Result<bool, Status> {
    let read = GetWorkflowExecutionHistoryRequest {
        namespace: client.options().namespace.clone(),
        execution: Some(execution(workflow_id)),
        maximum_page_size: EVENTS_OF_A_SLEEPER,
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    match service.get_workflow_execution_history(timed(read)).await {
        Ok(answer) => {
            let events = answer.into_inner().history.unwrap_or_default().events;
            Ok(!events.iter().any(|event| event.event_type() == EventType::WorkflowTaskScheduled))
        }
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status),
    }
}

fn execution(workflow_id: &str) -> WorkflowExecution {
    WorkflowExecution { workflow_id: workflow_id.to_owned(), ..Default::default() }
}
