//! One request.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Answer, Called, Error, Flaw, Reply, Transport};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that is ready to be sent, as often as wanted: it keeps its idempotency key, so that the API does once what it asks
/// for. Awaited, it is sent once and gives an [`Answer`].
#[derive(Clone)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    transport: Arc<dyn Transport>,
    /// What is wrong with the request is told when it is sent.
    request: Result<Request<Bytes>, Arc<Flaw>>,
}

impl fmt::Debug for Call {
    /// Without headers and body, which have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => write!(f, "Call({} {})", request.method(), request.uri().path()),
            Err(flaw) => write!(f, "Call({flaw})"),
        }
    }
}

impl Call {
    pub(crate) fn new(transport: Arc<dyn Transport>, request: Result<Request<Bytes>, http::Error>) -> Self {
        Self { transport, request: request.map_err(|error| Arc::new(error.into())) }
    }

    /// With this idempotency key, instead of another.
    pub fn key(self, key: &str) -> Self {
        self.header(IDEMPOTENCY_KEY, key)
    }

    /// With this header, instead of another of the same name.
    pub fn header<N>(mut self, name: N, value: &str) -> Self
    where
        HeaderName: TryFrom<N>,
        <HeaderName as TryFrom<N>>::Error: Into<http::Error>,
    {
        let set = |request: &mut Request<Bytes>| -> Result<(), http::Error> {
            let name = HeaderName::try_from(name).map_err(Into::into)?;
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
            Ok(())
        };
        if let Ok(request) = &mut self.request
            && let Err(error) = set(request)
        {
            self.request = Err(Arc::new(error.into()));
        }
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(error) => {
                self.request = self.request.and(Err(Arc::new(error.into())));
                self
            }
        }
    }

    /// With a body as it is.
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        if let Ok(request) = &mut self.request {
            *request.body_mut() = body.into();
        }
        self.header(header::CONTENT_TYPE, media_type)
    }

    /// Without body.
    pub fn without_body(mut self) -> Self {
        if let Ok(request) = &mut self.request {
            *request.body_mut() = Bytes::new();
            request.headers_mut().remove(header::CONTENT_TYPE);
        }
        self
    }

    /// Sends it, and gives the answer as it came, whatever it is.
    ///
    /// # Errors
    /// When it can't be sent, or no answer comes in time.
    pub async fn send(&self) -> Result<Reply, Error> {
        let request = self.request.clone().map_err(Error::Flaw)?;
        let called = Called { method: request.method().clone(), path: request.uri().path().into() };
        match self.transport.send(request).await {
            Ok(answer) => {
                let (parts, bytes) = answer.into_parts();
                Ok(Reply { called, status: parts.status, headers: parts.headers, bytes })
            }
            Err(source) => Err(Error::NoAnswer { called, source }),
        }
    }

    /// Sends it, and gives the answer read as JSON, whatever its status.
    ///
    /// # Errors
    /// As [`Call::send`].
    pub async fn answer(&self) -> Result<Answer, Error> {
        Ok(self.send().await?.into())
    }

    /// Sends it, and gives what it asked for.
    ///
    /// # Errors
    /// As [`Call::send`]; when it is refused, with the API's words; when the answer is not of this form.
    pub async fn fetch<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.send().await?.json()
    }
}

impl IntoFuture for Call {
    type Output = Result<Answer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.answer().await })
    }
}
