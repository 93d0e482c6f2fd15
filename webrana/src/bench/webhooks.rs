//! `webrana bench webhooks`: notifications of deposits, many of them more than once, from many senders at once.

mod figures;
mod notifications;
mod payer;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{
    load::{Run, closed_loop},
    stack::{self, StackArguments},
};
use crate::local::{LocalStack, Parts};
use crate::progress::Progress;
use figures::{Figures, Measured};
use notifications::{Sender, Taken};
use payer::Till;

/// Before anything is measured: connections, caches, plans of statements.
const WARM_UP: usize = 200;

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many notifications are sent in all
    #[arg(long = "n", value_name = "N", default_value_t = 10_000, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(2..))]
    n: u32,

    /// Which share of them are repetitions, from 0 to 0.95; the others are each about a deposit of its own. A repetition
    /// follows closely upon the first, or is sent at the same moment
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, help_heading = "Bench", value_parser = share)]
    duplicates: f64,

    /// How many are under way at once; each sender sends its next one when the last is answered
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

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=0.95).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 0.95".to_owned()),
    }
}

/// How much is to be done.
#[derive(Debug, Clone, Copy)]
struct Load {
    notifications: usize,
    payments: usize,
    concurrency: usize,
}

impl Arguments {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a u32 is between 0 and that u32"
    )]
    fn load(&self) -> Load {
        let repeated = (f64::from(self.n) * self.duplicates).round() as usize;
        let notifications = self.n as usize;
        let payments = (notifications - repeated).max(1);
        Load { notifications, payments, concurrency: self.concurrency as usize }
    }
}

/// Starts a stack, measures, prints, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start, when a notification is not answered with 200, and when the books do not hold each payment
/// once.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (load, json) = (arguments.load(), arguments.json);
    let measured = stack::run(arguments.stack, Parts::AllButProviders, 0.0, async |stack, progress| {
        measure(stack, load, progress).await
    });
    let figures = Figures::from(measured.await?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

/// All phases. Notifications and floors take turns, so that neither has the younger database.
async fn measure(stack: &LocalStack, load: Load, progress: &Progress) -> Result<Measured> {
    let setting = |key: &str| stack.env().get(key).with_context(|| format!("the stack has no {key}"));
    let till = Till::open(setting("DATABASE_URL")?, load.payments + WARM_UP).await?;
    progress.say(format!("{} deposits are being prepared", load.payments + WARM_UP));
    let mut deposits =
        progress.while_waiting("deposits are being prepared still", till.deposits(load.concurrency)).await?;
    let sender = Sender::new(setting("API_URL")?, setting("MIDTRANS_SERVER_KEY")?)?;

    progress.say("warming up");
    let warm_up = deposits.split_off(load.payments);
    closed_loop(WARM_UP, load.concurrency, |number| sender.send(&warm_up[number])).await?;
    closed_loop(WARM_UP, load.concurrency, |_| sender.ask_for_life()).await?;
    closed_loop(WARM_UP, load.concurrency, |_| till.bare_insert()).await?;

    let before = till.credited().await?;
    let order = notifications::order(load.payments, load.notifications, load.concurrency);
    let (mut taken, mut inserts, mut answers) = (Run::default(), Run::default(), Run::default());
    for half in order.chunks(order.len().div_ceil(2)) {
        progress.say(format!("{} bare inserts, {} at a time", half.len(), load.concurrency));
        inserts.extend(closed_loop(half.len(), load.concurrency, |_| till.bare_insert()).await?);
        progress.say(format!("{} bare requests, {} at a time", half.len(), load.concurrency));
        answers.extend(closed_loop(half.len(), load.concurrency, |_| sender.ask_for_life()).await?);
        progress.say(format!("{} notifications, {} at a time", half.len(), load.concurrency));
        let sending =
            closed_loop(half.len(), load.concurrency, |number| sender.send(&deposits[half[number]]));
        taken.extend(progress.while_waiting("notifications are being sent still", sending).await?);
    }
    progress.say("checking the books");
    let credited = till.credited().await?.since(before);
    let applied = taken.outcomes.iter().filter(|told: &&Taken| told.applied).count();
    ensure!(
        applied == load.payments,
        "{applied} of {} notifications were the first of theirs",
        load.payments
    );
    ensure!(credited.movements == load.payments as i64, "{} payments were credited", credited.movements);
    ensure!(credited.amount == payer::total(&deposits), "another amount was credited than was paid");
    Ok(Measured {
        concurrency: load.concurrency,
        payments: load.payments,
        credits: credited,
        taken,
        inserts,
        answers,
    })
}

/// Times `work`.
async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let begun = std::time::Instant::now();
    let done = work.await?;
    Ok((begun.elapsed(), done))
}
