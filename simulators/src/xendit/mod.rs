//! Xendit Payments API v3 (`api-version: 2024-11-11`): payment requests by QRIS and virtual account, their payments,
//! cancel, the test mode's simulate, refunds, and the webhooks that follow: sent when told to through
//! `POST /__sim/pay`, and by itself after a refund. Webhooks carry a token and no signature, as the vendor's do.

mod create;
mod error;
mod pay;
mod payment_request;
mod refund;
mod state;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::State as Shared,
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::{error::Error, state::State};
pub use crate::gateway::Settings;
use crate::{
    control::{self, Admission, Control, Simulated},
    fault::FaultKind,
    gateway::{self, Courier},
    server::{self, Server},
};

/// The only version there is here.
const API_VERSION: &str = "2024-11-11";

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The merchant's secret key, which is asked for.
    pub secret_key: String,
    /// The token that webhooks carry.
    pub callback_token: String,
    /// Settings at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember payment requests across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secret_key: "xnd_development_simulator".to_owned(),
            callback_token: "simulator-callback-token".to_owned(),
            settings: Settings::default(),
            state: None,
        }
    }
}

/// The simulated merchant's side of Xendit.
#[derive(Debug)]
pub struct Simulator {
    secret_key: String,
    callback_token: String,
    initially: Settings,
    control: Control,
    state: Mutex<State>,
    courier: Arc<Courier>,
}

impl Simulator {
    /// A merchant as `config` says, with what its state file remembers.
    ///
    /// # Errors
    /// When the state file can't be read, understood or written, or no HTTP client can be made.
    pub fn new(config: Config) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            state: Mutex::new(State::open(config.state.as_deref())?),
            courier: Courier::new("Xendit", config.settings.clone(), pay::retries)?,
            secret_key: config.secret_key,
            callback_token: config.callback_token,
            initially: config.settings,
            control: Control::default(),
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
        ("/v3/payment_requests", post(create::create).get(create::list)),
        ("/v3/payment_requests/{payment_request_id}", get(create::get)),
        ("/v3/payment_requests/{payment_request_id}/cancel", post(create::cancel)),
        ("/v3/payment_requests/{payment_request_id}/simulate", post(pay::simulate)),
        ("/v3/payments/{payment_id}", get(create::payment)),
        ("/refunds", post(refund::create)),
        ("/refunds/{refund_id}", get(refund::get)),
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

    /// Its base URL, such as `http://127.0.0.1:41234`: the vendor's paths begin with `/v3`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How often a route such as `POST /v3/payment_requests` was called.
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
        "Xendit Payments API v3"
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn fault_kinds(&self) -> &'static [FaultKind] {
        &[FaultKind::Status, FaultKind::Delay, FaultKind::DropAfterCreate]
    }

    fn examples(&self) -> &'static str {
        "# Settings: notification_url (or null), retry_interval_seconds, timeout_seconds\n\
         curl {host}/__sim/config --json '{\"notification_url\":\"http://127.0.0.1:3000/api/v1/webhooks/xendit\"}'\n\n\
         # The customer pays: a webhook goes out. outcome is settlement (default), pending, deny, expire or cancel\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\"}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"outcome\":\"expire\",\"delay_ms\":500}'\n\n\
         # Fifty copies at once; another amount paid; an amount or the token changed on the way\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"duplicates\":50}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"amount\":1}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"tamper\":\"amount\"}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"tamper\":\"token\"}'\n\n\
         # Out of order: kept back until the next webhook about this payment request was sent\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"outcome\":\"pending\",\"reorder\":true}'\n\n\
         # Without our asking: refunded in the dashboard, not paid after all (outcome deny, cancel or expire); notify\n\
         # false keeps it quiet. And the dashboard's test of the webhook URL\n\
         curl {host}/__sim/refund --json '{\"reference_id\":\"WB-1\",\"amount\":10000}'\n\
         curl {host}/__sim/withdraw --json '{\"reference_id\":\"WB-1\"}'\n\
         curl -X POST {host}/__sim/test\n\n\
         # Every payment request, and every webhook sent with its answer\n\
         curl {host}/__sim/payment_requests\n\
         curl {host}/__sim/deliveries"
    }

    fn settings(&self) -> Value {
        json!(self.courier.bag().settings)
    }

    fn configure(&self, change: &[u8]) -> Result<(), String> {
        let mut bag = self.courier.bag();
        bag.settings = bag.settings.changed_by(control::parse(change)?)?;
        Ok(())
    }

    fn resources(&self) -> BTreeMap<&'static str, usize> {
        let (requests, refunds) = {
            let state = self.state();
            (state.all().count(), state.all().map(|request| request.refunds.len()).sum())
        };
        let bag = self.courier.bag();
        BTreeMap::from([
            ("payment_requests", requests),
            ("refunds", refunds),
            ("deliveries", bag.deliveries.len()),
            ("deliveries_accepted", bag.deliveries.iter().filter(|d| d.accepted()).count()),
            ("retries_waiting", bag.retries_waiting),
        ])
    }

    fn reset(&self) {
        self.state().clear();
        self.courier.reset(self.initially.clone());
    }

    fn admit(&self, request: &Parts) -> Admission {
        Admission { refusal: self.refusal(request).map(IntoResponse::into_response), ..Admission::default() }
    }

    fn error(&self, status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn control_routes(self: Arc<Self>) -> Router {
        gateway::control_routes(self)
    }
}

impl Simulator {
    fn refusal(&self, request: &Parts) -> Option<Error> {
        let header = |name: &str| request.headers.get(name).and_then(|h| h.to_str().ok());
        // A simulator's key is no secret: no need for a comparison in constant time.
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", self.secret_key)));
        if header(AUTHORIZATION.as_str()) != Some(&expected) {
            return Some(Error::usual(StatusCode::UNAUTHORIZED));
        }
        let versioned = request.uri.path().starts_with("/v3/");
        (versioned && header("api-version") != Some(API_VERSION)).then(Error::unknown_version)
    }
}

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
