//! Giving money back: where it goes, how a refund stands, and how patiently a gateway is asked for it.

use crate::{billing::PaymentMethod, ids::RefundId, policy::StepPolicy, text_enum::text_enum};

text_enum! {
    /// Where money that is given back goes.
    RefundDestination {
        /// To the customer's balance with us. Always possible.
        Wallet = "WALLET",
        /// Back through the gateway that it was paid through, where that is possible.
        Gateway = "GATEWAY",
    }
}

text_enum! {
    /// Where a refund stands. One to the balance is `COMPLETED` at once.
    RefundStatus {
        /// Booked, and its gateway was not asked yet.
        Requested = "REQUESTED",
        /// The gateway was asked, perhaps several times, and nothing final is known.
        Sent = "SENT",
        /// The customer has the money.
        Completed = "COMPLETED",
        /// The gateway certainly did not give it back, so it went to the balance.
        ReturnedToWallet = "RETURNED_TO_WALLET",
    }
}

impl RefundStatus {
    /// True while the money is neither with the customer nor on the balance.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Sent)
    }

    /// Whether a refund may go from here to `next`; the database holds the same arrows.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Requested, Self::Sent | Self::ReturnedToWallet)
                | (Self::Sent, Self::Completed | Self::ReturnedToWallet)
        )
    }
}

/// Whether what was paid this way can go back the same way. Nothing leads back into a bank account that money was
/// transferred from.
#[must_use]
pub const fn leads_back(method: PaymentMethod) -> bool {
    matches!(method, PaymentMethod::Qris)
}

/// Why a credit note was issued: words for it are found when it is shown, unless somebody wrote them.
///
/// ```
/// use domain::refund::CreditReason;
///
/// let written = CreditReason::Written("Billed twice".to_owned());
/// assert_eq!(written.to_text(), "Billed twice");
/// let taken_back = CreditReason::PaymentTakenBack { gateway: "midtrans".to_owned() };
/// assert_eq!(CreditReason::from(taken_back.to_text()), taken_back);
/// // What papers said before there were kinds, they say for ever.
/// let earlier = "The payment was taken back through xendit";
/// assert_eq!(CreditReason::from(earlier.to_owned()), CreditReason::Written(earlier.to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", content = "params", rename_all = "snake_case")]
pub enum CreditReason {
    /// A gateway took back what was paid.
    PaymentTakenBack {
        /// Slug of the gateway.
        gateway: String,
    },
    /// Its owner called a server off before what was paid for it was served.
    ServerCancelled {
        /// Name of the server.
        server: String,
    },
    /// A server has a cheaper plan.
    ServerResized {
        /// Name of the server.
        server: String,
        /// Name of the plan.
        plan: String,
    },
    /// A server could not have the plan that was paid for.
    ResizeFailed {
        /// Name of the server.
        server: String,
        /// Name of the plan.
        plan: String,
    },
    /// In the words of who gave the money back.
    #[serde(untagged)]
    Written(String),
}

impl CreditReason {
    /// The words, where somebody wrote them.
    #[must_use]
    pub fn written(&self) -> Option<&str> {
        match self {
            Self::Written(text) => Some(text),
            _ => None,
        }
    }

    /// The text that it is kept as: a kind is JSON, words are as they were written.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Written(text) => text.clone(),
            // Strings in an object: there is nothing that JSON can't say.
            kind => serde_json::to_string(kind).unwrap_or_default(),
        }
    }
}

impl From<String> for CreditReason {
    /// Reads what was kept. All that is not one of the kinds is words.
    fn from(text: String) -> Self {
        match serde_json::from_str(&text) {
            Ok(Self::Written(_)) | Err(_) => Self::Written(text),
            Ok(kind) => kind,
        }
    }
}

/// How patiently a gateway is asked to give money back. All durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundPolicy {
    /// How patiently the gateway is asked. Then the money goes to the balance, if no call can have taken effect.
    #[serde(flatten)]
    pub steps: StepPolicy,
    /// So long after a call whose answer was lost the gateway must know of it, if it ever got it.
    pub settle_ms: u64,
}

impl Default for RefundPolicy {
    /// The production values: a day of calls, at least every ten minutes; a lost call shows within a quarter of an hour.
    fn default() -> Self {
        Self {
            steps: StepPolicy {
                heartbeat_timeout_ms: 30_000,
                retry_initial_ms: 2_000,
                retry_max_ms: 600_000,
                give_up_after_ms: 24 * 3_600_000,
            },
            settle_ms: 900_000,
        }
    }
}

/// What the workflow of a refund starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundStart {
    /// The refund; its id is also what the gateway knows it by.
    pub refund_id: RefundId,
    /// How patient it is.
    pub policy: RefundPolicy,
}

/// Workflow id of a refund.
#[must_use]
pub fn refund_workflow_id(refund: RefundId) -> String {
    format!("refund/{refund}")
}

#[cfg(test)]
mod tests {
    use super::{RefundStatus as S, *};

    #[test]
    fn what_is_final_stays() {
        for end in [S::Completed, S::ReturnedToWallet] {
            assert!(!end.is_open() && S::ALL.iter().all(|next| !end.may_become(*next)), "{end}");
        }
        assert!(S::ALL.iter().all(|next| !next.may_become(S::Requested)));
        assert!(!S::Requested.may_become(S::Completed), "nobody asked the gateway");
    }

    #[test]
    fn only_a_code_leads_back() {
        let back: Vec<_> = PaymentMethod::ALL.iter().filter(|method| leads_back(**method)).collect();
        assert_eq!(back, [&PaymentMethod::Qris]);
    }
}
