//! The other ends of open connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use uuid::Uuid;

use super::Told;

/// Longest wait for a connection to be somebody's.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a connection keeps to read into: this process has as many as the API.
const BUFFER_BYTES: usize = 1024;

type Socket = WebSocketStream<TcpStream>;

/// Open connections that are read.
pub struct Tabs {
    /// How many.
    pub opened: usize,
    closed: Arc<AtomicUsize>,
    reading: JoinSet<()>,
}

#[derive(Deserialize)]
struct Event {
    event: String,
    data: Value,
}

/// Opens a connection and says whose it is.
///
/// # Errors
/// When it is refused.
pub async fn open(address: SocketAddr, access_token: &str) -> Result<Socket> {
    let opening = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
        let url = format!("ws://{address}/ws/notifications");
        let (mut socket, _) = client_async_with_config(url, tcp, Some(config)).await?;
        let hello = json!({ "event": "authenticate", "data": access_token }).to_string();
        socket.send(Message::text(hello)).await?;
        let answer = socket.next().await.context("the connection was closed")??;
        let answer: Event = serde_json::from_str(answer.to_text()?)?;
        ensure!(answer.data["success"] == true, "it is not taken: {}", answer.data);
        Ok(socket)
    };
    timeout(PATIENCE, opening).await.context("a connection does not open")?
}

impl Tabs {
    /// Reads what is said on all of them.
    pub fn listen(sockets: Vec<Socket>, told: &Told) -> Self {
        let (opened, closed) = (sockets.len(), Arc::<AtomicUsize>::default());
        let mut reading = JoinSet::new();
        for socket in sockets {
            let (told, closed) = (told.clone(), Arc::clone(&closed));
            reading.spawn(async move {
                listen(socket, &told).await;
                closed.fetch_add(1, Ordering::Relaxed);
            });
        }
        Self { opened, closed, reading }
    }

    /// How many ended that nobody here ended.
    pub fn closed(&self) -> usize {
        self.closed.load(Ordering::Relaxed)
    }

    /// Hangs up.
    pub async fn close(mut self) {
        self.reading.shutdown().await;
    }
}

async fn listen(mut socket: Socket, told: &Told) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(event) = serde_json::from_str::<Event>(&text) else { continue };
        if event.event != "notification:new" {
            continue;
        }
        if let Some(id) = event.data["id"].as_str().and_then(|id| id.parse::<Uuid>().ok()) {
            told.heard(id);
        }
    }
}
