//! The floors: an axum route that does nothing, and one that reads one row, each answering as many bytes as what it is compared with.

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{ids::UserId, role::Role};
use store::{PoolSettings, Store, audit::Origin, users::NewUser};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// Connections to the database, as many as the API has by default.
const CONNECTIONS: u32 = 20;

/// Two routes on a port of their own, in the API's process and on its runtime.
pub struct Floors {
    address: Url,
    stop: CancellationToken,
}

impl Floors {
    /// Serves them.
    ///
    /// # Errors
    /// When the database does not answer or no port is to be had.
    pub async fn start(database: &str, bare_bytes: usize, row_bytes: usize) -> Result<Self> {
        let store = Store::connect(database, &PoolSettings::of(CONNECTIONS)).await?;
        let user = somebody(&store).await?;
        let (bare, row) = (text(bare_bytes), text(row_bytes));
        let routes = Router::new()
            .route("/bare", get(async move || json(bare)))
            .route("/row", get(async move || one_row(&store, user, row).await));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        // Whoever asked it sees it end.
        tokio::spawn(async move { axum::serve(listener, routes).with_graceful_shutdown(stopped).await });
        Ok(Self { address, stop })
    }

    /// Where nothing is done.
    ///
    /// # Errors
    /// Never: the path is one.
    pub fn bare(&self) -> Result<Url> {
        self.address.join("/bare").context("a path")
    }

    /// Where one row is read.
    ///
    /// # Errors
    /// Never: the path is one.
    pub fn row(&self) -> Result<Url> {
        self.address.join("/row").context("a path")
    }

    /// Ends them.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

async fn one_row(store: &Store, user: UserId, body: Bytes) -> Response {
    match store.user(user).await {
        Ok(_) => json(body),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A JSON string of so many bytes.
fn text(bytes: usize) -> Bytes {
    format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))).into()
}

/// Whose row is read.
async fn somebody(store: &Store) -> Result<UserId> {
    let new = NewUser {
        email: format!("{}@bench.invalid", Uuid::now_v7().simple()),
        full_name: "Bench".to_owned(),
        password_hash: "none".to_owned(),
        role: Role::Customer,
        email_verified: true,
    };
    Ok(store.create_user(&new, &Origin::system()).await?.id)
}
