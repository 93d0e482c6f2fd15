//! What a fresh engine needs before the first workflow: the namespace with its retention, and the search attributes.

use std::time::Duration;

use temporalio_client::{Client, Connection};
use temporalio_common::protos::temporal::api::{
    enums::v1::IndexedValueType, operatorservice::v1::AddSearchAttributesRequest,
    operatorservice::v1::ListSearchAttributesRequest, workflowservice::v1::RegisterNamespaceRequest,
};
use tonic::{Code, IntoRequest, Status};

/// How long a closed workflow's history is kept.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);

/// The engine refused to be prepared.
#[derive(Debug, thiserror::Error)]
#[error("preparing Temporal: {what}: {}", status.message())]
pub struct BootstrapError {
    what: &'static str,
    status: Status,
}

/// Registers the namespace (with 90 days of retention) and the search attributes of [`workflows::search`]. What is
/// there already is left alone, so every process may call it at start.
///
/// # Errors
/// [`BootstrapError`] when the engine refuses or does not answer.
pub async fn ensure(client: &Client) -> Result<(), BootstrapError> {
    let namespace = client.options().namespace.clone();
    ensure_namespace(client.connection(), &namespace).await?;
    ensure_search_attributes(client.connection(), &namespace).await
}

async fn ensure_namespace(connection: &Connection, namespace: &str) -> Result<(), BootstrapError> {
    let request = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        workflow_execution_retention_period: RETENTION.try_into().ok(),
        ..Default::default()
    };
    match connection.workflow_service().register_namespace(request.into_request()).await {
        Err(status) if status.code() != Code::AlreadyExists => {
            Err(BootstrapError { what: "registering the namespace", status })
        }
        _ => Ok(()),
    }
}

async fn ensure_search_attributes(connection: &Connection, namespace: &str) -> Result<(), BootstrapError> {
    let mut operator = connection.operator_service();
    let list = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let known = operator
        .list_search_attributes(list.into_request())
        .await
        .map_err(|status| BootstrapError { what: "listing search attributes", status })?
        .into_inner()
        .custom_attributes;
    let missing: std::collections::HashMap<String, i32> = workflows::search::ALL
        .iter()
        .filter(|name| !known.contains_key(**name))
        .map(|name| ((*name).to_owned(), IndexedValueType::Keyword as i32))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let add = AddSearchAttributesRequest { search_attributes: missing, namespace: namespace.to_owned() };
    match operator.add_search_attributes(add.into_request()).await {
        // Another process was quicker.
        Err(status) if status.code() != Code::AlreadyExists => {
            Err(BootstrapError { what: "adding search attributes", status })
        }
        _ => Ok(()),
    }
}
