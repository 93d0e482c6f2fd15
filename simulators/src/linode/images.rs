//! `/v4/images`: the vendor's public ones and the account's private ones, which outlive the Linode they came from.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Answer, Sim,
    catalog::{IMAGES, PublicImage, Region},
    create::{check_tags, sorted},
    error::Error,
    form::Form,
    model::{Image, after},
    paging::Listing,
    state::State,
};

const FIELDS: &[&str] = &[
    "id",
    "label",
    "description",
    "vendor",
    "type",
    "status",
    "size",
    "tags",
    "is_public",
    "deprecated",
    "created",
    "created_by",
    "capabilities",
];

pub(super) async fn list(Shared(simulator): Sim, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let private = state.images.values().map(|image| image.body(now));
    Ok(Json(listing.answer(FIELDS, private.chain(IMAGES.iter().map(PublicImage::body)))?))
}

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    if let Some(public) = PublicImage::find(&id) {
        return Ok(Json(public.body()));
    }
    let state = simulator.state();
    Ok(Json(find(&state, &id)?.body(Utc::now())))
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Image, Error> {
    let number = id.strip_prefix("private/").and_then(|number| number.parse().ok());
    number.and_then(|number: u64| state.images.get(&number)).ok_or_else(Error::not_found)
}

/// Takes an image of a disk.
pub(super) async fn create(Shared(simulator): Sim, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut form = Form::read(&body)?;
    let disk = form.required_integer("disk_id");
    let mut image = described(&mut form, None);
    let owner = disk.and_then(|disk| {
        state.linodes.values().find(|linode| linode.disks.iter().any(|d| d.id == disk)).cloned()
    });
    if disk.is_some() && owner.is_none() {
        form.refuse("disk_id", "disk_id is not valid");
    }
    form.finish()?;
    let (Some(linode), Some(disk)) = (owner, disk) else { return Err(Error::not_found()) };
    let Some(disk) = linode.disks.iter().find(|d| d.id == disk) else { return Err(Error::not_found()) };

    image.id = state.new_number();
    image.label = if image.label.is_empty() { disk.label.clone() } else { image.label };
    // What is in use, not what is allotted.
    image.size = disk.size.min(used(&state, linode.image.as_deref()));
    image.regions = vec![linode.region.clone()];
    image.created_at = now;
    image.available_at = Some(after(now, state.settings.action_seconds));
    let done_at = image.available_at.unwrap_or(now);
    let secondary = json!({ "id": image.slug(), "type": "image", "label": image.label, "url": format!("/v4/images/{}", image.slug()) });
    state.note("disk_imagize", &linode, secondary, now, done_at);
    state.keep(image.clone());
    Ok(Json(image.body_at_start()))
}

/// MiB that an image puts onto a disk.
fn used(state: &State, image: Option<&str>) -> u64 {
    const EMPTY: u64 = 64;
    let Some(id) = image else { return EMPTY };
    PublicImage::find(id)
        .map_or_else(|| find(state, id).map_or(EMPTY, |image| image.size), |image| image.size)
}

/// An image with what a request says about it, over what it was.
fn described(form: &mut Form, before: Option<&Image>) -> Image {
    let label = form.text("label");
    if label.as_ref().is_some_and(|label| label.chars().count() > 50) {
        form.refuse("label", "Length must be 0-50 characters");
    }
    let tags = form.texts("tags").map(sorted);
    check_tags(form, tags.as_deref().unwrap_or_default());
    let fresh = Image {
        id: 0,
        label: String::new(),
        description: String::new(),
        tags: Vec::new(),
        regions: Vec::new(),
        size: 0,
        cloud_init: form.flag("cloud_init").unwrap_or(false),
        created_at: DateTime::UNIX_EPOCH,
        available_at: None,
    };
    let before = before.cloned().unwrap_or(fresh);
    Image {
        label: label.unwrap_or(before.label),
        description: form.text("description").unwrap_or(before.description),
        tags: tags.unwrap_or(before.tags),
        ..before
    }
}

/// Registers an image that waits for its bytes, which can't be sent here.
pub(super) async fn upload(Shared(simulator): Sim, body: Bytes) -> Answer {
    let mut form = Form::read(&body)?;
    form.required_text("label");
    let region = form.required_text("region");
    if region.as_ref().is_some_and(|region| Region::find(region).is_none()) {
        form.refuse("region", "region is not valid");
    }
    let mut image = described(&mut form, None);
    form.finish()?;
    let mut state = simulator.state();
    image.id = state.new_number();
    image.created_at = Utc::now();
    let upload_to = format!("https://uploads.example.com/{}", image.id);
    let answer = json!({ "image": image.body_at_start(), "upload_to": upload_to });
    state.keep(image);
    Ok(Json(answer))
}

pub(super) async fn update(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut state = simulator.state();
    let mut form = Form::read(&body)?;
    let image = described(&mut form, Some(find(&state, &id)?));
    form.finish()?;
    let answer = image.body(Utc::now());
    state.keep(image);
    Ok(Json(answer))
}

pub(super) async fn delete(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    if PublicImage::find(&id).is_some() {
        return Err(Error::usual(axum::http::StatusCode::FORBIDDEN));
    }
    let mut state = simulator.state();
    let id = find(&state, &id)?.id;
    state.remove::<Image>(id);
    Ok(Json(json!({})))
}

/// Sets the regions that hold a copy.
pub(super) async fn replicate(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut state = simulator.state();
    let mut image = find(&state, &id)?.clone();
    let mut form = Form::read(&body)?;
    let regions = form.texts("regions").unwrap_or_default();
    if regions.is_empty() || regions.iter().any(|region| Region::find(region).is_none()) {
        form.refuse("regions", "regions is not valid");
    }
    form.finish()?;
    image.regions = regions;
    let answer = image.body(Utc::now());
    state.keep(image);
    Ok(Json(answer))
}

/// Clients that don't escape the slash in `linode/debian12`.
pub(super) async fn get_unescaped(sim: Sim, Path((owner, name)): Path<(String, String)>) -> Answer {
    get(sim, Path(format!("{owner}/{name}"))).await
}

pub(super) async fn update_unescaped(
    sim: Sim,
    Path((owner, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    update(sim, Path(format!("{owner}/{name}")), body).await
}

pub(super) async fn delete_unescaped(sim: Sim, Path((owner, name)): Path<(String, String)>) -> Answer {
    delete(sim, Path(format!("{owner}/{name}"))).await
}
