//! `/v2/droplets`: create, list, read, delete.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Sim, Simulator,
    catalog::{Image, REGIONS, Region, Size},
    error::Error,
    paging::Listing,
    state::{Action, Droplet, State, after},
};
use crate::fault::{FaultKind, Faults};

const MAX_NAMES: usize = 10;
const MAX_USER_DATA: usize = 64 * 1024;
const MAX_TAG: usize = 255;

/// The body of a create. Fields that change nothing here (`backup_policy`, `with_droplet_agent`, …) are accepted
/// and ignored, as are nulls, which official clients send.
#[derive(Debug, Deserialize)]
pub(super) struct Create {
    name: Option<String>,
    names: Option<Vec<String>>,
    region: Option<String>,
    size: Option<String>,
    image: Option<Value>,
    ssh_keys: Option<Vec<Value>>,
    backups: Option<bool>,
    ipv6: Option<bool>,
    monitoring: Option<bool>,
    tags: Option<Vec<String>>,
    user_data: Option<String>,
    volumes: Option<Vec<Value>>,
    vpc_uuid: Option<String>,
    public_networking: Option<bool>,
}

/// A create that passed validation.
struct Order {
    names: Vec<String>,
    region: &'static Region,
    size: &'static Size,
    image: &'static Image,
    ssh_keys: Vec<u64>,
    features: Vec<String>,
    tags: Vec<String>,
    user_data: Option<String>,
    vpc_uuid: Uuid,
    public: bool,
}

pub(super) async fn create(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    listing: Listing,
    body: Bytes,
) -> Answer {
    let create: Create = serde_json::from_slice(&body).map_err(|e| Error::bad_request(e.to_string()))?;
    let mut state = simulator.state();
    let several = create.names.is_some();
    let order = create.check(&state)?;
    if faults.has(FaultKind::Capacity) {
        return Err(Error::sold_out());
    }
    let room = state.settings.account_limit.map(|limit| limit.saturating_sub(state.droplets.len() as u64));
    if room.is_some_and(|room| room < order.names.len() as u64) {
        return Err(Error::unprocessable("creating this/these droplet(s) will exceed your droplet limit"));
    }

    let now = Utc::now();
    let made: Vec<_> = order.names.iter().map(|name| make(&mut state, &order, name, &faults, now)).collect();
    let bodies: Vec<_> = made.iter().map(|(droplet, _)| droplet.body_at_birth()).collect();
    let actions: Vec<_> = made
        .iter()
        .map(|(_, action)| {
            let href = listing.link(&format!("/v2/actions/{}", action.id));
            json!({ "id": action.id, "rel": "create", "href": href })
        })
        .collect();
    let answer = match bodies.first() {
        Some(only) if !several => json!({ "droplet": only, "links": { "actions": actions } }),
        _ => json!({ "droplets": bodies, "links": { "actions": actions } }),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

fn make(
    state: &mut State,
    order: &Order,
    name: &str,
    faults: &Faults,
    now: DateTime<Utc>,
) -> (Droplet, Action) {
    let later = |from: DateTime<Utc>, kind| faults.get(kind).map_or(from, |fault| from + fault.duration());
    let active_at = after(now, state.settings.boot_seconds);
    let lag = if faults.has(FaultKind::ListingLag) { 0.0 } else { state.settings.listing_lag_seconds };
    let droplet = Droplet {
        id: state.new_id(),
        name: name.to_owned(),
        region: order.region.slug.to_owned(),
        size: order.size.slug.to_owned(),
        image: order.image.id,
        tags: order.tags.clone(),
        features: order.features.clone(),
        user_data: order.user_data.clone(),
        ssh_keys: order.ssh_keys.clone(),
        vpc_uuid: order.vpc_uuid,
        public: order.public,
        created_at: now,
        active_at,
        addressed_at: later(active_at, FaultKind::ActiveWithoutIp),
        listed_at: later(after(now, lag), FaultKind::ListingLag),
        readable_at: later(now, FaultKind::NotFoundAfterCreate),
        on: true,
        event: None,
    };
    state.keep(droplet.clone());
    let action = state.act("create", &droplet, active_at, now);
    (droplet, action)
}

impl Create {
    fn check(self, state: &State) -> Result<Order, Error> {
        let names = match (self.name, self.names) {
            (Some(name), None) => vec![name],
            (None, Some(names)) if !names.is_empty() => names,
            (Some(_), Some(_)) => {
                return Err(Error::unprocessable("Specify either name or names, not both."));
            }
            _ => return Err(Error::unprocessable("Name can't be blank")),
        };
        if names.len() > MAX_NAMES {
            return Err(Error::unprocessable(format!(
                "You can create at most {MAX_NAMES} droplets at once."
            )));
        }
        if !names.iter().all(|name| is_name(name)) {
            return Err(Error::unprocessable(
                "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)",
            ));
        }
        let size = self.size.as_deref().and_then(Size::find);
        let size =
            size.ok_or_else(|| Error::unprocessable("You specified an invalid size for Droplet creation."))?;
        let image = self.image.as_ref().and_then(text_of).and_then(|slug| Image::find(&slug));
        let image = image
            .ok_or_else(|| Error::unprocessable("You specified an invalid image for Droplet creation."))?;
        let region = match self.region.as_deref().filter(|slug| !slug.is_empty()) {
            Some(slug) => Region::find(slug).filter(|r| r.available),
            None => REGIONS.iter().find(|r| size.is_in(r)),
        };
        let region = region.ok_or_else(|| Error::unprocessable("Region is not available"))?;
        if !size.is_in(region) {
            return Err(Error::sold_out());
        }
        if self.volumes.is_some_and(|volumes| !volumes.is_empty()) {
            return Err(Error::unprocessable("Failed to resolve volume"));
        }
        let user_data = self.user_data.filter(|text| !text.is_empty());
        if user_data.as_ref().is_some_and(|text| text.len() > MAX_USER_DATA) {
            return Err(Error::unprocessable("User data cannot be greater than 64 KiB"));
        }
        let tags = self.tags.unwrap_or_default();
        if !tags.iter().all(|tag| is_tag(tag)) {
            let rule = "Tag name can only contain letters, numbers, colons, dashes and underscores";
            return Err(Error::unprocessable(rule));
        }
        let public = self.public_networking.unwrap_or(true);
        if !public && self.ipv6 == Some(true) {
            return Err(Error::unprocessable("IPv6 cannot be enabled without public networking"));
        }
        let vpc_uuid = match self.vpc_uuid.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => id.parse().map_err(|_| Error::unprocessable("VPC is not found"))?,
            None => default_vpc(region),
        };
        let features = [
            (self.backups, "backups"),
            (Some(true), "private_networking"),
            (self.ipv6, "ipv6"),
            (self.monitoring, "monitoring"),
        ];
        Ok(Order {
            names,
            region,
            size,
            image,
            ssh_keys: find_keys(state, &self.ssh_keys.unwrap_or_default())?,
            features: features
                .iter()
                .filter(|(on, _)| *on == Some(true))
                .map(|(_, f)| (*f).to_owned())
                .collect(),
            tags,
            user_data,
            vpc_uuid,
            public,
        })
    }
}

/// Every account has one network per region from the start.
fn default_vpc(region: &Region) -> Uuid {
    let index = REGIONS.iter().position(|r| r.slug == region.slug).unwrap_or_default();
    Uuid::from_u128(0x760e_09ef_dc84_41e8_981e_3cfd_feaa_e000 + index as u128)
}

/// A slug or an id, in whichever JSON type it came.
fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|id| id.to_string()))
}

