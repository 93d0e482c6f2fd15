//! `/v2/account`, its SSH keys and startup scripts, and what it could have but has not.

use axum::{
    Json,
    body::Bytes,
    extract::{OriginalUri, Path, State as Shared},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Sim,
    error::Error,
    paging::Listing,
    parse,
    state::{Key, Script, stamp},
};

pub(super) async fn account() -> Json<Value> {
    let acls = [
        "manage_users",
        "subscriptions_view",
        "subscriptions",
        "billing",
        "support",
        "provisioning",
        "dns",
        "abuse",
        "upgrade",
        "firewall",
        "alerts",
        "objstore",
        "loadbalancer",
    ];
    Json(json!({ "account": {
        "name": "Simulated account",
        "email": "owner@example.com",
        "acls": acls,
        "balance": -100.0,
        "pending_charges": 0.0,
        "last_payment_date": "2026-01-01T00:00:00+00:00",
        "last_payment_amount": -100.0,
    } }))
}

/// Lists of things nobody can make here: official clients read some of them along the way.
pub(super) async fn list_none(OriginalUri(uri): OriginalUri, listing: Listing) -> Json<Value> {
    let key = match uri.path().trim_start_matches("/v2/") {
        "private-networks" => "networks".to_owned(),
        "iso" => "isos".to_owned(),
        "firewalls" => "firewall_groups".to_owned(),
        other => other.replace('-', "_"),
    };
    Json(listing.answer_fixed(&key, &[(); 0], |()| Value::Null))
}

#[derive(Debug, Default, Deserialize)]
struct KeyBody {
    name: Option<String>,
    ssh_key: Option<String>,
}

pub(super) async fn list_keys(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    Json(listing.answer("ssh_keys", &state.all::<Key>(|_| true), |key| key.rank, |key| key.body()))
}

pub(super) async fn add_key(Shared(simulator): Sim, body: Bytes) -> Answer {
    let KeyBody { name, ssh_key } = parse(&body)?;
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::bad_request("Invalid name."))?;
    let ssh_key = check_key(ssh_key.unwrap_or_default())?;
    let mut state = simulator.state();
    let key = Key { id: Uuid::new_v4(), rank: state.new_number(), name, ssh_key, created_at: Utc::now() };
    let answer = json!({ "ssh_key": key.body() });
    state.keep(key);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// An OpenSSH public key: the blob begins with the length and the name of its own type (RFC 4253 section 6.6).
fn check_key(key: String) -> Result<String, Error> {
    let mut words = key.split_whitespace();
    let parts = words.next().zip(words.next().and_then(|blob| STANDARD.decode(blob).ok()));
    match parts {
        Some((kind, blob)) if blob.get(4..4 + kind.len()) == Some(kind.as_bytes()) => Ok(key),
        _ => Err(Error::bad_request("Invalid SSH key.")),
    }
}

pub(super) async fn get_key(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "ssh_key": state.find::<Key>(&id)?.body() }))))
}

pub(super) async fn change_key(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let change: KeyBody = parse(&body)?;
    let mut state = simulator.state();
    let mut key = state.find::<Key>(&id)?.clone();
    if let Some(ssh_key) = change.ssh_key {
        key.ssh_key = check_key(ssh_key)?;
    }
    key.name = change.name.unwrap_or(key.name);
    state.keep(key);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_key(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = state.find::<Key>(&id)?.id;
    state.remove::<Key>(id);
    Ok(StatusCode::NO_CONTENT)
}

impl Key {
    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "date_created": stamp(self.created_at),
            "name": self.name,
            "ssh_key": self.ssh_key,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
struct ScriptBody {
    name: Option<String>,
    r#type: Option<String>,
    script: Option<String>,
}

pub(super) async fn list_scripts(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let state = simulator.state();
    Json(listing.answer("startup_scripts", &state.all::<Script>(|_| true), |s| s.rank, |s| s.body()))
}

pub(super) async fn add_script(Shared(simulator): Sim, body: Bytes) -> Answer {
    let body: ScriptBody = parse(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let blank = Script {
        id: Uuid::new_v4(),
        rank: state.new_number(),
        name: String::new(),
        r#type: "boot".to_owned(),
        script: String::new(),
        created_at: now,
        modified_at: now,
    };
    let script = body.applied_to(blank)?;
    let answer = json!({ "startup_script": script.body() });
    state.keep(script);
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn get_script(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "startup_script": state.find::<Script>(&id)?.body() }))))
}

pub(super) async fn change_script(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let body: ScriptBody = parse(&body)?;
    let mut state = simulator.state();
    let script = Script { modified_at: Utc::now(), ..state.find::<Script>(&id)?.clone() };
    state.keep(body.applied_to(script)?);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_script(
    Shared(simulator): Sim,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let id = state.find::<Script>(&id)?.id;
    state.remove::<Script>(id);
    Ok(StatusCode::NO_CONTENT)
}

impl ScriptBody {
    fn applied_to(self, mut script: Script) -> Result<Script, Error> {
        script.name = self.name.unwrap_or(script.name);
        script.r#type = self.r#type.unwrap_or(script.r#type);
        script.script = self.script.unwrap_or(script.script);
        if script.name.is_empty() {
            return Err(Error::bad_request("Invalid name."));
        }
        if !matches!(script.r#type.as_str(), "boot" | "pxe") {
            return Err(Error::bad_request("Invalid type: must be boot or pxe."));
        }
        if script.script.is_empty() || STANDARD.decode(&script.script).is_err() {
            return Err(Error::bad_request("Invalid script: it must be base64 encoded."));
        }
        Ok(script)
    }
}

impl Script {
    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "date_created": stamp(self.created_at),
            "date_modified": stamp(self.modified_at),
            "name": self.name,
            "type": self.r#type,
            "script": self.script,
        })
    }
}
