//! `/v2/droplets/{id}/actions` and `/v2/actions`: power on, power off, shutdown, reboot, power cycle.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    error::Error,
    paging::Listing,
    state::{Action, Event, State, after},
};

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    r#type: String,
}

pub(super) async fn create(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let Request { r#type: kind } =
        serde_json::from_slice(&body).map_err(|e| Error::bad_request(e.to_string()))?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut droplet = state.droplet(&id, now)?.clone();
    let on = droplet.is_on(now);
    let on_after = match (kind.as_str(), on) {
        ("power_on", _) | ("reboot" | "power_cycle", true) => true,
        ("power_off", _) | ("shutdown", true) => false,
        ("reboot" | "power_cycle" | "shutdown", false) => {
            return Err(Error::unprocessable(
                "Droplet is currently off. Please power it on to run this event.",
            ));
        }
        _ => return Err(Error::unprocessable(format!("The action type `{kind}` is not available."))),
    };
    if droplet.is_busy(now) {
        return Err(Error::pending_event());
    }
    let done_at = after(now, state.settings.action_seconds);
    let action = state.act(&kind, &droplet, done_at, now);
    droplet.on = on;
    droplet.event = Some(Event { done_at, on: on_after });
    state.keep(droplet);
    Ok((StatusCode::CREATED, Json(json!({ "action": action.body_at_start() }))))
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
    if action.droplet != droplet {
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
    let actions: Vec<_> = state.actions.values().rev().filter(|a| a.droplet == droplet).collect();
    Ok((StatusCode::OK, answer(&listing, &actions)))
}

fn answer(listing: &Listing, actions: &[&Action]) -> Json<Value> {
    let now = Utc::now();
    Json(listing.answer("actions", actions.iter().map(|a| a.body(now))))
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Action, Error> {
    id.parse().ok().and_then(|id: u64| state.actions.get(&id)).ok_or_else(Error::not_found)
}
