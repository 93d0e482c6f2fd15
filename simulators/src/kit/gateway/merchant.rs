//! A merchant's side of a simulated gateway, and what its vendor brings to it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::Response,
    routing::MethodRouter,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Charge, Charges, Config, Courier, How, Letter, Pay, Settings, pay};
use crate::kit::{
    Service,
    control::{self, Admission, Control, Simulated, parse},
    fault::FaultKind,
};

/// What a vendor brings: its wire, its charges, and how it notifies.
pub(crate) trait Vendor: Sized + Send + Sync + 'static {
    /// The vendor's API and its version, for the help text.
    const NAME: &'static str;
    /// Examples for the help text of what only this simulator has, one `curl` a line.
    const EXAMPLES: &'static str;
    /// What the vendor calls itself when it notifies.
    const USER_AGENT: &'static str;
    /// What the vendor calls its charges.
    const CHARGES: &'static str;
    /// Whether the vendor can make the payer pay a fee on top of what is charged.
    const IMPOSES_PAYER_FEES: bool = false;

    /// A charge in the vendor's words.
    type Charge: Charge + Send + 'static;

    /// How often the vendor tries again after an answer with this status, or after none.
    fn retries(status: Option<u16>) -> u32;

    /// The vendor's API.
    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Merchant<Self>>>)>;

    /// Why a call goes no further, if it does not.
    fn refusal(merchant: &Merchant<Self>, request: &Parts) -> Option<Response>;

    /// The vendor's usual answer for a bare status.
    fn error(status: StatusCode) -> Response;

    /// Turns the charge as told, and writes the notification of it. `None` when there is no such charge.
    fn settle(merchant: &Merchant<Self>, pay: &Pay) -> Option<Letter>;

    /// Takes money of a paid charge back, and writes the notification of it. `None` when there is no such charge that is
    /// paid; an error when the vendor has no such thing, or nothing is left to be taken.
    fn take_back(
        merchant: &Merchant<Self>,
        id: &str,
        how: How,
        amount: Option<i64>,
    ) -> Result<Option<Letter>, String>;

    /// What the vendor's dashboard sends to try an address out.
    fn test_letter(merchant: &Merchant<Self>) -> Letter;

    /// How many things of further kinds there are.
    fn resources(_charges: &Charges<Self::Charge>) -> BTreeMap<&'static str, usize> {
        BTreeMap::new()
    }
}

/// A merchant's side.
pub(crate) struct Merchant<V: Vendor> {
    credentials: Vec<String>,
    initially: Settings,
    control: Arc<Control>,
    state: Mutex<Charges<V::Charge>>,
    courier: Arc<Courier>,
}

impl<V: Vendor> Merchant<V> {
    /// The service of a merchant as `config` says, with what its state file remembers.
    pub(crate) fn open(config: Config) -> io::Result<Service> {
        let merchant = Arc::new(Self {
            state: Mutex::new(Charges::open(config.state.as_deref())?),
            courier: Courier::new(V::USER_AGENT, config.settings.clone(), V::retries)?,
            credentials: config.credentials,
            initially: config.settings,
            control: Arc::default(),
        });
        Ok(control::service(merchant, V::routes()))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Charges<V::Charge>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn courier(&self) -> &Arc<Courier> {
        &self.courier
    }

    /// A secret by its place among the vendor's.
    pub(crate) fn credential(&self, place: usize) -> &str {
        self.credentials.get(place).map_or("", String::as_str)
    }

    /// Whether a call has the first secret as its user's name, and no password.
    pub(crate) fn knows(&self, request: &Parts) -> bool {
        // A simulator's key is no secret: no need for a comparison in constant time.
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", self.credential(0))));
        let presented = request.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        presented == Some(&expected)
    }
}

impl<V: Vendor> Simulated for Merchant<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn fault_kinds(&self) -> &'static [FaultKind] {
        &[FaultKind::Status, FaultKind::Delay, FaultKind::DropAfterCreate]
    }

    fn examples(&self) -> &'static str {
        V::EXAMPLES
    }

    fn settings(&self) -> Value {
        json!(self.courier.bag().settings)
    }

    fn configure(&self, change: &[u8]) -> Result<(), String> {
        let mut bag = self.courier.bag();
        bag.settings = bag.settings.changed_by(parse(change)?)?;
        Ok(())
    }

    fn resources(&self) -> BTreeMap<&'static str, usize> {
        let mut resources = {
            let charges = self.state();
            let mut resources = V::resources(&charges);
            resources.insert(V::CHARGES, charges.all().count());
            resources
        };
        let bag = self.courier.bag();
        resources.extend([
            ("deliveries", bag.deliveries.len()),
            ("deliveries_accepted", bag.deliveries.iter().filter(|d| d.accepted()).count()),
            ("retries_waiting", bag.retries_waiting),
        ]);
        resources
    }

    fn reset(&self) {
        self.state().clear();
        self.courier.reset(self.initially.clone());
    }

    fn admit(&self, request: &Parts) -> Admission {
        Admission { refusal: V::refusal(self, request), ..Admission::default() }
    }

    fn error(&self, status: StatusCode) -> Response {
        V::error(status)
    }

    fn control_routes(self: Arc<Self>) -> Router {
        pay::control_routes(self)
    }
}
