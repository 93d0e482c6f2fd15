//! `webrana dev`: the whole product on one machine, until it is told to stop.

use crate::config::Config;
use crate::local::{LocalStack, Log, Parts, Place, StackOptions, refuse_in_production};
use crate::progress::Progress;
use crate::signals;
use anyhow::{Result, bail};

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
        messengers: true,
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
