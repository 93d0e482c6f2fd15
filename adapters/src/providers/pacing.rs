//! The door every call passes: somebody who knows how much of the vendor's rate limit is left decides when.

use std::time::Duration;

use async_trait::async_trait;

/// Decides when a call may be sent, and is told how it went. One stands for one provider account, however many
/// processes call it.
#[async_trait]
pub trait Pacer: Send + Sync + std::fmt::Debug {
    /// Waits for a call's turn in a lane of [`super::CloudProvider::rate_limits`].
    ///
    /// # Errors
    /// [`NotAdmitted`] when no call should be made for now.
    async fn admit(&self, lane: &'static str, call: Call) -> Result<(), NotAdmitted>;

    /// Is told how an admitted call went.
    async fn report(&self, lane: &'static str, outcome: &CallOutcome);
}

/// What a turn is wanted for. Creates come last: the calls that finish a server which is begun, or tell that it is
/// finished, are few and go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Anything but a create.
    Other,
    /// A create.
    Create,
}

/// No call is made for now: the provider is out of order, or what decides about calls is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotAdmitted {
    /// Why, for admins.
    pub reason: String,
    /// When to try again.
    pub retry_after: Duration,
}

/// How a call went, as far as pacing is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The vendor answered, with what its headers tell about the lane's limit, if they do.
    Answered(Option<Quota>),
    /// The vendor refused it as one too many, and for how long.
    RateLimited(Option<Duration>),
    /// A 5xx, a time-out or a lost connection: the vendor may be out of order.
    Trouble,
    /// A 500 to a call that changes something: it tells as much about the request as about the vendor (some answer
    /// so when a server is locked), and one customer's odd request must not keep everybody else's away.
    Unclear,
}

/// What a vendor's headers tell about a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls in a window.
    pub limit: u32,
    /// Calls left in it.
    pub remaining: u32,
}

/// Admits every call at once: for tests that are not about pace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaced;

#[async_trait]
impl Pacer for Unpaced {
    async fn admit(&self, _lane: &'static str, _call: Call) -> Result<(), NotAdmitted> {
        Ok(())
    }

    async fn report(&self, _lane: &'static str, _outcome: &CallOutcome) {}
}
