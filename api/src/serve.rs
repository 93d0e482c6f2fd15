//! Serving a router over TCP to whoever comes, slow or hostile: a request's head, a connection's idleness and its
//! writes have deadlines, connections are bounded in all and per address, and being told to stop ends in time. How
//! long a body may take is the router's business, which knows what it is.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use async_recursion::async_recursion as boxed;
use axum::{Router, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::problem::{Code, Problem};
use addresses::{Addresses, Seat};
use phase::Phase;
use wire::Wire;

mod addresses;
mod early;
mod phase;
mod wire;

#[cfg(test)]
mod tests;

/// What a request's head may take in memory.
const HEAD_BYTES: usize = 64 * 1024;
/// How long a connection on which nothing is asked stays open when the process stops: a request may be on its way.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Pause after an error of the listener, such as running out of file descriptors.
const LISTENER_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that is closed before its request was read to the end takes in the rest: a client that is
/// still writing would otherwise lose the answer with the connection.
const LINGER: Duration = Duration::from_secs(2);

/// Bounds on connections.
#[derive(Clone)]
pub struct Bounds {
    /// From a connection's beginning, or a request's first byte, to the end of its head.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// A client that takes nothing of its answer for so long is gone.
    pub write: Duration,
    /// Connections in all; further ones wait to be accepted.
    pub connections: usize,
    /// Connections of one address, or of one IPv6 /64; further ones are refused.
    pub per_address: usize,
    /// Addresses that the bound does not hold for: proxies, which speak for many.
    pub exempt: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Bounds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Bounds")
            .field("head", &self.head)
            .field("idle", &self.idle)
            .field("write", &self.write)
            .field("connections", &self.connections)
            .field("per_address", &self.per_address)
            .finish_non_exhaustive()
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
            connections: 2_000,
            per_address: 100,
            exempt: Arc::new(|_| false),
        }
    }
}

/// Serves `router` until `stop`; then takes no more connections, ends those that nothing is asked on, and returns when
/// the requests under way have been answered. Handlers find the client's address in `ConnectInfo<SocketAddr>`.
#[boxed]
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let server = Server { router, addresses: Addresses::new(bounds.per_address), bounds, stop };
    let places = Arc::new(Semaphore::new(server.bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
            () = server.stop.cancelled() => break,
        };
        let (tcp, peer, place) = accepted;
        let address = peer.ip().to_canonical();
        let seat =
            if (server.bounds.exempt)(address) { Some(Seat::free()) } else { server.addresses.take(address) };
        match seat {
            Some(seat) => {
                let server = server.clone();
                connections.spawn(async move {
                    server.connection(tcp, peer).await;
                    drop((seat, place));
                });
            }
            None => refuse(&tcp),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                // Answers are written in one go; holding them back for more would only delay them.
                let _ = tcp.set_nodelay(true);
                return (tcp, peer, place);
            }
            Err(error) => {
                tracing::warn!(event = "http.accept_failed", %error, "a connection could not be accepted");
                tokio::time::sleep(LISTENER_PAUSE).await;
            }
        }
    }
}

/// Says why, as far as the connection takes it at once, and hangs up.
fn refuse(tcp: &TcpStream) {
    let detail = "there are too many connections from your address; close some";
    let problem = Problem::new(Code::TooManyConnections, detail).retry_after(1);
    let _ = tcp.try_write(&last_words(&problem));
    metrics::counter!("http_connections_refused_total").increment(1);
}

/// A problem as it is written to a connection that has no request to answer.
fn last_words(problem: &Problem) -> Vec<u8> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let retry_after =
        problem.retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         content-length: {}\r\n{retry_after}connection: close\r\n\r\n",
        problem.status,
        problem.title,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

#[derive(Clone)]
struct Server {
    router: Router,
    bounds: Bounds,
    addresses: Addresses,
    stop: CancellationToken,
}

impl Server {
    async fn connection(&self, tcp: TcpStream, peer: SocketAddr) {
        let phase = Phase::default();
        let (wire, handle) = Wire::new(tcp, phase.clone(), &self.bounds);
        let (router, answering) = (self.router.clone(), phase.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            answering.begin();
            request.extensions_mut().insert(ConnectInfo(peer));
            let (router, phase) = (router.clone(), answering.clone());
            async move {
                let answer = early::answer(request, &phase, |request| async move {
                    let Ok(response) = router.oneshot(request).await;
                    response
                });
                Ok::<_, Infallible>(answer.await)
            }
        });
        let served = {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.bounds.idle)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(wire), service)
                .with_upgrades();
            let mut connection = pin!(connection);
            tokio::select! {
                served = connection.as_mut() => Some(served),
                () = self.stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        served = connection.as_mut() => Some(served),
                        () = phase.quiet(LAST_CALL) => None,
                    }
                }
            }
        };
        if let Some(Err(error)) = &served {
            tracing::debug!(event = "http.connection_ended", %error, "a connection ended");
        }
        farewell(&handle, &phase).await;
    }
}

/// What is left to do when hyper is done with a connection.
async fn farewell(tcp: &wire::Shared, phase: &Phase) {
    if phase.head_was_late() {
        let detail = "the request's head took too long to arrive";
        let problem = Problem::new(Code::RequestTimeout, detail);
        tcp.try_write(&last_words(&problem));
    }
    if phase.is_cut_short() {
        let _ = tokio::time::timeout(LINGER, tcp.discard()).await;
    }
}
