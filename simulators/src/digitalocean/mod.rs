//! DigitalOcean API v2: droplets, their actions, snapshots, backups, tags and metrics, and what is needed around them
//! (account, SSH keys, regions, sizes, images), at the vendor's paths, with its envelopes, paging, validation and rate
//! limits.

mod account;
mod actions;
mod backups;
mod catalog;
mod create;
mod droplets;
mod error;
mod events;
mod images;
mod inspect;
mod metrics;
mod model;
mod paging;
mod rate_limit;
mod show;
mod snapshots;
mod state;
mod tags;
mod vpcs;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use chrono::Utc;
use serde_json::Value;

use self::{error::Error, rate_limit::Window, state::Holdings};
use crate::kit::{
    control::Admission,
    provider::{Account, Descriptor, Routes, Vendor},
};

/// The switch by which droplets stay on though their shutdown is completed, as a system that does not listen would.
const IGNORE_SHUTDOWN: &str = "ignore_shutdown";

/// DigitalOcean's simulator.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: "digitalocean",
    port: 4010,
    version: "/v2",
    credential: "digitalocean-simulator-token",
    credential_prefix: "dop_v1_",
    routes: Routes {
        create: "POST /v2/droplets",
        list: "GET /v2/droplets",
        read: "GET /v2/droplets/{id}",
        delete: "DELETE /v2/droplets/{id}",
        reboot: "POST /v2/droplets/{id}/actions",
        snapshots: "GET /v2/droplets/{id}/snapshots",
    },
    open: Simulator::open,
};

/// The vendor, as the kit wants it.
struct DigitalOcean;

/// The simulated account.
type Simulator = Account<DigitalOcean>;

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v2/droplets", get(droplets::list).post(create::create).delete(droplets::delete_by_tag)),
        ("/v2/droplets/{id}", get(droplets::get).delete(droplets::delete)),
        ("/v2/droplets/{id}/actions", get(actions::list_of_droplet).post(actions::create)),
        ("/v2/droplets/{id}/actions/{action_id}", get(actions::get_of_droplet)),
        ("/v2/droplets/{id}/snapshots", get(droplets::snapshots)),
        ("/v2/droplets/{id}/backups", get(backups::list_of_droplet)),
        ("/v2/droplets/{id}/backups/policy", get(backups::policy)),
        ("/v2/droplets/{id}/kernels", get(droplets::kernels)),
        ("/v2/droplets/{id}/firewalls", get(droplets::firewalls)),
        ("/v2/droplets/{id}/neighbors", get(droplets::neighbors)),
        ("/v2/droplets/actions", post(actions::create_by_tag)),
        ("/v2/droplets/backups/policies", get(backups::policies)),
        ("/v2/droplets/backups/supported_policies", get(backups::supported_policies)),
        ("/v2/actions", get(actions::list)),
        ("/v2/actions/{id}", get(actions::get)),
        ("/v2/account", get(account::account)),
        ("/v2/account/keys", get(account::list_keys).post(account::add_key)),
        ("/v2/account/keys/{id}", get(account::get_key).put(account::rename_key).delete(account::delete_key)),
        ("/v2/regions", get(catalog::list_regions)),
        ("/v2/sizes", get(catalog::list_sizes)),
        ("/v2/images", get(images::list)),
        ("/v2/images/{id}", get(images::get).put(images::update).delete(images::delete)),
        ("/v2/images/{id}/actions", get(images::list_actions).post(images::act)),
        ("/v2/images/{id}/actions/{action_id}", get(images::get_action)),
        ("/v2/snapshots", get(snapshots::list)),
        ("/v2/snapshots/{id}", get(snapshots::get).delete(snapshots::delete)),
        ("/v2/vpcs", get(vpcs::list).post(vpcs::create)),
        ("/v2/vpcs/{id}", get(vpcs::get).patch(vpcs::update).put(vpcs::update).delete(vpcs::delete)),
        ("/v2/vpcs/{id}/members", get(vpcs::members)),
        ("/v2/tags", get(tags::list).post(tags::create)),
        ("/v2/tags/{name}", get(tags::get).delete(tags::delete)),
        ("/v2/tags/{name}/resources", post(tags::assign).delete(tags::unassign)),
        ("/v2/monitoring/metrics/droplet/{metric}", get(metrics::get)),
    ]
}

impl Vendor for DigitalOcean {
    const NAME: &'static str = "DigitalOcean API v2";
    const EXAMPLES: &'static str = "# Settings: boot_seconds, action_seconds, listing_lag_seconds (fractions are fine), rate_limits (true or\n\
         # false), account_limit (a number of droplets, or null for none), ignore_shutdown (true or false: whether a\n\
         # droplet stays on though its shutdown is completed)\n\
         curl {host}/__sim/config --json '{\"boot_seconds\":0,\"rate_limits\":false,\"account_limit\":null}'\n\n\
         # The next create takes effect, but the connection is dropped without an answer\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v2/droplets\",\"kind\":\"drop_after_create\"}'\n\n\
         # The next droplet stays out of lists for ten seconds\n\
         curl {host}/__sim/faults --json '{\"route\":\"POST /v2/droplets\",\"kind\":\"listing_lag\",\"seconds\":10}'\n\n\
         # Every droplet there is, also those not listed yet; or those with one tag\n\
         curl {host}/__sim/servers\n\
         curl {host}/__sim/servers?tag=webrana\n\n\
         # A droplet disappears behind the account's back\n\
         curl -X DELETE {host}/__sim/servers/3164444\n\n\
         # A backup of a droplet is taken now\n\
         curl -X POST {host}/__sim/servers/3164444/backups";
    const SWITCHES: &'static [&'static str] = &[IGNORE_SHUTDOWN];

    type Holdings = Holdings;
    type Windows = Window;

    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
        routes()
    }

    fn admit(account: &Simulator, request: &Parts) -> Admission {
        let mut admission = Admission::default();
        let request_id = uuid::Uuid::new_v4().to_string();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            admission.headers.insert("x-request-id", value);
        }
        if !account.knows(request) {
            admission.refusal = Some(Error::unauthorized().into_response());
            return admission;
        }
        let limited = account.state().settings.rate_limits;
        let verdict = account.windows().call(Utc::now(), limited);
        admission.headers.extend(verdict.headers());
        if verdict.retry_after.is_some() {
            admission.refusal = Some(Error::too_many_requests().into_response());
        }
        admission
    }

    fn error(status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn resources(holdings: &Holdings) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("droplets", holdings.droplets.len()),
            ("actions", holdings.actions.len()),
            ("keys", holdings.keys.len()),
            ("snapshots", holdings.snapshots.len()),
            ("tags", holdings.tags.len()),
            ("vpcs", holdings.vpcs.len()),
        ])
    }

    fn control_routes() -> Router<Arc<Simulator>> {
        Router::new()
            .route("/__sim/servers", get(inspect::list))
            .route("/__sim/servers/{id}", delete(inspect::vanish))
            .route("/__sim/servers/{id}/backups", post(inspect::back_up))
    }
}

/// What handlers answer with.
type Answer = Result<(StatusCode, Json<Value>), Error>;

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
