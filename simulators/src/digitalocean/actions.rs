//! `/v2/droplets/{id}/actions`, `/v2/droplets/actions` and `/v2/actions`.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    error::Error,
    events::{self, Request},
    model::{Action, Target},
    paging::Listing,
    state::State,
};
use crate::kit::fault::{FaultKind, Faults};

/// The types that can be done to all droplets of a tag at once.
const FOR_MANY: [&str; 8] = [
    "power_cycle",
    "power_on",
    "power_off",
    "shutdown",
    "enable_ipv6",
    "enable_backups",
    "disable_backups",
    "snapshot",
];

pub(super) async fn create(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let request = read(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let droplet = state.droplet(&id, now)?.id;
    if faults.has(FaultKind::Capacity) {
        return Err(Error::sold_out());
    }
    let action = events::start(&mut state, droplet, &request, now)?;
    Ok((StatusCode::CREATED, Json(json!({ "action": action.body_at_start() }))))
}

/// On all droplets of a tag; nothing is done when one of them can't.
pub(super) async fn create_by_tag(Shared(simulator): Sim, listing: Listing, body: Bytes) -> Answer {
    let tag = listing.query("tag_name").ok_or_else(|| Error::bad_request("tag_name is required"))?;
    let request = read(&body)?;
    if !FOR_MANY.contains(&request.r#type.as_str()) {
        let message = format!("The action type `{}` is not available for tags.", request.r#type);
        return Err(Error::unprocessable(message));
    }
    let now = Utc::now();
    let mut state = simulator.state();
    let tagged: Vec<_> = state.droplets.values().filter(|d| d.tags.contains(&tag)).collect();
    for droplet in &tagged {
        events::check(&state, droplet, &request, now)?;
    }
    let ids: Vec<_> = tagged.iter().map(|droplet| droplet.id).collect();
    let started: Result<Vec<_>, _> =
        ids.into_iter().map(|id| events::start(&mut state, id, &request, now)).collect();
    let bodies: Vec<_> = started?.iter().map(Action::body_at_start).collect();
    Ok((StatusCode::CREATED, Json(json!({ "actions": bodies }))))
}

fn read(body: &[u8]) -> Result<Request, Error> {
    serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "action": find(&state, &id)?.body(Utc::now()) }))))
}

pub(super) async fn get_of_droplet(
    Shared(simulator): Sim,
    Path((droplet, id)): Path<(String, String)>,
) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let droplet = state.droplet(&droplet, now)?.id;
    let action = find(&state, &id)?;
    if (action.on, action.resource) != (Target::Droplet, droplet) {
        return Err(Error::not_found());
    }
    Ok((StatusCode::OK, Json(json!({ "action": action.body(now) }))))
}

/// Newest first.
pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    let actions: Vec<_> = state.actions.values().rev().collect();
    answer(&listing, &actions)
}

pub(super) async fn list_of_droplet(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    listing: Listing,
) -> Answer {
    let state = simulator.state();
    let droplet = state.droplet(&id, Utc::now())?.id;
    Ok((StatusCode::OK, list_of(&state, &listing, Target::Droplet, droplet)))
}

/// The actions on one thing, newest first.
pub(super) fn list_of(state: &State, listing: &Listing, on: Target, resource: u64) -> Json<Value> {
    let actions = state.actions.values().rev().filter(|a| (a.on, a.resource) == (on, resource));
    answer(listing, &actions.collect::<Vec<_>>())
}

fn answer(listing: &Listing, actions: &[&Action]) -> Json<Value> {
    let now = Utc::now();
    Json(listing.answer_with("actions", actions.iter(), |action| action.body(now)))
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Action, Error> {
    id.parse().ok().and_then(|id: u64| state.actions.get(&id)).ok_or_else(Error::not_found)
}
