//! The life of an order. A transition is a value of [`Transition`]; there is no other way to name a change of
//! status, so an illegal one can't be written down. The database holds the same table as a trigger.

use crate::text_enum::text_enum;

text_enum! {
    /// Where an order stands.
    OrderStatus {
        /// Placed; the invoice is open.
        PendingPayment = "PENDING_PAYMENT",
        /// Paid in full; provisioning has not begun.
        Paid = "PAID",
        /// A server is being got from the provider.
        Provisioning = "PROVISIONING",
        /// Provisioning gave up for a reason an admin can act on.
        ProvisioningFailed = "PROVISIONING_FAILED",
        /// The customer has a running server.
        Active = "ACTIVE",
        /// Not paid in time. A late payment revives it.
        Expired = "EXPIRED",
        /// Called off.
        Cancelled = "CANCELLED",
        /// The money went back.
        Refunded = "REFUNDED",
    }
}

/// Every legal change of an order's status.
///
/// Money that comes late brings an expired order back; nothing brings back one that was called off.
///
/// ```
/// use domain::order::{OrderStatus, Transition};
///
/// assert!(Transition::Pay.allowed_from(OrderStatus::Expired));
/// assert!(!Transition::Pay.allowed_from(OrderStatus::Cancelled));
/// assert_eq!(Transition::Pay.to(), OrderStatus::Paid);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// The invoice was paid, in time or late.
    Pay,
    /// Unpaid past the deadline.
    Expire,
    /// Called off by the customer (unpaid) or by an admin (paid, being provisioned, or failed).
    Cancel,
    /// Work at the provider begins.
    StartProvisioning,
    /// Provisioning ended with an error that retrying by itself won't heal.
    FailProvisioning,
    /// An admin asks to try again.
    RetryProvisioning,
    /// The server runs.
    Activate,
    /// An admin attached a server by hand.
    Attach,
    /// The money goes back instead of a server.
    Refund,
}

impl Transition {
    /// Every transition.
    pub const ALL: &'static [Self] = &[
        Self::Pay,
        Self::Expire,
        Self::Cancel,
        Self::StartProvisioning,
        Self::FailProvisioning,
        Self::RetryProvisioning,
        Self::Activate,
        Self::Attach,
        Self::Refund,
    ];

    /// The statuses this transition may start from.
    #[must_use]
    pub const fn from(self) -> &'static [OrderStatus] {
        use OrderStatus as S;
        match self {
            Self::Pay => &[S::PendingPayment, S::Expired],
            Self::Expire => &[S::PendingPayment],
            Self::Cancel => &[S::PendingPayment, S::Paid, S::Provisioning, S::ProvisioningFailed],
            Self::StartProvisioning => &[S::Paid],
            Self::FailProvisioning | Self::Activate => &[S::Provisioning],
            Self::RetryProvisioning => &[S::ProvisioningFailed],
            Self::Attach => &[S::Provisioning, S::ProvisioningFailed],
            Self::Refund => &[S::Paid, S::ProvisioningFailed],
        }
    }

    /// The status this transition ends in.
    #[must_use]
    pub const fn to(self) -> OrderStatus {
        match self {
            Self::Pay => OrderStatus::Paid,
            Self::Expire => OrderStatus::Expired,
            Self::Cancel => OrderStatus::Cancelled,
            Self::StartProvisioning | Self::RetryProvisioning => OrderStatus::Provisioning,
            Self::FailProvisioning => OrderStatus::ProvisioningFailed,
            Self::Activate | Self::Attach => OrderStatus::Active,
            Self::Refund => OrderStatus::Refunded,
        }
    }

    /// True when an order in `status` may make this transition.
    #[must_use]
    pub fn allowed_from(self, status: OrderStatus) -> bool {
        self.from().contains(&status)
    }
}

/// Terms on offer, in months.
pub const TERMS: &[u32] = &[1, 3, 6, 12];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, str::FromStr};

    /// SPEC section 4, arrow by arrow, and that staff may call off what is being provisioned.
    #[test]
    fn the_arrows_are_exactly_those_of_the_specification() {
        let arrows: BTreeSet<(&str, &str)> = Transition::ALL
            .iter()
            .flat_map(|t| t.from().iter().map(|from| (from.as_str(), t.to().as_str())))
            .collect();
        let expected = BTreeSet::from([
            ("PENDING_PAYMENT", "PAID"),
            ("PENDING_PAYMENT", "EXPIRED"),
            ("PENDING_PAYMENT", "CANCELLED"),
            ("PAID", "PROVISIONING"),
            ("PAID", "CANCELLED"),
            ("PAID", "REFUNDED"),
            ("PROVISIONING", "ACTIVE"),
            ("PROVISIONING", "PROVISIONING_FAILED"),
            ("PROVISIONING", "CANCELLED"),
            ("PROVISIONING_FAILED", "PROVISIONING"),
            ("PROVISIONING_FAILED", "ACTIVE"),
            ("PROVISIONING_FAILED", "REFUNDED"),
            ("PROVISIONING_FAILED", "CANCELLED"),
            ("EXPIRED", "PAID"),
        ]);
        assert_eq!(arrows, expected);
    }

    #[test]
    fn words_round_trip() {
        for status in OrderStatus::ALL {
            assert_eq!(OrderStatus::from_str(status.as_str()), Ok(*status));
        }
        assert!(OrderStatus::from_str("paid").is_err());
    }
}
