//! Addresses of an instance and their reverse DNS names, and its networks, of which it has none.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    error::Error,
    instance::{EventKind, Instance},
    paging::Listing,
    parse,
    state::after,
};

pub(super) async fn list_ipv4(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let instance = state.instance(&id, now)?;
    let mut addresses = Vec::new();
    if instance.shows_ipv4(now) {
        addresses.push(instance.ipv4_body(instance.ipv4(), "main_ip"));
        addresses.extend(instance.more_ipv4.iter().map(|ip| instance.ipv4_body(*ip, "secondary_ip")));
    }
    Ok((StatusCode::OK, Json(listing.answer_fixed("ipv4s", &addresses, Value::clone))))
}

impl Instance {
    fn ipv4_body(&self, ip: Ipv4Addr, kind: &str) -> Value {
        let main = kind == "main_ip";
        let [a, b, c, d] = ip.octets();
        json!({
            "ip": ip,
            "netmask": if main { "255.255.254.0" } else { "255.255.255.255" },
            "gateway": if main { Ipv4Addr::new(a, b, c & 0xfe, 1).to_string() } else { String::new() },
            "type": kind,
            "reverse": self.reverse.get(&ip.to_string()).cloned().unwrap_or_else(|| usual_reverse(ip)),
            "mac_address": format!("56:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}"),
        })
    }
}

fn usual_reverse(ip: Ipv4Addr) -> String {
    format!("{ip}.vultrusercontent.com")
}

#[derive(Debug, Default, Deserialize)]
struct NewAddress {
    reboot: Option<bool>,
}

pub(super) async fn add_ipv4(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let NewAddress { reboot } = parse(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut instance = super::actions::free_instance(&state, &id, "change")?;
    let [.., b, c, d] = (state.new_number() % 0x2_0000).to_be_bytes();
    let ip = Ipv4Addr::new(198, 18 + b, c, d);
    instance.more_ipv4.push(ip);
    if reboot.unwrap_or(true) {
        instance.begin(EventKind::Reboot, after(now, state.settings.action_seconds));
    }
    let answer = json!({ "ipv4": instance.ipv4_body(ip, "secondary_ip") });
    state.keep(instance);
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

pub(super) async fn delete_ipv4(
    Shared(simulator): Sim,
    Path((id, ip)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let mut instance = state.instance(&id, Utc::now())?.clone();
    let before = instance.more_ipv4.len();
    instance.more_ipv4.retain(|other| other.to_string() != ip);
    if instance.more_ipv4.len() == before {
        return Err(Error::bad_request("Invalid IP address: only an additional one can be removed."));
    }
    instance.reverse.remove(&ip);
    state.keep(instance);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_ipv6(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let instance = state.instance(&id, now)?;
    let address = json!({
        "ip": instance.ipv6(),
        "network": instance.ipv6_network(),
        "network_size": 64,
        "type": "main_ip",
    });
    let addresses = if instance.shows_ipv6(now) { vec![address] } else { vec![] };
    Ok((StatusCode::OK, Json(listing.answer_fixed("ipv6s", &addresses, Value::clone))))
}

#[derive(Debug, Default, Deserialize)]
struct Reverse {
    ip: String,
    reverse: Option<String>,
}

pub(super) async fn set_reverse_ipv4(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let Reverse { ip, reverse } = parse(&body)?;
    let reverse = reverse.filter(|name| !name.is_empty());
    let reverse = reverse.ok_or_else(|| Error::bad_request("Invalid reverse."))?;
    name_ipv4(&simulator, &id, &ip, Some(reverse))
}

pub(super) async fn default_reverse_ipv4(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let Reverse { ip, .. } = parse(&body)?;
    name_ipv4(&simulator, &id, &ip, None)
}

fn name_ipv4(
    simulator: &super::Simulator,
    id: &str,
    ip: &str,
    reverse: Option<String>,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let mut instance = state.instance(id, Utc::now())?.clone();
    let mine = ip.parse().is_ok_and(|ip: Ipv4Addr| ip == instance.ipv4() || instance.more_ipv4.contains(&ip));
    if !mine {
        return Err(Error::bad_request("Invalid IP address."));
    }
    match reverse {
        Some(name) => drop(instance.reverse.insert(ip.to_owned(), name)),
        None => drop(instance.reverse.remove(ip)),
    }
    state.keep(instance);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_reverse_ipv6(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let instance = state.instance(&id, Utc::now())?;
    let names: Vec<_> = instance
        .reverse
        .iter()
        .filter(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok())
        .map(|(ip, reverse)| json!({ "ip": ip, "reverse": reverse }))
        .collect();
    Ok((StatusCode::OK, Json(json!({ "reverse_ipv6s": names }))))
}

pub(super) async fn set_reverse_ipv6(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let Reverse { ip, reverse } = parse(&body)?;
    let reverse = reverse.filter(|name| !name.is_empty());
    let reverse = reverse.ok_or_else(|| Error::bad_request("Invalid reverse."))?;
    let mut state = simulator.state();
    let mut instance = state.instance(&id, Utc::now())?.clone();
    let ip: Ipv6Addr = ip.parse().map_err(|_| Error::bad_request("Invalid IP address."))?;
    if !instance.ipv6 || ip.segments()[..4] != instance.ipv6_network().segments()[..4] {
        return Err(Error::bad_request("Invalid IP address."));
    }
    instance.reverse.insert(ip.to_string(), reverse);
    state.keep(instance);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_reverse_ipv6(
    Shared(simulator): Sim,
    Path((id, ip)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let mut state = simulator.state();
    let mut instance = state.instance(&id, Utc::now())?.clone();
    let ip: Ipv6Addr = ip.parse().map_err(|_| Error::bad_request("Invalid IP address."))?;
    instance.reverse.remove(&ip.to_string()).ok_or_else(|| Error::bad_request("Invalid IP address."))?;
    state.keep(instance);
    Ok(StatusCode::NO_CONTENT)
}

/// The networks of one instance.
pub(super) async fn list_vpcs(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    simulator.state().instance(&id, Utc::now())?;
    Ok((StatusCode::OK, Json(listing.answer_fixed("vpcs", &[(); 0], |()| Value::Null))))
}
