//! How a customer gets into a server.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header::CACHE_CONTROL},
};
use domain::ids::InstanceId;
use secrecy::ExposeSecret;
use serde::Serialize;
use store::credentials::ServerCredentials;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::{CurrentUser, ssh_keys::fingerprint},
    client::Client,
    extract::Id,
    problem::Problem,
};

/// Routes under `/instances/{id}/credentials`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What opens a server.
#[derive(Serialize, ToSchema)]
struct Credentials {
    #[schema(example = "root")]
    username: &'static str,
    /// The password the server was made with; null when it was ordered with SSH keys. It stays what it was here when
    /// it is changed on the server.
    #[schema(example = "hR7mWq2vTzK9pXc4NbYd8sFgJtLe")]
    password: Option<String>,
    /// Fingerprints of the SSH keys that the server was made with.
    #[schema(example = json!(["SHA256:aRpwpyjEGeputf8ZWA1Lo0yXIf0IK2zwm3vmk0QDOrI"]))]
    ssh_keys: Vec<String>,
}

impl From<ServerCredentials> for Credentials {
    fn from(credentials: ServerCredentials) -> Self {
        Self {
            username: "root",
            password: credentials.password.map(|password| password.expose_secret().to_owned()),
            ssh_keys: credentials.ssh_keys.iter().filter_map(|key| fingerprint(key)).collect(),
        }
    }
}

/// Show what opens one of my servers. That it was shown is kept in the audit log.
#[utoipa::path(
    get, path = "/instances/{id}/credentials", tag = "instances", operation_id = "get_instance_credentials",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The credentials; never to be cached.", body = Credentials,
         headers(("Cache-Control" = String, description = "`no-store`."))),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server is gone.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    client: Client,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
) -> Result<([(HeaderName, &'static str); 1], Json<Credentials>), Problem> {
    let shown = state.store.server_credentials(id, me.id, &client.origin(me.actor())).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(shown.into())))
}
