//! What came back: as it came, and read as JSON.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Called, Error};

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Reply {
    /// To which call.
    pub called: Called,
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
}

impl Reply {
    /// The same, when it is a success (2xx).
    ///
    /// # Errors
    /// Else, with the API's words.
    pub fn success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let words = String::from_utf8_lossy(&self.bytes).into_owned();
        Err(Error::Refused { called: self.called, status: self.status, words })
    }

    /// The body of a success, read at once into `T`.
    ///
    /// # Errors
    /// When it is none, or not of this form.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let Self { called, bytes, .. } = self.success()?;
        serde_json::from_slice(&bytes).map_err(|source| {
            let words = String::from_utf8_lossy(&bytes).into_owned();
            Error::Undocumented { called, words, source }
        })
    }
}

/// An answer whose body was read as JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// To which call.
    pub called: Called,
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; null when there is none, or when it is not JSON.
    pub body: Value,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let Reply { called, status, headers, bytes } = reply;
        Self { called, status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }
}

impl Answer {
    /// A problem's code; empty when the answer is no problem.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The same, when it has this status.
    ///
    /// # Errors
    /// Else, with the API's words.
    pub fn ensure(self, status: u16) -> Result<Self, Error> {
        if self.status.as_u16() == status {
            return Ok(self);
        }
        Err(Error::Refused { called: self.called, status: self.status, words: self.body.to_string() })
    }

    /// The body of a success (2xx) as a `T`.
    ///
    /// # Errors
    /// When it is none, or not of this form.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let Self { called, status, body, .. } = self;
        if !status.is_success() {
            return Err(Error::Refused { called, status, words: body.to_string() });
        }
        T::deserialize(&body).map_err(|source| Error::Undocumented {
            called,
            words: body.to_string(),
            source,
        })
    }
}
