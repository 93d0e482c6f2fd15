//! The engine as others run it: behind TLS, for clients with a certificate and a key of theirs, and with the operator's
//! calls kept for its operators; or as an engine of another version might be. A proxy in front of the run's engine.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use engine::{
    TemporalConfig,
    security::{ClientPair, Pem, Security, Tls},
};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http2::SendRequest,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::WorkflowIdConflictPolicy,
    workflowservice::v1::{
        SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
        SignalWorkflowExecutionRequest,
    },
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The key that clients have to bring.
pub const API_KEY: &str = "the-engines-api-key-of-the-tests";
/// The name that the engine's certificate is for.
pub const SERVER_NAME: &str = "engine.webrana.test";

/// What whoever runs an engine for others keeps for himself: all of the operator's service, and of the workflows' service
/// what makes or changes namespaces and schedules.
const KEPT: [&str; 6] = [
    "/temporal.api.operatorservice.v1.OperatorService/",
    "/temporal.api.workflowservice.v1.WorkflowService/RegisterNamespace",
    "/temporal.api.workflowservice.v1.WorkflowService/UpdateNamespace",
    "/temporal.api.workflowservice.v1.WorkflowService/CreateSchedule",
    "/temporal.api.workflowservice.v1.WorkflowService/UpdateSchedule",
    "/temporal.api.workflowservice.v1.WorkflowService/PatchSchedule",
];
const SIGNAL_WITH_START: &str =
    "/temporal.api.workflowservice.v1.WorkflowService/SignalWithStartWorkflowExecution";
const SIGNAL: &str = "/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution";
/// What precedes a message of gRPC: whether it is compressed, and its length.
const FRAME: usize = 5;
const NOT_FOUND: &str = "5";
const PERMISSION_DENIED: u16 = 7;
const UNAUTHENTICATED: u16 = 16;

type Body = BoxBody<Bytes, hyper::Error>;

/// What the engine behind a proxy is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Run by others, who keep to themselves what is theirs.
    Kept,
    /// One whose signal-with-start does not end the delay of a start: to a workflow that is there it is a plain signal,
    /// unless the workflow is to be ended.
    WakesNobody,
}

/// A running proxy; it takes no more connections once it is dropped.
#[derive(Debug)]
pub struct EngineProxy {
    address: SocketAddr,
    /// Certificates and keys, as files.
    directory: tempfile::TempDir,
    _stop: DropGuard,
}

impl EngineProxy {
    /// Starts one in front of `engine`.
    ///
    /// # Errors
    /// When certificates can't be made or no port is free.
    pub async fn start(engine: &TemporalConfig, manner: Manner) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let acceptor = TlsAcceptor::from(Arc::new(papers(&directory)?));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let (stopped, upstream) = (stop.clone(), engine.address.clone());
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    // A client that is refused hears why.
                    let _ = serve(stream, acceptor, upstream, manner).await;
                });
            }
        }));
        Ok(Self { address, directory, _stop: stop.drop_guard() })
    }

    /// A file: `ca.pem`, `client.pem`, `client.key`, or `stranger.pem` and `stranger.key`, which another authority signed.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the proxy listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The way through the proxy, with everything that it asks for.
    #[must_use]
    pub fn way_in(&self) -> TemporalConfig {
        let tls = Tls {
            authority: Some(Pem::File(self.file("ca.pem"))),
            server_name: Some(SERVER_NAME.to_owned()),
            client: Some(self.client("client")),
        };
        let security = Security { tls: Some(tls), api_key: Some(API_KEY.into()), ..Security::default() };
        TemporalConfig { security, ..TemporalConfig::plain(self.address()) }
    }

    /// A client's certificate and key.
    #[must_use]
    pub fn client(&self, name: &str) -> ClientPair {
        let file = |ending: &str| Pem::File(self.file(&format!("{name}.{ending}")));
        ClientPair { certificate: file("pem"), key: file("key") }
    }
}

