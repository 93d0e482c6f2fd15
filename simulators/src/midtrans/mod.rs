//! Midtrans Core API v2: QRIS, bank transfer (virtual accounts) and Mandiri bill payment, their status, cancel, expire
//! and refund, and the signed notifications that follow: sent when told to through `POST /__sim/pay`, and by itself
//! after a cancel, an expire or a refund.

mod channel;
mod charge;
mod error;
mod pay;
mod refund;
mod state;
mod transaction;

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

use self::{error::Error, pay::letter, state::State};
pub use crate::gateway::Settings;
use crate::{
    control::{self, Admission, Control, Simulated},
    fault::FaultKind,
    gateway::{self, Courier},
    server::{self, Server},
};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The merchant's server key: it is asked for and it signs.
    pub server_key: String,
    /// Settings at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember transactions across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { server_key: "SB-Mid-server-simulator".to_owned(), settings: Settings::default(), state: None }
    }
}

/// The simulated merchant's side of Midtrans.
#[derive(Debug)]
pub struct Simulator {
    server_key: String,
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
        let state = State::open(config.state.as_deref())?;
        let courier = Courier::new("Veritrans", config.settings.clone(), pay::retries)?;
        Ok(Arc::new(Self {
            server_key: config.server_key,
            initially: config.settings,
            control: Control::default(),
            state: Mutex::new(state),
            courier,
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
        ("/v2/charge", post(charge::charge)),
        ("/v2/{order_id}/status", get(charge::status)),
        ("/v2/{order_id}/cancel", post(charge::cancel)),
        ("/v2/{order_id}/expire", post(charge::expire)),
        ("/v2/{order_id}/refund", post(refund::refund)),
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

    /// How often a route such as `POST /v2/charge` was called.
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
        "Midtrans Core API v2"
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn fault_kinds(&self) -> &'static [FaultKind] {
        &[FaultKind::Status, FaultKind::Delay, FaultKind::DropAfterCreate]
    }

    fn examples(&self) -> &'static str {
        "# Settings: notification_url (or null), retry_interval_seconds, timeout_seconds\n\
         curl {host}/__sim/config --json '{\"notification_url\":\"http://127.0.0.1:3000/api/v1/webhooks/midtrans\"}'\n\n\
         # The customer pays: a signed notification goes out. outcome is settlement (default), pending, deny, expire\n\
         # or cancel\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\"}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"outcome\":\"expire\",\"delay_ms\":500}'\n\n\
         # Fifty copies at once; another amount, properly signed; an amount or a signature changed on the way\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"duplicates\":50}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"amount\":1}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"tamper\":\"amount\"}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"tamper\":\"signature\"}'\n\n\
         # The payer is made to pay a fee on top: gross_amount is what was charged, and the fee\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"payer_fee\":932}'\n\n\
         # Out of order: kept back until the next notification of this charge was sent\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"outcome\":\"pending\",\"reorder\":true}'\n\n\
         # Without our asking: refunded in the dashboard, charged back, not paid after all (outcome deny, cancel or\n\
         # expire); notify false keeps it quiet. And the dashboard's test of the notification URL\n\
         curl {host}/__sim/refund --json '{\"order_id\":\"WB-1\",\"amount\":10000}'\n\
         curl {host}/__sim/chargeback --json '{\"order_id\":\"WB-1\"}'\n\
         curl {host}/__sim/withdraw --json '{\"order_id\":\"WB-1\",\"outcome\":\"deny\"}'\n\
         curl -X POST {host}/__sim/test\n\n\
         # Every transaction, and every notification sent with its answer\n\
         curl {host}/__sim/transactions\n\
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
        let transactions = self.state().transactions().count();
        let bag = self.courier.bag();
        BTreeMap::from([
            ("transactions", transactions),
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
        // A simulator's key is no secret: no need for a comparison in constant time.
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", self.server_key)));
        let presented = request.headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok());
        let refusal =
            (presented != Some(&expected)).then(|| Error::usual(StatusCode::UNAUTHORIZED).into_response());
        Admission { refusal, ..Admission::default() }
    }

    fn error(&self, status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn control_routes(self: Arc<Self>) -> Router {
        gateway::control_routes(self)
    }
}

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
