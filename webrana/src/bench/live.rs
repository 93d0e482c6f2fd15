//! `webrana bench live`: open connections to an API in a process of its own. First many that nothing is said to, and what memory
//! they take; then fewer, each of whose owners is told something every second, and how long that takes from the commit on.
//! Everything has to be told once.

mod api_process;
mod figures;
mod people;
mod tabs;
mod told;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};

use self::{
    api_process::ApiProcess,
    figures::{Figures, Measured},
    people::{People, Person},
    tabs::Tabs,
    told::Told,
};
use super::stack::{self, StackArguments};
use crate::{
    local::{LocalStack, Parts},
    progress::Progress,
    signals,
};

/// Connections of one account; one may have twenty.
const EACH: usize = 10;
/// Connections that are opened at once: a network may have fifty that have not said whose they are.
const AT_ONCE: usize = 32;
/// Connections that are opened and closed before anything is measured.
const WARM_UP: usize = 100;
/// Until memory is looked at: what the beginning of connections took is given back.
const SETTLE: Duration = Duration::from_secs(3);
/// Until what was not told is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many connections nothing is said to
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,

    /// How many connections whose owners are told something every second
    #[arg(long, value_name = "N", default_value_t = 1_000, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,

    /// For how many seconds
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Bench")]
    json: bool,

    /// Where the bench's stack runs.
    #[command(flatten)]
    stack: StackArguments,
}

/// How much is to be done.
#[derive(Debug, Clone, Copy)]
struct Load {
    idle: usize,
    clients: usize,
    seconds: usize,
}

/// Starts a stack, measures, prints, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start, when a connection ends that nobody ended, and when something is not told, or twice.
pub async fn run(arguments: Arguments) -> Result<()> {
    let load = Load {
        idle: arguments.idle as usize,
        clients: arguments.clients as usize,
        seconds: arguments.seconds as usize,
    };
    signals::allow_many_files();
    let json = arguments.json;
    let measured = stack::run(arguments.stack, Parts::AllButProviders, 0.0, async |stack, progress| {
        measure(stack, load, progress).await
    });
    let figures = Figures::from(measured.await?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    figures.refuse_unless_exact()
}

async fn measure(stack: &LocalStack, load: Load, progress: &Progress) -> Result<Measured> {
    let api = ApiProcess::start(stack.env(), load.idle.max(load.clients)).await?;
    let database = stack.env().get("DATABASE_URL").context("the stack has no DATABASE_URL")?;
    let accounts = load.clients.max(load.idle.div_ceil(EACH)).max(WARM_UP);
    progress.say(format!("{accounts} people log in"));
    let logging_in = People::log_in(database, &api, accounts, AT_ONCE);
    let people = progress.while_waiting("people are logging in still", logging_in).await?;

    let told = Told::default();
    let warm_up = open(&api, &people.all[..WARM_UP.min(accounts)], 1, &told).await?;
    warm_up.close().await;
    tokio::time::sleep(SETTLE).await;
    let memory_before = api.memory_kib()?;
    progress.say(format!("{} connections that nothing is said to", load.idle));
    let each = load.idle.div_ceil(accounts);
    let some = &people.all[..load.idle.div_ceil(each)];
    let idle =
        progress.while_waiting("connections are being opened still", open(&api, some, each, &told)).await?;
    tokio::time::sleep(SETTLE).await;
    let memory_idle = api.memory_kib()?;
    let (opened, closed) = (idle.opened, idle.closed());
    ensure!(closed == 0, "{closed} of {opened} connections ended by themselves");
    idle.close().await;

    progress.say(format!("{} people are told something every second, for {} s", load.clients, load.seconds));
    let listening = &people.all[..load.clients];
    let tabs = open(&api, listening, 1, &told).await?;
    let telling = told::tell(database, listening, load.seconds, &told);
    let sent_in = progress.while_waiting("people are being told still", telling).await?;
    told.wait(PATIENCE).await;
    let closed = tabs.closed();
    ensure!(closed == 0, "{closed} connections ended by themselves");
    let memory_peak = api.peak_memory_kib()?;
    tabs.close().await;
    api.stop().await;
    Ok(Measured {
        idle: opened,
        memory_before,
        memory_idle,
        memory_peak,
        clients: load.clients,
        sent_in,
        outcome: told.outcome(),
    })
}

/// Opens connections of each of these people.
async fn open(api: &ApiProcess, people: &[Person], each: usize, told: &Told) -> Result<Tabs> {
    let opening = people.iter().flat_map(|person| std::iter::repeat_n(person, each));
    let sockets = stream::iter(opening).map(|person| tabs::open(api.address(), &person.access_token));
    let sockets: Vec<_> = sockets.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(Tabs::listen(sockets, told))
}
