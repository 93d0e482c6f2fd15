//! `webrana bench orders`: a private stack, its customers, the floor, and the phases of the measurement.

use std::fmt;

use anyhow::{Context, Result};
use domain::ids::OrderId;
use engine::TemporalConfig;

use super::{
    baseline::Floor,
    figures::{Figures, Measured, PLACING_CONCURRENCY},
    history,
    load::Run,
    shop::Shop,
    stack::{self, StackArguments},
};
use crate::local::{LocalStack, Parts};
use crate::progress::Progress;

/// Orders placed one by one, to see what an order takes when nothing else goes on.
const IDLE_ORDERS: usize = 20;
/// Orders placed twenty at a time, to see what placing takes then.
const PLACING_ORDERS: usize = 200;
/// Orders and bare workflows before anything is measured: connections, caches, plans of statements. A run of few orders
/// has no more of any of these than it measures.
const WARM_UP: usize = 50;

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

    /// Where the bench's stack runs.
    #[command(flatten)]
    stack: StackArguments,
}

/// Starts a stack, measures, prints, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start or an order does not become ACTIVE.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (n, concurrency, json) = (arguments.n as usize, arguments.concurrency as usize, arguments.json);
    let measured =
        stack::run(arguments.stack.without_provider_limits(), Parts::All, 0.0, async |stack, progress| {
            measure(stack, n, concurrency, progress).await
        });
    let figures = Figures::from(measured.await?);
    figures.refuse_if_limited()?;
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
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
    let engine = engine::connect(&TemporalConfig::plain(address)).await?;
    let shop = Shop::open(stack.env(), concurrency.max(PLACING_CONCURRENCY)).await?;
    let floor = Floor::start(engine.clone());
    progress.say("the customers are registered; warming up");
    let (warm_up, alone, placing) = (WARM_UP.min(n), IDLE_ORDERS.min(n), PLACING_ORDERS.min(n));
    shop.orders(warm_up, concurrency).await?;
    floor.run(warm_up, concurrency).await?;

    progress.say(format!("{alone} orders one by one"));
    let idle = shop.orders(alone, 1).await?;
    progress.say(format!("{placing} orders, {PLACING_CONCURRENCY} at a time"));
    let twenty = shop.orders(placing, PLACING_CONCURRENCY).await?;

    let metrics = stack.env().get("METRICS_URL").context("the stack has no METRICS_URL")?.to_owned();
    let waited_before = slot_waits(&metrics).await?;
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
    let slot_waits = slot_waits(&metrics).await? - waited_before;
    let ids: Vec<OrderId> = orders.outcomes.iter().map(|order| order.id).collect();
    let history_events = history::mean_events(&engine, &ids).await?;
    floor.stop().await?;
    Ok(Measured {
        concurrency,
        orders,
        floor: bare,
        idle,
        twenty,
        provider_calls,
        slot_waits,
        history_events,
    })
}

/// Seconds that calls to providers have waited for their turn so far, all together.
async fn slot_waits(metrics: &str) -> Result<f64> {
    let text = reqwest::get(format!("{metrics}/metrics")).await?.error_for_status()?.text().await?;
    let sums = text.lines().filter(|line| line.starts_with("provider_slot_wait_seconds_sum"));
    Ok(sums.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
