//! A worker in a process of its own, so that it can be killed.

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use engine::{
    TemporalConfig,
    security::{Pem, Security},
};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};

use crate::{
    cloud::Cloud,
    gateway, skewed_clock,
    stack::{CREDENTIALS_KEY, Stack},
};

/// Where a worker is to die.
#[derive(Debug, Clone, Copy)]
pub struct CrashAt<'a> {
    /// The crash point: see `activities::crash_point`.
    pub name: &'a str,
    /// How often it is passed unharmed before.
    pub passes: usize,
}

impl<'a> From<&'a str> for CrashAt<'a> {
    /// The first time it is passed.
    fn from(name: &'a str) -> Self {
        Self { name, passes: 0 }
    }
}

/// The part of a fail point's setting that lets the first passes through.
fn skipped(passes: usize) -> String {
    if passes == 0 { String::new() } else { format!("{passes}*off->") }
}

/// The tests' program with what every process of a system needs to know, to be given its subcommand. With `crash_at` it
/// ends itself there, as if killed.
pub(crate) fn command(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>) -> Command {
    let options = &stack.options;
    let mut command = Command::new(program);
    command
        .env("DATABASE_URL", &stack.database_url)
        .env("TEMPORAL_ADDRESS", &stack.temporal.address)
        .env("TEMPORAL_QUEUE_PREFIX", &stack.temporal.queue_prefix)
        .env("WORKER_VERSIONING", options.version.is_some().to_string())
        .env("CREDENTIALS_KEY", CREDENTIALS_KEY)
        .env("PROMETHEUS_ENABLED", "false")
        .env("METRICS_PORT", "0")
        .env("PROVIDER_REQUEST_TIMEOUT", format!("{}ms", options.provider_timeout.as_millis()))
        .env_remove("FAILPOINTS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    prove(&mut command, &stack.temporal.security);
    for cloud in Cloud::all() {
        let names = cloud.vendor().environment;
        command
            .env(names.url, stack.clouds.url(cloud))
            .env(names.credential, stack.clouds.account(cloud).credential.expose_secret())
            .env(names.listing_lag, format!("{}ms", options.listing_lag.as_millis()));
    }
    if let Some(point) = crash_at {
        command.env("FAILPOINTS", format!("{}={}return", point.name, skipped(point.passes)));
    }
    command
}

/// What the process proves to the engine, and what it checks.
fn prove(command: &mut Command, security: &Security) {
    if let Some(key) = &security.api_key {
        command.env("TEMPORAL_API_KEY", key.expose_secret());
    }
    let Some(tls) = &security.tls else { return };
    let mut file = |variable: &str, pem: Option<&Pem>| {
        if let Some(Pem::File(path)) = pem {
            command.env(variable, path);
        }
    };
    file("TEMPORAL_TLS_SERVER_CA_CERT_PATH", tls.authority.as_ref());
    file("TEMPORAL_TLS_CLIENT_CERT_PATH", tls.client.as_ref().map(|pair| &pair.certificate));
    file("TEMPORAL_TLS_CLIENT_KEY_PATH", tls.client.as_ref().map(|pair| &pair.key));
    if let Some(name) = &tls.server_name {
        command.env("TEMPORAL_TLS_SERVER_NAME", name);
    }
}

/// A running `webrana worker`; killed when dropped.
#[derive(Debug)]
pub struct WorkerProcess(Child);

impl WorkerProcess {
    /// Starts one for a system whose own workers are off. With `crash_at` it ends itself there, as if killed.
    ///
    /// `program` is this crate's `webrana-with-fail-points`; only its tests know where it is.
    pub fn start(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>) -> Self {
        let mut command = command(program, stack, crash_at);
        command.arg("worker");
        if let Some(watched) = &stack.options.watched {
            watched.worker(&mut command);
        }
        Self(command.spawn().expect("the worker starts"))
    }

    /// Starts one whose clock is so many seconds ahead; behind, when they are negative.
    pub fn start_ahead(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>, seconds: i64) -> Self {
        let mut command = command(program, stack, crash_at);
        command.arg("worker").envs(skewed_clock::environment(seconds));
        Self(command.spawn().expect("the worker starts"))
    }

    /// Starts one that only asks the payment gateway, and only when a test starts the workflow that has it do so.
    pub fn start_payments(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>) -> Self {
        let mut command = command(program, stack, crash_at);
        command
            .arg("worker")
            .env("WORKER_QUEUES", "payments")
            .env("PAYMENT_CHECK_EVERY", "24h")
            .envs(gateway::environment(stack));
        Self(command.spawn().expect("the worker starts"))
    }

    /// Starts one that only tells people what there is to be told, and gives a message up after `patience`.
    ///
    /// # Panics
    /// When the system tells nobody.
    pub fn start_notifications(
        program: &str,
        stack: &Stack,
        crash_at: Option<CrashAt<'_>>,
        patience: Duration,
    ) -> Self {
        let messengers = stack.messengers.as_ref().expect("messengers");
        let mut command = command(program, stack, crash_at);
        command.arg("worker").env("WORKER_QUEUES", "notifications").envs(messengers.environment(patience));
        Self(command.spawn().expect("the worker starts"))
    }

    /// Starts one that takes another way to the engine than its system does.
    pub fn start_at(program: &str, stack: &Stack, engine: &TemporalConfig) -> Self {
        let mut command = command(program, stack, None);
        command.arg("worker").env("TEMPORAL_ADDRESS", &engine.address);
        prove(&mut command, &engine.security);
        Self(command.spawn().expect("the worker starts"))
    }

    /// Starts one with further variables.
    pub fn start_with(program: &str, stack: &Stack, variables: &[(&str, &str)]) -> Self {
        let mut command = command(program, stack, None);
        command.arg("worker").envs(variables.iter().copied());
        Self(command.spawn().expect("the worker starts"))
    }

    /// Another command of the program, as somebody calls it who runs the system.
    pub fn command(program: &str, stack: &Stack, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(program, stack, None);
        command.args(words).envs(variables.iter().copied());
        Self(command.spawn().expect("the program starts"))
    }

    /// Asks it to end, as whoever stops services does.
    pub fn terminate(&self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("it runs"), Signal::TERM).expect("it can be told");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.0.wait().await.expect("the worker can be waited for")
    }
}
