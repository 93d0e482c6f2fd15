//! Reaching the engine.

use std::time::Duration;

use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, GrpcCompression,
    errors::{ClientConnectError, ClientNewError},
};
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tonic::IntoRequest;
use url::Url;

/// Where the engine is.
#[derive(Debug, Clone)]
pub struct TemporalConfig {
    /// `host:port` of the frontend, or a URL.
    pub address: String,
    /// Namespace of this installation.
    pub namespace: String,
    /// Put before every task queue's name; keeps installations that share a namespace apart.
    pub queue_prefix: String,
}

/// The engine could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("`{address}` is not a Temporal address: {source}")]
    Address {
        /// What was configured.
        address: String,
        /// Why it can't be parsed.
        source: url::ParseError,
    },
    /// No connection came about.
    #[error("no connection to Temporal: {0}")]
    Connect(#[from] ClientConnectError),
    /// The client's options are not acceptable.
    #[error("Temporal client: {0}")]
    Client(#[from] ClientNewError),
}

/// Connects to the engine.
///
/// # Errors
/// [`ConnectError`] when the address is malformed or the engine does not answer within five seconds.
pub async fn connect(config: &TemporalConfig) -> Result<Client, ConnectError> {
    let target = if config.address.contains("://") {
        config.address.clone()
    } else {
        format!("http://{}", config.address)
    };
    let target = Url::parse(&target)
        .map_err(|source| ConnectError::Address { address: config.address.clone(), source })?;
    let options = ConnectionOptions::new(target)
        .identity(format!("webrana-{}", std::process::id()))
        .connect_timeout(Duration::from_secs(5))
        .grpc_compression(GrpcCompression::None)
        .build();
    let connection = Connection::connect(options).await?;
    Ok(Client::new(connection, ClientOptions::new(config.namespace.clone()).build())?)
}

/// One cheap round trip, for health checks.
///
/// # Errors
/// Says in words why the engine does not answer.
pub async fn is_reachable(client: &Client) -> Result<(), String> {
    let mut service = client.connection().workflow_service();
    service
        .get_system_info(GetSystemInfoRequest::default().into_request())
        .await
        .map(|_| ())
        .map_err(|status| status.message().to_owned())
}
