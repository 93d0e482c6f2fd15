//! What can go wrong with a call.

use std::{fmt, sync::Arc};

use http::{Method, StatusCode};

use crate::NoAnswer;

/// Which call it was: method and path, without the query and what goes with it.
#[derive(Debug, Clone)]
pub struct Called {
    pub(crate) method: Method,
    pub(crate) path: Box<str>,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Why a call did not come to what it was for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be sent at all.
    #[error("the request can't be made")]
    Flaw(#[source] Arc<Flaw>),
    /// The transport can't be set up.
    #[error("requests can't be sent")]
    Transport(#[source] NoAnswer),
    /// It was sent, and no answer came in time. Whether it was done is not known: the same [`Call`](crate::Call), sent again,
    /// is done once.
    #[error("{called}: no answer")]
    NoAnswer {
        /// Which call.
        called: Called,
        /// Why.
        source: NoAnswer,
    },
    /// The answer has another status than one that was wanted.
    #[error("{called} was answered with {status}: {words}")]
    Refused {
        /// Which call.
        called: Called,
        /// The answer's status.
        status: StatusCode,
        /// The answer's body, which says why in the API's own words.
        words: String,
    },
    /// The answer is not of the form that was expected.
    #[error("{called}: the answer is not as documented: {words}")]
    Undocumented {
        /// Which call.
        called: Called,
        /// The answer's body.
        words: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// Its address or a header.
    #[error("its address or a header is not allowed in HTTP")]
    Http(#[from] http::Error),
    /// Its body.
    #[error("its body is no JSON")]
    Body(#[from] serde_json::Error),
}
