//! How the task queues are: what waits for workers, and who asks for it.

use std::time::Duration;

use axum::{Json, extract::State};
use domain::{
    outbox::MessageClass,
    queue_health::{TaskKind, VersionStatus},
};
use serde::Serialize;
use store::{
    Elapsed,
    outbox::ClassBacklog,
    queue_health::{QueueHealth, QueuesHealth, VersionHealth},
};
use utoipa::ToSchema;

use crate::{AppState, auth::Staff, problem::Problem};

/// Somebody looks every five seconds. What is older than this, nobody has seen to.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// The task queues, the versions of the workflow code, and the messages to workflows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminQueues {
    /// How long ago queues and versions were looked at; null: never.
    #[schema(example = 2.4)]
    seen_seconds_ago: Option<f64>,
    /// Whether that is too long ago to be relied on: nobody dispatches, or the engine does not answer.
    #[schema(example = false)]
    is_stale: bool,
    /// Why the last look saw nothing; null when it did.
    #[schema(example = json!(null))]
    problem: Option<String>,
    queues: Vec<AdminQueue>,
    versions: Vec<AdminWorkerVersion>,
    outbox: Vec<AdminOutboxClass>,
}

/// A task queue as it was when it was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminQueue {
    /// Its name, which is the name for `webrana worker --queues`; a provider's is behind `provider-`.
    #[schema(example = "orders")]
    name: String,
    tasks: TaskKind,
    /// Tasks that waited for a worker, about.
    #[schema(example = 0)]
    backlog: i64,
    /// Age of the oldest of them in seconds; 0 when none waited.
    #[schema(example = 0.0)]
    oldest_seconds: f64,
    /// Processes that asked for its tasks in the last 90 seconds.
    #[schema(example = 2)]
    pollers: i64,
    /// How long ago the last of them asked; null when nobody has for some minutes.
    #[schema(example = 12.5)]
    polled_seconds_ago: Option<f64>,
}

/// A version of the workflow code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminWorkerVersion {
    #[schema(example = "0.9.0-1f3a9c2e")]
    build_id: String,
    status: VersionStatus,
    /// Workflows that are pinned to it and not over.
    #[schema(example = 3)]
    open_runs: i64,
    /// Processes of it that asked for tasks in the last 90 seconds. Without one, what is pinned to it does not go on.
    #[schema(example = 1)]
    pollers: i64,
}

/// Messages to workflows, of a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOutboxClass {
    class: MessageClass,
    /// Messages that wait to be delivered.
    #[schema(example = 0)]
    waiting: i64,
    /// Age of the oldest of them in seconds; 0 when none waits.
    #[schema(example = 0.0)]
    oldest_seconds: f64,
    /// Messages that were given up and wait for staff.
    #[schema(example = 0)]
    dead: i64,
}

impl AdminQueues {
    fn new(health: QueuesHealth, outbox: Vec<ClassBacklog>) -> Self {
        Self {
            seen_seconds_ago: health.seen_ago.map(seconds),
            is_stale: health.seen_ago.is_none_or(|ago| ago.get() > STALE_AFTER),
            problem: health.problem,
            queues: health.queues.into_iter().map(AdminQueue::from).collect(),
            versions: health.versions.into_iter().map(AdminWorkerVersion::from).collect(),
            outbox: outbox.into_iter().map(AdminOutboxClass::from).collect(),
        }
    }
}

impl From<QueueHealth> for AdminQueue {
    fn from(of: QueueHealth) -> Self {
        Self {
            name: of.queue,
            tasks: of.tasks,
            backlog: of.backlog,
            oldest_seconds: of.oldest_seconds,
            pollers: of.pollers,
            polled_seconds_ago: of.polled_ago.map(seconds),
        }
    }
}

impl From<VersionHealth> for AdminWorkerVersion {
    fn from(of: VersionHealth) -> Self {
        let VersionHealth { build_id, status, open_runs, pollers } = of;
        Self { build_id, status, open_runs, pollers }
    }
}

impl From<ClassBacklog> for AdminOutboxClass {
    fn from(of: ClassBacklog) -> Self {
        let backlog = of.backlog;
        Self {
            class: of.class,
            waiting: backlog.waiting,
            oldest_seconds: backlog.oldest_seconds,
            dead: backlog.dead,
        }
    }
}

fn seconds(elapsed: Elapsed) -> f64 {
    elapsed.get().as_secs_f64()
}

/// Show what waits for workers: per task queue how much and for how long, who asks for it, the versions of the workflow
/// code, and the messages to workflows. Queues and versions are as they were `seen_seconds_ago`; messages as they are now.
#[utoipa::path(
    get, path = "/admin/queues", tag = "admin", operation_id = "admin_get_queues", security(("bearer" = [])),
    responses((status = 200, description = "What waits, and who works.", body = AdminQueues))
)]
pub(super) async fn get(_: Staff, State(state): State<AppState>) -> Result<Json<AdminQueues>, Problem> {
    let health = state.store.queues_health().await?;
    let outbox = state.store.outbox_by_class().await?;
    Ok(Json(AdminQueues::new(health, outbox)))
}
