//! Vultr API v2: instances, what is done to them, and what is needed around them (account, SSH keys, startup scripts,
//! snapshots, regions, plans, operating systems), at the vendor's paths, with its envelopes, cursors, validation and
//! rate limit.

mod account;
mod actions;
mod bandwidth;
mod catalog;
mod create;
mod error;
mod instance;
mod instances;
mod networks;
mod paging;
mod rate_limit;
mod snapshots;
mod state;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State as Shared},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use chrono::Utc;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{error::Error, rate_limit::Windows, state::Holdings};
use crate::kit::{
    control::Admission,
    provider::{Account, Descriptor, Routes, Vendor},
    server::Connection,
};

/// Vultr's simulator.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: "vultr",
    port: 4011,
    version: "/v2",
    credential: "vultr-simulator-key",
    credential_prefix: "",
    routes: Routes {
        create: "POST /v2/instances",
        list: "GET /v2/instances",
        read: "GET /v2/instances/{id}",
        delete: "DELETE /v2/instances/{id}",
        reboot: "POST /v2/instances/{id}/reboot",
        snapshots: "GET /v2/snapshots",
    },
    open: Simulator::open,
};

/// The vendor, as the kit wants it.
struct Vultr;

/// The simulated account.
type Simulator = Account<Vultr>;

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v2/instances", get(instances::list).post(create::create)),
        ("/v2/instances/{id}", get(instances::get).patch(instances::change).delete(instances::delete)),
        ("/v2/instances/start", post(actions::start_several)),
        ("/v2/instances/halt", post(actions::halt_several)),
        ("/v2/instances/reboot", post(actions::reboot_several)),
        ("/v2/instances/{id}/start", post(actions::start)),
        ("/v2/instances/{id}/halt", post(actions::halt)),
        ("/v2/instances/{id}/reboot", post(actions::reboot)),
        ("/v2/instances/{id}/reinstall", post(actions::reinstall)),
        ("/v2/instances/{id}/restore", post(actions::restore)),
        ("/v2/instances/{id}/backup-schedule", get(actions::schedule).post(actions::set_schedule)),
        ("/v2/instances/{id}/bandwidth", get(bandwidth::get)),
        ("/v2/instances/{id}/user-data", get(instances::user_data)),
        ("/v2/instances/{id}/upgrades", get(instances::upgrades)),
        ("/v2/instances/{id}/neighbors", get(instances::neighbors)),
        ("/v2/instances/{id}/iso", get(instances::iso)),
        ("/v2/instances/{id}/vpcs", get(networks::list_vpcs)),
        ("/v2/instances/{id}/ipv4", get(networks::list_ipv4).post(networks::add_ipv4)),
        ("/v2/instances/{id}/ipv4/{ip}", delete(networks::delete_ipv4)),
        ("/v2/instances/{id}/ipv4/reverse", post(networks::set_reverse_ipv4)),
        ("/v2/instances/{id}/ipv4/reverse/default", post(networks::default_reverse_ipv4)),
        ("/v2/instances/{id}/ipv6", get(networks::list_ipv6)),
        (
            "/v2/instances/{id}/ipv6/reverse",
            get(networks::list_reverse_ipv6).post(networks::set_reverse_ipv6),
        ),
        ("/v2/instances/{id}/ipv6/reverse/{ip}", delete(networks::delete_reverse_ipv6)),
        ("/v2/snapshots", get(snapshots::list).post(snapshots::create)),
        ("/v2/snapshots/create-from-url", post(snapshots::create_from_url)),
        ("/v2/snapshots/{id}", get(snapshots::get).put(snapshots::change).delete(snapshots::delete)),
        ("/v2/backups", get(snapshots::list_backups)),
        ("/v2/backups/{id}", get(snapshots::get_backup)),
        ("/v2/account", get(account::account)),
        ("/v2/ssh-keys", get(account::list_keys).post(account::add_key)),
        ("/v2/ssh-keys/{id}", get(account::get_key).patch(account::change_key).delete(account::delete_key)),
        ("/v2/startup-scripts", get(account::list_scripts).post(account::add_script)),
        (
            "/v2/startup-scripts/{id}",
            get(account::get_script).patch(account::change_script).delete(account::delete_script),
        ),
        ("/v2/regions", get(catalog::list_regions)),
        ("/v2/regions/{id}/availability", get(catalog::availability)),
        ("/v2/plans", get(catalog::list_plans)),
        ("/v2/os", get(catalog::list_systems)),
        ("/v2/applications", get(catalog::list_applications)),
        ("/v2/bare-metals", get(account::list_none)),
        ("/v2/plans-metal", get(account::list_none)),
        ("/v2/blocks", get(account::list_none)),
        ("/v2/firewalls", get(account::list_none)),
        ("/v2/iso", get(account::list_none)),
        ("/v2/private-networks", get(account::list_none)),
        ("/v2/vpcs", get(account::list_none)),
    ]
}

