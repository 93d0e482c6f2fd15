//! `webrana bench orders`: a private stack, its customers, the floor, and the phases of the measurement.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use domain::ids::OrderId;
use temporal::TemporalConfig;

use super::{
    figures::{Figures, Measured, PLACING_CONCURRENCY},
    floor::Floor,
    history,
    load::Run,
    shop::Shop,
};
use crate::config::Config;
use crate::dev::{Place, refuse_in_production};
use crate::progress::Progress;
use crate::signals;
use crate::stack::data_dir;
use crate::stack::local::{LocalStack, Log, Parts, StackOptions};
use crate::stack::ports::PortChoice;
use crate::stack::postgres_binaries::Choice;

/// Orders placed one by one, to see what an order takes when nothing else goes on.
const IDLE_ORDERS: usize = 20;
/// Orders placed twenty at a time, to see what placing takes then.
const PLACING_ORDERS: usize = 200;
/// Orders and bare workflows before anything is measured: connections, caches, plans of statements.
const WARM_UP: usize = 50;
/// Lines of the log that a failed run shows.
const LAST_WORDS: usize = 20;
/// Longer than any run: no customer has to log in again.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many orders
    #[arg(long = "n", value_name = "N", default_value_t = 500, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,

    /// How many customers order at once; each orders again when its server runs
    #[arg(long, value_name = "N", default_value_t = 50, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,

    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Bench")]
    json: bool,

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

    /// The product's settings; servers, simulators and limits are always the bench's own.
    #[command(flatten)]
    config: Config,
}

/// Starts a stack, measures, prints, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start or an order does not become ACTIVE.
pub async fn run(arguments: Arguments) -> Result<()> {
    refuse_in_production(&arguments.config, "webrana bench")?;
    let stop = signals::stop_token()?;
    let progress = Progress::on_standard_error();
    let (n, concurrency, json) = (arguments.n as usize, arguments.concurrency as usize, arguments.json);
    let stack = LocalStack::start(stack_options(arguments)?, &progress, &stop).await?;
    let outcome = tokio::select! {
        outcome = measure(&stack, n, concurrency, &progress) => outcome,
        failure = stack.failure() => Err(anyhow::anyhow!(failure)),
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped")),
    };
    if outcome.is_err() {
        print_log_end(&stack.log_file(), &progress);
    }
    progress.say("stopping");
    stack.stop().await?;
    let figures = Figures::from(outcome?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

/// The log goes with the stack: what it said last is all there is to learn why a run failed.
fn print_log_end(log: &Path, progress: &Progress) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
    lines.iter().skip(lines.len().saturating_sub(LAST_WORDS)).for_each(|line| progress.note(line));
}

/// A stack as `webrana dev --ephemeral --ports auto` has, but durable as a lasting one, since that is what customers
/// get, and with the limits lifted, since they are not what is measured.
fn stack_options(arguments: Arguments) -> Result<StackOptions> {
    let data_dir = match arguments.data_dir {
        Some(directory) => directory,
        None => data_dir::default_path()?.join("bench"),
    };
    let place = Place {
        data_dir: Some(data_dir),
        ports: PortChoice::Auto,
        sim_boot_seconds: 0.0,
        postgres_binaries: arguments.postgres_binaries,
    };
    let config = private(arguments.config);
    Ok(StackOptions { parts: Parts::All, ephemeral: true, durable: true, log: Log::ToFile, place, config })
}

/// The same settings without what would lead out of the bench's own stack, whatever the shell has set.
fn private(mut config: Config) -> Config {
    let (provider, gateway) =
        (config.providers.digitalocean_url.clone(), config.payments.midtrans_url.clone());
    config.database = config.database.with_url("");
    config.temporal = config.temporal.with_server("", None);
    config.providers = config.providers.with_digitalocean(provider, "");
    let xendit = config.payments.xendit_url.clone();
    config.payments = config.payments.with_midtrans(gateway, "").with_xendit(xendit, "", "");
    config.api = config.api.without_request_limit();
    config.auth.requests_per_minute = 0;
    config.auth.access_ttl = TOKEN_LIFE;
    config
}

/// What goes on in a turn.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Orders,
    Bare,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Orders => "orders",
            Self::Bare => "bare workflows",
        })
    }
}

/// All phases. Floor and orders take turns, so that neither has the younger engine.
async fn measure(stack: &LocalStack, n: usize, concurrency: usize, progress: &Progress) -> Result<Measured> {
    let address =
        stack.env().get("TEMPORAL_ADDRESS").context("the stack has no TEMPORAL_ADDRESS")?.to_owned();
    let engine = TemporalConfig { address, namespace: "default".to_owned(), queue_prefix: String::new() };
    let engine = temporal::connect(&engine).await?;
    let shop = Shop::open(stack.env(), concurrency.max(PLACING_CONCURRENCY)).await?;
    let floor = Floor::start(engine.clone());
    progress.say("the customers are registered; warming up");
    shop.orders(WARM_UP, concurrency).await?;
    floor.run(WARM_UP, concurrency).await?;

    progress.say(format!("{IDLE_ORDERS} orders one by one"));
    let idle = shop.orders(IDLE_ORDERS, 1).await?;
    progress.say(format!("{PLACING_ORDERS} orders, {PLACING_CONCURRENCY} at a time"));
    let twenty = shop.orders(PLACING_ORDERS, PLACING_CONCURRENCY).await?;

    let (mut orders, mut bare, mut provider_calls) = (Run::default(), Run::default(), 0);
    for (half, turns) in [(n / 2, [Turn::Bare, Turn::Orders]), (n - n / 2, [Turn::Orders, Turn::Bare])] {
        for turn in turns {
            progress.say(format!("{half} {turn}, {concurrency} at a time"));
            match turn {
                Turn::Orders => {
                    let before = shop.provider_calls().await?;
                    orders.extend(shop.orders(half, concurrency).await?);
                    provider_calls += shop.provider_calls().await? - before;
                }
                Turn::Bare => bare.extend(floor.run(half, concurrency).await?),
            }
        }
    }
    let ids: Vec<OrderId> = orders.outcomes.iter().map(|order| order.id).collect();
    let history_events = history::mean_events(&engine, &ids).await?;
    floor.stop().await?;
    Ok(Measured { concurrency, orders, floor: bare, idle, twenty, provider_calls, history_events })
}
