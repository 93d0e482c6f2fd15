//! The product from its customers' side: orders placed and paid over HTTP, by accounts registered beforehand.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use domain::ids::OrderId;
use reqwest::Client;
use serde::Deserialize;
use std::collections::BTreeMap;
use store::{PoolSettings, Store};
use url::Url;

use super::{
    load::{Run, closed_loop},
    watch::Watch,
};
use crate::demo::customer::{Choice, Customer};
use crate::stack::env_file::EnvFile;

/// Accounts that share the orders; more would only make the preparation longer.
const CUSTOMERS: usize = 20;
/// Between two looks at the outbox.
const PAUSE: Duration = Duration::from_millis(20);
/// The outbox of a finished load empties within moments.
const PATIENCE: Duration = Duration::from_secs(30);

/// How one order went.
#[derive(Debug, Clone, Copy)]
pub struct OrderTimes {
    /// The order.
    pub id: OrderId,
    /// From sending `POST /orders` to having read its 201, however often it had to be sent.
    pub placing: Duration,
    /// How often it was turned away for the moment (503).
    pub turned_away: u32,
    /// From `paid_at` to `active_at`, both by the database's clock.
    pub paid_to_active: Duration,
}

/// Customers, and what they need to order.
pub struct Shop {
    customers: Vec<Customer>,
    choice: Choice,
    gateway: Url,
    provider: Url,
    store: Store,
    watch: Watch,
}

impl Shop {
    /// Registers customers with a stack that runs both simulators.
    ///
    /// # Errors
    /// When a part of the stack refuses or is missing.
    pub async fn open(env: &EnvFile, concurrency: usize) -> Result<Self> {
        let address = |key: &str| -> Result<Url> {
            let text = env.get(key).with_context(|| format!("the stack has no {key}"))?;
            Url::parse(text).with_context(|| format!("{key} is no URL"))
        };
        let (api, provider) = (address("API_URL")?, address("SIM_DIGITALOCEAN_URL")?);
        let accounts = concurrency.clamp(1, CUSTOMERS);
        let customers = closed_loop(accounts, 2, |_| Customer::register(&api)).await?.outcomes;
        let choice = customers.first().context("there is no customer")?.choose().await?;
        let database = env.get("DATABASE_URL").context("the stack has no DATABASE_URL")?;
        let store = Store::connect(database, &PoolSettings::of(2)).await?;
        let watch = Watch::start(store.clone());
        Ok(Self { customers, choice, gateway: address("SIM_MIDTRANS_URL")?, provider, store, watch })
    }

    /// Places, pays and awaits `total` orders, `concurrency` at a time; then lets the outbox run empty.
    ///
    /// # Errors
    /// When an order is refused or does not become ACTIVE.
    pub async fn orders(&self, total: usize, concurrency: usize) -> Result<Run<OrderTimes>> {
        let run = closed_loop(total, concurrency, |number| self.order(number)).await?;
        self.settle().await?;
        Ok(run)
    }

    async fn order(&self, number: usize) -> Result<OrderTimes> {
        let customer = &self.customers[number % self.customers.len()];
        let begun = Instant::now();
        let order = customer.order(&self.choice).await?;
        let placing = begun.elapsed();
        customer.pay(&self.gateway, &order).await?;
        let id = OrderId(order.id.parse().context("an order's id is no UUID")?);
        let activation = self.watch.activation(id).await?;
        let paid_to_active = (activation.active_at - activation.paid_at).to_std().unwrap_or_default();
        Ok(OrderTimes { id, placing, turned_away: order.turned_away, paid_to_active })
    }

    /// Waits until all messages are delivered, so that one phase does not run into the next.
    async fn settle(&self) -> Result<()> {
        let empty = async {
            while self.store.outbox_backlog().await?.waiting > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, empty).await.context("the outbox does not run empty")?
    }

    /// How often the provider's API was called so far.
    ///
    /// # Errors
    /// When its simulator does not answer.
    pub async fn provider_calls(&self) -> Result<u64> {
        #[derive(Deserialize)]
        struct Counters {
            calls: BTreeMap<String, u64>,
        }
        let request = control()?.get(self.provider.join("/__sim/counters")?);
        let counters: Counters = request.send().await?.error_for_status()?.json().await?;
        Ok(counters.calls.values().sum())
    }
}

fn control() -> Result<Client> {
    Ok(Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?)
}
