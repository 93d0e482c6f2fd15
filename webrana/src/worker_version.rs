//! `webrana worker-version`: which version of the workflow code the engine gives work to.

use crate::config::Config;
use crate::wiring;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use temporal::versions::{Deployment, Version};
use temporalio_client::Client;

/// How long a version's workers may take to be known.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// What can be done about versions.
#[derive(Debug, clap::Subcommand)]
pub enum WorkerVersionAction {
    /// List the versions: where each stands, and how many workflows are pinned to it and not over
    List(Box<Config>),
    /// Have what begins from now on begin on this program's version, or on the one that WORKER_BUILD_ID names
    MakeCurrent(Box<Config>),
    /// Have what is pinned to other versions go on with the current one, when nobody runs those any more
    TakeOver(Box<Config>),
}

/// Does it.
///
/// # Errors
/// When the engine does not answer or refuses, or nobody runs the version.
pub async fn run(action: WorkerVersionAction) -> Result<()> {
    let (WorkerVersionAction::List(config)
    | WorkerVersionAction::MakeCurrent(config)
    | WorkerVersionAction::TakeOver(config)) = &action;
    if !config.versions.versioning {
        bail!("WORKER_VERSIONING is false: this installation's workers have no versions");
    }
    let temporal = wiring::temporal(config)?;
    let client: Client = engine::connect(&temporal).await?;
    let deployment = Deployment::of(&client, &temporal.queue_prefix);
    match &action {
        WorkerVersionAction::List(_) => print(&versions(&deployment).await?),
        WorkerVersionAction::MakeCurrent(config) => {
            let build_id = config.versions.build_id();
            make_current(&deployment, &build_id).await?;
            println!("{build_id} is current.");
        }
        WorkerVersionAction::TakeOver(_) => {
            let current = current(&versions(&deployment).await?)?;
            let taken = deployment.take_over(&current).await.context("workflows can't be taken over")?;
            println!("{taken} workflows go on with {current}.");
        }
    }
    Ok(())
}

async fn versions(deployment: &Deployment<'_>) -> Result<Vec<Version>> {
    deployment.versions().await.context("the versions can't be listed")
}

fn current(versions: &[Version]) -> Result<String> {
    let current = versions.iter().find(|version| version.status.is_current());
    Ok(current.context("no version is current: start a worker first")?.build_id.clone())
}

fn print(versions: &[Version]) {
    println!("{:<40} {:<10} open runs", "version", "status");
    for Version { build_id, status, open_runs } in versions {
        println!("{build_id:<40} {:<10} {open_runs}", status.as_str());
    }
}

/// Waits until the version's workers are known.
async fn make_current(deployment: &Deployment<'_>, build_id: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let Err(refusal) = deployment.make_current(build_id).await else { return Ok(()) };
        if !temporal::versions::is_passing(&refusal) || started.elapsed() > PATIENCE {
            return Err(refusal).with_context(|| {
                format!("{build_id} can't be made current: are its workers running, on all queues of the version before?")
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
