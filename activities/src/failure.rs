//! The one mapping from our errors to Temporal failures: what is retried, when, and under which type name a workflow
//! recognises it.

use std::time::Duration;

use adapters::{
    payments::GatewayError,
    providers::{ProviderError, UnknownProvider},
};
use domain::{causes::in_full, delivery::DeliveryTrouble, provisioning::FailureClass};
use store::StoreError;
use temporalio_sdk::{ApplicationFailure, activities::ActivityError};

use crate::sweep::EngineError;

/// The type of a failure that the database gave for no reason that passes. It is tried again all the same, and goes through
/// once somebody mended the cause.
pub(crate) const BUG: &str = "BUG";

/// The type of a failure that is none: staff paused provisioning. What it ends goes on after the pause.
pub(crate) const PAUSED: &str = workflows::PAUSED;

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
    /// The server that our record names is another installation's: our database is a copy of theirs.
    #[error("server {server} belongs to the installation `{installation}` and is left alone")]
    Foreign {
        /// The provider's id of it.
        server: String,
        /// Whose it is.
        installation: String,
    },
    /// The customer's private network is gone; the next try makes another.
    #[error("the provider no longer knows network {0}")]
    NetworkLost(String),
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
    /// A server that is being deleted is still there: its provider did not do it.
    #[error("the server is not gone yet: {0}")]
    NotDeleted(#[source] Box<Self>),
    /// A gateway gave no money back, or it is not known whether it did.
    #[error("{message}")]
    Refund {
        /// What can be done about it.
        class: FailureClass,
        /// Why, for staff.
        message: String,
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
        /// What the gateway met.
        source: Option<GatewayError>,
    },
    /// A message was not acknowledged; it is tried again.
    #[error("{message}")]
    NotDelivered {
        /// What it is about.
        trouble: DeliveryTrouble,
        /// Where it happened, without addresses.
        message: String,
        /// How long the other side asked us to wait, or an earlier attempt may take to end.
        retry_after: Option<Duration>,
    },
    /// Staff paused provisioning, for this reason.
    #[error("provisioning is paused: {0}")]
    Paused(String),
    /// The engine did not answer a question about its workflows.
    #[error("{0}")]
    Engine(#[source] EngineError),
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
            | Self::NetworkLost(_)
            | Self::NotGone(_)
            | Self::NotDeleted(_)
            | Self::NotDelivered { .. }
            | Self::Paused(_)
            | Self::Engine(_)
            | Self::Cancelled => FailureClass::Retryable,
            Self::ActionRefused { class, .. } | Self::Refund { class, .. } => *class,
            Self::Provider(error) => error.class,
            Self::UnknownProvider(_) => FailureClass::Configuration,
            Self::ServerLost(_) => FailureClass::NotFound,
            Self::Foreign { .. } => FailureClass::Permanent,
        }
    }

    /// Whether trying again by itself can heal it: also when our account is at fault, since then no order is.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Provider(error) => error.is_passing(),
            _ => self.class().is_retryable(),
        }
    }

    /// What ends a delete early becomes a reason to try again: a server that is not gone costs money, whatever its
    /// provider says, so only its end ends a delete. One of another installation is not ours to delete.
    pub(crate) fn until_gone(self) -> Self {
        match self {
            Self::Cancelled | Self::Foreign { .. } | Self::Store(StoreError::NotFound(_)) => self,
            error if error.is_passing() => error,
            refused => Self::NotDeleted(Box::new(refused)),
        }
    }

    /// How long to wait before the next try, where we know better than the retry policy.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Provider(error) => error.retry_after,
            Self::Refund { retry_after, .. } | Self::NotDelivered { retry_after, .. } => *retry_after,
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
    let type_name = match &error {
        StepError::Paused(_) => PAUSED,
        error if is_bug(error) => BUG,
        _ => class.as_str(),
    };
    ActivityError::application(
        ApplicationFailure::builder(in_full(&error))
            .type_name(type_name.to_owned())
            .non_retryable(!error.is_passing())
            .maybe_next_retry_delay(error.retry_after())
            .build(),
    )
}

/// The end of a step at a provider that staff paused: the workflow begins it again after the pause.
pub(crate) fn ended_by_pause(reason: &StepError) -> ActivityError {
    let failure = ApplicationFailure::builder(in_full(reason)).type_name(PAUSED.to_owned());
    ActivityError::application(failure.non_retryable(true).build())
}

/// A database that did not answer, and might never.
pub(crate) fn silent(patience: Duration) -> ActivityError {
    let failure = ApplicationFailure::builder(format!("the database did not answer within {patience:?}"));
    ActivityError::application(failure.type_name(FailureClass::Retryable.as_str().to_owned()).build())
}

/// Whether the database refused what we asked for, whose rules say that we should not have.
fn is_bug(error: &StepError) -> bool {
    match error {
        StepError::Store(error @ (StoreError::Db(_) | StoreError::Taken { .. })) => !error.is_transient(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(error: StoreError) -> (String, bool) {
        let ActivityError::Application(failure) = failure(error) else { panic!("no failure") };
        (failure.type_name().unwrap_or_default().to_owned(), failure.is_non_retryable())
    }

    #[test]
    fn what_passes_and_what_is_a_bug_are_told_apart_and_both_are_tried_again() {
        let away = StoreError::Db(sqlx::Error::PoolTimedOut);
        assert_eq!(type_of(away), ("RETRYABLE".to_owned(), false));
        let bug = StoreError::Db(sqlx::Error::RowNotFound);
        assert_eq!(type_of(bug), (BUG.to_owned(), false));
        let twice = StoreError::Taken { constraint: "orders_pkey".to_owned() };
        assert_eq!(type_of(twice), (BUG.to_owned(), false));
        assert_eq!(type_of(StoreError::NotFound("order")), ("NOT_FOUND".to_owned(), true));
    }
}
