//! `webrana bench providers`: for each provider a burst of orders that are paid and wait, then worker processes are let
//! loose on them while its simulator holds the vendor's rate limits. All the while one customer reads everything that can
//! be read of their server, over twelve connections without a pause, and another one reboots theirs.

mod figures;
mod poller;

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use domain::ids::OrderId;
use serde_json::json;
use store::{PoolSettings, Store};
use url::Url;

use self::figures::{Figures, Limit, Measured};
use self::poller::Poller;
use super::{
    load::closed_loop,
    meter::{Meter, Reading},
    stack::{self, StackArguments},
    workers::Workers,
};
use crate::demo::customer::Customer;
use crate::local::{LocalStack, Parts};
use crate::progress::Progress;
use crate::stack::env_file::EnvFile;
use crate::vendors::{self, SimulatedProvider};

/// Customers who place and pay the burst.
const AT_ONCE: usize = 20;
/// Windows of the limit that a burst lasts at least.
const WINDOWS: u32 = 3;
/// Between two looks at something that is awaited.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than the longest burst.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The providers by the limit that a burst of orders meets there, the shortest window first.
fn contenders() -> Vec<&'static SimulatedProvider> {
    let mut all: Vec<_> = vendors::providers().iter().collect();
    all.sort_by_key(|it| it.vendor.create_window().map(|window| window.period));
    all
}

