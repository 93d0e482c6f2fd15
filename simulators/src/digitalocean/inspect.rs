//! `/__sim/servers`: every droplet, seen and touched from outside the vendor's API.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Simulator,
    error::Error,
    events::take_image,
    model::{Droplet, SnapshotKind},
    paging::Listing,
    state::State,
};

/// All there are (of a tag), listed or not, oldest first.
pub(super) async fn list(Shared(simulator): Shared<Arc<Simulator>>, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    let tag = listing.query("tag");
    let tagged = |d: &&Droplet| tag.as_ref().is_none_or(|tag| d.tags.contains(tag));
    let servers: Vec<_> = state.droplets.values().filter(tagged).map(|d| body(&state, d)).collect();
    Json(json!({ "servers": servers }))
}

fn body(state: &State, droplet: &Droplet) -> Value {
    let now = Utc::now();
    let shape = droplet.shape(now);
    json!({
        "id": droplet.id.to_string(),
        "name": shape.name,
        "tags": droplet.tags,
        "status": droplet.status(now),
        "created_at": droplet.created_at,
        "region": droplet.region,
        "size": shape.size,
        "image": state.image(&shape.image.to_string(), now).map(|image| image.body()["slug"].clone()),
        "user_data": droplet.user_data,
        "vpc_uuid": droplet.vpc_uuid,
        "listed": droplet.listed_at <= now,
    })
}

/// Gone behind the account's back.
pub(super) async fn vanish(
    Shared(simulator): Shared<Arc<Simulator>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Error> {
    if simulator.state().destroy(id) { Ok(StatusCode::NO_CONTENT) } else { Err(Error::not_found()) }
}

/// What the vendor does in a droplet's backup window, now.
pub(super) async fn back_up(
    Shared(simulator): Shared<Arc<Simulator>>,
    Path(id): Path<u64>,
) -> Result<(StatusCode, Json<Value>), Error> {
    let now = Utc::now();
    let mut state = simulator.state();
    let droplet = state.droplets.get(&id).cloned().ok_or_else(Error::not_found)?;
    let name = format!("{} {}", droplet.shape(now).name, now.format("%Y-%m-%d"));
    let image = take_image(&mut state, &droplet, name, SnapshotKind::Backup, now, now);
    Ok((StatusCode::CREATED, Json(json!({ "image": image }))))
}
