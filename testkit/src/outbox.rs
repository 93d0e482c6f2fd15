//! Delivers what a test left in the outbox, as the dispatcher would, to nobody.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    ids::OutboxId,
    outbox::{Message, Plan},
};
use store::{
    Result, Store,
    outbox::{Claimed, DeadFilter, OutboxMessage, OutboxState, Room},
    page::PageRequest,
};
use tokio::time::Instant;

/// How long a message is waited for that somebody else has claimed: a dispatcher, where there is one.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether they are done.
const POLL: Duration = Duration::from_millis(50);
/// Lease of what is claimed here: longer than it takes.
const LEASE_SECONDS: f64 = 60.0;
/// Messages claimed at once.
const BATCH: Room = Room::of(1_000);
/// Messages that are left and looked at.
const LEFT: PageRequest = PageRequest { before: None, limit: 100 };

/// Delivers what can be delivered; answers with what can't, in words.
pub(crate) async fn undelivered(store: &Store) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let give_up_at = Instant::now() + PATIENCE;
    loop {
        deliver(store, &mut seen, &mut wrong).await?;
        let left = left(store, &seen).await?;
        if !left.iter().any(is_claimed) || Instant::now() >= give_up_at {
            wrong.extend(left.iter().filter_map(|message| fault(message, &left)));
            return Ok(wrong);
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
    let left = store.undelivered_messages(&DeadFilter::default(), LEFT).await?;
    Ok(left.data.into_iter().filter(|message| !seen.contains(&message.id)).collect())
}

/// Whether somebody has it, or had it and forgot it.
fn is_claimed(message: &OutboxMessage) -> bool {
    message.state() == OutboxState::Waiting && message.claimed_until.is_some() && message.last_error.is_none()
}

/// Whether it was put off for a while, by no fault of its own.
fn is_put_off(message: &OutboxMessage) -> bool {
    message.state() == OutboxState::Waiting && message.failures == 0 && message.last_error.is_some()
}

/// Why a message that is left should not be; nothing when it may.
fn fault(message: &OutboxMessage, left: &[OutboxMessage]) -> Option<String> {
    let waits_for = |earlier: &OutboxMessage| {
        earlier.workflow_id == message.workflow_id && earlier.id < message.id && is_put_off(earlier)
    };
    let error = message.last_error.as_deref().unwrap_or_default();
    let why = if message.state() == OutboxState::Dead {
        format!("is dead: {error}")
    } else if message.failures > 0 {
        format!("failed {} times: {error}", message.failures)
    } else if is_put_off(message) || left.iter().any(waits_for) {
        return None;
    } else if is_claimed(message) {
        "was claimed and neither delivered nor given back".to_owned()
    } else {
        "can't be claimed".to_owned()
    };
    Some(format!("message {} ({}) {why}", message.id, message.kind))
}
