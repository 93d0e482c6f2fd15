//! `/v2/account` and its SSH keys.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Sim, error::Error, model::Key, paging::Listing, state::State};

pub(super) async fn account(Shared(simulator): Sim) -> Json<Value> {
    // The vendor has no word for "no limit".
    let limit = simulator.state().settings.account_limit.unwrap_or(i32::MAX as u64);
    Json(json!({ "account": {
        "droplet_limit": limit,
        "floating_ip_limit": 5,
        "email": "owner@example.com",
        "name": "Simulated account",
        "uuid": "b6f189dbf6d9156cace5f3c78dc9851d957381ef",
        "email_verified": true,
        "status": "active",
        "status_message": "",
        "team": { "uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "Simulated team" },
    } }))
}

#[derive(Debug, Deserialize)]
struct NewKey {
    name: String,
    public_key: String,
}

#[derive(Debug, Deserialize)]
struct Rename {
    name: String,
}

pub(super) async fn list_keys(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    let keys: Vec<_> = state.keys.values().map(Key::body).collect();
    Json(listing.answer("ssh_keys", keys.into_iter()))
}

pub(super) async fn add_key(Shared(simulator): Sim, body: Bytes) -> Answer {
    let new: NewKey = serde_json::from_slice(&body).map_err(|e| Error::unprocessable(e.to_string()))?;
    let fingerprint = fingerprint(&new.public_key)
        .ok_or_else(|| Error::unprocessable("Key invalid, please make sure to enter a public SSH key."))?;
    let mut state = simulator.state();
    if state.keys.values().any(|k| k.fingerprint == fingerprint) {
        return Err(Error::unprocessable("SSH Key is already in use on your account"));
    }
    let key = Key { id: state.new_number(), fingerprint, public_key: new.public_key, name: new.name };
    let answer = json!({ "ssh_key": key.body() });
    state.keep(key);
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn get_key(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "ssh_key": find(&state, &id)?.body() }))))
}

pub(super) async fn rename_key(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let Rename { name } = serde_json::from_slice(&body).map_err(|e| Error::unprocessable(e.to_string()))?;
    let mut state = simulator.state();
    let key = Key { name, ..find(&state, &id)?.clone() };
    let answer = json!({ "ssh_key": key.body() });
    state.keep(key);
    Ok((StatusCode::OK, Json(answer)))
}

pub(super) async fn delete_key(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = find(&state, &id)?.id;
    state.remove::<Key>(id);
    Ok(StatusCode::NO_CONTENT)
}

/// By id or by fingerprint, as the vendor's paths allow.
fn find<'a>(state: &'a State, wanted: &str) -> Result<&'a Key, Error> {
    let found = state.keys.values().find(|k| k.id.to_string() == wanted || k.fingerprint == wanted);
    found.ok_or_else(Error::not_found)
}

impl Key {
    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "fingerprint": self.fingerprint,
            "public_key": self.public_key,
            "name": self.name,
        })
    }
}

/// The MD5 fingerprint of an OpenSSH public key (RFC 4716 section 4), or nothing when it is not one.
fn fingerprint(public_key: &str) -> Option<String> {
    let mut words = public_key.split_whitespace();
    let (kind, blob) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    // The blob begins with the length and the name of its own type.
    let named = blob.get(4..4 + kind.len())?;
    if named != kind.as_bytes() {
        return None;
    }
    let octets: Vec<_> = Md5::digest(&blob).iter().map(|octet| format!("{octet:02x}")).collect();
    Some(octets.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test";
        assert_eq!(fingerprint(key).as_deref(), Some("65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd"));
        assert_eq!(fingerprint("ssh-ed25519 AAAA"), None);
        assert_eq!(fingerprint("hello"), None);
    }
}
