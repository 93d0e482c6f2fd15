//! Learning that orders became ACTIVE without a load of its own: one query for all of them every few milliseconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use domain::ids::OrderId;
use store::{Store, orders::Activation};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// An order that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

type Waiting = Mutex<HashMap<OrderId, oneshot::Sender<Activation>>>;

/// Looks at the orders that somebody waits for.
pub struct Watch {
    waiting: Arc<Waiting>,
    _looking: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins to look; it ends when the watch is dropped.
    pub fn start(store: Store) -> Self {
        let waiting = Arc::new(Waiting::default());
        let looking = tokio::spawn(look(store, Arc::clone(&waiting)));
        Self { waiting, _looking: AbortOnDropHandle::new(looking) }
    }

    /// Waits until an order is ACTIVE.
    ///
    /// # Errors
    /// When it is not within two minutes.
    pub async fn activation(&self, order: OrderId) -> Result<Activation> {
        let (active, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order, active);
        let told = tokio::time::timeout(PATIENCE, told).await;
        told.with_context(|| format!("order {order} was not ACTIVE within {} s", PATIENCE.as_secs()))?
            .context("nobody looks at the orders any more")
    }
}

async fn look(store: Store, waiting: Arc<Waiting>) {
    let mut pause = tokio::time::interval(PAUSE);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        let orders: Vec<OrderId> =
            waiting.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        if orders.is_empty() {
            continue;
        }
        match store.activations(&orders).await {
            Ok(activations) => {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                for activation in activations {
                    if let Some(active) = waiting.remove(&activation.order_id) {
                        // Whoever waited may have given up.
                        let _ = active.send(activation);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(
                    event = "bench.watch_failed",
                    %error,
                    "the orders cannot be looked at; trying again"
                )
            }
        }
    }
}
