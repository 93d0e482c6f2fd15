//! Looks at the task queues every few seconds, so that staff can see which work has no worker without the API calling the
//! engine. Whoever dispatches looks; of several processes one at a time. What was seen is kept in the database, and shown
//! by each process as gauges.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use domain::queue_health::{QueueSeen, QueuesSeen, TaskKind, VersionSeen};
use engine::{ConnectError, TemporalConfig, connect, timed};
use futures::{StreamExt, TryStreamExt, stream};
use store::{Store, StoreError, queue_health::QueuesHealth};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    enums::v1::TaskQueueType,
    taskqueue::v1::{PollerInfo, TaskQueue},
    workflowservice::v1::{DescribeTaskQueueRequest, DescribeTaskQueueResponse},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use workflows::queues::{self, WorkflowQueue};

use crate::{boxed, versions::Deployment};

/// How often somebody looks. What is older than a few of these is stale.
pub const EVERY: Duration = Duration::from_secs(5);
/// Longest look.
const LONGEST_LOOK: Duration = Duration::from_secs(15);
/// Questions to the engine at once.
const AT_ONCE: usize = 4;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct QueueWatch {
    /// Where the engine is.
    pub temporal: TemporalConfig,
    /// Slugs of the providers that are set up in this installation.
    pub providers: Vec<String>,
    /// Whether the engine keeps versions of the workflow code apart.
    pub versioned: bool,
}

/// Nothing was seen.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("Temporal answered {}: {}", .0.code(), .0.message())]
    Refused(#[from] Status),
    #[error("Temporal did not answer within {} s", LONGEST_LOOK.as_secs())]
    Silent,
}

/// A queue to be looked at.
struct Watched {
    name: String,
    role: String,
    tasks: TaskKind,
}

