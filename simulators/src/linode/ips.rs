//! `/v4/linode/instances/{id}/ips`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    create::{private_address, public_address},
    error::Error,
    form::Form,
    model::{Address, Linode},
};

pub(super) async fn list(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let of = |public: bool| -> Vec<Value> {
        let mine = linode.addresses.iter().filter(|a| now >= linode.addressed_at && a.public == public);
        mine.map(|address| body(linode, address)).collect()
    };
    let v6 = |address: &str, public: bool| {
        json!({
            "address": address, "gateway": "fe80::1", "subnet_mask": "ffff:ffff:ffff:ffff::", "prefix": 64,
            "type": "ipv6", "rdns": null, "linode_id": linode.id, "region": linode.region, "public": public,
        })
    };
    Ok(Json(json!({
        "ipv4": { "public": of(true), "private": of(false), "shared": [], "reserved": [], "vpc": [] },
        "ipv6": {
            "slaac": v6(&linode.ipv6(), true),
            "link_local": v6("fe80::f03c:95ff:fe00:1", false),
            "global": [],
            "vpc": [],
        },
    })))
}

fn body(linode: &Linode, address: &Address) -> Value {
    let text = &address.address;
    let gateway = text.rsplit_once('.').map(|(network, _)| format!("{network}.1"));
    json!({
        "address": text,
        "gateway": gateway.filter(|_| address.public),
        "subnet_mask": if address.public { "255.255.255.0" } else { "255.255.128.0" },
        "prefix": if address.public { 24 } else { 17 },
        "type": "ipv4",
        "public": address.public,
        "rdns": address.rdns,
        "linode_id": linode.id,
        "interface_id": null,
        "region": linode.region,
        "vpc_nat_1_1": null,
        "reserved": false,
        "tags": [],
        "assigned_entity": linode.entity(),
    })
}

pub(super) async fn add(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut state = simulator.state();
    let mut linode = state.linode(&id, Utc::now())?.clone();
    let mut form = Form::read(&body)?;
    let public = form.flag("public").unwrap_or(true);
    if form.required_text("type").is_some_and(|kind| kind != "ipv4") {
        form.refuse_whole("Only addresses of type ipv4 are currently supported.");
    }
    if form.has("address") {
        form.refuse("address", "Must provide a valid reserved address");
    }
    form.finish()?;
    if !public && linode.addresses.iter().any(|address| !address.public) {
        return Err(Error::bad_request("Linode already has a private address."));
    }
    let id = state.new_number();
    let address = if public { public_address(id) } else { private_address(id) };
    let answer = self::body(&linode, &address);
    linode.addresses.push(address);
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn get(Shared(simulator): Sim, Path((id, address)): Path<(String, String)>) -> Answer {
    let state = simulator.state();
    let linode = state.linode(&id, Utc::now())?;
    let found = linode.addresses.iter().find(|a| a.address == address).ok_or_else(Error::not_found)?;
    Ok(Json(body(linode, found)))
}

/// Sets the reverse name; null gives back the vendor's.
pub(super) async fn update(
    Shared(simulator): Sim,
    Path((id, address)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let mut state = simulator.state();
    let mut linode = state.linode(&id, Utc::now())?.clone();
    let mut form = Form::read(&body)?;
    let rdns = form.text("rdns");
    form.finish()?;
    let found = linode.addresses.iter_mut().find(|a| a.address == address).ok_or_else(Error::not_found)?;
    found.rdns = rdns.or_else(|| Some(format!("{}.ip.linodeusercontent.com", address.replace('.', "-"))));
    let found = found.clone();
    let answer = self::body(&linode, &found);
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn remove(Shared(simulator): Sim, Path((id, address)): Path<(String, String)>) -> Answer {
    let mut state = simulator.state();
    let mut linode = state.linode(&id, Utc::now())?.clone();
    let found = linode.addresses.iter().position(|a| a.address == address).ok_or_else(Error::not_found)?;
    if linode.addresses[found].public && linode.addresses.iter().filter(|a| a.public).count() == 1 {
        return Err(Error::bad_request("A Linode must have at least one public IPv4 address."));
    }
    linode.addresses.remove(found);
    state.keep(linode);
    Ok(Json(json!({})))
}
