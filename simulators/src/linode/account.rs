//! `/v4/account`, `/v4/profile` and its SSH keys, `/v4/tags`.

use std::collections::BTreeSet;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Answer, Sim, USERNAME,
    create::{check_tags, sorted},
    deploy::key_fault,
    error::Error,
    form::Form,
    model::{Key, Linode},
    paging::Listing,
    state::State,
};

pub(super) async fn account() -> Json<Value> {
    Json(json!({
        "first_name": "Simulated",
        "last_name": "Owner",
        "email": "owner@example.com",
        "company": "Simulated account",
        "address_1": "1 Example Street",
        "address_2": "",
        "city": "Jakarta",
        "state": "JK",
        "zip": "10110",
        "country": "ID",
        "phone": "",
        "tax_id": "",
        "balance": 0.0,
        "balance_uninvoiced": 0.0,
        "active_since": "2024-01-01T00:00:00",
        "active_promotions": [],
        "billing_source": "linode",
        "capabilities": ["Linodes", "Block Storage", "Placement Group"],
        "credit_card": { "last_four": "1111", "expiry": "11/2030" },
        "euuid": "E1AF5EEC-526F-487D-B317EBEB34C87D71",
    }))
}

pub(super) async fn profile() -> Json<Value> {
    Json(json!({
        "uid": 1,
        "username": USERNAME,
        "email": "owner@example.com",
        "timezone": "Asia/Jakarta",
        "email_notifications": true,
        "restricted": false,
        "two_factor_auth": false,
        "referrals": { "code": "", "url": "", "total": 0, "completed": 0, "pending": 0, "credit": 0.0 },
        "ip_whitelist_enabled": false,
        "lish_auth_method": "password_keys",
        "authorized_keys": null,
        "authentication_type": "password",
        "verified_phone_number": null,
        "user_type": "default",
    }))
}

pub(super) async fn list_keys(Shared(simulator): Sim, listing: Listing) -> Answer {
    let state = simulator.state();
    Ok(Json(listing.answer(&["id", "label", "created"], state.keys.values().map(Key::body))?))
}

pub(super) async fn add_key(Shared(simulator): Sim, body: Bytes) -> Answer {
    let mut form = Form::read(&body)?;
    let label = form.required_text("label").unwrap_or_default();
    let ssh_key = form.required_text("ssh_key").unwrap_or_default();
    if let Some(reason) = key_fault(&ssh_key).filter(|_| form.has("ssh_key")) {
        form.refuse("ssh_key", format!("SSH Key {reason}"));
    }
    form.finish()?;
    let mut state = simulator.state();
    let key = Key { id: state.new_number(), label, ssh_key, created_at: Utc::now() };
    let answer = key.body();
    state.keep(key);
    Ok(Json(answer))
}

pub(super) async fn get_key(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    Ok(Json(find_key(&simulator.state(), &id)?.body()))
}

fn find_key<'a>(state: &'a State, id: &str) -> Result<&'a Key, Error> {
    id.parse().ok().and_then(|id: u64| state.keys.get(&id)).ok_or_else(Error::not_found)
}

pub(super) async fn rename_key(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut state = simulator.state();
    let mut form = Form::read(&body)?;
    let mut key = find_key(&state, &id)?.clone();
    key.label = form.text("label").unwrap_or(key.label);
    form.finish()?;
    let answer = key.body();
    state.keep(key);
    Ok(Json(answer))
}

pub(super) async fn delete_key(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let mut state = simulator.state();
    let id = find_key(&state, &id)?.id;
    state.remove::<Key>(id);
    Ok(Json(json!({})))
}

/// Tags are those that something carries.
pub(super) async fn list_tags(Shared(simulator): Sim, listing: Listing) -> Answer {
    let state = simulator.state();
    let linodes = state.linodes.values().flat_map(|linode| &linode.tags);
    let tags: BTreeSet<&String> =
        linodes.chain(state.images.values().flat_map(|image| &image.tags)).collect();
    Ok(Json(listing.answer(&["label"], tags.iter().map(|tag| json!({ "label": tag })))?))
}

/// Puts a tag onto Linodes.
pub(super) async fn add_tag(Shared(simulator): Sim, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut form = Form::read(&body)?;
    let label = form.required_text("label").unwrap_or_default();
    check_tags(&mut form, std::slice::from_ref(&label));
    let wanted = form.integers("linodes").unwrap_or_default();
    form.finish()?;
    for id in wanted {
        let mut linode = state.linode(&id.to_string(), now)?.clone();
        linode.tags.push(label.clone());
        linode.tags = sorted(linode.tags);
        state.keep(linode);
    }
    Ok(Json(json!({ "label": label })))
}

/// What carries a tag.
pub(super) async fn get_tag(Shared(simulator): Sim, Path(label): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let tagged =
        state.linodes.values().filter(|linode| linode.tags.contains(&label) && linode.listed_at <= now);
    let tagged = tagged.map(|linode| json!({ "type": "linode", "data": linode.body(now) }));
    Ok(Json(listing.answer(&["type"], tagged)?))
}

/// Takes a tag off everything.
pub(super) async fn delete_tag(Shared(simulator): Sim, Path(label): Path<String>) -> Answer {
    let mut state = simulator.state();
    let tagged: Vec<Linode> = state.linodes.values().filter(|l| l.tags.contains(&label)).cloned().collect();
    if tagged.is_empty() {
        return Err(Error::not_found());
    }
    for mut linode in tagged {
        linode.tags.retain(|tag| *tag != label);
        state.keep(linode);
    }
    Ok(Json(json!({})))
}
