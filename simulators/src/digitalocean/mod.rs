//! DigitalOcean API v2: droplets, their actions, and what is needed around them (account, SSH keys, regions, sizes,
//! images), at the vendor's paths, with its envelopes, paging, validation and rate limits.

mod account;
mod actions;
mod catalog;
mod droplets;
mod error;
mod paging;
mod rate_limit;
mod settings;
mod state;

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
    routing::{MethodRouter, delete, get},
};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::settings::Settings;
use self::{error::Error, rate_limit::Window, state::State};
use crate::{
    control::{self, Admission, Control, Simulated},
    fault::FaultKind,
    server::{self, Server},
};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The only bearer token it accepts.
    pub token: String,
    /// Pace and limits at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember droplets, actions and keys across restarts; nowhere by default.
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
        ("/v2/droplets", get(droplets::list).post(droplets::create).delete(droplets::delete_by_tag)),
        ("/v2/droplets/{id}", get(droplets::get).delete(droplets::delete)),
        ("/v2/droplets/{id}/actions", get(actions::list_of_droplet).post(actions::create)),
        ("/v2/droplets/{id}/actions/{action_id}", get(actions::get_of_droplet)),
        ("/v2/actions", get(actions::list)),
        ("/v2/actions/{id}", get(actions::get)),
        ("/v2/account", get(account::account)),
        ("/v2/account/keys", get(account::list_keys).post(account::add_key)),
        ("/v2/account/keys/{id}", get(account::get_key).put(account::rename_key).delete(account::delete_key)),
        ("/v2/regions", get(catalog::list_regions)),
        ("/v2/sizes", get(catalog::list_sizes)),
        ("/v2/images", get(catalog::list_images)),
        ("/v2/images/{id}", get(catalog::get_image)),
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
#[derive(Debug)]
pub struct Handle {
    server: Server,
    simulator: Arc<Simulator>,
}

impl Handle {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound or the state file is unusable.
    pub async fn start(config: Config) -> io::Result<Self> {
        let simulator = Simulator::new(config)?;
        let server = Server::start(Arc::clone(&simulator).app()).await?;
        Ok(Self { server, simulator })
    }

    /// Its base URL, such as `http://127.0.0.1:41234`: the vendor's paths begin with `/v2`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How often a route such as `POST /v2/droplets` was called.
    #[must_use]
    pub fn calls(&self, route: &str) -> u64 {
        self.simulator.control.calls(route)
    }

    /// Stops it and waits until its port is closed.
    ///
    /// # Errors
    /// Whatever serving ended with.
    pub async fn stop(self) -> io::Result<()> {
        self.server.stop().await
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
         # false), account_limit (a number of droplets, or null for none)\n\
         curl -X POST {host}/__sim/config -d '{\"boot_seconds\":0,\"rate_limits\":false,\"account_limit\":null}'\n\n\
         # The next create takes effect, but the connection is dropped without an answer\n\
         curl -X POST {host}/__sim/faults -d '{\"route\":\"POST /v2/droplets\",\"kind\":\"drop_after_create\"}'\n\n\
         # The next droplet stays out of lists for ten seconds\n\
         curl -X POST {host}/__sim/faults -d '{\"route\":\"POST /v2/droplets\",\"kind\":\"listing_lag\",\"seconds\":10}'\n\n\
         # Every droplet there is, also those not listed yet; or those with one tag\n\
         curl {host}/__sim/droplets\n\
         curl {host}/__sim/droplets?tag_name=webrana\n\n\
         # A droplet disappears behind the account's back\n\
         curl -X DELETE {host}/__sim/droplets/3164444"
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
            .route("/__sim/droplets", get(droplets::inspect))
            .route("/__sim/droplets/{id}", delete(droplets::vanish))
            .with_state(self)
    }
}

/// What handlers answer with.
type Answer = Result<(StatusCode, Json<Value>), Error>;

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
