//! `/v2/snapshots`: what the account had taken of its droplets. There are no volumes here, so none of those.

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde_json::json;

use super::{
    Answer, Sim,
    error::Error,
    model::{Snapshot, SnapshotKind, Source},
    paging::Listing,
    state::State,
};

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Answer {
    let of_droplets = match listing.query("resource_type").as_deref() {
        None | Some("droplet") => true,
        Some("volume") => false,
        Some(_) => return Err(Error::bad_request("resource_type must be one of droplet, volume")),
    };
    let state = simulator.state();
    let found: Vec<_> = state
        .snapshots(Utc::now())
        .filter(|s| of_droplets && s.kind == SnapshotKind::Snapshot)
        .map(Snapshot::body)
        .collect();
    Ok((StatusCode::OK, Json(listing.answer("snapshots", found.into_iter()))))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "snapshot": find(&state, &id)?.body() }))))
}

pub(super) async fn delete(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = find(&state, &id)?.id;
    state.remove::<Snapshot>(id);
    Ok(StatusCode::NO_CONTENT)
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Snapshot, Error> {
    match state.image(id, Utc::now()) {
        Some(Source::Private(snapshot)) if snapshot.kind == SnapshotKind::Snapshot => Ok(snapshot),
        Some(_) => Err(Error::bad_request("the resource is not a snapshot")),
        None => Err(Error::not_found()),
    }
}
