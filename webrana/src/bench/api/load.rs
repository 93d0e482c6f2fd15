//! So many connections, each asking again when it is answered, until the time is over.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;

/// A request that can be sent again and again.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: Url,
    access_token: Option<String>,
    body: Option<Value>,
}

impl Request {
    /// A read.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, access_token: None, body: None }
    }

    /// A write.
    pub fn post(url: Url, body: Value) -> Self {
        Self { method: Method::POST, url, access_token: None, body: Some(body) }
    }

    /// The same by somebody who is logged in.
    pub fn by(self, access_token: &str) -> Self {
        Self { access_token: Some(access_token.to_owned()), ..self }
    }

    /// Sends it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, http: &Client) -> reqwest::Result<Response> {
        let mut request = http.request(self.method.clone(), self.url.clone());
        if let Some(token) = &self.access_token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        request.send().await
    }
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Asked {
    /// How long each request took that was answered with a success.
    pub took: Vec<Duration>,
    /// Requests that were turned away for the moment (503), which tells the client when to come again.
    pub turned_away: usize,
    /// Other answers, by status; 0 where there was none.
    pub errors: BTreeMap<u16, usize>,
    /// How long it was asked.
    pub elapsed: Duration,
}

impl Asked {
    fn add(&mut self, other: Self) {
        self.took.extend(other.took);
        self.turned_away += other.turned_away;
        for (status, count) in other.errors {
            *self.errors.entry(status).or_default() += count;
        }
    }

    /// Successes a second; 0 when there was no time.
    #[allow(clippy::cast_precision_loss, reason = "a run has less than 2^52 requests")]
    pub fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.took.len() as f64 / seconds } else { 0.0 }
    }
}

/// Who asks.
pub struct Load {
    http: Client,
    connections: usize,
}

impl Load {
    /// So many connections of one client.
    pub fn new(http: Client, connections: usize) -> Self {
        Self { http, connections }
    }

    /// The same client with another number of connections.
    pub fn of(&self, connections: usize) -> Self {
        Self { http: self.http.clone(), connections }
    }

    /// Asks for `lasting`; each connection begins at another of the requests.
    ///
    /// # Errors
    /// When nothing is answered with a success.
    pub async fn ask(&self, requests: &[Request], lasting: Duration) -> Result<Asked> {
        let requests: Arc<[Request]> = requests.into();
        let begun = Instant::now();
        let mut connections = JoinSet::new();
        for number in 0..self.connections {
            connections.spawn(connection(self.http.clone(), Arc::clone(&requests), number, begun + lasting));
        }
        let mut asked = Asked::default();
        while let Some(of_one) = connections.join_next().await {
            asked.add(of_one.context("a connection panicked")?);
        }
        asked.elapsed = begun.elapsed();
        ensure!(!asked.took.is_empty(), "nothing is answered: {:?}", asked.errors);
        Ok(asked)
    }
}

async fn connection(http: Client, requests: Arc<[Request]>, number: usize, until: Instant) -> Asked {
    let mut asked = Asked::default();
    for request in requests.iter().cycle().skip(number % requests.len()) {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        match answered(request, &http).await {
            Ok(status) if (200..300).contains(&status) => asked.took.push(begun.elapsed()),
            Ok(503) => asked.turned_away += 1,
            Ok(status) => *asked.errors.entry(status).or_default() += 1,
            Err(_) => *asked.errors.entry(0).or_default() += 1,
        }
    }
    asked
}

/// The status of an answer that was read to its end.
async fn answered(request: &Request, http: &Client) -> reqwest::Result<u16> {
    let answer = request.send(http).await?;
    let status = answer.status().as_u16();
    answer.bytes().await?;
    Ok(status)
}
