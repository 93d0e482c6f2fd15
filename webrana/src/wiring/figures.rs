//! Gauges that nobody sets in passing: read from the database and from the pools every few seconds.

use anyhow::Result;
use std::time::Duration;
use store::Store;
use tokio_util::sync::CancellationToken;

/// How often the pools are looked at, and the orders counted: a scan of an index.
const POOLS_EVERY: Duration = Duration::from_secs(5);
const ORDERS_EVERY: Duration = Duration::from_secs(30);

/// Shows the connections of this process until `stop`, each pool by its name.
///
/// # Errors
/// Never.
pub async fn show_pools(stores: Vec<(&'static str, Store)>, stop: CancellationToken) -> Result<()> {
    let mut pause = tokio::time::interval(POOLS_EVERY);
    while stop.run_until_cancelled(pause.tick()).await.is_some() {
        for (pool, store) in &stores {
            let usage = store.pool_usage();
            metrics::gauge!("db_pool_connections", "pool" => *pool, "state" => "used").set(float(usage.used));
            metrics::gauge!("db_pool_connections", "pool" => *pool, "state" => "idle").set(float(usage.idle));
            metrics::gauge!("db_pool_connections_max", "pool" => *pool).set(f64::from(usage.most));
        }
    }
    Ok(())
}

/// Shows how many orders are in which status, and for how long, until `stop`.
///
/// # Errors
/// Never: a database that is away leaves the figures as they were.
pub async fn show_orders(store: Store, stop: CancellationToken) -> Result<()> {
    let mut pause = tokio::time::interval(ORDERS_EVERY);
    while stop.run_until_cancelled(pause.tick()).await.is_some() {
        match store.orders_by_status().await {
            Ok(counted) => {
                for of in counted {
                    let status = of.status.to_string();
                    metrics::gauge!("orders", "status" => status.clone()).set(float(of.orders));
                    metrics::gauge!("orders_oldest_seconds", "status" => status).set(of.oldest_seconds);
                }
            }
            Err(error) => tracing::debug!(event = "figures.failed", %error, "the orders can't be counted"),
        }
    }
    Ok(())
}

/// Shows how many messages wait to be sent by which channel, for how long, and how many wait for a person, until `stop`.
///
/// # Errors
/// Never: a database that is away leaves the figures as they were.
pub async fn show_deliveries(store: Store, stop: CancellationToken) -> Result<()> {
    let mut pause = tokio::time::interval(ORDERS_EVERY);
    while stop.run_until_cancelled(pause.tick()).await.is_some() {
        match store.deliveries_waiting().await {
            Ok(counted) => {
                for of in counted {
                    let channel = of.channel.as_str();
                    metrics::gauge!("notification_deliveries_waiting", "channel" => channel)
                        .set(float(of.waiting));
                    metrics::gauge!("notification_deliveries_oldest_seconds", "channel" => channel)
                        .set(of.oldest_seconds);
                    metrics::gauge!("notification_deliveries_dead", "channel" => channel).set(float(of.dead));
                }
            }
            Err(error) => {
                tracing::debug!(event = "figures.failed", %error, "the deliveries can't be counted");
            }
        }
    }
    Ok(())
}

fn float<N: TryInto<u32>>(number: N) -> f64 {
    number.try_into().map_or(f64::from(u32::MAX), f64::from)
}
