//! Versions of the workflow code, as the engine keeps them apart: a deployment per installation, in it a version per build.
//! A version gets work once it is current; what is pinned to an earlier one ends there, unless it is taken over.
//!
//! Whoever finds a deployment without a current version makes its own current, so that a first installation runs by itself.
//! Afterwards that is somebody's decision (`webrana worker-version make-current`), except where a worker takes its
//! predecessor's place: then it makes itself current, and takes over what the predecessor left.

use std::time::Duration;

use domain::queue_health::VersionStatus;
use engine::{ConnectError, TemporalConfig, connect, is_not_ours, timed};
use futures::{StreamExt, stream};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    deployment::v1::{WorkerDeploymentInfo, WorkerDeploymentVersion},
    enums::v1::WorkerDeploymentVersionStatus,
    workflow::v1::{
        VersioningOverride, WorkflowExecutionOptions,
        versioning_override::{OneTimeOverride, Override},
    },
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, DescribeWorkerDeploymentRequest, ListWorkflowExecutionsRequest,
        SetWorkerDeploymentCurrentVersionRequest, UpdateWorkflowExecutionOptionsRequest,
    },
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{boxed, pause::Pauses};

/// Wait before the engine is asked again: twice as long each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Workflows in one part of a list.
const PAGE: i32 = 500;
/// Workflows that are taken over at once.
const AT_ONCE: usize = 16;

/// Which version a process runs, and what it does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSettings {
    /// What the engine calls the version.
    pub build_id: String,
    /// Whether it takes the place of whatever ran before: it makes itself current, and what is pinned to other versions
    /// goes on with it. Else it waits to be made current, unless it is the first.
    pub in_place: bool,
}

/// What a build is called unless somebody names it: the release, and its workflow code.
#[must_use]
pub fn build_id() -> String {
    let code = workflows::CODE.get(..8).unwrap_or(workflows::CODE);
    format!("{}-{code}", env!("CARGO_PKG_VERSION"))
}

/// What the installation is called that the versions are of.
#[must_use]
pub fn deployment(queue_prefix: &str) -> String {
    format!("{queue_prefix}webrana")
}

/// A question or a request about versions failed.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The engine is not there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It refused.
    #[error("Temporal answered {}: {}", .0.code(), .0.message())]
    Refused(#[from] Status),
}

/// A version of the workflow code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub build_id: String,
    /// Where it stands.
    pub status: VersionStatus,
    /// Workflows that are pinned to it and not over; lists of the engine may be a moment old.
    pub open_runs: i64,
}

/// The versions of one installation.
#[derive(Debug)]
pub struct Deployment<'a> {
    client: &'a Client,
    namespace: String,
    name: String,
}

/// What the engine says of a deployment.
struct Standing {
    info: WorkerDeploymentInfo,
    /// Fails a change when another one came between.
    token: Vec<u8>,
}

impl Standing {
    fn current(&self) -> Option<&str> {
        let routing = self.info.routing_config.as_ref()?;
        routing.current_deployment_version.as_ref().map(|version| version.build_id.as_str())
    }
}

impl<'a> Deployment<'a> {
    /// That of an installation.
    #[must_use]
    pub fn of(client: &'a Client, queue_prefix: &str) -> Self {
        Self { client, namespace: client.options().namespace.clone(), name: deployment(queue_prefix) }
    }

    /// Its versions; none before a first worker polled.
    ///
    /// # Errors
    /// [`Status`] when the engine refuses or does not answer.
    #[boxed]
    pub async fn versions(&self) -> Result<Vec<Version>, Status> {
        let Some(standing) = self.standing().await? else { return Ok(Vec::new()) };
        let mut versions = Vec::new();
        for summary in standing.info.version_summaries {
            let status = status(summary.status());
            let Some(version) = summary.deployment_version else { continue };
            let open_runs = self.count(&self.pinned_to(&version.build_id)).await?;
            versions.push(Version { build_id: version.build_id, status, open_runs });
        }
        Ok(versions)
    }

