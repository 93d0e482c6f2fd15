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
mod settings;
mod show;
mod snapshots;
mod state;
mod tags;
mod vpcs;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{HeaderValue, StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::settings::Settings;
use self::{error::Error, rate_limit::Window, state::State};
use crate::{
    control::{self, Admission, Control, Simulated},
    fault::FaultKind,
    handle, server,
};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The only bearer token it accepts.
    pub token: String,
    /// Pace and limits at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember all that the account holds across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { token: "digitalocean-simulator-token".to_owned(), settings: Settings::default(), state: None }
    }
}

/// The simulated account.
#[derive(Debug)]
pub struct Simulator {
    token: String,
    initially: Settings,
    control: Control,
    state: Mutex<State>,
    window: Mutex<Window>,
}

impl Simulator {
    /// An account as `config` says, with what its state file remembers.
    ///
    /// # Errors
    /// When the state file can't be read, understood or written.
    pub fn new(config: Config) -> io::Result<Arc<Self>> {
        let state = State::open(config.settings.clone(), config.state.as_deref())?;
        Ok(Arc::new(Self {
            token: config.token,
            initially: config.settings,
            control: Control::default(),
            state: Mutex::new(state),
            window: Mutex::default(),
        }))
    }

    /// The HTTP service.
    pub fn app(self: Arc<Self>) -> Router {
        control::app(self, routes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

/// Serves the simulator until `shutdown` resolves.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    server::serve(listener, simulator.app(), shutdown).await
}

/// A simulator running in this process on a free port until it is stopped or dropped.
pub type Handle = handle::Handle<Simulator>;

impl Handle {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound or the state file is unusable.
    pub async fn start(config: Config) -> io::Result<Self> {
        let simulator = Simulator::new(config)?;
        Self::serve(Arc::clone(&simulator), simulator.app()).await
    }
}

impl Simulated for Simulator {
    fn name(&self) -> &'static str {
        "DigitalOcean API v2"
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn fault_kinds(&self) -> &'static [FaultKind] {
        &[
            FaultKind::Status,
            FaultKind::Delay,
            FaultKind::DropAfterCreate,
            FaultKind::Capacity,
            FaultKind::ListingLag,
            FaultKind::NotFoundAfterCreate,
            FaultKind::LockedOnDelete,
            FaultKind::ActiveWithoutIp,
        ]
    }

    fn examples(&self) -> &'static str {
        "# Settings: boot_seconds, action_seconds, listing_lag_seconds (fractions are fine), rate_limits (true or\n\
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
         curl -X POST {host}/__sim/servers/3164444/backups"
    }

    fn settings(&self) -> Value {
        json!(self.state().settings)
    }

    fn configure(&self, change: &[u8]) -> Result<(), String> {
        let mut state = self.state();
        state.settings = state.settings.changed_by(&control::parse(change)?)?;
        Ok(())
    }

    fn resources(&self) -> BTreeMap<&'static str, usize> {
        let state = self.state();
        BTreeMap::from([
            ("droplets", state.droplets.len()),
            ("actions", state.actions.len()),
            ("keys", state.keys.len()),
            ("snapshots", state.snapshots.len()),
            ("tags", state.tags.len()),
            ("vpcs", state.vpcs.len()),
        ])
    }

    fn reset(&self) {
        self.state().reset(self.initially.clone());
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = Window::default();
    }

    fn admit(&self, request: &Parts) -> Admission {
        let mut admission = Admission::default();
        let request_id = uuid::Uuid::new_v4().to_string();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            admission.headers.insert("x-request-id", value);
        }
        // A simulator's token is no secret: no need for a comparison in constant time.
        let presented = request.headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok());
        if presented.and_then(|h| h.strip_prefix("Bearer ")) != Some(self.token.as_str()) {
            admission.refusal = Some(Error::unauthorized().into_response());
            return admission;
        }
        let limited = self.state().settings.rate_limits;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = window.call(Utc::now(), limited);
        admission.headers.extend(verdict.headers());
        if verdict.retry_after.is_some() {
            admission.refusal = Some(Error::too_many_requests().into_response());
        }
        admission
    }

    fn error(&self, status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn control_routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/__sim/servers", get(inspect::list))
            .route("/__sim/servers/{id}", delete(inspect::vanish))
            .route("/__sim/servers/{id}/backups", post(inspect::back_up))
            .with_state(self)
    }
}

/// What handlers answer with.
type Answer = Result<(StatusCode, Json<Value>), Error>;

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
