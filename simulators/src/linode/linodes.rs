//! `/v4/linode/instances`: list, read, change, delete; and a look behind the vendor's back.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Answer, Sim, Simulator,
    create::{check_label, check_policy, check_tags, sorted},
    error::Error,
    form::Form,
    model::Linode,
    paging::{self, Listing},
};
use crate::kit::fault::{FaultKind, Faults};

const FIELDS: &[&str] = &[
    "id",
    "label",
    "group",
    "region",
    "type",
    "image",
    "ipv4",
    "tags",
    "status",
    "created",
    "interface_generation",
    "placement_group.label",
    "placement_group.placement_group_type",
];

/// Oldest first.
pub(super) async fn list(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    listing: Listing,
) -> Answer {
    let now = Utc::now();
    let hidden = faults.get(FaultKind::ListingLag).map(|fault| now - fault.duration());
    let state = simulator.state();
    let listed = state
        .linodes
        .values()
        .filter(|l| l.listed_at <= now && hidden.is_none_or(|since| l.created_at <= since))
        .map(|linode| shown(linode, &faults, now));
    Ok(Json(listing.answer(FIELDS, listed)?))
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
    Ok(Json(shown(simulator.state().linode(&id, now)?, &faults, now)))
}

fn shown(linode: &Linode, faults: &Faults, now: DateTime<Utc>) -> Value {
    if faults.has(FaultKind::ActiveWithoutIp) { linode.body_without_ip(now) } else { linode.body(now) }
}

pub(super) async fn update(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    let mut form = Form::read(&body)?;
    if let Some(label) = form.text("label") {
        check_label(&mut form, &state, &label, Some(linode.id));
        linode.label = label;
    }
    if let Some(tags) = form.texts("tags") {
        check_tags(&mut form, &tags);
        linode.tags = sorted(tags);
    }
    if let Some(policy) = form.text("maintenance_policy") {
        check_policy(&mut form, &policy);
        linode.maintenance_policy = policy;
    }
    if let Some(Value::Object(alerts)) = form.value("alerts") {
        for (name, level) in alerts {
            linode.alerts[name] = level.clone();
        }
    }
    linode.group = form.text("group").unwrap_or(linode.group);
    linode.watchdog_enabled = form.flag("watchdog_enabled").unwrap_or(linode.watchdog_enabled);
    form.finish()?;
    linode.updated_at = now;
    let answer = linode.body(now);
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn delete(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = state.linode(&id, now)?.clone();
    if faults.has(FaultKind::LockedOnDelete) || linode.is_pinned(now) {
        return Err(Error::busy());
    }
    state.remove::<Linode>(linode.id);
    state.note("linode_delete", &linode, Value::Null, now, now);
    Ok(Json(json!({})))
}

/// `POST /v4/linode/instances/{id}/lish`: a session of the console, as the vendor's own web client asks for it.
pub(super) async fn lish(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let linode = state.linode(&id, Utc::now())?;
    let url =
        |kind: &str| format!("wss://{}.webconsole.example.com:8181/{}/{kind}", linode.region, linode.id);
    let token = uuid::Uuid::new_v4().simple();
    Ok(Json(json!({
        "weblish_url": url("weblish"),
        "glish_url": url("glish"),
        "monitor_url": url("monitor"),
        "ws_protocols": ["binary", format!("lish.{token}")],
    })))
}

/// `GET /__sim/servers`: all there are, listed or not, oldest first.
pub(super) async fn inspect(
    Shared(simulator): Shared<Arc<Simulator>>,
    OriginalUri(uri): OriginalUri,
) -> Json<Value> {
    let (tag, now) = (paging::query(&uri, "tag"), Utc::now());
    let state = simulator.state();
    let servers: Vec<_> = state
        .linodes
        .values()
        .filter(|linode| tag.as_ref().is_none_or(|tag| linode.tags.contains(tag)))
        .map(|linode| {
            json!({
                "id": linode.id.to_string(),
                "name": linode.label,
                "tags": linode.tags,
                "status": linode.status(now),
                "created_at": linode.created_at,
                "region": linode.region,
                "size": linode.type_at(now),
                "image": linode.image,
                "user_data": linode.user_data,
                "authorized_keys": linode.authorized_keys,
                "listed": linode.listed_at <= now,
            })
        })
        .collect();
    Json(json!({ "servers": servers }))
}

/// `DELETE /__sim/servers/{id}`: gone behind the account's back.
pub(super) async fn vanish(
    Shared(simulator): Shared<Arc<Simulator>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Error> {
    simulator.state().remove::<Linode>(id).map(|_| StatusCode::NO_CONTENT).ok_or_else(Error::not_found)
}
