//! The one mapping from our errors to Temporal failures: what is retried, when, and under which type name a workflow
//! recognises it.

use std::time::Duration;

use adapters::providers::{ProviderError, UnknownProvider};
use domain::provisioning::FailureClass;
use store::StoreError;
use temporalio_sdk::{ApplicationFailure, activities::ActivityError};

/// Why a step did not go through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The order names a provider this worker was not given.
    #[error(transparent)]
    UnknownProvider(#[from] UnknownProvider),
    /// A create was sent and its outcome is not known: look again later.
    #[error("a create was sent whose outcome is not known yet; looking again in {0:?}")]
    OutcomePending(Duration),
    /// Another worker is at it.
    #[error("another worker is creating this server")]
    Overtaken,
    /// The provider lost a server it had confirmed.
    #[error("the provider no longer knows server {0}")]
    ServerLost(String),
    /// The provider ended an action without its effect, or the server's state does not allow it.
    #[error("{message}")]
    ActionRefused {
        /// What can be done about it.
        class: FailureClass,
        /// Why, for admins.
        message: String,
    },
    /// A server that is being deleted is still there; the reason is for admins.
    #[error("the server is not gone yet: {0}")]
    NotGone(String),
    /// A gateway gave no money back, or it is not known whether it did.
    #[error("{message}")]
    Refund {
        /// What can be done about it.
        class: FailureClass,
        /// Why, for staff.
        message: String,
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The worker or the workflow asked to stop.
    #[error("the step was cancelled")]
    Cancelled,
}

impl StepError {
    /// What can be done about it.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Store(StoreError::NotFound(_)) => FailureClass::NotFound,
            Self::Store(StoreError::Conflict { .. }) => FailureClass::Conflict,
            Self::Store(StoreError::Document(_) | StoreError::Amount(_)) => FailureClass::Permanent,
            Self::Store(StoreError::Credentials(_)) => FailureClass::Configuration,
            Self::Store(_)
            | Self::OutcomePending(_)
            | Self::Overtaken
            | Self::NotGone(_)
            | Self::Cancelled => FailureClass::Retryable,
            Self::ActionRefused { class, .. } | Self::Refund { class, .. } => *class,
            Self::Provider(error) => error.class,
            Self::UnknownProvider(_) => FailureClass::Configuration,
            Self::ServerLost(_) => FailureClass::NotFound,
        }
    }

    /// How long to wait before the next try, where we know better than the retry policy.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Provider(error) => error.retry_after,
            Self::Refund { retry_after, .. } => *retry_after,
            Self::OutcomePending(wait) => Some(*wait),
            _ => None,
        }
    }
}

/// The Temporal failure of a step. Always used instead of `?`, which would make every error retryable.
pub(crate) fn failure(error: impl Into<StepError>) -> ActivityError {
    let error = error.into();
    if matches!(error, StepError::Cancelled) {
        return ActivityError::cancelled();
    }
    let class = error.class();
    ActivityError::application(
        ApplicationFailure::builder(error.to_string())
            .type_name(class.as_str().to_owned())
            .non_retryable(!class.is_retryable())
            .maybe_next_retry_delay(error.retry_after())
            .build(),
    )
}