/// What the vendor tells everybody.
const PUBLIC: [&str; 5] = ["/v2/regions", "/v2/plans", "/v2/os", "/v2/applications", "/v2/plans-metal"];

impl Vendor for Vultr {
    const NAME: &'static str = "Vultr API v2";
    const EXAMPLES: &'static str = "# Settings: boot_seconds, action_seconds, listing_lag_seconds (fractions are fine), rate_limits (true or\n\
         # false), account_limit (a number of instances, or null for none)\n\
         curl {host}/__sim/config --json '{\"boot_seconds\":0,\"rate_limits\":false,\"account_limit\":null}'\n\n\
         # The next create takes effect, but the connection is dropped without an answer\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v2/instances\",\"kind\":\"drop_after_create\"}'\n\n\
         # The next instance stays out of lists for ten seconds\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v2/instances\",\"kind\":\"listing_lag\",\"seconds\":10}'\n\n\
         # The next instance answers 404 for five seconds\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v2/instances\",\"kind\":\"not_found_after_create\"}'\n\n\
         # The next delete is refused because the server is locked\n\
         curl {host}/__sim/faults --json '{\"route\":\"DELETE /v2/instances/{id}\",\"kind\":\"locked_on_delete\"}'\n\n\
         # Every server there is, also those not listed yet; or those with one tag\n\
         curl {host}/__sim/servers\n\
         curl {host}/__sim/servers?tag=webrana\n\n\
         # A server disappears behind the account's back\n\
         curl -X DELETE {host}/__sim/servers/cb676a46-66fd-4dfb-b839-443f2e6c0b60";

    type Holdings = Holdings;
    type Windows = Windows;

    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
        routes()
    }

    /// Calls are counted by address before anybody asks who calls.
    fn admit(account: &Simulator, request: &Parts) -> Admission {
        let mut admission = Admission::default();
        let connection = request.extensions.get::<ConnectInfo<Connection>>();
        let from = connection.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(c)| c.peer.ip());
        let limited = account.state().settings.rate_limits;
        if limited && let Err(seconds) = account.windows().call(from, Utc::now()) {
            admission.refusal = Some(Error::too_many_requests(seconds).into_response());
            return admission;
        }
        if !account.knows(request) && !PUBLIC.contains(&request.uri.path()) {
            admission.refusal = Some(Error::unauthorized().into_response());
        }
        admission
    }

    fn error(status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn resources(holdings: &Holdings) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("instances", holdings.instances.len()),
            ("snapshots", holdings.snapshots.len()),
            ("ssh_keys", holdings.keys.len()),
            ("startup_scripts", holdings.scripts.len()),
        ])
    }

    fn control_routes() -> Router<Arc<Simulator>> {
        Router::new()
            .route("/__sim/servers", get(instances::inspect))
            .route("/__sim/servers/{id}", delete(instances::vanish))
    }
}

/// Reads a call's body; none at all and `null`, which official clients send, count as an empty object.
fn parse<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Error> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    let read: Result<Option<T>, _> = serde_json::from_slice(body);
    Ok(read.map_err(|error| Error::bad_request(format!("Invalid request: {error}")))?.unwrap_or_default())
}

/// What handlers answer with.
type Answer = Result<(StatusCode, Json<Value>), Error>;

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
