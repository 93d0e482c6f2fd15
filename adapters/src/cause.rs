//! What is behind a vendor's failure.

use std::{error::Error, fmt, sync::Arc};

/// An error that a failure came from, for its chain of causes. It names no address: paths have ids in them, and nobody
/// knows what a vendor puts into a query.
#[derive(Debug, Clone)]
pub enum Cause {
    /// The wire.
    Wire(Arc<reqwest::Error>),
    /// A body that is not what the API documents.
    Body(Arc<serde_json::Error>),
    /// The wire to a mail server.
    Mail(Arc<lettre::transport::smtp::Error>),
}

impl From<lettre::transport::smtp::Error> for Cause {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Mail(Arc::new(error))
    }
}

impl From<reqwest::Error> for Cause {
    fn from(error: reqwest::Error) -> Self {
        Self::Wire(Arc::new(error.without_url()))
    }
}

impl From<serde_json::Error> for Cause {
    fn from(error: serde_json::Error) -> Self {
        Self::Body(Arc::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Body(error) => error.fmt(f),
            Self::Mail(error) => error.fmt(f),
        }
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Wire(error) => error.source(),
            Self::Body(error) => error.source(),
            Self::Mail(error) => error.source(),
        }
    }
}

/// Two causes are the same when they say the same.
impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}
