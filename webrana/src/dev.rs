//! `webrana dev`: the whole product on one machine, until it is told to stop.

use crate::config::Config;
use crate::progress::Progress;
use crate::signals;
use crate::stack::local::{LocalStack, Log, Parts, StackOptions};
use crate::stack::ports::PortChoice;
use crate::stack::postgres_binaries::Choice;
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Where and how the stack runs.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the stack runs.
    #[command(flatten)]
    pub place: Place,

    /// Start only a part: the servers, for tests that bring the rest themselves
    #[arg(id = "dev.only", long = "only", env = "WEBRANA_ONLY", value_name = "PART", help_heading = "Stack")]
    only: Option<Only>,

    /// Remove everything at the end; what a lasting stack keeps in the same directory stays
    #[arg(
        id = "dev.ephemeral",
        long = "ephemeral",
        env = "WEBRANA_EPHEMERAL",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true",
        default_value_t = false,
        help_heading = "Stack"
    )]
    ephemeral: bool,

    /// Stop when standard input ends, so that the program which started this one never leaves it behind
    #[arg(long = "until-stdin-closes", help_heading = "Stack")]
    until_stdin_closes: bool,

    /// The product's settings.
    #[command(flatten)]
    pub config: Config,
}

/// Where a stack runs, and from what.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Stack")]
pub struct Place {
    /// Directory of the stack's data; by default .webrana at the root of the repository
    #[arg(id = "dev.data_dir", long = "data-dir", env = "WEBRANA_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Ports: the well-known ones, or any that are free, so that several stacks run at once
    #[arg(
        id = "dev.ports",
        long = "ports",
        env = "WEBRANA_PORTS",
        value_name = "CHOICE",
        default_value = "default"
    )]
    pub ports: PortChoice,

    /// How long a simulated server takes to boot, in seconds; fractions count
    #[arg(
        id = "dev.sim_boot_seconds",
        long = "sim-boot-seconds",
        env = "WEBRANA_SIM_BOOT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3.0
    )]
    pub sim_boot_seconds: f64,

    /// Postgres programs to use: auto, download, or the directory that holds them
    #[arg(
        id = "dev.postgres_binaries",
        long = "postgres-binaries",
        env = "WEBRANA_POSTGRES_BINARIES",
        value_name = "WHICH",
        default_value = "auto"
    )]
    pub postgres_binaries: Choice,
}

/// A part of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// Postgres and Temporal.
    Servers,
}

/// Runs the stack until it is told to stop.
///
/// # Errors
/// When something is missing or a part of the stack fails, in one sentence.
pub async fn run(arguments: Arguments) -> Result<()> {
    refuse_in_production(&arguments.config, "webrana dev")?;
    signals::allow_many_files();
    let stop = signals::stop_token()?;
    if arguments.until_stdin_closes {
        signals::stop_at_end_of_input(&stop);
    }
    let options = StackOptions {
        parts: if arguments.only.is_some() { Parts::Servers } else { Parts::All },
        ephemeral: arguments.ephemeral,
        durable: !arguments.ephemeral,
        log: Log::ToTerminal,
        place: arguments.place,
        config: arguments.config,
    };
    let progress = Progress::default();
    let stack = LocalStack::start(options, &progress, &stop).await?;
    stack.announce(&progress);
    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = stack.failure() => Some(failure),
    };
    progress.say("stopping");
    stack.stop().await?;
    match failure {
        Some(failure) => bail!("{failure}"),
        None => {
            progress.say("stopped");
            Ok(())
        }
    }
}

/// A local stack has simulators and secrets of its own: no production runs on that.
///
/// # Errors
/// In production.
pub fn refuse_in_production(config: &Config, command: &str) -> Result<()> {
    if config.general.is_production() {
        bail!(
            "`{command}` runs simulators, which production refuses: use `webrana serve` and `webrana worker`"
        );
    }
    Ok(())
}
