//! The command line: what the program can do, and the way from words to work.

use crate::config::{Config, layers};
use crate::{
    admin, api_key, bench, check, demo, dev, health, ledger, serve, simulate, worker, worker_version,
};
use anyhow::{Context, Result};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// WeBrana Cloud: virtual servers on top of other clouds, as durable workflows.
///
/// Every setting is a flag, an environment variable or a key of the TOML file, in this order of precedence; a secret
/// may also be in a file that its variable with _FILE at the end names.
#[derive(Debug, Parser)]
#[command(name = "webrana", version, max_term_width = 110)]
struct Cli {
    /// TOML file with settings; by default webrana.toml, when it is there
    #[arg(
        long = "config",
        env = "WEBRANA_CONFIG",
        value_name = "FILE",
        global = true,
        help_heading = "General"
    )]
    config: Option<PathBuf>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run everything here: Postgres, Temporal, the simulators, the API and a worker
    Dev(Box<dev::Arguments>),
    /// Show the main job: an order from placed to ACTIVE, with its timeline and links
    Demo(Box<demo::Arguments>),
    /// Run the API
    Serve(Box<Config>),
    /// Run workflows, activities and the dispatcher
    Worker(Box<worker::Arguments>),
    /// See which version of the workflow code gets work, and decide it
    #[command(subcommand)]
    WorkerVersion(worker_version::WorkerVersionAction),
    /// Bring the database schema up to date
    Migrate(Box<admin::MigrateArguments>),
    /// Run the providers' and gateways' simulators
    Simulate(Box<simulate::Arguments>),
    /// Measure the product on a stack of its own
    #[command(subcommand)]
    Bench(bench::BenchAction),
    /// Manage administrators
    #[command(subcommand)]
    Admin(admin::AdminAction),
    /// Manage keys of the internal API
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyAction),
    /// Look after the books
    #[command(subcommand)]
    Ledger(ledger::LedgerAction),
    /// Print the OpenAPI document
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(check::ConfigAction),
    /// Ask a running API whether it is well; for containers
    Healthcheck(health::Arguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match run(std::env::args_os().collect()) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            // Help and version are errors to clap; it knows what goes where.
            Some(usage) => usage.exit(),
            None => {
                eprintln!("webrana: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    // Several libraries bring TLS along: they all take this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let variable = |name: &str| std::env::var(name).ok();
    let file = config_file(&arguments).or_else(|| variable("WEBRANA_CONFIG").map(PathBuf::from));
    let command = layers::apply(Cli::command(), file.as_deref(), &variable)?;
    let matches = command.try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot start")?;
    let outcome = runtime.block_on(act(cli.action, &matches));
    // Whatever still runs by now was given its time to finish.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn act(action: Action, matches: &ArgMatches) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match action {
        Action::Dev(arguments) => dev::run(*arguments).await.map(done),
        Action::Demo(arguments) => demo::run(*arguments).await.map(done),
        Action::Serve(config) => serve::run(*config).await.map(done),
        Action::Worker(arguments) => worker::run(*arguments).await.map(done),
        Action::WorkerVersion(action) => worker_version::run(action).await.map(done),
        Action::Migrate(arguments) => admin::migrate(*arguments).await.map(done),
        Action::Simulate(arguments) => simulate::run(*arguments).await.map(done),
        Action::Bench(action) => bench::run(action).await.map(done),
        Action::Admin(action) => admin::administrators(action).await.map(done),
        Action::ApiKey(action) => api_key::run(action).await.map(done),
        Action::Ledger(action) => ledger::run(action).await,
        Action::Openapi => check::print_openapi().map(done),
        Action::Config(action) => check::configuration(action, matches).map(done),
        Action::Healthcheck(arguments) => health::check(&arguments).await.map(done),
        Action::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "webrana", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The file that `--config` names. It is needed before the arguments can be read, for it holds their defaults.
fn config_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_config_file_is_found_before_the_arguments_are_read() {
        let file = |words: &str| config_file(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(file("webrana serve --config a.toml"), Some(PathBuf::from("a.toml")));
        assert_eq!(file("webrana --config=a.toml serve"), Some(PathBuf::from("a.toml")));
        assert_eq!(file("webrana serve"), None);
    }

    #[test]
    fn every_variable_is_in_the_example_file() {
        fn variables(command: &clap::Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(clap::Arg::get_env);
            let own = own.map(|name| name.to_string_lossy().into_owned());
            own.chain(command.get_subcommands().flat_map(variables)).collect()
        }
        let example = include_str!("../../.env.example");
        let missing: std::collections::BTreeSet<String> = variables(&Cli::command())
            .into_iter()
            .filter(|name| {
                !example
                    .lines()
                    .any(|line| line.trim_start_matches(['#', ' ']).starts_with(&format!("{name}=")))
            })
            .collect();
        assert!(missing.is_empty(), "not in .env.example: {missing:?}");
    }

    #[test]
    fn completions_are_made_for_every_shell() {
        use clap::ValueEnum;
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "webrana", &mut script);
            assert!(!script.is_empty());
        }
    }
}
