//! How requests travel.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// Carries a request to the API, and its whole answer back.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request, whose address is absolute, and reads the answer to its end.
    ///
    /// # Errors
    /// When no answer came, or not all of it. It may have been worked on nevertheless.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer>;
}

/// No answer came, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NoAnswer(Box<dyn std::error::Error + Send + Sync>);

impl NoAnswer {
    /// Says why.
    pub fn because(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(why.into())
    }
}

/// The network. Connections are kept, and shared by clones.
#[derive(Debug, Clone)]
pub struct Network(reqwest::Client);

impl Network {
    /// Waits so long for an answer, from connecting to its last byte, and uses no proxy.
    ///
    /// # Errors
    /// When the machine's TLS can't be set up.
    pub fn within(timeout: Duration) -> Result<Self, Error> {
        let client = reqwest::Client::builder().timeout(timeout).no_proxy().build();
        client.map(Self).map_err(|error| Error::Transport(NoAnswer::because(error)))
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        let request = reqwest::Request::try_from(request).map_err(NoAnswer::because)?;
        let mut answer = self.0.execute(request).await.map_err(NoAnswer::because)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut whole = http::Response::new(answer.bytes().await.map_err(NoAnswer::because)?);
        *whole.status_mut() = status;
        *whole.headers_mut() = headers;
        Ok(whole)
    }
}
