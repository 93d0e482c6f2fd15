//! Servers at their providers, for requests that somebody waits for.

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, ProviderError};
use domain::{
    ids::{InstanceId, UserId},
    instance::InstanceStatus,
};
use store::StoreError;

use crate::{AppState, problem::Problem};

/// Longest wait for a provider while somebody waits for us.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server and the way to it.
#[derive(Debug)]
pub(crate) struct AtProvider {
    /// Its provider, at a customer's priority.
    pub provider: Arc<dyn CloudProvider>,
    /// The provider's id of it.
    pub id: String,
}

/// Finds a server at its provider. `owner` restricts to that customer's servers.
///
/// # Errors
/// 404 when there is no such server (of that owner), 409 `instance_conflict` when it is not there yet or not any
/// more, 409 `provider_disabled`.
pub(crate) async fn find(
    state: &AppState,
    instance: InstanceId,
    owner: Option<UserId>,
) -> Result<AtProvider, Problem> {
    let server = state.store.server_ref(instance, owner).await?;
    match server.provider_instance_id {
        Some(id) if server.status != InstanceStatus::Terminated => {
            Ok(AtProvider { provider: state.providers.for_customers(&server.provider)?, id })
        }
        _ => Err(StoreError::Conflict { object: "instance", state: server.status.to_string() }.into()),
    }
}

/// The answer of a call, if it comes while somebody still waits.
///
/// # Errors
/// 409 `unsupported_action` with the reason, 503 `provider_unavailable`.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::provider_unavailable()),
    }
}
