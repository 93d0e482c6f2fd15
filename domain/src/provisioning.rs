//! Getting a server from a provider: how failures are sorted and how a server is recognised as ours.

use std::time::Duration;

use crate::{
    ids::{OrderId, UserId},
    installation::Installation,
    text_enum::text_enum,
};

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
        /// The provider has no such thing.
        Unsupported = "UNSUPPORTED",
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

/// What every tag of a server's installation begins with ([`crate::installation::Installation::tag`]).
pub const FLEET_TAG: &str = "webrana";

/// The tag (or unique label) of an order's server: the same for ever, so a server can be found again after any loss.
/// Letters, digits and dashes only, 39 characters: valid as tag or label at every provider.
///
/// ```
/// use domain::{ids::OrderId, provisioning::{cohort_tag, order_tag}};
///
/// let order: OrderId = "0193e7d0-4362-7709-b262-4de1f9ad2f5e".parse()?;
/// assert_eq!(order_tag(order), "wb-0193e7d0-4362-7709-b262-4de1f9ad2f5e");
/// assert_eq!(cohort_tag(order), "wbc-2024122106", "the hour is in the id");
/// # Ok::<(), uuid::Error>(())
/// ```
#[must_use]
pub fn order_tag(order: OrderId) -> String {
    format!("wb-{order}")
}

/// The name of the private network that a customer's servers of an installation share in a region with nobody else: the
/// same for ever, and nothing but ids. Letters, digits and dashes.
#[must_use]
pub fn network_name(installation: &Installation, customer: UserId, region: &str) -> String {
    format!("{}-{customer}-{region}", installation.tag())
}

/// After a create was made again because nobody knew what became of the first, the first one's server is looked for so
/// long after.
pub const CREATE_LOOKS: [Duration; 3] =
    [Duration::from_secs(120), Duration::from_secs(600), Duration::from_secs(3600)];

/// The tag that orders placed in one hour (UTC) share at the provider: a list by it shows all the servers that are
/// being waited for, without the rest of the fleet. Told from the order's id (a UUIDv7), so it never changes either.
#[must_use]
pub fn cohort_tag(order: OrderId) -> String {
    format!("wbc-{}", order.placed_at().unwrap_or_default().format("%Y%m%d%H"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_of_one_hour_share_their_cohort() {
        let order = |id: &str| id.parse::<OrderId>().unwrap();
        assert_eq!(cohort_tag(order("0193e7d0-4362-7709-b262-4de1f9ad2f5e")), "wbc-2024122106");
        assert_eq!(
            order_tag(order("0193e7d0-4362-7709-b262-4de1f9ad2f5e")),
            "wb-0193e7d0-4362-7709-b262-4de1f9ad2f5e"
        );
    }
}
