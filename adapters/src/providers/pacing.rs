//! The door every call passes: somebody who knows how much of the vendor's rate limit is left decides when.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    circuit::CircuitScope,
    rate_limit::{Caller, HeldBy},
};

/// Decides when a call may be sent, and is told how it went. One stands for one provider account, however many
/// processes call it.
#[async_trait]
pub trait Pacer: Send + Sync + std::fmt::Debug {
    /// Waits for a call's turn in a lane of [`super::CloudProvider::rate_limits`], as far as its caller's share goes.
    ///
    /// # Errors
    /// [`NotAdmitted`] when no call should be made for now.
    async fn admit(&self, lane: &'static str, caller: Caller, call: Call) -> Result<(), NotAdmitted>;

    /// Whether calls wait for turns at all.
    fn is_limited(&self) -> bool {
        true
    }

    /// Is told how an admitted call went.
    async fn report(&self, lane: &'static str, outcome: &CallOutcome);

    /// Whether this process was told a moment ago that no such calls are made: then nobody waits for a turn that would
    /// not be used.
    fn known_shut(&self, _scope: CircuitScope) -> Option<Shut> {
        None
    }

    /// Whether such a call may be sent, asked when its turn has come: its circuit may have opened meanwhile.
    ///
    /// # Errors
    /// [`Shut`] when no such call is made for now.
    async fn enter(&self, _scope: CircuitScope) -> Result<(), Shut> {
        Ok(())
    }

    /// Is told what an entered call says of the vendor.
    async fn left(&self, _scope: CircuitScope, _health: &Health) {}
}

/// An account's pacer, as one caller goes through it: an adapter can't be made without saying whose calls it sends.
#[derive(Debug, Clone)]
pub struct Paced {
    pacer: Arc<dyn Pacer>,
    caller: Caller,
}

impl Paced {
    /// The way through `pacer` for the calls of `caller`.
    #[must_use]
    pub fn new(pacer: Arc<dyn Pacer>, caller: Caller) -> Self {
        Self { pacer, caller }
    }

    /// Every call at once, for tests that are not about pace.
    #[must_use]
    pub fn unpaced() -> Self {
        Self::new(Arc::new(Unpaced), Caller::Servers)
    }

    /// The same account's pacer, for somebody else's calls.
    pub(super) fn called_by(&self, caller: Caller) -> Self {
        Self { pacer: Arc::clone(&self.pacer), caller }
    }

    pub(super) async fn admit(&self, lane: &'static str, call: Call) -> Result<(), NotAdmitted> {
        self.pacer.admit(lane, self.caller, call).await
    }

    pub(super) fn is_limited(&self) -> bool {
        self.pacer.is_limited()
    }

    pub(super) async fn report(&self, lane: &'static str, outcome: &CallOutcome) {
        self.pacer.report(lane, outcome).await;
    }

    pub(super) fn known_shut(&self, scope: CircuitScope) -> Option<Shut> {
        self.pacer.known_shut(scope)
    }

    pub(super) async fn enter(&self, scope: CircuitScope) -> Result<(), Shut> {
        self.pacer.enter(scope).await
    }

    pub(super) async fn left(&self, scope: CircuitScope, health: &Health) {
        self.pacer.left(scope, health).await;
    }
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

/// No call is made for now: the provider is out of order, or what decides about calls is, or the caller has had its
/// share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotAdmitted {
    /// Why, for admins.
    pub reason: String,
    /// When to try again.
    pub retry_after: Duration,
    /// Who is in the way.
    pub by: HeldBy,
}

/// How a call went, as far as pacing is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The vendor answered, with what its headers tell about the lane's limit, if they do.
    Answered(Option<Quota>),
    /// The vendor refused it as one too many, and for how long.
    RateLimited(Option<Duration>),
    /// Nothing came that tells of the limit.
    Silent,
}

/// What a call says of the vendor and of our account there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The vendor answered, be it with a refusal of this request.
    Answered,
    /// A 5xx, a time-out, a lost connection, or an answer that is not the vendor's: such calls may be in vain. In words.
    Failed(String),
    /// The vendor turns our account away for these calls, whatever is asked. In its words.
    Refused(CircuitScope, String),
    /// A 500 to a call that changes something: it tells as much about the request as about the vendor (some answer
    /// so when a server is locked), and one customer's odd request must not keep everybody else's away.
    Unclear,
}

/// No such call is made for now: those before failed, or the vendor turns our account away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// What the last call met, for admins.
    pub reason: String,
    /// When to try again.
    pub retry_after: Duration,
    /// The vendor turned our account away.
    pub refused: bool,
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
    async fn admit(&self, _lane: &'static str, _caller: Caller, _call: Call) -> Result<(), NotAdmitted> {
        Ok(())
    }

    async fn report(&self, _lane: &'static str, _outcome: &CallOutcome) {}
}