/// Looks until `stop`. Trouble is kept for staff to see, and waited out.
#[boxed]
pub async fn run(store: Store, watch: QueueWatch, stop: CancellationToken) {
    let mut client = None;
    while !stop.is_cancelled() {
        if let Err(error) = look_if_due(&store, &watch, &mut client).await {
            tracing::debug!(event = "queues.not_kept", %error, "the database took no look at the queues");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

async fn look_if_due(
    store: &Store,
    watch: &QueueWatch,
    client: &mut Option<Client>,
) -> Result<(), StoreError> {
    // A little less, so that the one who looked last does so again.
    if store.claim_queue_look(EVERY * 9 / 10).await? {
        match tokio::time::timeout(LONGEST_LOOK, look(watch, client)).await.unwrap_or(Err(Unseen::Silent)) {
            Ok(seen) => store.note_queues(&seen).await?,
            Err(problem) => {
                *client = None;
                tracing::warn!(event = "queues.unseen", error = %problem, "the task queues can't be looked at");
                store.note_queues_unseen(&problem.to_string()).await?;
            }
        }
    }
    show(&store.queues_health().await?);
    Ok(())
}

async fn look(watch: &QueueWatch, client: &mut Option<Client>) -> Result<QueuesSeen, Unseen> {
    let client = match client {
        Some(client) => client.clone(),
        None => client.insert(connect(&watch.temporal).await?).clone(),
    };
    let described: Vec<(Watched, DescribeTaskQueueResponse)> = stream::iter(watched(watch))
        .map(|queue| describe(&client, queue))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let pollers = described.iter().flat_map(|(_, answer)| &answer.pollers);
    let versions = if watch.versioned {
        versions_of(&client, &watch.temporal.queue_prefix, pollers).await?
    } else {
        Vec::new()
    };
    let queues = described.into_iter().map(|(queue, answer)| seen(queue, answer)).collect();
    Ok(QueuesSeen { queues, versions })
}

/// The queues of an installation, each with the tasks that there can be.
fn watched(watch: &QueueWatch) -> Vec<Watched> {
    let prefix = watch.temporal.queue_prefix.as_str();
    let both = [TaskKind::Workflow, TaskKind::Activity];
    let of_workflows = WorkflowQueue::ALL.into_iter().flat_map(|queue| {
        // A recording step that keeps failing becomes an activity on its workflow's queue.
        both.map(|tasks| Watched { name: queue.name(prefix), role: queue.as_str().to_owned(), tasks })
    });
    let outside = |name: String| {
        let role = name.strip_prefix(prefix).unwrap_or(&name).to_owned();
        Watched { name, role, tasks: TaskKind::Activity }
    };
    let providers = watch.providers.iter().map(|slug| queues::provider(prefix, slug));
    of_workflows.chain(providers.chain([queues::payments(prefix)]).map(outside)).collect()
}

async fn describe(client: &Client, queue: Watched) -> Result<(Watched, DescribeTaskQueueResponse), Status> {
    let kind = match queue.tasks {
        TaskKind::Workflow => TaskQueueType::Workflow,
        TaskKind::Activity => TaskQueueType::Activity,
    };
    let request = DescribeTaskQueueRequest {
        namespace: client.options().namespace.clone(),
        task_queue: Some(TaskQueue { name: queue.name.clone(), ..Default::default() }),
        task_queue_type: kind.into(),
        report_stats: true,
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let answer = service.describe_task_queue(timed(request)).await?.into_inner();
    Ok((queue, answer))
}

fn seen(queue: Watched, answer: DescribeTaskQueueResponse) -> QueueSeen {
    let stats = answer.stats.unwrap_or_default();
    let age = stats.approximate_backlog_age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
    let backlog = stats.approximate_backlog_count;
    QueueSeen {
        queue: queue.role,
        tasks: queue.tasks,
        backlog,
        oldest_seconds: if backlog > 0 { age.as_secs_f64() } else { 0.0 },
        polled_at: by_process(answer.pollers.iter()),
    }
}

async fn versions_of<'a>(
    client: &Client,
    queue_prefix: &str,
    pollers: impl Iterator<Item = &'a PollerInfo> + Clone,
) -> Result<Vec<VersionSeen>, Status> {
    let versions = Deployment::of(client, queue_prefix).versions().await?;
    let seen = versions.into_iter().map(|version| {
        let is_of = |poller: &&PollerInfo| {
            poller.deployment_options.as_ref().is_some_and(|options| options.build_id == version.build_id)
        };
        VersionSeen {
            polled_at: by_process(pollers.clone().filter(is_of)),
            build_id: version.build_id.clone(),
            status: version.status,
            open_runs: version.open_runs,
        }
    });
    Ok(seen.collect())
}

/// When each process last asked.
fn by_process<'a>(pollers: impl Iterator<Item = &'a PollerInfo>) -> Vec<DateTime<Utc>> {
    let mut last: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    for poller in pollers {
        let Some(at) = poller.last_access_time else { continue };
        let nanos = u32::try_from(at.nanos).unwrap_or_default();
        let Some(at) = DateTime::from_timestamp(at.seconds, nanos) else { continue };
        let of = last.entry(&poller.identity).or_insert(at);
        *of = at.max(*of);
    }
    last.into_values().collect()
}

#[allow(clippy::cast_precision_loss, reason = "a number of tasks is precise enough")]
fn show(health: &QueuesHealth) {
    if let Some(ago) = health.seen_ago {
        metrics::gauge!("task_queues_seen_seconds").set(ago.get().as_secs_f64());
    }
    for of in &health.queues {
        let gauge = |name: &'static str, value: f64| {
            metrics::gauge!(name, "queue" => of.queue.clone(), "tasks" => of.tasks.as_str()).set(value);
        };
        gauge("task_queue_backlog", of.backlog as f64);
        gauge("task_queue_oldest_seconds", of.oldest_seconds);
        gauge("task_queue_pollers", of.pollers as f64);
    }
    for status in domain::queue_health::VersionStatus::ALL {
        let of = health.versions.iter().filter(|version| version.status == *status);
        metrics::gauge!("worker_versions", "status" => status.as_str()).set(of.clone().count() as f64);
        let runs: i64 = of.clone().map(|version| version.open_runs).sum();
        metrics::gauge!("worker_version_runs", "status" => status.as_str()).set(runs as f64);
        // What is pinned to a version that nobody runs any more does not go on.
        let orphaned: i64 = of.filter(|version| version.pollers == 0).map(|version| version.open_runs).sum();
        metrics::gauge!("worker_version_orphaned_runs", "status" => status.as_str()).set(orphaned as f64);
    }
}
