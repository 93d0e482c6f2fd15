//! What a worker answers about itself, on the port of its metrics: `/livez` and `/readyz`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::time::Duration;
use store::Store;
use temporal::roles::{RoleReport, Roles};

/// Longest wait for the database's answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
struct Readiness {
    /// `up` when all below is.
    status: &'static str,
    /// `up` when it answers.
    database: &'static str,
    /// What the process is there for.
    roles: Vec<RoleReport>,
}

/// `/livez`: the process answers, and every thread of it lives, since it ends with the first that does not. `/readyz`: it
/// does its work.
pub fn routes(store: Store, roles: Roles) -> Router {
    let livez = get(async || Json(serde_json::json!({ "status": "up" })));
    Router::new().route("/livez", livez).route("/readyz", get(readyz)).with_state((store, roles))
}

async fn readyz(State((store, roles)): State<(Store, Roles)>) -> Response {
    let database = matches!(tokio::time::timeout(PATIENCE, store.ping()).await, Ok(Ok(())));
    let roles = roles.report();
    let ready = database && !roles.is_empty() && roles.iter().all(|role| role.up);
    let word = |up| if up { "up" } else { "down" };
    let answer = Readiness { status: word(ready), database: word(database), roles };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
