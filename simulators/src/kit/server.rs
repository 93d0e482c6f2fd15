//! Serving a simulator over TCP in a way that lets it hang up on a client in the middle of an exchange.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// How long running requests may take to finish once a simulator is told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// The connection a request came by: who is at the other end, and a way to hang up.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The client's address.
    pub peer: SocketAddr,
    hung_up: Arc<AtomicBool>,
}

impl Connection {
    /// Closes the connection instead of sending whatever comes next on it.
    pub fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Incoming>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        stream.io().connection.clone()
    }
}

/// Accepts connections that can be hung up on.
#[derive(Debug)]
pub struct Incoming(TcpListener);

impl Listener for Incoming {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (tcp, peer) = Listener::accept(&mut self.0).await;
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "a simulator's connection keeps Nagle's delay");
        }
        (Stream { tcp, connection: Connection { peer, hung_up: Arc::default() } }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A TCP stream that refuses to write once its [`Connection`] has hung up.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    connection: Connection,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.connection.hung_up.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Serves `app` until `shutdown` resolves; then lets running requests finish for two seconds at most.
///
/// # Errors
/// Only when the listener itself fails.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel::<()>();
    let service = app.into_make_service_with_connect_info::<Connection>();
    let server = axum::serve(Incoming(listener), service).with_graceful_shutdown(async move {
        shutdown.await;
        // The receiver is gone only when the server has ended by itself.
        let _ = stopping.send(());
    });
    tokio::select! {
        result = server.into_future() => result,
        () = async { let _ = stopped.await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// A simulator running in this process on a free loopback port until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Binds a free port on 127.0.0.1 and serves `app` there.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(app: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, app, async {
            // Sent or dropped: both mean stop.
            let _ = stopped.await;
        }));
        Ok(Self { address, stop, task })
    }

    /// Where it listens, such as `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and waits until its port is closed.
    ///
    /// # Errors
    /// Whatever [`serve`] ended with.
    pub async fn stop(self) -> io::Result<()> {
        drop(self.stop);
        self.task.await.map_err(io::Error::other)?
    }
}