/// Makes the authority's, the engine's and the clients' certificates, and what the proxy serves with.
fn papers(directory: &tempfile::TempDir) -> Result<ServerConfig> {
    let authority = authority()?;
    let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text);
    write("ca.pem", authority.pem())?;
    for (name, issuer) in [("client", &authority), ("stranger", &self::authority()?)] {
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec![format!("{name}.webrana.test")])?.signed_by(&key, issuer)?;
        write(&format!("{name}.pem"), certificate.pem())?;
        write(&format!("{name}.key"), key.serialize_pem())?;
    }
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![SERVER_NAME.to_owned()])?.signed_by(&key, &authority)?;
    server_config(authority.der(), certificate.der(), &key)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn server_config(
    authority: &CertificateDer<'_>,
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
) -> Result<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut trusted = RootCertStore::empty();
    trusted.add(authority.clone().into_owned())?;
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider)).build()?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.clone().into_owned()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// One connection, with one of its own to the engine.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, upstream: String, manner: Manner) -> Result<()> {
    let stream = acceptor.accept(stream).await?;
    let engine = TcpStream::connect(&upstream).await?;
    let (engine, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(engine)).await?;
    tokio::spawn(connection);
    let upstream: Arc<str> = upstream.into();
    let service = service_fn(move |request| pass_on(request, engine.clone(), Arc::clone(&upstream), manner));
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
        .context("a connection ended")
}

async fn pass_on(
    mut request: Request<Incoming>,
    mut engine: SendRequest<Body>,
    upstream: Arc<str>,
    manner: Manner,
) -> Result<Response<Body>> {
    let key = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if key != Some(&format!("Bearer {API_KEY}")) {
        return refusal(UNAUTHENTICATED, "a key is needed");
    }
    let path = request.uri().path().to_owned();
    let to = |path: &str| format!("http://{upstream}{path}").parse::<Uri>();
    if manner == Manner::WakesNobody && path == SIGNAL_WITH_START {
        return signal_only(request, engine, to(SIGNAL)?, to(&path)?).await;
    }
    if manner == Manner::Kept && KEPT.iter().any(|kept| path.starts_with(kept)) {
        return refusal(PERMISSION_DENIED, "Request unauthorized.");
    }
    *request.uri_mut() = to(&path)?;
    Ok(engine.send_request(request.map(BodyExt::boxed)).await?.map(BodyExt::boxed))
}

/// A signal-with-start as a plain signal, if there is somebody to hear it.
async fn signal_only(
    request: Request<Incoming>,
    mut engine: SendRequest<Body>,
    signal_uri: Uri,
    own_uri: Uri,
) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let framed = body.collect().await?.to_bytes();
    let asked = SignalWithStartWorkflowExecutionRequest::decode(framed.slice(FRAME..))?;
    let again = |uri: Uri, framed: Bytes| -> Request<Body> {
        let mut head = head.clone();
        head.uri = uri;
        Request::from_parts(head, Full::new(framed).map_err(|never| match never {}).boxed())
    };
    if asked.workflow_id_conflict_policy() != WorkflowIdConflictPolicy::TerminateExisting {
        let signal = SignalWorkflowExecutionRequest {
            namespace: asked.namespace,
            workflow_execution: Some(WorkflowExecution {
                workflow_id: asked.workflow_id,
                ..Default::default()
            }),
            signal_name: asked.signal_name,
            input: asked.signal_input,
            identity: asked.identity,
            request_id: asked.request_id,
            ..Default::default()
        };
        let answer = engine.send_request(again(signal_uri, frame(&signal)?)).await?;
        if answer.headers().get("grpc-status").is_none_or(|status| status != NOT_FOUND) {
            return heard(answer).await;
        }
    }
    Ok(engine.send_request(again(own_uri, framed)).await?.map(BodyExt::boxed))
}

/// The engine's answer to a signal, in the shape of one to a signal-with-start: their fields mean different things.
async fn heard(answer: Response<Incoming>) -> Result<Response<Body>> {
    let (mut head, body) = answer.into_parts();
    head.headers.remove("content-length");
    let trailers = body.collect().await?.trailers().cloned();
    let framed = frame(&SignalWithStartWorkflowExecutionResponse::default())?;
    let body = Full::new(framed).map_err(|never| match never {}).with_trailers(async { trailers.map(Ok) });
    Ok(Response::from_parts(head, body.boxed()))
}

fn frame(message: &impl Message) -> Result<Bytes> {
    let encoded = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(encoded.len())?.to_be_bytes());
    framed.extend(encoded);
    Ok(framed.into())
}

/// What gRPC says without a body.
fn refusal(status: u16, message: &str) -> Result<Response<Body>> {
    let nothing = Empty::new().map_err(|never| match never {}).boxed();
    let answer = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", status.to_string())
        .header("grpc-message", message);
    Ok(answer.body(nothing)?)
}
