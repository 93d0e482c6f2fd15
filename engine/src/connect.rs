//! Reaching the engine.

use std::{collections::HashMap, time::Duration};

use async_recursion::async_recursion as boxed;
use secrecy::{ExposeSecret, SecretString};
use temporalio_client::{
    Client, ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, GrpcCompression, TlsOptions,
    errors::{ClientConnectError, ClientNewError},
};
use temporalio_common::{
    protos::temporal::api::workflowservice::v1::GetSystemInfoRequest, telemetry::metrics::TemporalMeter,
};
use url::Url;

use crate::{
    call::timed,
    security::{PemError, Security, Tls},
};

/// Longest time a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same with the first question to the engine.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the engine is.
#[derive(Debug, Clone)]
pub struct TemporalConfig {
    /// `host:port` of the frontend, or a URL. Whether TLS is spoken is in `security` alone.
    pub address: String,
    /// Namespace of this installation.
    pub namespace: String,
    /// Put before every task queue's name; keeps installations that share a namespace apart.
    pub queue_prefix: String,
    /// How the two prove to each other who they are.
    pub security: Security,
}

impl TemporalConfig {
    /// A server of one's own: the namespace `default`, and nothing to prove.
    #[must_use]
    pub fn plain(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            namespace: "default".to_owned(),
            queue_prefix: String::new(),
            security: Security::default(),
        }
    }
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
    /// A certificate or key can't be read.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// No connection came about.
    #[error("no connection to Temporal: {}", in_full(.0))]
    Connect(#[from] ClientConnectError),
    /// The engine took the connection and said nothing on it.
    #[error("no connection to Temporal: no answer within {} s", READY_TIMEOUT.as_secs())]
    Silent,
    /// The client's options are not acceptable.
    #[error("Temporal client: {0}")]
    Client(#[from] ClientNewError),
}

/// An error with what is behind it: of TLS' errors only the last says what is wrong.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// Connects to the engine.
///
/// # Errors
/// [`ConnectError`] when the address is malformed, a certificate can't be read, the two don't trust each other, or the
/// engine does not answer within ten seconds.
#[boxed]
pub async fn connect(config: &TemporalConfig) -> Result<Client, ConnectError> {
    connect_metered(config, None).await
}

/// The same, with every call among the metrics.
///
/// # Errors
/// As [`connect`].
#[boxed]
pub async fn connect_metered(
    config: &TemporalConfig,
    meter: Option<TemporalMeter>,
) -> Result<Client, ConnectError> {
    let security = &config.security;
    let options = ConnectionOptions::new(target(&config.address, security.tls.is_some())?)
        .identity(identity())
        .maybe_metrics_meter(meter)
        .connect_timeout(CONNECT_TIMEOUT)
        .maybe_tls_options(security.tls.as_ref().map(tls_options).transpose()?)
        .maybe_api_key(security.api_key.as_ref().map(|key| key.expose_secret().to_owned()))
        .maybe_headers(headers(security))
        .grpc_compression(GrpcCompression::None)
        .build();
    let connecting = Connection::connect(options);
    let connection =
        tokio::time::timeout(READY_TIMEOUT, connecting).await.map_err(|_| ConnectError::Silent)??;
    Ok(Client::new(connection, ClientOptions::new(config.namespace.clone()).build())?)
}

/// Who we are, in the web UI: the process and its host.
fn identity() -> String {
    let host = rustix::system::uname();
    format!("webrana-{}@{}", std::process::id(), host.nodename().to_string_lossy())
}

/// The address as a URL whose scheme says what is spoken, whatever scheme it was written with.
fn target(address: &str, tls: bool) -> Result<Url, ConnectError> {
    let place = address.split_once("://").map_or(address, |(_, place)| place);
    let scheme = if tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{place}"))
        .map_err(|source| ConnectError::Address { address: address.to_owned(), source })
}

fn tls_options(tls: &Tls) -> Result<TlsOptions, PemError> {
    let client = match &tls.client {
        Some(pair) => Some(
            ClientTlsOptions::builder()
                .client_cert(pair.certificate.read()?)
                .client_private_key(pair.key.read()?)
                .build(),
        ),
        None => None,
    };
    Ok(TlsOptions::builder()
        .maybe_server_root_ca_cert(tls.authority.as_ref().map(|pem| pem.read()).transpose()?)
        .maybe_domain(tls.server_name.clone())
        .maybe_client_tls_options(client)
        .build())
}

fn headers(security: &Security) -> Option<HashMap<String, String>> {
    let exposed = |(name, value): (&String, &SecretString)| (name.clone(), value.expose_secret().to_owned());
    (!security.headers.is_empty()).then(|| security.headers.iter().map(exposed).collect())
}

/// One cheap round trip, for health checks.
///
/// # Errors
/// Says in words why the engine does not answer.
#[boxed]
pub async fn is_reachable(client: &Client) -> Result<(), String> {
    let mut service = client.connection().workflow_service();
    service
        .get_system_info(timed(GetSystemInfoRequest::default()))
        .await
        .map(|_| ())
        .map_err(|status| status.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_does_not_depend_on_how_the_address_is_written() {
        for address in ["engine:7233", "http://engine:7233", "https://engine:7233"] {
            assert_eq!(target(address, true).unwrap().as_str(), "https://engine:7233/");
            assert_eq!(target(address, false).unwrap().as_str(), "http://engine:7233/");
        }
        assert!(target("engine:port", false).is_err());
    }
}
