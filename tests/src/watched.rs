//! Processes of a system that are listened to: what they log, and what they count.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::api_process::free_port;

/// Where the API's process and the worker's log and are asked for figures; one of each.
#[derive(Debug, Clone)]
pub struct Watched {
    log: PathBuf,
    api_metrics: u16,
    worker_metrics: u16,
}

impl Watched {
    /// They log to this file.
    #[must_use]
    pub fn to(log: &Path) -> Self {
        Self { log: log.to_owned(), api_metrics: free_port(), worker_metrics: free_port() }
    }

    /// Where their figures are read.
    #[must_use]
    pub fn metrics(&self) -> [String; 2] {
        [self.api_metrics, self.worker_metrics].map(|port| format!("http://127.0.0.1:{port}/metrics"))
    }

    /// Has the API's process do so.
    pub(crate) fn api(&self, command: &mut Command) {
        self.listen(command, self.api_metrics);
    }

    /// Has the worker's process do so.
    pub(crate) fn worker(&self, command: &mut Command) {
        self.listen(command, self.worker_metrics);
    }

    fn listen(&self, command: &mut Command, port: u16) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log");
        command
            .env("WEBRANA_LOG", "info")
            .env("PROMETHEUS_ENABLED", "true")
            .env("METRICS_PORT", port.to_string())
            .stderr(log);
    }
}