fn find_keys(state: &State, wanted: &[Value]) -> Result<Vec<u64>, Error> {
    let find = |key: &Value| {
        let text = text_of(key)?;
        state.keys.values().find(|k| k.id.to_string() == text || k.fingerprint == text).map(|k| k.id)
    };
    let found: Vec<_> = wanted.iter().map(|key| (key, find(key))).collect();
    let unknown: Vec<_> =
        found.iter().filter(|(_, id)| id.is_none()).map(|(key, _)| key.to_string()).collect();
    if !unknown.is_empty() {
        let message = format!("{} are invalid key identifiers for Droplet creation.", unknown.join(", "));
        return Err(Error::unprocessable(message));
    }
    Ok(found.into_iter().filter_map(|(_, id)| id).collect())
}

/// `^[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]$`, 255 characters at most.
fn is_name(name: &str) -> bool {
    name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && name.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_'))
}

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
        .filter(|d| name.as_ref().is_none_or(|name| d.name.eq_ignore_ascii_case(name)))
        .filter(|_| kind.as_deref() != Some("gpus"))
        .collect();
    Ok((StatusCode::OK, Json(listing.answer("droplets", found.into_iter().map(|d| shown(d, &faults, now))))))
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
    Ok((StatusCode::OK, Json(json!({ "droplet": shown(droplet, &faults, now) }))))
}

fn shown(droplet: &Droplet, faults: &Faults, now: DateTime<Utc>) -> Value {
    if faults.has(FaultKind::ActiveWithoutIp) { droplet.body_without_ip(now) } else { droplet.body(now) }
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
    state.remove::<Droplet>(id);
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
        state.remove::<Droplet>(id);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /__sim/droplets`: all there are, listed or not, oldest first.
pub(super) async fn inspect(Shared(simulator): Shared<Arc<Simulator>>, listing: Listing) -> Json<Value> {
    let (tag, now) = (listing.query("tag_name"), Utc::now());
    let state = simulator.state();
    let droplets: Vec<_> = state
        .droplets
        .values()
        .filter(|d| tag.as_ref().is_none_or(|tag| d.tags.contains(tag)))
        .map(|d| {
            json!({
                "id": d.id,
                "name": d.name,
                "tags": d.tags,
                "status": d.status(now),
                "region": d.region,
                "size": d.size,
                "image": Image::find(&d.image.to_string()).map(|i| i.slug),
                "user_data": d.user_data,
                "created_at": d.created_at,
                "listed": d.listed_at <= now,
            })
        })
        .collect();
    Json(json!({ "total": droplets.len(), "droplets": droplets }))
}

/// `DELETE /__sim/droplets/{id}`: gone behind the account's back.
pub(super) async fn vanish(
    Shared(simulator): Shared<Arc<Simulator>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Error> {
    simulator.state().remove::<Droplet>(id).map(|_| StatusCode::NO_CONTENT).ok_or_else(Error::not_found)
}
