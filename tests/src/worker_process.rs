//! A worker in a process of its own, so that it can be killed.

use std::process::{ExitStatus, Stdio};

use simulators::digitalocean;
use tokio::process::{Child, Command};

use crate::stack::Stack;

/// A running `webrana worker`; killed when dropped.
#[derive(Debug)]
pub struct WorkerProcess(Child);

impl WorkerProcess {
    /// Starts one for a system whose own workers are off. With `crash_at` it ends itself, as if killed, the first time
    /// it passes that crash point (see `activities::CRASH_POINTS`).
    ///
    /// `program` is this crate's `webrana-with-fail-points`; only its tests know where it is.
    pub fn start(program: &str, stack: &Stack, crash_at: Option<&str>) -> Self {
        let options = &stack.options;
        let mut command = Command::new(program);
        command
            .arg("worker")
            .env("DATABASE_URL", &stack.database_url)
            .env("TEMPORAL_ADDRESS", &stack.temporal.address)
            .env("TEMPORAL_QUEUE_PREFIX", &stack.temporal.queue_prefix)
            .env("DIGITALOCEAN_URL", stack.provider.url())
            .env("DIGITALOCEAN_TOKEN", digitalocean::Config::default().token)
            .env("DIGITALOCEAN_LISTING_LAG", format!("{}ms", options.listing_lag.as_millis()))
            .env("PROVIDER_REQUEST_TIMEOUT", format!("{}ms", options.provider_timeout.as_millis()))
            .env("PROMETHEUS_ENABLED", "false")
            .env_remove("FAILPOINTS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        if let Some(point) = crash_at {
            command.env("FAILPOINTS", format!("{point}=return"));
        }
        Self(command.spawn().expect("the worker starts"))
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.0.wait().await.expect("the worker can be waited for")
    }
}
