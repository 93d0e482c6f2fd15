//! `/v4/account/events`: what happened, newest first.

use axum::{
    Json,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use serde_json::json;

use super::{Answer, Sim, error::Error, model::Event, paging::Listing};

const FIELDS: &[&str] = &[
    "id",
    "action",
    "created",
    "status",
    "entity.id",
    "entity.type",
    "seen",
    "read",
    "rate",
    "time_remaining",
    "username",
    "percent_complete",
];

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    Ok(Json(listing.answer(FIELDS, state.events.values().rev().map(|event| event.body(now)))?))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<u64>) -> Answer {
    let state = simulator.state();
    let event = state.events.get(&id).ok_or_else(Error::not_found)?;
    Ok(Json(event.body(Utc::now())))
}

/// Marks this event and all before it.
pub(super) async fn seen(Shared(simulator): Sim, Path(id): Path<u64>) -> Answer {
    let mut state = simulator.state();
    let unseen: Vec<Event> = state.events.range(..=id).map(|(_, e)| e).filter(|e| !e.seen).cloned().collect();
    for event in unseen {
        state.keep(Event { seen: true, ..event });
    }
    Ok(Json(json!({})))
}

pub(super) async fn read(Shared(simulator): Sim, Path(id): Path<u64>) -> Answer {
    let mut state = simulator.state();
    let event = state.events.get(&id).ok_or_else(Error::not_found)?.clone();
    state.keep(Event { read: true, ..event });
    Ok(Json(json!({})))
}
