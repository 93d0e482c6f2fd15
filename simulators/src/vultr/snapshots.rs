//! `/v2/snapshots` and `/v2/backups`. Both belong to the account; of the latter there are none.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Sim,
    actions::free_instance,
    catalog,
    error::Error,
    instance::EventKind,
    paging::Listing,
    parse,
    state::{Snapshot, State, after, stamp},
};

/// What a GB of disk is in a snapshot's size.
const GIB: u64 = 1024 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
struct Create {
    instance_id: Option<String>,
    description: Option<String>,
}

/// The instance is locked meanwhile.
pub(super) async fn create(Shared(simulator): Sim, body: Bytes) -> Answer {
    let Create { instance_id, description } = parse(&body)?;
    let instance_id = instance_id.ok_or_else(|| Error::bad_request("Invalid instance_id."))?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut instance = free_instance(&state, &instance_id, "snapshot")?;
    let (os_id, app_id, disk) = (instance.source.os_id, instance.source.app_id, instance.plan(now).disk);
    let snapshot = make(&mut state, description, (os_id, app_id, disk), now);
    instance.begin(EventKind::Snapshot, snapshot.complete_at);
    state.keep(instance);
    Ok((StatusCode::CREATED, Json(json!({ "snapshot": snapshot.body_at_birth() }))))
}

#[derive(Debug, Default, Deserialize)]
struct FromUrl {
    url: Option<String>,
    description: Option<String>,
}

/// Nothing is fetched.
pub(super) async fn create_from_url(Shared(simulator): Sim, body: Bytes) -> Answer {
    let FromUrl { url, description } = parse(&body)?;
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
    if !url.and_then(|url| url.parse().ok()).is_some_and(|url| is_web(&url)) {
        return Err(Error::bad_request("Invalid url."));
    }
    let snapshot = make(&mut simulator.state(), description, (catalog::CUSTOM_OS, 0, 10), Utc::now());
    Ok((StatusCode::ACCEPTED, Json(json!({ "snapshot": snapshot.body_at_birth() }))))
}

fn make(
    state: &mut State,
    description: Option<String>,
    (os_id, app_id, disk): (u64, u64, u32),
    now: DateTime<Utc>,
) -> Snapshot {
    let snapshot = Snapshot {
        id: Uuid::new_v4(),
        rank: state.new_number(),
        description: description.unwrap_or_default(),
        os_id,
        app_id,
        disk,
        created_at: now,
        complete_at: after(now, state.settings.action_seconds),
    };
    state.keep(snapshot.clone());
    snapshot
}

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let now = Utc::now();
    let state = simulator.state();
    let wanted = |s: &Snapshot| listing.query("description").is_none_or(|text| s.description == text);
    let found = state.all(wanted);
    Json(listing.answer("snapshots", &found, |s| s.rank, |s| s.body(now)))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let snapshot: &Snapshot = state.find(&id)?;
    Ok((StatusCode::OK, Json(json!({ "snapshot": snapshot.body(Utc::now()) }))))
}

#[derive(Debug, Default, Deserialize)]
struct Change {
    description: Option<String>,
}

pub(super) async fn change(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let Change { description } = parse(&body)?;
    let description = description.ok_or_else(|| Error::bad_request("Invalid description."))?;
    let mut state = simulator.state();
    let snapshot = Snapshot { description, ..state.find::<Snapshot>(&id)?.clone() };
    state.keep(snapshot);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let snapshot: &Snapshot = state.find(&id)?;
    if snapshot.complete_at > Utc::now() {
        return Err(Error::bad_request("Unable to destroy snapshot: it is not complete yet."));
    }
    let id = snapshot.id;
    state.remove::<Snapshot>(id);
    Ok(StatusCode::NO_CONTENT)
}

impl Snapshot {
    fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(now >= self.complete_at)
    }

    fn body_at_birth(&self) -> Value {
        self.show(false)
    }

    fn show(&self, complete: bool) -> Value {
        let size = if complete { u64::from(self.disk) * GIB } else { 0 };
        json!({
            "id": self.id,
            "date_created": stamp(self.created_at),
            "date_expires": "",
            "description": self.description,
            "size": size,
            // A fresh system fills little of its disk.
            "compressed_size": size / 20,
            "status": if complete { "complete" } else { "pending" },
            "os_id": self.os_id,
            "app_id": self.app_id,
            "pending_charges": 0.0,
        })
    }
}

pub(super) async fn list_backups(listing: Listing) -> Json<Value> {
    Json(listing.answer_fixed("backups", &[(); 0], |()| Value::Null))
}

pub(super) async fn get_backup() -> Error {
    Error::not_found("backup")
}
