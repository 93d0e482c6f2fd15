//! `/v2/instances`: list, read, change, delete, and what hangs on one instance without changing it.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer, Sim, catalog,
    create::{Number, application, check_backups, check_user_data, check_user_scheme, shown, system},
    error::Error,
    instance::{EventKind, Instance, Schedule},
    paging::Listing,
    parse,
    state::{State, after},
};
use crate::kit::fault::{FaultKind, Faults};

pub(super) async fn list(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    listing: Listing,
) -> Answer {
    let now = Utc::now();
    let hidden = faults.get(FaultKind::ListingLag).map(|fault| now - fault.duration());
    let state = simulator.state();
    let found = state.all(|instance: &Instance| {
        instance.listed_at <= now
            && hidden.is_none_or(|since| instance.created_at <= since)
            && is_wanted(instance, &listing, now)
    });
    let charges = listing.query("show_pending_charges").is_some_and(|flag| flag == "true");
    let show = |instance: &&Instance| {
        if charges { instance.body_with_charges(now) } else { shown(instance, &faults, now) }
    };
    Ok((StatusCode::OK, Json(listing.answer("instances", &found, |i| i.rank, show))))
}

/// Whether it passes every filter the vendor has.
fn is_wanted(instance: &Instance, listing: &Listing, now: DateTime<Utc>) -> bool {
    let is = |filter: &str, value: &str| listing.query(filter).is_none_or(|wanted| wanted == value);
    let main_ip = if instance.shows_ipv4(now) { instance.ipv4().to_string() } else { "0.0.0.0".to_owned() };
    is("label", &instance.label)
        && is("hostname", &instance.hostname)
        && is("region", &instance.region)
        && is("main_ip", &main_ip)
        && is("firewall_group_id", "")
        && listing.query("tag").is_none_or(|wanted| instance.tags.iter().any(|tag| tag == wanted))
}

pub(super) async fn get(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
) -> Answer {
    if faults.has(FaultKind::NotFoundAfterCreate) {
        return Err(Error::instance_not_found());
    }
    let now = Utc::now();
    let state = simulator.state();
    let instance = state.instance(&id, now)?;
    Ok((StatusCode::OK, Json(json!({ "instance": shown(instance, &faults, now) }))))
}

pub(super) async fn delete(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let now = Utc::now();
    let mut state = simulator.state();
    let instance = state.instance(&id, now)?;
    if faults.has(FaultKind::LockedOnDelete) {
        return Err(Error::locked("destroy"));
    }
    instance.is_free("destroy", now)?;
    let id = instance.id;
    state.remove::<Instance>(id);
    Ok(StatusCode::NO_CONTENT)
}

/// The body of a change. Nulls and fields that change nothing here are accepted and ignored.
#[derive(Debug, Default, Deserialize)]
struct Change {
    plan: Option<String>,
    os_id: Option<Number>,
    app_id: Option<Number>,
    image_id: Option<String>,
    label: Option<String>,
    tag: Option<String>,
    tags: Option<Vec<String>>,
    user_data: Option<String>,
    user_scheme: Option<String>,
    backups: Option<String>,
    enable_ipv6: Option<bool>,
    ddos_protection: Option<bool>,
}

