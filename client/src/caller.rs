//! Who calls, and where.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, header, request};
use serde::Serialize;
use uuid::Uuid;

use crate::{Call, Transport};

/// Somebody who calls the API: under one address, with one identity, in one language. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    base: Arc<str>,
    who: Who,
    language: Option<Arc<str>>,
}

#[derive(Clone)]
enum Who {
    Nobody,
    User(Arc<str>),
    Program(Arc<str>),
}

impl fmt::Debug for Client {
    /// Without tokens and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.who {
            Who::Nobody => "nobody",
            Who::User(_) => "a user",
            Who::Program(_) => "a program",
        };
        write!(f, "Client({who} at {})", self.base)
    }
}

impl Client {
    /// Nobody, who calls paths below `base`, such as `http://127.0.0.1:3000/api/v1`.
    pub fn new(transport: impl Transport + 'static, base: &str) -> Self {
        let base = base.trim_end_matches('/').into();
        Self { transport: Arc::new(transport), base, who: Who::Nobody, language: None }
    }

    /// The same person at another address.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into(), ..self.clone() }
    }

    /// Nobody, at the same address.
    #[must_use]
    pub fn as_nobody(&self) -> Self {
        Self { who: Who::Nobody, ..self.clone() }
    }

    /// A user by access token, at the same address.
    #[must_use]
    pub fn as_user(&self, token: &str) -> Self {
        Self { who: Who::User(token.into()), ..self.clone() }
    }

    /// A program by API key, at the same address.
    #[must_use]
    pub fn with_key(&self, api_key: &str) -> Self {
        Self { who: Who::Program(api_key.into()), ..self.clone() }
    }

    /// The same person, who reads this language (`Accept-Language`), or says nothing of it.
    #[must_use]
    pub fn reading(&self, language: Option<&str>) -> Self {
        Self { language: language.map(Into::into), ..self.clone() }
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Call {
        self.request(Method::GET, path)
    }

    /// `POST` of a JSON body, with an idempotency key like no other.
    pub fn post(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Call {
        self.request(Method::POST, path).json(body).key(&Uuid::new_v4().to_string())
    }

    /// `PUT` of a JSON body.
    pub fn put(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Call {
        self.request(Method::PUT, path).json(body)
    }

    /// `PATCH` with a JSON body.
    pub fn patch(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Call {
        self.request(Method::PATCH, path).json(body)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Call {
        self.request(Method::DELETE, path)
    }

    /// A request without body, and without idempotency key whatever its method.
    pub fn request(&self, method: Method, path: &str) -> Call {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        Call::new(Arc::clone(&self.transport), self.introduced(request).body(Bytes::new()))
    }

    fn introduced(&self, request: request::Builder) -> request::Builder {
        let request = match &self.who {
            Who::Nobody => request,
            Who::User(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Who::Program(key) => request.header("x-api-key", &**key),
        };
        match &self.language {
            Some(language) => request.header(header::ACCEPT_LANGUAGE, &**language),
            None => request,
        }
    }
}

#[cfg(test)]
mod tests;
