//! Getting a server from a provider: how failures are sorted and how a server is recognised as ours.

use crate::{ids::OrderId, text_enum::text_enum};

text_enum! {
    /// What kind of trouble a provider reported. Adapters decide it once; everything above only reads it.
    FailureClass {
        /// Passing trouble: 429, 5xx, the network. Retried by itself.
        Retryable = "RETRYABLE",
        /// The region or size is sold out.
        Capacity = "CAPACITY",
        /// Our setup is wrong: image, credentials, account limit.
        Configuration = "CONFIGURATION",
        /// The provider does not know the thing we named.
        NotFound = "NOT_FOUND",
        /// The thing is busy or already as asked.
        Conflict = "CONFLICT",
        /// Will never work as asked.
        Permanent = "PERMANENT",
    }
}

impl FailureClass {
    /// True when trying again by itself can heal it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Retryable)
    }
}

text_enum! {
    /// Where the work of getting a server stands.
    TaskStatus {
        /// Not begun, or to be begun again.
        Pending = "PENDING",
        /// At the provider.
        InProgress = "IN_PROGRESS",
        /// The server runs.
        Completed = "COMPLETED",
        /// Gave up; `last_error` says why.
        Failed = "FAILED",
    }
}

/// The tag every server of ours carries at the provider.
pub const FLEET_TAG: &str = "webrana";

/// The tag (or unique label) of an order's server: the same for ever, so a server can be found again after any loss.
/// Letters, digits and dashes only, 39 characters: valid as tag or label at every provider.
#[must_use]
pub fn order_tag(order: OrderId) -> String {
    format!("wb-{order}")
}
