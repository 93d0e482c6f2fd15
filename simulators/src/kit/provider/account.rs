//! The account itself, and what its vendor brings to it.

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
use serde_json::{Value, json};

use super::{Config, Holdings, Settings, State};
use crate::kit::{
    Service,
    control::{self, Admission, Control, Simulated, parse},
    fault::FaultKind,
};

/// What a vendor brings: its wire, its limits, and what an account holds there.
pub(crate) trait Vendor: Sized + 'static {
    /// The vendor's API and its version, for the help text.
    const NAME: &'static str;
    /// Examples for the help text of what only this simulator has, one `curl` a line.
    const EXAMPLES: &'static str;
    /// Settings of this simulator alone, off at the start.
    const SWITCHES: &'static [&'static str] = &[];

    /// What an account holds.
    type Holdings: Holdings;
    /// How much of the vendor's rate limits is used up.
    type Windows: Default + Send;

    /// The vendor's API.
    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Account<Self>>>)>;

    /// Looks at a vendor call before anything is done: credentials, rate limits.
    fn admit(account: &Account<Self>, request: &Parts) -> Admission;

    /// The vendor's usual answer for a bare status.
    fn error(status: StatusCode) -> Response;

    /// How many things of each kind there are, such as `droplets`.
    fn resources(holdings: &Self::Holdings) -> BTreeMap<&'static str, usize>;

    /// Further routes under `/__sim`, such as `/__sim/servers`, with their whole paths.
    fn control_routes() -> Router<Arc<Account<Self>>>;

    /// What lies around all routes.
    fn around(routes: Router) -> Router {
        routes
    }
}

/// A simulated account.
pub(crate) struct Account<V: Vendor> {
    token: String,
    initially: Settings,
    control: Arc<Control>,
    state: Mutex<State<V::Holdings>>,
    windows: Mutex<V::Windows>,
}

impl<V: Vendor> Account<V> {
    /// The service of an account as `config` says, with what its state file remembers.
    pub(crate) fn open(config: Config) -> io::Result<Service> {
        let settings = config.settings.with_switches(V::SWITCHES);
        let state = State::open(settings.clone(), config.state.as_deref())?;
        let account = Arc::new(Self {
            token: config.token,
            initially: settings,
            control: Arc::default(),
            state: Mutex::new(state),
            windows: Mutex::default(),
        });
        let Service { router, control } = control::service(account, V::routes());
        Ok(Service { router: V::around(router), control })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<V::Holdings>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn windows(&self) -> MutexGuard<'_, V::Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call has the account's token.
    pub(crate) fn knows(&self, request: &Parts) -> bool {
        // A simulator's token is no secret: no need for a comparison in constant time.
        let presented = request.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        presented.and_then(|header| header.strip_prefix("Bearer ")) == Some(self.token.as_str())
    }
}

impl<V: Vendor> Simulated for Account<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn control(&self) -> &Arc<Control> {
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
        V::EXAMPLES
    }

    fn settings(&self) -> Value {
        json!(self.state().settings)
    }

    fn configure(&self, change: &[u8]) -> Result<(), String> {
        let mut state = self.state();
        state.settings = state.settings.changed_by(&parse(change)?)?;
        Ok(())
    }

    fn resources(&self) -> BTreeMap<&'static str, usize> {
        V::resources(&self.state())
    }

    fn reset(&self) {
        self.state().reset(self.initially.clone());
        *self.windows() = V::Windows::default();
    }

    fn admit(&self, request: &Parts) -> Admission {
        V::admit(self, request)
    }

    fn error(&self, status: StatusCode) -> Response {
        V::error(status)
    }

    fn control_routes(self: Arc<Self>) -> Router {
        V::control_routes().with_state(self)
    }
}
