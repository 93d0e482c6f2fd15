//! The stack that is measured: private, and gone afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::config::Config;
use crate::local::{LocalStack, Log, Parts, Place, StackOptions, refuse_in_production};
use crate::progress::Progress;
use crate::signals;
use crate::stack::data_dir;
use crate::stack::ports::PortChoice;
use crate::stack::postgres_binaries::Choice;

/// Lines of the log that a failed run shows.
const LAST_WORDS: usize = 20;
/// Longer than any run: no customer has to log in again.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Where a bench's stack runs, and from what.
#[derive(Debug, clap::Args)]
pub struct StackArguments {
    /// Directory of the bench's own stack, wiped at the end; by default bench in .webrana at the root of the repository
    #[arg(
        id = "dev.data_dir",
        long = "data-dir",
        env = "WEBRANA_DATA_DIR",
        value_name = "DIR",
        help_heading = "Stack"
    )]
    data_dir: Option<PathBuf>,

    /// Postgres programs to use: auto, download, or the directory that holds them
    #[arg(
        id = "dev.postgres_binaries",
        long = "postgres-binaries",
        env = "WEBRANA_POSTGRES_BINARIES",
        value_name = "WHICH",
        default_value = "auto",
        help_heading = "Stack"
    )]
    postgres_binaries: Choice,

    /// Tell customers by mail, too, as a shop does: a workflow for each message; without it nobody is told outside of the app
    #[arg(id = "bench.mail", long = "mail", help_heading = "Stack")]
    mail: bool,

    /// The product's settings; servers, simulators and limits are always the bench's own.
    #[command(flatten)]
    config: Config,
}

impl StackArguments {
    /// The same without the providers' limits, neither in our adapters nor in the simulators: one switch lifts both.
    pub fn without_provider_limits(mut self) -> Self {
        self.config.provider_shares.limits_lifted = true;
        self
    }
}

/// Starts a stack, measures with `measure`, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start, when a part of it fails, and whatever `measure` fails with.
pub async fn run<T>(
    arguments: StackArguments,
    parts: Parts,
    sim_boot_seconds: f64,
    measure: impl AsyncFnOnce(&LocalStack, &Progress) -> Result<T>,
) -> Result<T> {
    refuse_in_production(&arguments.config, "webrana bench")?;
    let stop = signals::stop_token()?;
    let progress = Progress::on_standard_error();
    let stack = LocalStack::start(options(arguments, parts, sim_boot_seconds)?, &progress, &stop).await?;
    let outcome = tokio::select! {
        outcome = measure(&stack, &progress) => outcome,
        failure = stack.failure() => Err(anyhow::anyhow!(failure)),
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped")),
    };
    if outcome.is_err() {
        print_log_end(&stack.log_file(), &progress);
    }
    progress.say("stopping");
    stack.stop().await?;
    outcome
}

/// The log goes with the stack: what it said last is all there is to learn why a run failed.
fn print_log_end(log: &Path, progress: &Progress) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
    lines.iter().skip(lines.len().saturating_sub(LAST_WORDS)).for_each(|line| progress.note(line));
}

/// A stack as `webrana dev --ephemeral --ports auto` has, but durable as a lasting one, since that is what customers
/// get, and without limits on requests to us, since they are not what is measured.
fn options(arguments: StackArguments, parts: Parts, sim_boot_seconds: f64) -> Result<StackOptions> {
    let data_dir = match arguments.data_dir {
        Some(directory) => directory,
        None => data_dir::default_path()?.join("bench"),
    };
    let place = Place {
        data_dir: Some(data_dir),
        ports: PortChoice::Auto,
        sim_boot_seconds,
        postgres_binaries: arguments.postgres_binaries,
    };
    let (messengers, config) = (arguments.mail, private(arguments.config));
    Ok(StackOptions { parts, messengers, ephemeral: true, durable: true, log: Log::ToFile, place, config })
}

/// The same settings without what would lead out of the bench's own stack, whatever the shell has set.
fn private(mut config: Config) -> Config {
    config.database = config.database.with_url("");
    config.temporal = config.temporal.with_server("", None);
    config.providers = config.providers.without_credentials();
    config.payments.gateways.forget_credentials();
    config.notifications = config.notifications.without_channels();
    // No notification is lost here, and the janitor would ask a simulator that knows of no charge.
    config.payments = config.payments.with_checks_after(TOKEN_LIFE);
    config.api = config.api.without_request_limit();
    config.unpaid = config.unpaid.without_bounds();
    config.observability.prometheus_enabled = true;
    config.auth.requests_per_minute = 0;
    config.auth.access_ttl = TOKEN_LIFE;
    config
}
