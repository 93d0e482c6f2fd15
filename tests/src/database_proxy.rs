//! A way to Postgres through a network that may swallow connections: they stay open, what is said on them is taken, and
//! no answer ever comes.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running proxy; it takes no more connections once it is dropped.
#[derive(Debug)]
pub struct DatabaseProxy {
    url: String,
    swallow: watch::Sender<()>,
    _stop: DropGuard,
}

impl DatabaseProxy {
    /// Starts one in front of the server of this URL.
    ///
    /// # Errors
    /// When the URL names no server or no port is free.
    pub async fn start(server: &str) -> Result<Self> {
        let mut url: url::Url = server.parse()?;
        let upstream =
            (url.host_str().context("a host")?.to_owned(), url.port().context("the server's port")?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address: SocketAddr = listener.local_addr()?;
        url.set_host(Some("127.0.0.1"))?;
        let _ = url.set_port(Some(address.port()));
        let (swallow, swallowed) = watch::channel(());
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut swallowed = swallowed.clone();
                swallowed.mark_unchanged();
                tokio::spawn(carry(client, upstream.clone(), swallowed));
            }
        }));
        Ok(Self { url: url.into(), swallow, _stop: stop.drop_guard() })
    }

    /// The server's URL through the proxy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Swallows all connections there are. New ones get through.
    pub fn swallow(&self) {
        self.swallow.send_replace(());
    }
}

async fn carry(mut client: TcpStream, upstream: (String, u16), mut swallowed: watch::Receiver<()>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => return,
        _ = swallowed.changed() => {}
    }
    let mut unheard = [0; 4096];
    while client.read(&mut unheard).await.is_ok_and(|read| read > 0) {}
}