pub(super) async fn change(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let change: Change = parse(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut instance = state.instance(&id, now)?.clone();
    instance.settle(now);
    change.apply(&mut instance, &state, now)?;
    let answer = json!({ "instance": shown(&instance, &faults, now) });
    state.keep(instance);
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

impl Change {
    fn apply(self, instance: &mut Instance, state: &State, now: DateTime<Utc>) -> Result<(), Error> {
        let done_at = after(now, state.settings.action_seconds);
        self.reinstall(instance, done_at, now)?;
        if let Some(id) = self.plan.filter(|plan| !plan.is_empty() && *plan != instance.plan) {
            let plan = catalog::Plan::find(&id).ok_or_else(|| Error::bad_request("Invalid plan chosen."))?;
            if !instance.plan(now).upgrades(&instance.region).any(|upgrade| upgrade.id == plan.id) {
                return Err(Error::bad_request("Invalid plan chosen: this instance can't be changed to it."));
            }
            instance.is_free("upgrade", now)?;
            instance.begin(EventKind::Resize { plan: id }, done_at);
        }
        if let Some(label) = self.label {
            instance.label = label;
        }
        if let Some(tags) = self.tags.or_else(|| self.tag.map(|tag| vec![tag])) {
            instance.tags = tags;
        }
        if let Some(data) = self.user_data {
            instance.user_data = check_user_data(Some(data))?;
        }
        if let Some(scheme) = check_user_scheme(self.user_scheme)? {
            instance.user_scheme = scheme;
        }
        if let Some(backups) = check_backups(self.backups.as_deref())? {
            let schedule = instance.backups.take().unwrap_or_else(Schedule::usual);
            instance.backups = backups.then_some(schedule);
        }
        // The vendor can turn IPv6 on, never off again.
        instance.ipv6 |= self.enable_ipv6 == Some(true);
        instance.ddos_protection = self.ddos_protection.unwrap_or(instance.ddos_protection);
        Ok(())
    }

    /// Installs what the change names, if it names something.
    fn reinstall(
        &self,
        instance: &mut Instance,
        done_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let os = self.os_id.as_ref().and_then(Number::value);
        let app = self.app_id.as_ref().and_then(Number::value);
        let image = self.image_id.as_deref().filter(|image| !image.is_empty());
        let source = match (os, app, image) {
            (None, None, None) => return Ok(()),
            (Some(os), None, None) => system(os)?,
            (None, Some(app), None) => application(|a| a.id == app && a.image_id.is_empty())?,
            (None, None, Some(image)) => application(|a| a.image_id == image)?,
            _ => return Err(Error::bad_request("Only one of os_id, app_id, image_id may be specified.")),
        };
        instance.is_free("reinstall", now)?;
        instance.source = source;
        instance.reinstall(done_at);
        Ok(())
    }
}

impl Instance {
    /// Begins to install its source afresh.
    pub(super) fn reinstall(&mut self, done_at: DateTime<Utc>) {
        self.begin(EventKind::Reinstall, done_at);
    }
}

pub(super) async fn user_data(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let data = &state.instance(&id, Utc::now())?.user_data;
    Ok((StatusCode::OK, Json(json!({ "user_data": { "data": data } }))))
}

pub(super) async fn upgrades(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let instance = state.instance(&id, now)?;
    let kind = listing.query("type").unwrap_or("all");
    let upgrades = catalog::upgrades(instance.plan(now), &instance.region, instance.source.os_id, kind);
    Ok((StatusCode::OK, Json(upgrades)))
}

/// Instances never share a host here.
pub(super) async fn neighbors(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    simulator.state().instance(&id, Utc::now())?;
    Ok((StatusCode::OK, Json(json!({ "neighbors": [] }))))
}

/// No ISO is ever attached.
pub(super) async fn iso(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    simulator.state().instance(&id, Utc::now())?;
    Ok((StatusCode::OK, Json(json!({ "iso_status": { "state": "ready", "iso_id": "" } }))))
}

/// `GET /__sim/servers`: all there are, listed or not, oldest first.
pub(super) async fn inspect(Shared(simulator): Sim, listing: Listing) -> Json<serde_json::Value> {
    let now = Utc::now();
    let state = simulator.state();
    let wanted = |i: &Instance| listing.query("tag").is_none_or(|tag| i.tags.iter().any(|t| t == tag));
    let servers: Vec<_> = state
        .all(wanted)
        .into_iter()
        .map(|i| {
            json!({
                "id": i.id,
                "name": i.label,
                "tags": i.tags,
                "status": i.status(now),
                "created_at": i.created_at,
                "hostname": i.hostname,
                "region": i.region,
                "plan": i.plan(now).id,
                "os_id": i.source.os_id,
                "user_data": i.user_data,
                "listed": i.listed_at <= now,
            })
        })
        .collect();
    Json(json!({ "servers": servers }))
}

/// `DELETE /__sim/servers/{id}`: gone behind the account's back.
pub(super) async fn vanish(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = state.find::<Instance>(&id)?.id;
    state.remove::<Instance>(id);
    Ok(StatusCode::NO_CONTENT)
}
