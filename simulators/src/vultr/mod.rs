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
mod settings;
mod snapshots;
mod state;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State as Shared},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use chrono::Utc;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::settings::Settings;
use self::{error::Error, rate_limit::Windows, state::State};
use crate::{
    control::{self, Admission, Control, Simulated},
    fault::FaultKind,
    handle,
    server::{self, Connection},
};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The only API key it accepts.
    pub token: String,
    /// Pace and limits at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember what the account holds across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { token: "vultr-simulator-key".to_owned(), settings: Settings::default(), state: None }
    }
}

/// The simulated account.
#[derive(Debug)]
pub struct Simulator {
    token: String,
    initially: Settings,
    control: Control,
    state: Mutex<State>,
    windows: Mutex<Windows>,
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
            windows: Mutex::default(),
        }))
    }

    /// The HTTP service.
    pub fn app(self: Arc<Self>) -> Router {
        control::app(self, routes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
        "Vultr API v2"
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
         curl -X DELETE {host}/__sim/servers/cb676a46-66fd-4dfb-b839-443f2e6c0b60"
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
            ("instances", state.instances.len()),
            ("snapshots", state.snapshots.len()),
            ("ssh_keys", state.keys.len()),
            ("startup_scripts", state.scripts.len()),
        ])
    }

    fn reset(&self) {
        self.state().reset(self.initially.clone());
        *self.windows() = Windows::default();
    }

    /// Calls are counted by address before anybody asks who calls.
    fn admit(&self, request: &Parts) -> Admission {
        let mut admission = Admission::default();
        let connection = request.extensions.get::<ConnectInfo<Connection>>();
        let from = connection.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(c)| c.peer.ip());
        let limited = self.state().settings.rate_limits;
        if limited && let Err(seconds) = self.windows().call(from, Utc::now()) {
            admission.refusal = Some(Error::too_many_requests(seconds).into_response());
            return admission;
        }
        // A simulator's key is no secret: no need for a comparison in constant time.
        let presented = request.headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok());
        let known = presented.and_then(|h| h.strip_prefix("Bearer ")) == Some(self.token.as_str());
        if !known && !PUBLIC.contains(&request.uri.path()) {
            admission.refusal = Some(Error::unauthorized().into_response());
        }
        admission
    }

    fn error(&self, status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn control_routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/__sim/servers", get(instances::inspect))
            .route("/__sim/servers/{id}", delete(instances::vanish))
            .with_state(self)
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
