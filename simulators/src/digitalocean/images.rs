//! `/v2/images`: the public ones, and the account's snapshots and backups.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer, Sim, actions,
    catalog::{IMAGES, Region},
    error::Error,
    model::{Action, Snapshot, SnapshotKind, Source, Target},
    paging::Listing,
    state::{State, after},
};

/// Public ones first. A public image has no tags and is a distribution, which the account's own are not.
pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Answer {
    let kind = listing.query("type");
    if kind.as_ref().is_some_and(|kind| kind != "distribution" && kind != "application") {
        return Err(Error::bad_request("type must be one of application, distribution"));
    }
    let tag = listing.query("tag_name");
    let private = listing.query("private").is_some_and(|p| p == "true");
    let now = Utc::now();
    let state = simulator.state();
    let public = IMAGES
        .iter()
        .filter(|_| !private && tag.is_none() && kind.as_deref() != Some("application"))
        .map(Source::Public);
    let own = state
        .snapshots(now)
        .filter(|s| kind.is_none() && tag.as_ref().is_none_or(|tag| s.tags.contains(tag)))
        .map(Source::Private);
    let found: Vec<_> = public.chain(own).collect();
    Ok((StatusCode::OK, Json(listing.answer("images", found.into_iter().map(Source::body)))))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let image = state.image(&id, Utc::now()).ok_or_else(Error::not_found)?;
    Ok((StatusCode::OK, Json(json!({ "image": image.body() }))))
}

#[derive(Debug, Deserialize)]
struct Update {
    name: Option<String>,
    distribution: Option<String>,
}

pub(super) async fn update(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let update: Update = serde_json::from_slice(&body).map_err(|e| Error::bad_request(e.to_string()))?;
    let mut state = simulator.state();
    let mut image = own(&state, &id, Utc::now())?.clone();
    image.name = update.name.unwrap_or(image.name);
    image.distribution = update.distribution.unwrap_or(image.distribution);
    let answer = json!({ "image": image.image_body() });
    state.keep(image);
    Ok((StatusCode::OK, Json(answer)))
}

pub(super) async fn delete(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = own(&state, &id, Utc::now())?.id;
    state.remove::<Snapshot>(id);
    Ok(StatusCode::NO_CONTENT)
}

/// An image of the account; public ones are not for it to change.
fn own<'a>(state: &'a State, id: &str, now: DateTime<Utc>) -> Result<&'a Snapshot, Error> {
    match state.image(id, now) {
        Some(Source::Private(snapshot)) => Ok(snapshot),
        Some(Source::Public(_)) => Err(Error::usual(StatusCode::FORBIDDEN)),
        None => Err(Error::not_found()),
    }
}

#[derive(Debug, Deserialize)]
struct Request {
    r#type: String,
    region: Option<String>,
}

/// Sends an image to another region, or makes a snapshot of a backup.
pub(super) async fn act(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let request: Request = serde_json::from_slice(&body).map_err(|e| Error::bad_request(e.to_string()))?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut image = own(&state, &id, now)?.clone();
    match request.r#type.as_str() {
        "convert" => image.kind = SnapshotKind::Snapshot,
        "transfer" => {
            let region = request.region.as_deref().and_then(Region::find).filter(|r| r.available);
            let region = region.ok_or_else(|| Error::unprocessable("Region is not available"))?;
            if !image.regions.iter().any(|slug| slug == region.slug) {
                image.regions.push(region.slug.to_owned());
            }
        }
        other => {
            return Err(Error::unprocessable(format!("The action type `{other}` is not available.")));
        }
    }
    let action = Action {
        id: state.new_number(),
        kind: request.r#type,
        resource: image.id,
        on: Target::Image,
        region: image.regions.first().cloned().unwrap_or_default(),
        started_at: now,
        done_at: after(now, state.settings.action_seconds),
    };
    let answer = json!({ "action": action.body_at_start() });
    state.keep(image);
    state.keep(action);
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn list_actions(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let state = simulator.state();
    let id = own(&state, &id, Utc::now())?.id;
    Ok((StatusCode::OK, actions::list_of(&state, &listing, Target::Image, id)))
}

pub(super) async fn get_action(Shared(simulator): Sim, Path((image, id)): Path<(String, String)>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let image = own(&state, &image, now)?.id;
    let action = actions::find(&state, &id)?;
    if (action.on, action.resource) != (Target::Image, image) {
        return Err(Error::not_found());
    }
    Ok((StatusCode::OK, Json(json!({ "action": action.body(now) }))))
}
