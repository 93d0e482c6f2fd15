//! `/v2/droplets`: list, read, delete, and what else there is to read about one.

use axum::{
    Extension, Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    error::Error,
    model::{Droplet, SnapshotKind},
    paging::Listing,
    state::State,
};
use crate::kit::fault::{FaultKind, Faults};

/// Newest first.
pub(super) async fn list(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    listing: Listing,
) -> Answer {
    let (tag, name, kind) = (listing.query("tag_name"), listing.query("name"), listing.query("type"));
    if tag.is_some() && (name.is_some() || kind.is_some()) {
        return Err(Error::unprocessable("tag_name can not be combined with name or type"));
    }
    if kind.as_ref().is_some_and(|kind| kind != "droplets" && kind != "gpus") {
        return Err(Error::unprocessable("type must be one of droplets, gpus"));
    }
    let now = Utc::now();
    let hidden = faults.get(FaultKind::ListingLag).map(|fault| now - fault.duration());
    let state = simulator.state();
    let found: Vec<&Droplet> = state
        .droplets
        .values()
        .rev()
        .filter(|d| d.listed_at <= now && hidden.is_none_or(|since| d.created_at <= since))
        .filter(|d| tag.as_ref().is_none_or(|tag| d.tags.contains(tag)))
        .filter(|d| name.as_ref().is_none_or(|name| d.shape(now).name.eq_ignore_ascii_case(name)))
        .filter(|_| kind.as_deref() != Some("gpus"))
        .collect();
    let show = |droplet| shown(&state, droplet, &faults, now);
    Ok((StatusCode::OK, Json(listing.answer_with("droplets", found.into_iter(), show))))
}

pub(super) async fn get(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
) -> Answer {
    if faults.has(FaultKind::NotFoundAfterCreate) {
        return Err(Error::not_found());
    }
    let now = Utc::now();
    let state = simulator.state();
    let droplet = state.droplet(&id, now)?;
    Ok((StatusCode::OK, Json(json!({ "droplet": shown(&state, droplet, &faults, now) }))))
}

fn shown(state: &State, droplet: &Droplet, faults: &Faults, now: DateTime<Utc>) -> Value {
    if faults.has(FaultKind::ActiveWithoutIp) {
        state.show_without_ip(droplet, now)
    } else {
        state.show(droplet, now)
    }
}

pub(super) async fn delete(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = state.droplet(&id, Utc::now())?.id;
    if faults.has(FaultKind::LockedOnDelete) {
        return Err(Error::pending_event());
    }
    state.destroy(id);
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes all that carry a tag; that there are none is no error.
pub(super) async fn delete_by_tag(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    listing: Listing,
) -> Result<StatusCode, Error> {
    let tag = listing.query("tag_name").ok_or_else(|| Error::bad_request("tag_name is required"))?;
    if faults.has(FaultKind::LockedOnDelete) {
        return Err(Error::pending_event());
    }
    let mut state = simulator.state();
    let tagged: Vec<_> = state.droplets.values().filter(|d| d.tags.contains(&tag)).map(|d| d.id).collect();
    for id in tagged {
        state.destroy(id);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn snapshots(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let droplet = state.droplet(&id, now)?.id;
    let of_droplet =
        state.snapshots(now).filter(|s| s.droplet == droplet && s.kind == SnapshotKind::Snapshot);
    let bodies: Vec<_> = of_droplet.map(|s| s.of_droplet_body()).collect();
    Ok((StatusCode::OK, Json(listing.answer("snapshots", bodies.into_iter()))))
}

/// Droplets have kernels of their own, so there is none to choose.
pub(super) async fn kernels(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    nothing(&simulator.state(), &id, &listing, "kernels")
}

/// There are no firewalls here.
pub(super) async fn firewalls(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    nothing(&simulator.state(), &id, &listing, "firewalls")
}

/// Every droplet has a machine to itself.
pub(super) async fn neighbors(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    nothing(&simulator.state(), &id, &listing, "droplets")
}

fn nothing(state: &State, droplet: &str, listing: &Listing, key: &str) -> Answer {
    state.droplet(droplet, Utc::now())?;
    Ok((StatusCode::OK, Json(listing.answer(key, std::iter::empty()))))
}
