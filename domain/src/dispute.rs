//! Money that a gateway took back without our asking: what it told, and where the dispute about it stands.

use crate::{billing::PaymentStatus, money::Rupiah, text_enum::text_enum};

text_enum! {
    /// How money of a paid attempt was taken back.
    ReversalKind {
        /// Given back to the customer, such as by hand in the gateway's own dashboard.
        Refund = "REFUND",
        /// Taken back by the customer's bank.
        Chargeback = "CHARGEBACK",
        /// The gateway does not count the attempt as paid any more: denied, cancelled, expired or failed after it was settled.
        Withdrawn = "WITHDRAWN",
    }
}

text_enum! {
    /// Where a dispute stands.
    DisputeStatus {
        /// Somebody has to decide.
        Open = "OPEN",
        /// It is so: the books follow.
        Accepted = "ACCEPTED",
        /// It is not so, or settled elsewhere: the books stay.
        Dismissed = "DISMISSED",
    }
}

impl DisputeStatus {
    /// Whether a dispute may go from here to `next`; the database holds the same arrows. What was dismissed by mistake can
    /// still be accepted; what is in the books stays there.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Open, Self::Accepted | Self::Dismissed) | (Self::Dismissed, Self::Accepted)
        )
    }
}

/// A part of a paid attempt's money, or all of it, that a gateway says was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The gateway's name for it: the same one again is the same reversal.
    pub name: String,
    /// The name that it was asked for by, if the gateway says so: for a refund of ours, its id.
    pub refund_key: Option<String>,
    /// How it was taken back.
    pub kind: ReversalKind,
    /// How much, if the gateway says so in whole rupiah.
    pub amount: Option<Rupiah>,
    /// The amount in the gateway's own words.
    pub amount_as_received: String,
}

/// What does not fit about what a gateway tells. Kept as JSON: words for it are found when it is shown, unless they are
/// the gateway's own, or were kept before there were kinds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", content = "params", rename_all = "snake_case")]
pub enum MisfitReason {
    /// It names another amount than the payment's.
    OtherAmount {
        /// Amount and currency in the gateway's own words.
        told: String,
        /// What the payment is about.
        expected: Rupiah,
    },
    /// No payment has that name.
    UnknownPayment,
    /// It takes money back of which nothing is left.
    MoreThanAll {
        /// The gateway's name for the reversal.
        reversal: String,
        /// The amount in the gateway's own words.
        amount: String,
    },
    /// It never told what became of the payment, and is asked no more.
    GivenUp {
        /// Where the payment stands here.
        status: PaymentStatus,
    },
    /// In somebody's words.
    #[serde(untagged)]
    Written(String),
}

impl Reversal {
    /// All that is left of an attempt was taken back, since its gateway says it stands at `status` now.
    #[must_use]
    pub fn withdrawn(status: PaymentStatus) -> Self {
        Self {
            name: status.as_str().to_ascii_lowercase(),
            refund_key: None,
            kind: ReversalKind::Withdrawn,
            amount: None,
            amount_as_received: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DisputeStatus as S, *};

    #[test]
    fn what_is_in_the_books_stays_there() {
        assert!(S::ALL.iter().all(|next| !S::Accepted.may_become(*next) && !next.may_become(S::Open)));
        assert!(S::Dismissed.may_become(S::Accepted) && !S::Dismissed.may_become(S::Dismissed));
    }

    #[test]
    fn what_does_not_fit_is_a_kind_or_words() {
        let reasons = [
            MisfitReason::OtherAmount { told: "1.00 IDR".to_owned(), expected: Rupiah::new(143_190) },
            MisfitReason::UnknownPayment,
            MisfitReason::MoreThanAll { reversal: "r-1".to_owned(), amount: "5 IDR".to_owned() },
            MisfitReason::GivenUp { status: PaymentStatus::Pending },
            MisfitReason::Written("no event we know".to_owned()),
        ];
        for reason in reasons {
            let kept = serde_json::to_value(&reason).unwrap();
            assert_eq!(serde_json::from_value::<MisfitReason>(kept).unwrap(), reason);
        }
        // As it was kept before there were kinds.
        let earlier = serde_json::json!("says 1.00 IDR, not Rp143.190");
        assert!(matches!(serde_json::from_value(earlier), Ok(MisfitReason::Written(_))));
    }
}
