//! `/v2/tags` and what carries them. A tag stays when nothing carries it any more.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    create::text_of,
    error::Error,
    model::{Droplet, Snapshot, Source},
    paging::Listing,
    state::State,
};

const MAX_TAG: usize = 255;

pub(super) const TAG_RULE: &str =
    "Tag name can only contain letters, numbers, colons, dashes and underscores";

pub(super) fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_'))
}

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    let names: Vec<_> = state.tags.iter().collect();
    Json(listing.answer("tags", names.iter().map(|name| body(&state, &listing, name))))
}

#[derive(Debug, Deserialize)]
struct NewTag {
    name: String,
}

pub(super) async fn create(
    Shared(simulator): Sim,
    listing: Listing,
    body_: Bytes,
) -> Result<Response, Error> {
    let NewTag { name } = serde_json::from_slice(&body_).map_err(|e| Error::bad_request(e.to_string()))?;
    if !is_tag(&name) {
        // The one error that has another shape.
        let words =
            format!("Error validating resource tag: \"tag-name \\\"{name}\\\" contains invalid characters\"");
        let cause = format!("rpc error: code = InvalidArgument desc = {words}");
        let refusal = json!({ "error": words, "messages": null, "root_causes": [cause] });
        return Ok((StatusCode::BAD_REQUEST, Json(refusal)).into_response());
    }
    let mut state = simulator.state();
    state.add_tag(&name);
    Ok((StatusCode::CREATED, Json(json!({ "tag": body(&state, &listing, &name) }))).into_response())
}

pub(super) async fn get(Shared(simulator): Sim, Path(name): Path<String>, listing: Listing) -> Answer {
    let state = simulator.state();
    known(&state, &name)?;
    Ok((StatusCode::OK, Json(json!({ "tag": body(&state, &listing, &name) }))))
}

/// Also takes it off everything that carries it.
pub(super) async fn delete(Shared(simulator): Sim, Path(name): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    if !state.remove_tag(&name) {
        return Err(Error::not_found());
    }
    let droplets = state.droplets.values().filter(|d| d.tags.contains(&name)).map(|d| d.id);
    let images = state.snapshots.values().filter(|s| s.tags.contains(&name)).map(|s| s.id);
    let carriers: Vec<_> = droplets.map(Carrier::Droplet).chain(images.map(Carrier::Image)).collect();
    for carrier in carriers {
        retag(&mut state, carrier, |tags| tags.retain(|tag| *tag != name));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    /// A text by the document; clients send numbers too.
    resource_id: Value,
    resource_type: String,
}

/// What can carry a tag here.
#[derive(Clone, Copy)]
enum Carrier {
    Droplet(u64),
    Image(u64),
}

pub(super) async fn assign(
    Shared(simulator): Sim,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    known(&state, &name)?;
    for carrier in carriers(&state, &body)? {
        retag(&mut state, carrier, |tags| {
            if !tags.contains(&name) {
                tags.push(name.clone());
            }
        });
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn unassign(
    Shared(simulator): Sim,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    known(&state, &name)?;
    for carrier in carriers(&state, &body)? {
        retag(&mut state, carrier, |tags| tags.retain(|tag| *tag != name));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn known(state: &State, name: &str) -> Result<(), Error> {
    if state.tags.contains(name) { Ok(()) } else { Err(Error::not_found()) }
}

fn carriers(state: &State, body: &[u8]) -> Result<Vec<Carrier>, Error> {
    let Resources { resources } =
        serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))?;
    let now = Utc::now();
    let carrier = |resource: &Resource| {
        let id = text_of(&resource.resource_id).unwrap_or_default();
        match resource.resource_type.as_str() {
            "droplet" => Ok(Carrier::Droplet(state.droplet(&id, now)?.id)),
            "image" => match state.image(&id, now) {
                Some(Source::Private(snapshot)) => Ok(Carrier::Image(snapshot.id)),
                _ => Err(Error::not_found()),
            },
            "volume" | "volume_snapshot" | "database" => Err(Error::not_found()),
            other => Err(Error::unprocessable(format!("resource_type `{other}` is not supported"))),
        }
    };
    resources.iter().map(carrier).collect()
}

fn retag(state: &mut State, carrier: Carrier, change: impl Fn(&mut Vec<String>)) {
    match carrier {
        Carrier::Droplet(id) => {
            if let Some(mut droplet) = state.droplets.get(&id).cloned() {
                change(&mut droplet.tags);
                state.keep(droplet);
            }
        }
        Carrier::Image(id) => {
            if let Some(mut snapshot) = state.snapshots.get(&id).cloned() {
                change(&mut snapshot.tags);
                state.keep(snapshot);
            }
        }
    }
}

/// The tag object: how many things of each kind carry it, and which was the last, if there is one.
fn body(state: &State, listing: &Listing, name: &str) -> Value {
    let tagged = |tags: &[String]| tags.iter().any(|tag| tag == name);
    let droplets: Vec<&Droplet> = state.droplets.values().filter(|d| tagged(&d.tags)).collect();
    let images: Vec<&Snapshot> = state.snapshots.values().filter(|s| tagged(&s.tags)).collect();
    let last_droplet = droplets.last().map(|d| listing.link(&format!("/v2/droplets/{}", d.id)));
    let last_image = images.last().map(|s| listing.link(&format!("/v2/images/{}", s.id)));
    let count = |count: usize, last: Option<&String>| {
        let mut count = json!({ "count": count });
        if let Some(last) = last {
            count["last_tagged_uri"] = json!(last);
        }
        count
    };
    let mut resources = count(droplets.len() + images.len(), last_image.as_ref().or(last_droplet.as_ref()));
    resources["droplets"] = count(droplets.len(), last_droplet.as_ref());
    resources["images"] = count(images.len(), last_image.as_ref());
    for none in ["volumes", "volume_snapshots", "databases"] {
        resources[none] = count(0, None);
    }
    json!({ "name": name, "resources": resources })
}
