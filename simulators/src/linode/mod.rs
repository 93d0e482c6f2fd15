//! Linode API v4: Linodes with their actions, backups, disks, addresses and statistics, images, events, and what is
//! needed around them (account, profile, SSH keys, tags, regions, types, kernels), at the vendor's paths, with its
//! envelopes, paging, filters, validation and rate limits. `/v4beta` means the same as `/v4`.

mod account;
mod backups;
mod catalog;
mod create;
mod deploy;
mod disks;
mod error;
mod events;
mod filter;
mod form;
mod images;
mod ips;
mod linodes;
mod model;
mod paging;
mod power;
mod rate_limit;
mod show;
mod state;
mod stats;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{MatchedPath, Request, State as Shared},
    http::{HeaderValue, Method, StatusCode, Uri, header::AUTHORIZATION, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use chrono::Utc;
use serde_json::Value;

use self::{
    error::Error,
    rate_limit::{Group, Windows},
    state::Holdings,
};
use crate::kit::{
    control::Admission,
    provider::{Account, Descriptor, Routes, Vendor},
};

/// The account's only user.
const USERNAME: &str = "simulated-owner";

/// The switch by which every call is answered 503 with `X-Maintenance-Mode`.
const MAINTENANCE: &str = "maintenance";

/// Linode's simulator.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: "linode",
    port: 4012,
    version: "/v4",
    credential: "linode-simulator-token",
    credential_prefix: "",
    routes: Routes {
        create: "POST /v4/linode/instances",
        list: "GET /v4/linode/instances",
        read: "GET /v4/linode/instances/{id}",
        delete: "DELETE /v4/linode/instances/{id}",
        reboot: "POST /v4/linode/instances/{id}/reboot",
        snapshots: "GET /v4/images",
    },
    open: Simulator::open,
};

/// The vendor, as the kit wants it.
struct Linode;

/// The simulated account.
type Simulator = Account<Linode>;

/// `/v4beta/…` as `/v4/…`.
async fn out_of_beta(mut request: Request) -> Request {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let plain = path.strip_prefix("/v4beta/").and_then(|rest| format!("/v4/{rest}").parse::<Uri>().ok());
    if let Some(uri) = plain {
        *request.uri_mut() = uri;
    }
    request
}

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    let mut routes = vec![
        ("/v4/linode/instances", get(linodes::list).post(create::create)),
        ("/v4/linode/instances/{id}", get(linodes::get).put(linodes::update).delete(linodes::delete)),
        ("/v4/linode/instances/{id}/boot", post(power::boot)),
        ("/v4/linode/instances/{id}/reboot", post(power::reboot)),
        ("/v4/linode/instances/{id}/shutdown", post(power::shutdown)),
        ("/v4/linode/instances/{id}/rescue", post(power::rescue)),
        ("/v4/linode/instances/{id}/password", post(power::password)),
        ("/v4/linode/instances/{id}/resize", post(power::resize)),
        ("/v4/linode/instances/{id}/rebuild", post(power::rebuild)),
        ("/v4/linode/instances/{id}/migrate", post(power::migrate)),
        ("/v4/linode/instances/{id}/clone", post(power::clone)),
        ("/v4/linode/instances/{id}/lish", get(linodes::lish).post(linodes::lish)),
        ("/v4/linode/instances/{id}/stats", get(stats::day)),
        ("/v4/linode/instances/{id}/stats/{year}/{month}", get(stats::month)),
        ("/v4/linode/instances/{id}/transfer", get(stats::transfer)),
        ("/v4/linode/instances/{id}/transfer/{year}/{month}", get(stats::transfer_of_month)),
        ("/v4/linode/instances/{id}/backups", get(backups::list).post(backups::snapshot)),
        ("/v4/linode/instances/{id}/backups/enable", post(backups::enable)),
        ("/v4/linode/instances/{id}/backups/cancel", post(backups::cancel)),
        ("/v4/linode/instances/{id}/backups/{backup_id}", get(backups::get)),
        ("/v4/linode/instances/{id}/backups/{backup_id}/restore", post(backups::restore)),
    ];
    routes.extend(routes_of_parts());
    routes.extend(routes_around());
    routes
}

fn routes_of_parts() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v4/linode/instances/{id}/disks", get(disks::list).post(disks::create)),
        (
            "/v4/linode/instances/{id}/disks/{disk_id}",
            get(disks::get).put(disks::update).delete(disks::delete),
        ),
        ("/v4/linode/instances/{id}/disks/{disk_id}/resize", post(disks::resize)),
        ("/v4/linode/instances/{id}/disks/{disk_id}/clone", post(disks::clone)),
        ("/v4/linode/instances/{id}/disks/{disk_id}/password", post(disks::password)),
        ("/v4/linode/instances/{id}/configs", get(disks::list_configs).post(disks::create_config)),
        (
            "/v4/linode/instances/{id}/configs/{config_id}",
            get(disks::get_config).put(disks::update_config).delete(disks::delete_config),
        ),
        ("/v4/linode/instances/{id}/ips", get(ips::list).post(ips::add)),
        ("/v4/linode/instances/{id}/ips/{address}", get(ips::get).put(ips::update).delete(ips::remove)),
        ("/v4/linode/instances/{id}/volumes", get(catalog::none)),
        ("/v4/linode/instances/{id}/firewalls", get(catalog::none)),
        ("/v4/linode/instances/{id}/nodebalancers", get(catalog::none)),
    ]
}