    /// Makes a version current. Harmless when it is.
    ///
    /// # Errors
    /// [`Status`]: `FailedPrecondition` while its workers don't poll all the queues that the current version serves.
    #[boxed]
    pub async fn make_current(&self, build_id: &str) -> Result<(), Status> {
        self.set_current(build_id, Vec::new()).await
    }

    /// Has what is pinned to other versions go on with this one; how many workflows that were.
    ///
    /// # Errors
    /// [`Status`] when the engine refuses or does not answer.
    #[boxed]
    pub async fn take_over(&self, build_id: &str) -> Result<u64, Status> {
        let query =
            format!("{} AND TemporalWorkerDeploymentVersion != '{}:{build_id}'", self.pinned(), self.name);
        let (mut taken, mut next_page_token) = (0, Vec::new());
        loop {
            let request = ListWorkflowExecutionsRequest {
                namespace: self.namespace.clone(),
                page_size: PAGE,
                next_page_token,
                query: query.clone(),
            };
            let mut service = self.client.connection().workflow_service();
            let page = service.list_workflow_executions(timed(request)).await?.into_inner();
            let runs = page.executions.into_iter().filter_map(|run| run.execution);
            let mut moving =
                stream::iter(runs.map(|run| self.move_to(run, build_id))).buffer_unordered(AT_ONCE);
            while let Some(moved) = moving.next().await {
                taken += u64::from(moved?);
            }
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() {
                return Ok(taken);
            }
        }
    }

