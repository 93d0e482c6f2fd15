//! The floor: what the engine alone can do. A bare workflow with one remote and three local activities that do
//! nothing, on task queues of its own, with workers set up as the product's.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use temporal::worker::POLLERS;
use temporalio_client::{Client, WorkflowStartOptions};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, LocalActivityOptions, Runtime, Worker, WorkerOptions, WorkflowContext, WorkflowResult,
    activities::{ActivityContext, ActivityError},
    runtime::PollerBehavior,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::load::{Run, closed_loop};

const QUEUE: &str = "bench-floor";
/// A no-op that takes longer never comes back.
const PATIENCE: Duration = Duration::from_secs(120);

/// One remote and three local activities that do nothing.
#[workflow]
#[derive(Default)]
pub struct FloorWorkflow;

#[workflow_methods]
impl FloorWorkflow {
    #[run(name = "BenchFloor")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, run: Uuid) -> WorkflowResult<()> {
        let step = LocalActivityOptions::builder().start_to_close_timeout(PATIENCE).build();
        ctx.execute_local_activity(FloorActivities::record, run, step.clone()).await?;
        let remote = ActivityOptions::with_schedule_to_close_timeout(PATIENCE)
            .task_queue(remote_queue(ctx.task_queue()))
            .build();
        ctx.execute_activity(FloorActivities::call, run, remote).await?;
        ctx.execute_local_activity(FloorActivities::record, run, step.clone()).await?;
        ctx.execute_local_activity(FloorActivities::finish, run, step).await?;
        Ok(())
    }
}

fn remote_queue(queue: &str) -> String {
    format!("{queue}-remote")
}

type Waiting = Mutex<HashMap<Uuid, oneshot::Sender<()>>>;

/// The activities. The last one tells the client who waits within this process, as the last recording step of an
/// order shows in the database: learning of the end costs the engine nothing, neither here nor there.
pub struct FloorActivities {
    waiting: Arc<Waiting>,
}

#[activities]
impl FloorActivities {
    #[activity(name = "bench_record")]
    pub async fn record(_ctx: ActivityContext, _run: Uuid) -> Result<(), ActivityError> {
        Ok(())
    }

    #[activity(name = "bench_call")]
    pub async fn call(_ctx: ActivityContext, _run: Uuid) -> Result<(), ActivityError> {
        Ok(())
    }

    #[activity(name = "bench_finish")]
    pub async fn finish(self: Arc<Self>, _ctx: ActivityContext, run: Uuid) -> Result<(), ActivityError> {
        if let Some(done) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&run) {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
        Ok(())
    }
}

/// Running workers and a client.
pub struct Floor {
    engine: Client,
    waiting: Arc<Waiting>,
    stop: CancellationToken,
    workers: Vec<oneshot::Receiver<Result<()>>>,
}

impl Floor {
    /// Starts the workers.
    pub fn start(engine: Client) -> Self {
        let mut floor =
            Self { engine, waiting: Arc::default(), stop: CancellationToken::new(), workers: Vec::new() };
        floor.spawn(Role::Workflows);
        floor.spawn(Role::Remote);
        floor
    }

    /// Runs `total` workflows, `concurrency` at a time.
    ///
    /// # Errors
    /// When the engine refuses one or one does not end.
    pub async fn run(&self, total: usize, concurrency: usize) -> Result<Run<()>> {
        closed_loop(total, concurrency, |_| self.run_one()).await
    }

    async fn run_one(&self) -> Result<()> {
        let run = Uuid::now_v7();
        let (done, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(run, done);
        let options = WorkflowStartOptions::new(QUEUE, format!("bench-floor/{run}")).build();
        self.engine
            .start_workflow(FloorWorkflow::run, run, options)
            .await
            .context("a bare workflow does not start")?;
        tokio::time::timeout(PATIENCE, told).await.context("a bare workflow does not end")??;
        Ok(())
    }

    /// Stops the workers.
    ///
    /// # Errors
    /// When one of them had failed.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        for worker in self.workers {
            worker.await.context("a bare worker panicked")??;
        }
        Ok(())
    }

    /// A worker on a thread of its own: the SDK's worker is not `Send`.
    fn spawn(&mut self, role: Role) {
        let (engine, stop, waiting) = (self.engine.clone(), self.stop.clone(), Arc::clone(&self.waiting));
        let runtime = tokio::runtime::Handle::current();
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || {
            // Nobody listens any more when the bench was interrupted.
            let _ = ended.send(runtime.block_on(work(role, engine, waiting, stop)));
        });
        self.workers.push(end);
    }
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Workflows,
    Remote,
}

async fn work(role: Role, engine: Client, waiting: Arc<Waiting>, stop: CancellationToken) -> Result<()> {
    let activities = FloorActivities { waiting };
    let options = match role {
        Role::Workflows => WorkerOptions::new(QUEUE)
            .register_workflow::<FloorWorkflow>()?
            .register_activities(activities)
            .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
            .build(),
        Role::Remote => WorkerOptions::new(remote_queue(QUEUE))
            .register_activities(activities)
            .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
            .build(),
    };
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let mut worker = Worker::new(&runtime, engine, options)?;
    let shut_down = worker.shutdown_handle();
    let watcher = tokio::spawn(async move {
        stop.cancelled().await;
        shut_down();
    });
    let outcome = worker.run().await;
    watcher.abort();
    Ok(outcome?)
}
