//! The outbox of a test: what it left there is delivered as the dispatcher would, to nobody.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    ids::{OrderId, OutboxId},
    outbox::{Message, MessageClass, Plan},
    sorting::AgeSort,
};
use store::{
    Result, Store,
    outbox::{Claimed, DeadFilter, OutboxMessage, OutboxState, Room},
    page::SortedRequest,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::TestApp;

/// How long a message is tried for that somebody else has a lock on: a dispatcher, where there is one.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is.
const POLL: Duration = Duration::from_millis(50);
/// Lease of what is claimed here: longer than it takes.
const LEASE_SECONDS: f64 = 60.0;
/// Messages claimed at once.
const BATCH: Room = Room::of(1_000);
/// Messages that are left and looked at.
const LEFT: SortedRequest = SortedRequest::first(100);

impl TestApp {
    /// Writes a message to an order's workflow that no version of the program can read.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn unreadable_message(&self, order: OrderId, class: MessageClass) -> OutboxId {
        let id = Uuid::now_v7();
        let sql = "INSERT INTO outbox (id, workflow_id, kind, class, payload)
                   VALUES ($1, 'order/' || $2::text, 'from_the_future', $3, '{}')";
        let written = sqlx::query(sql).bind(id).bind(order.0).bind(class.as_str()).execute(&self.pool).await;
        written.expect("a message");
        id.into()
    }

    /// Every message that waits is delivered, as it is at the test's end.
    ///
    /// # Panics
    /// When one can't be.
    pub async fn deliver_messages(&self) {
        let wrong = undelivered(&self.store).await.expect("the outbox");
        assert!(wrong.is_empty(), "undelivered:\n- {}", wrong.join("\n- "));
    }
}

/// Delivers what can be delivered; answers with what can't, in words.
pub(crate) async fn undelivered(store: &Store) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let give_up_at = Instant::now() + PATIENCE;
    loop {
        deliver(store, &mut seen, &mut wrong).await?;
        let left = left(store, &seen).await?;
        let waiting: Vec<_> = left.iter().filter(|message| is_for_later(message)).collect();
        if waiting.is_empty() || Instant::now() >= give_up_at {
            wrong.extend(left.iter().map(fault));
            return Ok(wrong);
        }
        for message in waiting {
            // As if its time had come.
            store.postpone_outbox(message.id, 0.0, "the test is over").await?;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Delivers until there is nothing to claim any more.
async fn deliver(store: &Store, seen: &mut BTreeSet<OutboxId>, wrong: &mut Vec<String>) -> Result<()> {
    loop {
        let claimed = store.claim_outbox(BATCH, LEASE_SECONDS).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let mut delivered = Vec::new();
        for message in &claimed {
            seen.insert(message.id);
            match plan(store, message).await {
                Ok(()) => delivered.push(message.id),
                Err(error) => wrong.push(format!("message {} ({}) {error}", message.id, message.kind)),
            }
        }
        store.mark_dispatched(&delivered).await?;
    }
}

/// All that the dispatcher does before it asks the engine.
async fn plan(store: &Store, claimed: &Claimed) -> Result<(), String> {
    if claimed.is_superseded {
        return Ok(());
    }
    let message: &Message = claimed.message.as_ref().map_err(|error| format!("can't be read: {error}"))?;
    let unplanned = |error| format!("can't be planned: {error}");
    match message.plan() {
        Plan::Now(_) => {}
        Plan::OfOrder(order, plan) => {
            let (status, start) = store.order_standing(order).await.map_err(unplanned)?;
            plan(status, start);
        }
        Plan::OfInstance(instance, plan) => {
            plan(store.instance_start(instance).await.map_err(unplanned)?);
        }
    }
    Ok(())
}

/// What is undelivered and was not claimed here, or not any more.
async fn left(store: &Store, seen: &BTreeSet<OutboxId>) -> Result<Vec<OutboxMessage>> {
    let left = store.undelivered_messages(&DeadFilter::default(), AgeSort::Newest, LEFT).await?;
    Ok(left.data.into_iter().filter(|message| !seen.contains(&message.id)).collect())
}

/// Whether a dispatcher would take it, or take it again, once the time has come.
fn is_for_later(message: &OutboxMessage) -> bool {
    message.state() == OutboxState::Waiting && message.failures == 0
}

/// Why a message that is left should not be.
fn fault(message: &OutboxMessage) -> String {
    let error = message.last_error.as_deref().unwrap_or_default();
    let why = if message.state() == OutboxState::Dead {
        format!("is dead: {error}")
    } else if message.failures > 0 {
        format!("failed {} times: {error}", message.failures)
    } else {
        "can't be claimed".to_owned()
    };
    format!("message {} ({}) {why}", message.id, message.kind)
}
