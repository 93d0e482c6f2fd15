//! `/v2/vpcs`: private networks. The first one in a region is its default, which takes in whatever names no other and can't
//! be deleted, only be relieved by another one. The vendor's document says 403 of a network with members; it answers 409.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Sim, catalog::Region, error::Error, paging::Listing, state::State};

const MAX_NAME: usize = 255;
/// `10.0.0.0/8` in pieces of 4,096 addresses.
const RANGES: u32 = 4_096;

/// A private network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vpc {
    pub(super) id: Uuid,
    pub(super) name: String,
    description: String,
    pub(super) region: String,
    ip_range: String,
    pub(super) default: bool,
    pub(super) created_at: DateTime<Utc>,
}

/// Networks by their id.
pub(super) type Vpcs = BTreeMap<Uuid, Vpc>;

impl Vpc {
    fn body(&self) -> Value {
        let mut body = json!(self);
        body["urn"] = json!(format!("do:vpc:{}", self.id));
        body
    }
}

#[derive(Debug, Deserialize)]
struct Wish {
    name: Option<String>,
    region: Option<String>,
    description: Option<String>,
    ip_range: Option<String>,
    default: Option<bool>,
}

impl Wish {
    fn read(body: &Bytes) -> Result<Self, Error> {
        serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))
    }
}

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    let mut vpcs: Vec<&Vpc> = state.vpcs.values().collect();
    vpcs.sort_by_key(|vpc| vpc.created_at);
    Json(listing.answer("vpcs", vpcs.into_iter().map(Vpc::body)))
}

pub(super) async fn create(Shared(simulator): Sim, body: Bytes) -> Answer {
    let wish = Wish::read(&body)?;
    let mut state = simulator.state();
    let name = wish.name.unwrap_or_default();
    check_name(&state, &name, None)?;
    let region = wish.region.as_deref().and_then(Region::find).filter(|region| region.available);
    let region = region.ok_or_else(|| Error::unprocessable("Region is not available"))?;
    if wish.ip_range.is_some_and(|range| !range.is_empty()) {
        return Err(Error::unprocessable("choosing a range is not simulated"));
    }
    let vpc = found(&mut state, Uuid::new_v4(), name, wish.description.unwrap_or_default(), region)?;
    Ok((StatusCode::CREATED, Json(json!({ "vpc": vpc.body() }))))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "vpc": find(&state, &id)?.body() }))))
}

/// Also `PUT`, which differs only in that a name has to be given.
pub(super) async fn update(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let wish = Wish::read(&body)?;
    let mut state = simulator.state();
    let mut vpc = find(&state, &id)?.clone();
    if let Some(name) = wish.name {
        check_name(&state, &name, Some(vpc.id))?;
        vpc.name = name;
    }
    vpc.description = wish.description.unwrap_or(vpc.description);
    if wish.default == Some(true) && !vpc.default {
        let before = state.vpcs.values().find(|other| other.default && other.region == vpc.region).cloned();
        if let Some(before) = before {
            state.keep_vpc(Vpc { default: false, ..before });
        }
        vpc.default = true;
    }
    state.keep_vpc(vpc.clone());
    Ok((StatusCode::OK, Json(json!({ "vpc": vpc.body() }))))
}

pub(super) async fn delete(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let vpc = find(&state, &id)?.clone();
    if vpc.default {
        return Err(Error::forbidden("Can not delete default VPCs"));
    }
    if state.droplets.values().any(|droplet| droplet.vpc_uuid == vpc.id) {
        return Err(Error::conflict("Can not delete VPC with members"));
    }
    state.remove_vpc(vpc.id);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn members(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let state = simulator.state();
    let vpc = find(&state, &id)?.id;
    let now = Utc::now();
    let members: Vec<_> = state
        .droplets
        .values()
        .filter(|droplet| droplet.vpc_uuid == vpc)
        .map(|droplet| {
            let urn = format!("do:droplet:{}", droplet.id);
            json!({ "urn": urn, "name": droplet.shape(now).name, "created_at": droplet.created_at })
        })
        .collect();
    Ok((StatusCode::OK, Json(listing.answer("members", members.into_iter()))))
}

/// The network a new droplet joins: the one it names, or its region's default, which is made when it is needed first.
pub(super) fn joined(
    state: &mut State,
    wanted: Option<&str>,
    region: &'static Region,
) -> Result<Uuid, Error> {
    if let Some(id) = wanted.filter(|id| !id.is_empty()) {
        let vpc = find(state, id)?;
        let is_here = vpc.region == region.slug;
        return is_here.then_some(vpc.id).ok_or_else(|| Error::unprocessable("VPC is in another region"));
    }
    if let Some(default) = state.vpcs.values().find(|vpc| vpc.default && vpc.region == region.slug) {
        return Ok(default.id);
    }
    let name = format!("default-{}", region.slug);
    Ok(found(state, Uuid::new_v4(), name, String::new(), region)?.id)
}

/// Makes a network, which is its region's default if it is the first there.
fn found(
    state: &mut State,
    id: Uuid,
    name: String,
    description: String,
    region: &Region,
) -> Result<Vpc, Error> {
    let vpc = Vpc {
        id,
        name,
        description,
        region: region.slug.to_owned(),
        ip_range: free_range(state)?,
        default: !state.vpcs.values().any(|vpc| vpc.region == region.slug),
        created_at: Utc::now(),
    };
    state.keep_vpc(vpc.clone());
    Ok(vpc)
}

/// Ranges of an account's networks don't overlap, so there is an end to them.
fn free_range(state: &State) -> Result<String, Error> {
    let range = |number: u32| format!("10.{}.{}.0/20", number / 16, number % 16 * 16);
    let taken = |range: &String| state.vpcs.values().any(|vpc| vpc.ip_range == *range);
    (0..RANGES).map(range).find(|range| !taken(range)).ok_or_else(|| {
        Error::unprocessable("This range/size overlaps with another VPC network in your account")
    })
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Vpc, Error> {
    id.parse().ok().and_then(|id: Uuid| state.vpcs.get(&id)).ok_or_else(Error::not_found)
}

fn check_name(state: &State, name: &str, but: Option<Uuid>) -> Result<(), Error> {
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    if !is_name {
        return Err(Error::unprocessable("Name may only contain letters, numbers, dashes, and periods"));
    }
    if state.vpcs.values().any(|vpc| vpc.name == name && Some(vpc.id) != but) {
        return Err(Error::unprocessable("Name must be unique"));
    }
    Ok(())
}