/// The limit that a burst of orders meets at a provider.
fn limit(at: &SimulatedProvider) -> Option<Limit> {
    let window = at.vendor.create_window()?;
    Some(Limit {
        create: at.simulator.routes.create,
        list: at.simulator.routes.list,
        creates_only: at.vendor.limits_creates_apart(),
        calls: window.calls,
        window: window.period,
    })
}

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many orders at each provider; more where the limit needs more to be met for three of its windows
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    orders: u32,

    /// How many worker processes share each provider's limit
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..=8))]
    workers: u32,

    /// Only this provider, by slug; all when not set
    #[arg(long, value_name = "SLUG", help_heading = "Bench",
          value_parser = PossibleValuesParser::new(contenders().iter().map(|it| it.vendor.slug)))]
    provider: Option<String>,

    /// How long a simulated server takes to boot, in seconds; fractions count
    #[arg(long = "boot-seconds", value_name = "SECONDS", default_value_t = 3.0, help_heading = "Bench")]
    boot_seconds: f64,

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
    let Arguments { orders, workers, provider, boot_seconds, json, stack } = arguments;
    let bench = Bench { orders, workers: workers as usize, provider, boot_seconds };
    let measured = stack::run(stack, Parts::AllButProviders, boot_seconds, async |stack, progress| {
        bench.measure(stack, progress).await
    });
    let figures = Figures::from(measured.await?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

struct Bench {
    orders: u32,
    workers: usize,
    provider: Option<String>,
    boot_seconds: f64,
}

impl Bench {
    async fn measure(&self, stack: &LocalStack, progress: &Progress) -> Result<Vec<Measured>> {
        let env = stack.env();
        let database = env.get("DATABASE_URL").context("the stack has no DATABASE_URL")?;
        let store = Store::connect(database, &PoolSettings::of(2)).await?;
        let mut measured = Vec::new();
        for at in contenders() {
            if self.provider.as_deref().is_none_or(|wanted| wanted == at.vendor.slug) {
                let burst = Burst::prepare(self, at, env, &store).await?;
                measured.push(burst.run(self, env, &store, progress).await?);
            }
        }
        Ok(measured)
    }
}

/// A burst at one provider.
struct Burst {
    at: &'static SimulatedProvider,
    limit: Limit,
    meter: Meter,
    customer: Customer,
    gateway: Url,
    /// A server that runs, for reboots.
    instance: String,
    /// Another customer with another server.
    poller: Poller,
}

impl Burst {
    /// Sets the simulator up and gets a customer a server to reboot, and another one a server to read.
    async fn prepare(
        bench: &Bench,
        at: &'static SimulatedProvider,
        env: &EnvFile,
        store: &Store,
    ) -> Result<Self> {
        let limit = limit(at).with_context(|| format!("{} has no limit to be met", at.vendor.name))?;
        let meter = Meter::new(address(env, &at.url_env)?)?;
        let pace =
            json!({ "account_limit": null, "boot_seconds": bench.boot_seconds, "action_seconds": 0.0 });
        meter.configure(&pace).await?;
        let customer = Customer::register(&address(env, "API_URL")?).await?;
        let gateway = address(env, "SIM_MIDTRANS_URL")?;
        let reader = Customer::register(&address(env, "API_URL")?).await?;
        let workers = Workers::start(env, at.vendor.slug, 1)?;
        let instance = server(&customer, at.vendor.slug, &gateway, store).await?;
        let poller = Poller::new(server(&reader, at.vendor.slug, &gateway, store).await?, reader);
        workers.stop().await;
        Ok(Self { at, limit, meter, customer, gateway, instance, poller })
    }

    /// Places and pays the orders, lets the workers loose, and measures until all are ACTIVE.
    async fn run(self, bench: &Bench, env: &EnvFile, store: &Store, progress: &Progress) -> Result<Measured> {
        let slug = self.at.vendor.slug;
        let orders = bench.orders.max(WINDOWS * self.limit.calls) as usize;
        progress.say(format!("{slug}: {orders} orders are placed and paid"));
        let choice = self.customer.choose_at(slug).await?;
        let placed = closed_loop(orders, AT_ONCE, async |_| {
            let order = self.customer.order(&choice).await?;
            self.customer.pay(&self.gateway, &order).await?;
            Ok(OrderId(order.id.parse()?))
        })
        .await?;
        let until_told = async {
            while store.outbox_backlog().await?.waiting > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            Ok::<_, anyhow::Error>(())
        };
        tokio::time::timeout(PATIENCE, until_told).await.context("the outbox does not run empty")??;

        progress.say(format!("{slug}: {} workers are let loose on them", bench.workers));
        let before = self.meter.read().await?;
        let watched = self.meter.watch();
        let workers = Workers::start(env, slug, bench.workers)?;
        let begun = Instant::now();
        self.first_create(&before).await?;
        let mut reboots = Vec::new();
        let mut done = pin!(all_active(store, &placed.outcomes));
        let mut polling = pin!(self.poller.poll());
        loop {
            tokio::select! {
                stopped = &mut polling => stopped?,
                outcome = &mut done => break outcome?,
                reboot = self.reboot() => reboots.push(reboot?),
            }
        }
        let elapsed = begun.elapsed();
        workers.stop().await;
        let after = self.meter.read().await?;
        for (route, calls) in after.since(&before) {
            progress.note(format!("            {calls:>6} {route}"));
        }
        for took in &reboots {
            progress.note(format!("            {:>6.1} ms a reboot", took.as_secs_f64() * 1000.0));
        }
        let readings = watched.readings();
        let reads = self.poller.answers();
        Ok(Measured { slug, limit: self.limit, orders, elapsed, before, readings, after, reboots, reads })
    }

    /// Waits until the workers have begun.
    async fn first_create(&self, before: &Reading) -> Result<()> {
        let created = async {
            while self.meter.read().await?.of(self.limit.create) == before.of(self.limit.create) {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, created).await.context("the workers create nothing")?
    }

    /// How long a reboot takes from the customer's click until it is done; then a pause.
    async fn reboot(&self) -> Result<Duration> {
        let begun = Instant::now();
        let action = self.customer.act(&self.instance, "reboot").await?;
        loop {
            match self.customer.action_status(&self.instance, &action).await?.as_str() {
                "completed" => break,
                "failed" => bail!("a reboot failed"),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        let took = begun.elapsed();
        tokio::time::sleep(self.at.vendor.between_actions).await;
        Ok(took)
    }
}

fn address(env: &EnvFile, key: &str) -> Result<Url> {
    let text = env.get(key).with_context(|| format!("the stack has no {key}"))?;
    Url::parse(text).with_context(|| format!("{key} is no URL"))
}

/// Buys a server and waits until it runs; its id.
async fn server(customer: &Customer, at: &str, gateway: &Url, store: &Store) -> Result<String> {
    let order = customer.order(&customer.choose_at(at).await?).await?;
    customer.pay(gateway, &order).await?;
    all_active(store, &[OrderId(order.id.parse()?)]).await?;
    customer.order_state(&order).await?.instance_id.context("the order has no server")
}

/// Waits until all of them are ACTIVE.
async fn all_active(store: &Store, orders: &[OrderId]) -> Result<()> {
    let active = async {
        while store.activations(orders).await?.len() < orders.len() {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, active).await.context("orders did not become ACTIVE")?
}
