//! A customer who reads all there is to read of their server, again and again.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};
use futures::future::try_join_all;

use crate::demo::customer::Customer;

/// Connections.
const CONNECTIONS: usize = 12;

/// A customer with a server, and how often they were answered.
pub struct Poller {
    customer: Customer,
    paths: Vec<String>,
    answered: AtomicU64,
    turned_away: AtomicU64,
}

/// How a poller was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answers {
    /// With what was asked for.
    pub answered: u64,
    /// With a time to come back at.
    pub turned_away: u64,
}

impl Poller {
    /// A customer who has not begun yet.
    pub fn new(server: String, customer: Customer) -> Self {
        let charts = ["cpu", "memory", "disk", "network"].into_iter().flat_map(|kind| {
            ["1h", "6h", "24h", "7d", "30d"].map(|range| format!("metrics?kind={kind}&range={range}"))
        });
        let asked = std::iter::once("snapshots".to_owned()).chain(charts);
        let paths = asked.map(|what| format!("/instances/{server}/{what}")).collect();
        Self { customer, paths, answered: AtomicU64::new(0), turned_away: AtomicU64::new(0) }
    }

    /// Reads over all connections without a pause; never ends by itself.
    ///
    /// # Errors
    /// When an answer is neither what was asked for nor a time to come back at.
    pub async fn poll(&self) -> Result<()> {
        try_join_all((0..CONNECTIONS).map(|connection| self.connection(connection))).await.map(drop)
    }

    async fn connection(&self, number: usize) -> Result<()> {
        for path in self.paths.iter().cycle().skip(number * 2) {
            match self.customer.status_of(path).await? {
                200 => self.answered.fetch_add(1, Ordering::Relaxed),
                // A provider that does not measure this says so without a call.
                409 => 0,
                429 | 503 => self.turned_away.fetch_add(1, Ordering::Relaxed),
                status => bail!("{path} was answered with {status}"),
            };
        }
        Ok(())
    }

    /// How often so far.
    pub fn answers(&self) -> Answers {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Answers { answered: read(&self.answered), turned_away: read(&self.turned_away) }
    }
}
