//! An API in a process of its own, whose memory is its connections' and nobody else's.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::stack::{env_file::EnvFile, ports::PortChoice};

/// Longest wait for it to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two questions whether it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// A running `webrana serve`; killed when dropped.
pub struct ApiProcess {
    process: Child,
    address: SocketAddr,
}

impl ApiProcess {
    /// Starts it on a stack, for so many open connections and without limits on requests, and waits until it is ready.
    ///
    /// # Errors
    /// When this program cannot be started again, or does not get ready.
    pub async fn start(env: &EnvFile, connections: usize) -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        let port = |what: &str| PortChoice::Auto.reserve(0, what);
        let (port, internal) = (port("the API")?, port("the internal API")?);
        let process = Command::new(program)
            .arg("serve")
            .envs(env.iter())
            .env("API_PORT", port.to_string())
            .env("API_INTERNAL_PORT", internal.to_string())
            .env("API_REQUESTS_PER_MINUTE", "0")
            .env("AUTH_REFRESHES_PER_MINUTE", "0")
            .env("AUTH_ACCESS_TTL", "1d")
            .env("WEBSOCKET_MAX_CONNECTIONS", (connections + 100).to_string())
            .env("PROMETHEUS_ENABLED", "false")
            .env("WEBRANA_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("an API cannot be started")?;
        let api = Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        tokio::time::timeout(PATIENCE, api.until_ready(&http)).await.context("the API does not get ready")?;
        Ok(api)
    }

    async fn until_ready(&self, http: &Client) {
        let ready = format!("{}/readyz", self.url());
        while !http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Memory that it has at the moment, in KiB.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn memory_kib(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most that it has had.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> Result<u64> {
        let Some(id) = self.process.id() else { bail!("the API has ended") };
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such figure")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Lets it end.
    pub async fn stop(mut self) {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            // One that takes too long is killed with the drop.
            let _ = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        }
    }
}
