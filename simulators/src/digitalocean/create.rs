//! `POST /v2/droplets`.

use axum::{Extension, Json, body::Bytes, extract::State as Shared, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Sim, backups,
    catalog::{REGIONS, Region, Size},
    error::Error,
    model::{Action, Droplet, Shape, Source},
    paging::Listing,
    state::{State, after},
    tags::{TAG_RULE, is_tag},
    vpcs,
};
use crate::kit::fault::{FaultKind, Faults};

const MAX_NAMES: usize = 10;
const MAX_USER_DATA: usize = 64 * 1024;

/// The body of a create. Fields that change nothing here (`with_droplet_agent`, …) are accepted and ignored, as are
/// nulls, which official clients send.
#[derive(Debug, Deserialize)]
pub(super) struct Create {
    name: Option<String>,
    names: Option<Vec<String>>,
    region: Option<String>,
    size: Option<String>,
    image: Option<Value>,
    ssh_keys: Option<Vec<Value>>,
    backups: Option<bool>,
    backup_policy: Option<backups::Wish>,
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
    image: u64,
    ssh_keys: Vec<u64>,
    features: Vec<String>,
    backups: Option<backups::Policy>,
    tags: Vec<String>,
    user_data: Option<String>,
    /// As it was asked for.
    vpc_uuid: Option<String>,
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
    let now = Utc::now();
    let several = create.names.is_some();
    let order = create.check(&state, now)?;
    if faults.has(FaultKind::Capacity) {
        return Err(Error::sold_out());
    }
    let room = state.settings.account_limit.map(|limit| limit.saturating_sub(state.droplets.len() as u64));
    if room.is_some_and(|room| room < order.names.len() as u64) {
        return Err(Error::unprocessable("creating this/these droplet(s) will exceed your droplet limit"));
    }

    let vpc = vpcs::joined(&mut state, order.vpc_uuid.as_deref(), order.region)?;
    let made: Vec<_> =
        order.names.iter().map(|name| make(&mut state, &order, (name, vpc), &faults, now)).collect();
    let bodies: Vec<_> = made.iter().map(|(droplet, _)| state.show_at_birth(droplet)).collect();
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
    (name, vpc_uuid): (&str, Uuid),
    faults: &Faults,
    now: DateTime<Utc>,
) -> (Droplet, Action) {
    let later = |from: DateTime<Utc>, kind| faults.get(kind).map_or(from, |fault| from + fault.duration());
    let active_at = after(now, state.settings.boot_seconds);
    let lag = if faults.has(FaultKind::ListingLag) { 0.0 } else { state.settings.listing_lag_seconds };
    let droplet = Droplet {
        id: state.new_number(),
        before: Shape {
            name: name.to_owned(),
            size: order.size.slug.to_owned(),
            disk: None,
            image: order.image,
            features: order.features.clone(),
            on: true,
            backups: order.backups.clone(),
        },
        region: order.region.slug.to_owned(),
        tags: order.tags.clone(),
        user_data: order.user_data.clone(),
        ssh_keys: order.ssh_keys.clone(),
        vpc_uuid,
        public: order.public,
        created_at: now,
        active_at,
        addressed_at: later(active_at, FaultKind::ActiveWithoutIp),
        listed_at: later(after(now, lag), FaultKind::ListingLag),
        readable_at: later(now, FaultKind::NotFoundAfterCreate),
        pending: None,
    };
    for tag in &droplet.tags {
        state.add_tag(tag);
    }
    state.keep(droplet.clone());
    let action = state.act("create", &droplet, active_at, now);
    (droplet, action)
}

impl Create {
    fn check(self, state: &State, now: DateTime<Utc>) -> Result<Order, Error> {
        let names = names(self.name, self.names)?;
        let (size, image, region) = hardware(
            state,
            self.size.as_deref(),
            self.image.as_ref(),
            self.region.as_deref().filter(|slug| !slug.is_empty()),
            now,
        )?;
        if self.volumes.is_some_and(|volumes| !volumes.is_empty()) {
            return Err(Error::unprocessable("Failed to resolve volume"));
        }
        let user_data = self.user_data.filter(|text| !text.is_empty());
        if user_data.as_ref().is_some_and(|text| text.len() > MAX_USER_DATA) {
            return Err(Error::unprocessable("User data cannot be greater than 64 KiB"));
        }
        let tags = self.tags.unwrap_or_default();
        if !tags.iter().all(|tag| is_tag(tag)) {
            return Err(Error::unprocessable(TAG_RULE));
        }
        let public = self.public_networking.unwrap_or(true);
        if !public && self.ipv6 == Some(true) {
            return Err(Error::unprocessable("IPv6 cannot be enabled without public networking"));
        }
        let backups = match (self.backups, &self.backup_policy) {
            (Some(true), Some(wish)) => Some(wish.check()?),
            (Some(true), None) => Some(backups::Policy::default()),
            _ => None,
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
            backups,
            tags,
            user_data,
            vpc_uuid: self.vpc_uuid,
            public,
        })
    }
}

fn names(name: Option<String>, names: Option<Vec<String>>) -> Result<Vec<String>, Error> {
    let names = match (name, names) {
        (Some(name), None) => vec![name],
        (None, Some(names)) if !names.is_empty() => names,
        (Some(_), Some(_)) => return Err(Error::unprocessable("Specify either name or names, not both.")),
        _ => return Err(Error::unprocessable("Name can't be blank")),
    };
    if names.len() > MAX_NAMES {
        return Err(Error::unprocessable(format!("You can create at most {MAX_NAMES} droplets at once.")));
    }
    for name in &names {
        check_name(name)?;
    }
    Ok(names)
}

fn hardware(
    state: &State,
    size: Option<&str>,
    image: Option<&Value>,
    region: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(&'static Size, u64, &'static Region), Error> {
    let size = size.and_then(Size::find);
    let size =
        size.ok_or_else(|| Error::unprocessable("You specified an invalid size for Droplet creation."))?;
    let image: Option<Source<'_>> = image.and_then(text_of).and_then(|slug| state.image(&slug, now));
    let invalid_image = || Error::unprocessable("You specified an invalid image for Droplet creation.");
    let image = image.ok_or_else(invalid_image)?;
    let region = match region {
        Some(slug) => Region::find(slug).filter(|r| r.available),
        None => REGIONS.iter().find(|r| size.is_in(r)),
    };
    let region = region.ok_or_else(|| Error::unprocessable("Region is not available"))?;
    if !size.is_in(region) {
        return Err(Error::sold_out());
    }
    if !image.is_in(region) {
        return Err(invalid_image());
    }
    if size.disk < image.min_disk() {
        return Err(Error::smaller_disk());
    }
    Ok((size, image.id(), region))
}

/// A slug or an id, in whichever JSON type it came.
pub(super) fn text_of(value: &Value) -> Option<String> {
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
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_name = name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && name.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric());
    let rule = "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)";
    if is_name { Ok(()) } else { Err(Error::unprocessable(rule)) }
}