fn routes_around() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v4/linode/types", get(catalog::list_types)),
        ("/v4/linode/types/{id}", get(catalog::get_type)),
        ("/v4/linode/kernels", get(catalog::list_kernels)),
        ("/v4/linode/kernels/{id}", get(catalog::get_kernel)),
        ("/v4/linode/kernels/{owner}/{name}", get(catalog::get_kernel_unescaped)),
        ("/v4/regions", get(catalog::list_regions)),
        ("/v4/regions/availability", get(catalog::list_availability)),
        ("/v4/regions/{id}", get(catalog::get_region)),
        ("/v4/regions/{id}/availability", get(catalog::get_availability)),
        ("/v4/images", get(images::list).post(images::create)),
        ("/v4/images/upload", post(images::upload)),
        ("/v4/images/{id}", get(images::get).put(images::update).delete(images::delete)),
        (
            "/v4/images/{owner}/{name}",
            get(images::get_unescaped).put(images::update_unescaped).delete(images::delete_unescaped),
        ),
        ("/v4/images/{id}/regions", post(images::replicate)),
        ("/v4/account", get(account::account)),
        ("/v4/account/events", get(events::list)),
        ("/v4/account/events/{id}", get(events::get)),
        ("/v4/account/events/{id}/seen", post(events::seen)),
        ("/v4/account/events/{id}/read", post(events::read)),
        ("/v4/profile", get(account::profile)),
        ("/v4/profile/sshkeys", get(account::list_keys).post(account::add_key)),
        (
            "/v4/profile/sshkeys/{id}",
            get(account::get_key).put(account::rename_key).delete(account::delete_key),
        ),
        ("/v4/tags", get(account::list_tags).post(account::add_tag)),
        ("/v4/tags/{label}", get(account::get_tag).delete(account::delete_tag)),
    ]
}

/// What the vendor tells anyone, without credentials.
fn is_public(method: &Method, pattern: &str) -> bool {
    const PUBLIC: [&str; 4] = ["/v4/regions", "/v4/linode/types", "/v4/linode/kernels", "/v4/images"];
    *method == Method::GET && PUBLIC.iter().any(|prefix| pattern.starts_with(prefix))
}

impl Vendor for Linode {
    const NAME: &'static str = "Linode API v4";
    const EXAMPLES: &'static str = "# Settings: boot_seconds, action_seconds, listing_lag_seconds (fractions are fine), rate_limits (true or\n\
         # false), account_limit (a number of Linodes, or null for none), maintenance (true: every call is answered\n\
         # 503 with X-Maintenance-Mode)\n\
         curl {host}/__sim/config --json '{\"boot_seconds\":0,\"rate_limits\":false,\"account_limit\":null}'\n\n\
         # The next create takes effect, but the connection is dropped without an answer\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v4/linode/instances\",\"kind\":\"drop_after_create\"}'\n\n\
         # The next Linode stays out of lists for ten seconds\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v4/linode/instances\",\"kind\":\"listing_lag\",\"seconds\":10}'\n\n\
         # Every server there is, also those not listed yet; or those with one tag\n\
         curl {host}/__sim/servers\n\
         curl {host}/__sim/servers?tag=webrana\n\n\
         # A server disappears behind the account's back\n\
         curl -X DELETE {host}/__sim/servers/52557263";
    const SWITCHES: &'static [&'static str] = &[MAINTENANCE];

    type Holdings = Holdings;
    type Windows = Windows;

    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
        routes()
    }

    fn admit(account: &Simulator, request: &Parts) -> Admission {
        let mut admission = Admission::default();
        let (limited, maintenance) = {
            let state = account.state();
            (state.settings.rate_limits, state.settings.is_on(MAINTENANCE))
        };
        let pattern = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        if maintenance {
            admission.refusal = Some(Error::maintenance().into_response());
            return admission;
        }
        let known = if request.headers.contains_key(AUTHORIZATION) {
            account.knows(request)
        } else {
            is_public(&request.method, pattern)
        };
        if !known {
            admission.refusal = Some(Error::usual(StatusCode::UNAUTHORIZED).into_response());
            return admission;
        }
        let verdict = account.windows().call(Group::of(&request.method, pattern), Utc::now(), limited);
        admission.headers.extend(verdict.headers());
        admission.headers.insert("x-spec-version", HeaderValue::from_static("4.229.1"));
        if verdict.retry_after.is_some() {
            admission.refusal = Some(Error::usual(StatusCode::TOO_MANY_REQUESTS).into_response());
        }
        admission
    }

    fn error(status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn resources(holdings: &Holdings) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("linodes", holdings.linodes.len()),
            ("images", holdings.images.len()),
            ("events", holdings.events.len()),
            ("keys", holdings.keys.len()),
        ])
    }

    fn control_routes() -> Router<Arc<Simulator>> {
        Router::new()
            .route("/__sim/servers", get(linodes::inspect))
            .route("/__sim/servers/{id}", delete(linodes::vanish))
    }

    fn around(routes: Router) -> Router {
        Router::new().fallback_service(routes).layer(middleware::map_request(out_of_beta))
    }
}

/// What handlers answer with: the vendor says 200 to everything it does.
type Answer = Result<Json<Value>, Error>;

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