    async fn standing(&self) -> Result<Option<Standing>, Status> {
        let request = DescribeWorkerDeploymentRequest {
            namespace: self.namespace.clone(),
            deployment_name: self.name.clone(),
        };
        let mut service = self.client.connection().workflow_service();
        match service.describe_worker_deployment(timed(request)).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let info = answer.worker_deployment_info.unwrap_or_default();
                Ok(Some(Standing { info, token: answer.conflict_token }))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    async fn set_current(&self, build_id: &str, conflict_token: Vec<u8>) -> Result<(), Status> {
        let request = SetWorkerDeploymentCurrentVersionRequest {
            namespace: self.namespace.clone(),
            deployment_name: self.name.clone(),
            build_id: build_id.to_owned(),
            conflict_token,
            identity: self.client.connection().identity().to_owned(),
            ..Default::default()
        };
        let mut service = self.client.connection().workflow_service();
        service.set_worker_deployment_current_version(timed(request)).await.map(drop)
    }

    /// `false` when it is over meanwhile. It is routed to the version once, and is pinned there then; where the engine knows
    /// no such thing, it goes on with whatever is current from now on.
    async fn move_to(&self, run: WorkflowExecution, build_id: &str) -> Result<bool, Status> {
        let target =
            WorkerDeploymentVersion { deployment_name: self.name.clone(), build_id: build_id.to_owned() };
        let once = Override::OneTime(OneTimeOverride { target_deployment_version: Some(target) });
        let moved = match self.route(run.clone(), once).await {
            Err(status) if status.code() == Code::InvalidArgument => {
                self.route(run, Override::AutoUpgrade(true)).await
            }
            moved => moved,
        };
        match moved {
            Ok(()) => Ok(true),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }

    async fn route(&self, run: WorkflowExecution, how: Override) -> Result<(), Status> {
        let versioning = VersioningOverride { r#override: Some(how), ..Default::default() };
        let mut request = UpdateWorkflowExecutionOptionsRequest {
            namespace: self.namespace.clone(),
            workflow_execution: Some(run),
            workflow_execution_options: Some(WorkflowExecutionOptions {
                versioning_override: Some(versioning),
                ..Default::default()
            }),
            update_mask: None,
            identity: self.client.connection().identity().to_owned(),
        };
        request.update_mask.get_or_insert_default().paths.push("versioning_override".to_owned());
        let mut service = self.client.connection().workflow_service();
        service.update_workflow_execution_options(timed(request)).await.map(drop)
    }

    async fn count(&self, query: &str) -> Result<i64, Status> {
        let request =
            CountWorkflowExecutionsRequest { namespace: self.namespace.clone(), query: query.to_owned() };
        let mut service = self.client.connection().workflow_service();
        Ok(service.count_workflow_executions(timed(request)).await?.into_inner().count)
    }

    /// The query for what is pinned and not over.
    fn pinned(&self) -> String {
        format!(
            "ExecutionStatus = 'Running' AND TemporalWorkflowVersioningBehavior = 'Pinned' \
             AND TemporalWorkerDeployment = '{}'",
            self.name
        )
    }

    fn pinned_to(&self, build_id: &str) -> String {
        format!("{} AND TemporalWorkerDeploymentVersion = '{}:{build_id}'", self.pinned(), self.name)
    }
}

/// Whether a version could not be made current for now: its workers do not poll yet, or another process was quicker.
#[must_use]
pub fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::FailedPrecondition | Code::NotFound | Code::Aborted)
}

const fn status(status: WorkerDeploymentVersionStatus) -> VersionStatus {
    match status {
        WorkerDeploymentVersionStatus::Current => VersionStatus::Current,
        WorkerDeploymentVersionStatus::Ramping => VersionStatus::Ramping,
        WorkerDeploymentVersionStatus::Draining => VersionStatus::Draining,
        WorkerDeploymentVersionStatus::Drained => VersionStatus::Drained,
        WorkerDeploymentVersionStatus::Unspecified
        | WorkerDeploymentVersionStatus::Inactive
        | WorkerDeploymentVersionStatus::Created => VersionStatus::Inactive,
    }
}

/// What became of a process's version.
enum Settled {
    /// It was current.
    Already,
    /// It was made current, and so many workflows of others were taken over.
    Made(u64),
    /// Another one is current.
    Waits { current: String },
    /// The engine does not know of its workers yet.
    NotYet,
}

/// Sees to a process's version, until that is done or `stop`.
pub(crate) async fn settle(config: TemporalConfig, settings: VersionSettings, stop: CancellationToken) {
    let mut pauses = Pauses::between(PAUSE, LONGEST_PAUSE);
    let build_id = settings.build_id.as_str();
    while let Some(settled) = stop.run_until_cancelled(try_to_settle(&config, &settings)).await {
        match settled {
            Ok(Settled::Already) => return,
            Ok(Settled::Made(taken_over)) => {
                tracing::info!(
                    event = "worker_version.current",
                    build_id,
                    taken_over,
                    "this version is current"
                );
                return;
            }
            Ok(Settled::Waits { current }) => {
                tracing::warn!(
                    event = "worker_version.waits",
                    build_id,
                    current,
                    "another version is current: this one gets no new work before `webrana worker-version make-current`"
                );
                return;
            }
            Ok(Settled::NotYet) => {}
            Err(VersionError::Refused(status)) if is_not_ours(&status) => {
                tracing::error!(
                    alert = "worker_version.not_ours",
                    build_id,
                    "this client may not make its version current: whoever runs the engine has to"
                );
                return;
            }
            Err(error) => {
                tracing::debug!(event = "worker_version.failed", build_id, %error, "the version can't be seen to yet");
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(pauses.next())).await.is_none() {
            return;
        }
    }
}

async fn try_to_settle(config: &TemporalConfig, settings: &VersionSettings) -> Result<Settled, VersionError> {
    let client = connect(config).await?;
    let deployment = Deployment::of(&client, &config.queue_prefix);
    let Some(standing) = deployment.standing().await? else { return Ok(Settled::NotYet) };
    let build_id = settings.build_id.as_str();
    let was_current = match standing.current() {
        Some(current) if current == build_id => true,
        Some(current) if !settings.in_place => return Ok(Settled::Waits { current: current.to_owned() }),
        _ => false,
    };
    if !was_current {
        match deployment.set_current(build_id, standing.token).await {
            Err(status) if is_passing(&status) => return Ok(Settled::NotYet),
            made => made?,
        }
    }
    let taken_over = if settings.in_place { deployment.take_over(build_id).await? } else { 0 };
    Ok(if was_current && taken_over == 0 { Settled::Already } else { Settled::Made(taken_over) })
}
