//! A shop with its API.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use api::AppState;
use axum::Router;
use client::Client;
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::{Setup, in_process::InProcess};
use crate::{SimulatedCloud, SimulatedGateway, TestApp, http::Caller};

/// Where the API is said to be; nobody looks it up.
const HOST: &str = "http://api.test";

/// A [`TestApp`] with its API in this process: no network lies before it, and no workflow runs.
///
/// It is audited as the shop is; a clone is a handle, and so is [`Self::beside`].
#[derive(Clone)]
pub struct TestApi {
    shop: TestApp,
    /// What its handlers reach.
    pub state: AppState,
    public: Router,
    internal: Router,
    gateways: Arc<BTreeMap<&'static str, SimulatedGateway>>,
    clouds: Arc<BTreeMap<&'static str, SimulatedCloud>>,
}

impl Deref for TestApi {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.shop
    }
}

impl TestApi {
    /// A seeded shop without a gateway, which buys at a DigitalOcean that never answers.
    pub async fn new(pool: PgPool) -> Self {
        Self::setup(pool).open().await
    }

    /// A shop to be set up otherwise.
    pub fn setup(pool: PgPool) -> Setup {
        Setup::new(pool)
    }

    pub(super) fn of(
        shop: TestApp,
        state: AppState,
        gateways: Vec<SimulatedGateway>,
        clouds: Vec<SimulatedCloud>,
    ) -> Self {
        Self {
            shop,
            public: api::router(state.clone()),
            internal: api::internal_router(state.clone()),
            state,
            gateways: Arc::new(gateways.into_iter().map(|one| (one.vendor.slug, one)).collect()),
            clouds: Arc::new(clouds.into_iter().map(|one| (one.vendor.slug, one)).collect()),
        }
    }

    /// Another process of the same shop, whose state differs like this.
    #[must_use]
    pub fn beside(&self, change: impl FnOnce(AppState) -> AppState) -> Self {
        let state = change(self.state.clone());
        Self {
            public: api::router(state.clone()),
            internal: api::internal_router(state.clone()),
            state,
            ..self.clone()
        }
    }

    /// The same behind this layer.
    #[must_use]
    pub fn layered(self, layer: impl FnOnce(Router) -> Router) -> Self {
        Self { public: layer(self.public.clone()), ..self }
    }

    /// Nobody in particular, who reads English: paths below `/api/v1`.
    #[must_use]
    pub fn nobody(&self) -> Caller {
        self.at(&self.public, "/api/v1")
    }

    /// Nobody, with paths from the root, such as `/health`.
    #[must_use]
    pub fn root(&self) -> Caller {
        self.at(&self.public, "")
    }

    /// Nobody at the internal port: paths below `/internal`.
    #[must_use]
    pub fn internal(&self) -> Caller {
        self.at(&self.internal, "/internal")
    }

    /// Nobody at the internal port, with paths from the root.
    #[must_use]
    pub fn internal_root(&self) -> Caller {
        self.at(&self.internal, "")
    }

    fn at(&self, router: &Router, prefix: &str) -> Caller {
        let client = Client::new(InProcess(router.clone()), &format!("{HOST}{prefix}"));
        Caller::new(client.reading(Some("en")))
    }

    /// The public routes themselves, for requests that no client sends.
    pub fn router(&self) -> Router {
        self.public.clone()
    }

    /// Serves the API on a free port as long as the test's runtime lives. Answers with its address.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn listen(&self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("its number");
        let serving = api::serve::serve(listener, self.router(), Default::default(), Default::default());
        tokio::spawn(serving);
        format!("http://{address}")
    }

    /// The gateway of this slug.
    ///
    /// # Panics
    /// When it was not set up.
    #[must_use]
    pub fn gateway(&self, slug: &str) -> &SimulatedGateway {
        self.gateways.get(slug).unwrap_or_else(|| panic!("the gateway {slug} is not set up"))
    }

    /// The cloud of this slug.
    ///
    /// # Panics
    /// When it was not set up.
    #[must_use]
    pub fn cloud(&self, slug: &str) -> &SimulatedCloud {
        self.clouds.get(slug).unwrap_or_else(|| panic!("the cloud {slug} is not set up"))
    }
}
