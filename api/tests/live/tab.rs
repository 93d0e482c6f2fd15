//! A tab of somebody's browser, with its connection.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

/// Longer than anything takes that is awaited.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Tab(WebSocketStream<TcpStream>);

impl Tab {
    /// Connects, with these headers.
    pub async fn try_connect(
        address: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let host = address.strip_prefix("http://").unwrap();
        let mut request = format!("ws://{host}/ws/notifications").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let tcp = TcpStream::connect(host).await.unwrap();
        client_async(request, tcp).await.map(|(socket, _)| Self(socket))
    }

    /// Connects, and says nothing yet; it reads English.
    pub async fn connect(address: &str) -> Self {
        Self::try_connect(address, &[("accept-language", "en")]).await.unwrap()
    }

    /// Connects, and says whose it is. Answers with the place where it begins.
    pub async fn open(address: &str, token: &str) -> (Self, String) {
        let mut tab = Self::connect(address).await;
        tab.authenticate(token).await;
        let welcome = tab.hear().await;
        assert_eq!(
            (&welcome["event"], &welcome["data"]),
            (&json!("authenticated"), &json!({ "success": true }))
        );
        let place = welcome["cursor"].as_str().unwrap().to_owned();
        (tab, place)
    }

    /// Connects anew, where another connection was told up to `cursor`. Answers with what it is greeted with.
    pub async fn reopen(address: &str, token: &str, cursor: &str) -> (Self, Value) {
        let mut tab = Self::connect(address).await;
        tab.say(&json!({ "event": "authenticate", "data": token, "resume": cursor })).await;
        let welcome = tab.hear().await;
        (tab, welcome)
    }

    pub async fn authenticate(&mut self, token: &str) {
        self.say(&json!({ "event": "authenticate", "data": token })).await;
    }

    pub async fn say(&mut self, message: &Value) {
        self.write(&message.to_string()).await;
    }

    pub async fn write(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The ids of what it is told next, so many.
    pub async fn ids(&mut self, number: usize) -> Vec<Value> {
        let mut ids = Vec::new();
        for _ in 0..number {
            ids.push(self.hear().await["data"]["id"].clone());
        }
        ids
    }

    /// Reads on to the connection's end. Answers with the code, and the reason.
    pub async fn end(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.unwrap();
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Hangs up, as a network does: without a word.
    pub fn lose(self) -> TcpStream {
        self.0.into_inner()
    }

    async fn next(&mut self) -> Message {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.unwrap();
            match next.unwrap().unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }
}
