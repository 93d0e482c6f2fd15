//! Servers at their providers, for requests that somebody waits for.

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, ProviderError};
use domain::{instance::InstanceStatus, provisioning::FailureClass, rate_limit::Caller};
use store::{StoreError, instances::ServerRef};

use crate::{AppState, problem::Problem};

/// Longest wait for a provider while somebody waits for us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A server and the way to it.
#[derive(Debug)]
pub(crate) struct AtProvider {
    /// Its provider, for the calls of whoever was named.
    pub provider: Arc<dyn CloudProvider>,
    /// The provider's id of it.
    pub id: String,
}

/// The way to a server, for calls of `caller`.
///
/// # Errors
/// 409 `instance_conflict` when it is not there yet or not any more, 409 `provider_disabled`.
pub(crate) fn reach(state: &AppState, server: ServerRef, caller: Caller) -> Result<AtProvider, Problem> {
    match server.provider_instance_id {
        Some(id) if server.status != InstanceStatus::Terminated => {
            Ok(AtProvider { provider: state.providers.get(&server.provider, caller)?, id })
        }
        _ => {
            Err(StoreError::Conflict { object: store::Object::Instance, state: server.status.to_string() }
                .into())
        }
    }
}

/// The same of a call about a thing that may not be there: `None` when its provider does not know it.
///
/// # Errors
/// As [`answer`].
pub(crate) async fn look<T>(
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<Option<T>, Problem> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Err(error)) if error.class == FailureClass::NotFound => Ok(None),
        Ok(answer) => Ok(Some(answer?)),
        Err(_) => Err(Problem::provider_unavailable()),
    }
}

/// The answer of a call, if it comes while somebody still waits.
///
/// # Errors
/// 409 `unsupported_action` with the reason, 429 `too_many_calls`, 503 `provider_busy` or `provider_unavailable`.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::provider_unavailable()),
    }
}
