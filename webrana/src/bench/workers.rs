//! Provider workers in processes of their own, as an installation that scales out has them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::stack::env_file::EnvFile;

/// A worker that does not end when told to is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Running `webrana worker` processes; killed when dropped.
pub struct Workers(Vec<Child>);

impl Workers {
    /// Starts `count` of them on one provider's queue of a stack.
    ///
    /// # Errors
    /// When this program cannot be started again.
    pub fn start(env: &EnvFile, provider: &str, count: usize) -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        let start = |_| {
            Command::new(&program)
                .args(["worker", "--queues", provider])
                .envs(env.iter())
                .env("PROMETHEUS_ENABLED", "false")
                .env("METRICS_PORT", "0")
                .env("WEBRANA_LOG", "warn")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .kill_on_drop(true)
                .spawn()
        };
        let workers: std::io::Result<Vec<Child>> = (0..count).map(start).collect();
        Ok(Self(workers.context("a worker cannot be started")?))
    }

    /// Lets them finish what they do.
    pub async fn stop(self) {
        for mut worker in self.0 {
            let pid = worker.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
                // One that takes too long is killed with the drop.
                let _ = tokio::time::timeout(PATIENCE, worker.wait()).await;
            }
        }
    }
}
