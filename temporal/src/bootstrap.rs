//! What the engine needs before the first workflow: the namespace with its retention, and the search attributes. What is
//! missing is made where we may; where somebody else makes such things, it is checked and named.

use std::{collections::HashMap, time::Duration};

use temporalio_client::{Client, Connection};
use temporalio_common::protos::temporal::api::{
    enums::v1::IndexedValueType,
    operatorservice::v1::{AddSearchAttributesRequest, ListSearchAttributesRequest},
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, DescribeNamespaceRequest, DescribeWorkerDeploymentRequest,
        RegisterNamespaceRequest,
    },
};
use tonic::{Code, Status};

use crate::boxed;
use engine::{is_not_ours, timed};

/// How long a closed workflow's history is kept.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
/// The type of all our search attributes.
const KEYWORD: i32 = IndexedValueType::Keyword as i32;

/// The engine is not as the workflows need it.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A question or request of ours failed.
    #[error("preparing Temporal: {what}: {}", status.message())]
    Call {
        /// What we were about.
        what: &'static str,
        /// What came of it.
        #[source]
        status: Status,
    },
    /// The namespace is not there, and making it is not ours.
    #[error(
        "Temporal has no namespace `{namespace}`, and this client may not make it: have it made by whoever runs the \
         engine, with 90 days of retention, or set TEMPORAL_NAMESPACE"
    )]
    NoNamespace {
        /// The one that was configured.
        namespace: String,
    },
    /// Search attributes are not there, and adding them is not ours.
    #[error(
        "Temporal's namespace `{namespace}` lacks the search attributes {}, and this client may not add them: have them \
         added by whoever runs the engine, each as a Keyword",
        names.join(", ")
    )]
    NoSearchAttributes {
        /// The namespace.
        namespace: String,
        /// Those that are missing.
        names: Vec<&'static str>,
    },
    /// The engine keeps no versions of workers apart.
    #[error(
        "Temporal keeps no versions of workers apart in the namespace `{namespace}`, or keeps them from this client ({why}): \
         set WORKER_VERSIONING=false, or have it enabled by whoever runs the engine (Temporal 1.28 or later)"
    )]
    NoVersions {
        /// The namespace.
        namespace: String,
        /// What it said.
        why: String,
    },
    /// A search attribute is there and holds something else.
    #[error(
        "the search attribute {name} of Temporal's namespace `{namespace}` is a {found}: it has to be a Keyword"
    )]
    OtherType {
        /// The namespace.
        namespace: String,
        /// The attribute.
        name: &'static str,
        /// Its type.
        found: String,
    },
}

/// Sees to it that the namespace (with 90 days of retention) and the search attributes of [`workflows::search`] are there.
/// What is there already is left alone, so every process may call it at start.
///
/// # Errors
/// [`BootstrapError`] when something is missing that is not ours to make, or the engine does not answer.
#[boxed]
pub async fn ensure(client: &Client) -> Result<(), BootstrapError> {
    let namespace = client.options().namespace.clone();
    ensure_namespace(client.connection(), &namespace).await?;
    ensure_search_attributes(client.connection(), &namespace).await
}

/// Sees to it that the engine keeps the versions of a deployment's workers apart.
///
/// # Errors
/// [`BootstrapError::NoVersions`] when it does not, and [`BootstrapError::Call`] when it does not answer.
pub(crate) async fn ensure_versions(client: &Client, deployment: &str) -> Result<(), BootstrapError> {
    let namespace = client.options().namespace.clone();
    let describe = DescribeWorkerDeploymentRequest {
        namespace: namespace.clone(),
        deployment_name: deployment.to_owned(),
    };
    match client.connection().workflow_service().describe_worker_deployment(timed(describe)).await {
        Ok(_) => Ok(()),
        // Its first worker is about to be, or it is asked about more often than an engine answers, as when many workers start.
        Err(status) if matches!(status.code(), Code::NotFound | Code::ResourceExhausted) => Ok(()),
        Err(status) if is_not_ours(&status) => {
            Err(BootstrapError::NoVersions { namespace, why: status.message().to_owned() })
        }
        Err(status) => Err(BootstrapError::Call { what: "asking for the workers' versions", status }),
    }
}

