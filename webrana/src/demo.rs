//! `webrana demo`: a customer orders a server and gets it, over nothing but HTTP.

pub(crate) mod customer;

use crate::config::Config;
use crate::local::{LocalStack, Log, Parts, Place, StackOptions, refuse_in_production};
use crate::progress::Progress;
use crate::signals;
use crate::stack::data_dir;
use crate::stack::ports::PortChoice;
use anyhow::{Context, Result, bail};
use customer::{Customer, Order, TimelineEntry};
use domain::views;
use std::time::Duration;
use url::Url;

/// A server boots in seconds; far longer than that is a failure worth seeing.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the stack runs.
    #[command(flatten)]
    place: Place,

    /// Leave everything running afterwards, until Ctrl-C
    #[arg(long, help_heading = "Demo")]
    keep: bool,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// Boots a stack, orders, pays, waits for the server, and shows what happened.
///
/// # Errors
/// When the stack cannot start or the order does not become ACTIVE.
pub async fn run(arguments: Arguments) -> Result<()> {
    refuse_in_production(&arguments.config, "webrana demo")?;
    let stop = signals::stop_token()?;
    let progress = Progress::default();
    let mut place = arguments.place;
    if place.data_dir.is_none() {
        place.data_dir = Some(data_dir::default_path()?.join("demo"));
    }
    if place.ports == PortChoice::Default {
        // Well-known ports are nice to have, not worth failing for.
        place.ports = PortChoice::Prefer;
    }
    let options = StackOptions {
        parts: Parts::All,
        ephemeral: false,
        durable: true,
        messengers: true,
        log: Log::ToFile,
        place,
        config: arguments.config,
    };
    let stack = LocalStack::start(options, &progress, &stop).await?;
    let outcome = tokio::select! {
        outcome = show(&stack, &progress) => outcome,
        failure = stack.failure() => Err(anyhow::anyhow!(failure)),
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped")),
    };
    if outcome.is_ok() && arguments.keep {
        progress.note("\nEverything keeps running; Ctrl-C stops it.");
        tokio::select! {
            () = stop.cancelled() => {}
            failure = stack.failure() => progress.say(failure),
        }
    }
    let log = stack.log_file();
    stack.stop().await?;
    if outcome.is_ok() && !arguments.keep {
        progress
            .note("\nEverything is stopped. `cargo demo --keep` leaves it running, so that the links work.");
    }
    outcome.with_context(|| format!("the demo failed (its log: {})", log.display()))
}

/// The customer's path, a line a stage.
async fn show(stack: &LocalStack, progress: &Progress) -> Result<()> {
    let api = Url::parse(stack.env().get("API_URL").context("the API has no address")?)?;
    let Some(gateway) = stack.env().get("SIM_MIDTRANS_URL") else {
        bail!("the demo pays through Midtrans' simulator: unset MIDTRANS_SERVER_KEY")
    };
    let gateway = Url::parse(gateway)?;

    let customer = Customer::register(&api).await?;
    progress.say(format!("registered {}", customer.email));
    let choice = customer.choose().await?;
    progress.say(format!(
        "chose {} ({} vCPU, {} MB, {} a month) with {} in {}",
        choice.plan_name, choice.vcpu, choice.memory_mb, choice.price_monthly, choice.image, choice.region
    ));
    let order = customer.order(&choice).await?;
    progress.say(format!("ordered: {}, invoice {}, {} by QRIS", order.id, order.invoice_number, order.total));
    customer.pay(&gateway, &order).await?;
    progress.say("paid through Midtrans' simulator, which sends the signed notification");
    let instance = tokio::time::timeout(PATIENCE, wait_until_active(&customer, &order, progress))
        .await
        .with_context(|| format!("the order was not ACTIVE within {} s", PATIENCE.as_secs()))??;
    let timeline = customer.timeline(&order).await?;
    print_timeline(progress, &timeline);
    print_links(progress, stack, &order, &instance);
    Ok(())
}

/// Follows the order, a line for each state it reaches.
async fn wait_until_active(
    customer: &Customer,
    order: &Order,
    progress: &Progress,
) -> Result<customer::Instance> {
    let mut seen = order.status.clone();
    loop {
        let now = customer.order_state(order).await?;
        if now.status != seen {
            progress.say(format!("the order is {}", now.status));
            seen.clone_from(&now.status);
        }
        match (now.status.as_str(), now.instance_id) {
            ("ACTIVE", Some(instance)) => return customer.instance(&instance).await,
            ("EXPIRED" | "CANCELLED" | "PROVISIONING_FAILED" | "REFUNDED", _) => bail!(
                "the order ended as {}: {}",
                now.status,
                now.failure.map_or_else(|| "no reason given".to_owned(), |failure| failure.message)
            ),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn print_timeline(progress: &Progress, timeline: &[TimelineEntry]) {
    progress.note("\nThe order's timeline");
    let first = timeline.first().map(|entry| entry.at);
    for entry in timeline {
        let since = first.map_or(0.0, |first| (entry.at - first).as_seconds_f64());
        let at = messages::clock(entry.at);
        progress.note(format!("  {at}  +{since:6.3} s  {:<24} {}", entry.step, entry.message));
    }
}

fn print_links(progress: &Progress, stack: &LocalStack, order: &Order, instance: &customer::Instance) {
    progress.note(format!(
        "\nThe server {} is {} at {}",
        instance.hostname.as_deref().unwrap_or(&instance.id),
        instance.status,
        instance.ipv4.as_deref().unwrap_or("an address to come")
    ));
    progress.note("\nLinks");
    if let Some(docs) = stack.env().get("API_DOCS_URL") {
        progress.note(format!("  API documentation   {docs}"));
    }
    if let Some(ui) = stack.env().get("TEMPORAL_UI_URL") {
        let of = |id: &str| views::workflow_url(&format!("{ui}/namespaces/default"), id);
        progress.note(format!("  The order's workflow {}", of(&format!("order/{}", order.id))));
        progress.note(format!("  The server's workflow {}", of(&format!("instance/{}", instance.id))));
    }
}
