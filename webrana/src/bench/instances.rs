//! `webrana bench instances`: servers whose terms end within the same minute. Half of them are renewed from the balance, a
//! quarter is paid through the gateway after the end, a quarter by nobody: those are suspended, and deleted in the end
//! when that is wished. Each has to be renewed or taken exactly once, and the books have to hold exactly that.

mod figures;
mod fleet;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use domain::life::LifePolicy;
use url::Url;

use self::figures::{Figures, Measured};
use self::fleet::Fleet;
use self::watch::Watch;
use super::stack::{self, StackArguments};
use crate::local::{LocalStack, Parts};
use crate::progress::Progress;
use crate::stack::env_file::EnvFile;

/// The terms end within this long, in milliseconds, and from the notice to the suspension, and to the deletion, it is as long.
const MINUTE_MS: u64 = 60_000;
/// The first term ends this long after the fleet was told.
const LEAD: Duration = Duration::from_secs(90);
/// Servers that are renewed within a minute, whatever else goes on: the grace follows it.
const SERVERS_A_MINUTE: usize = 2_500;
/// Customers who pay through the gateway at once.
const PAYERS: usize = 20;

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many servers; a multiple of four
    #[arg(long = "n", value_name = "N", default_value_t = 10_000, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(4..))]
    n: u32,

    /// Go on until the servers that nobody pays for are deleted, with rules of a minute each
    #[arg(long, help_heading = "Bench")]
    to_the_end: bool,

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
/// When the stack cannot start, when a server is not renewed or taken exactly once, and when the books don't hold that.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (n, to_the_end, json) = (arguments.n as usize, arguments.to_the_end, arguments.json);
    let measured =
        stack::run(arguments.stack.without_provider_limits(), Parts::All, 0.0, async |stack, progress| {
            measure(stack, n / 4, to_the_end, progress).await
        });
    let figures = Figures::from(measured.await?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

/// Rules by which the terms of a minute are reminded of, renewed and lost within minutes. Who pays after the end has the longer for
/// it the more they are: all pay within their grace, on one machine too.
fn rules(servers: usize, to_the_end: bool) -> LifePolicy {
    // They begin a minute after the first end.
    let grace_ms = MINUTE_MS * (1 + u64::try_from(servers.div_ceil(SERVERS_A_MINUTE)).unwrap_or(1));
    LifePolicy {
        remind_before_ms: [MINUTE_MS, MINUTE_MS / 2, MINUTE_MS / 4],
        renew_before_ms: MINUTE_MS / 2,
        grace_ms,
        retention_ms: if to_the_end { 2 * MINUTE_MS } else { LifePolicy::LONGEST_MS },
        warn_before_ms: MINUTE_MS,
        put_off_ms: MINUTE_MS,
        attempts_hold_ms: MINUTE_MS,
    }
}

async fn measure(
    stack: &LocalStack,
    quarter: usize,
    to_the_end: bool,
    progress: &Progress,
) -> Result<Measured> {
    let env = stack.env();
    progress.say(format!("{} servers are bought", 4 * quarter));
    let buying = Fleet::buy(env, quarter, rules(4 * quarter, to_the_end));
    let fleet = progress.while_waiting("servers are being bought still", buying).await?;
    let actions = fleet.action_latency().await?;
    progress.say("their terms end within a minute of each other");
    let watch = Watch::open(env).await?;
    let first_end = fleet.end_terms(LEAD, Duration::from_millis(MINUTE_MS)).await?;
    let begun = Instant::now();
    let paying = fleet.pay_after_the_end(first_end, PAYERS);
    let settling = watch.until_settled(&fleet, progress);
    let (paid, settled) = tokio::join!(paying, settling);
    paid.context("a customer could not pay")?;
    let settled_in = settled? - first_end;
    progress.say(format!("all are renewed or suspended; {:.0} s", begun.elapsed().as_secs_f64()));
    let gone_in = if to_the_end { Some(watch.until_gone(&fleet, progress).await? - first_end) } else { None };
    progress.say("checking that each was renewed or taken once");
    let counts = watch.counts().await?;
    counts.refuse_unless_exact(&fleet, to_the_end)?;
    Ok(Measured { quarter, actions, settled_in, gone_in, counts, memory_mb: peak_memory_mb() })
}

/// An address of the stack.
fn address(env: &EnvFile, key: &str) -> Result<Url> {
    let text = env.get(key).with_context(|| format!("the stack has no {key}"))?;
    Url::parse(text).with_context(|| format!("{key} is no URL"))
}

/// The most memory this process has had, in MiB: API, dispatcher, workers and simulators together. `None` where the system does not tell.
pub(super) fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_fit_together() {
        for to_the_end in [true, false] {
            for servers in [4, 10_000] {
                assert_eq!(rules(servers, to_the_end).check(), Ok(()));
            }
        }
    }
}