async fn ensure_namespace(connection: &Connection, namespace: &str) -> Result<(), BootstrapError> {
    let describe = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    match connection.workflow_service().describe_namespace(timed(describe)).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::NotFound => register_namespace(connection, namespace).await,
        // Whether it is there shows with the search attributes.
        Err(status) if is_not_ours(&status) => Ok(()),
        Err(status) => Err(BootstrapError::Call { what: "asking for the namespace", status }),
    }
}

async fn register_namespace(connection: &Connection, namespace: &str) -> Result<(), BootstrapError> {
    let request = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        workflow_execution_retention_period: RETENTION.try_into().ok(),
        ..Default::default()
    };
    match connection.workflow_service().register_namespace(timed(request)).await {
        Ok(_) => Ok(()),
        // Another process was quicker.
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) if is_not_ours(&status) => {
            Err(BootstrapError::NoNamespace { namespace: namespace.to_owned() })
        }
        Err(status) => Err(BootstrapError::Call { what: "registering the namespace", status }),
    }
}

async fn ensure_search_attributes(connection: &Connection, namespace: &str) -> Result<(), BootstrapError> {
    let missing = missing_search_attributes(connection, namespace).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let keywords = missing.iter().map(|name| ((*name).to_owned(), KEYWORD)).collect();
    let add = AddSearchAttributesRequest { search_attributes: keywords, namespace: namespace.to_owned() };
    match connection.operator_service().add_search_attributes(timed(add)).await {
        Ok(_) => Ok(()),
        // Another process was quicker.
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) if is_not_ours(&status) => {
            Err(BootstrapError::NoSearchAttributes { namespace: namespace.to_owned(), names: missing })
        }
        Err(status) => Err(BootstrapError::Call { what: "adding search attributes", status }),
    }
}

async fn missing_search_attributes(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<&'static str>, BootstrapError> {
    let list = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    match connection.operator_service().list_search_attributes(timed(list)).await {
        Ok(known) => absent(&known.into_inner().custom_attributes, namespace),
        Err(status) if is_not_ours(&status) => not_searchable(connection, namespace).await,
        Err(status) => Err(BootstrapError::Call { what: "listing search attributes", status }),
    }
}

/// Which of ours are not among those of a namespace.
fn absent(known: &HashMap<String, i32>, namespace: &str) -> Result<Vec<&'static str>, BootstrapError> {
    let other = |name: &&'static str| known.get(*name).copied().filter(|found| *found != KEYWORD);
    if let Some((name, found)) = workflows::search::ALL.iter().find_map(|name| Some((*name, other(name)?))) {
        let found =
            IndexedValueType::try_from(found).map_or("field of another type", |kind| kind.as_str_name());
        let found = found.trim_start_matches("INDEXED_VALUE_TYPE_").to_owned();
        return Err(BootstrapError::OtherType { namespace: namespace.to_owned(), name, found });
    }
    Ok(workflows::search::ALL.iter().copied().filter(|name| !known.contains_key(*name)).collect())
}

/// The same where the list is kept from us: by a search that names each, which every worker's client may do.
async fn not_searchable(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<&'static str>, BootstrapError> {
    let mut missing = Vec::new();
    for name in workflows::search::ALL {
        let query = format!("{name} = 'none'");
        let search = CountWorkflowExecutionsRequest { namespace: namespace.to_owned(), query };
        match connection.workflow_service().count_workflow_executions(timed(search)).await {
            Ok(_) => {}
            Err(status) if status.code() == Code::InvalidArgument => missing.push(*name),
            Err(status) if status.code() == Code::NotFound => {
                return Err(BootstrapError::NoNamespace { namespace: namespace.to_owned() });
            }
            Err(status) => return Err(BootstrapError::Call { what: "searching workflows", status }),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_is_something_else() {
        let mut known: HashMap<String, i32> =
            workflows::search::ALL.iter().map(|name| ((*name).to_owned(), KEYWORD)).collect();
        assert_eq!(absent(&known, "orders").unwrap(), [""; 0]);
        known.remove("Provider");
        assert_eq!(absent(&known, "orders").unwrap(), ["Provider"]);
        known.insert("OrderStatus".to_owned(), IndexedValueType::Text as i32);
        let refusal = absent(&known, "orders").unwrap_err().to_string();
        assert!(refusal.contains("OrderStatus") && refusal.contains("TEXT"), "{refusal}");
    }
}
