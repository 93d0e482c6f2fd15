//! What payment gateways say: how a customer pays, where an attempt stands, and the webhook events that tell of it. An
//! event passes from the gateway's adapter to the database as it is; each room adds what it knows, none copies it.

use chrono::{DateTime, Utc};

use crate::{
    billing::{Evidence, PaymentOutcome, PaymentStatus, charged},
    dispute::Reversal,
    ids::{DisputeId, OrderId, PaymentId},
    money::Rupiah,
};

/// What a customer needs in order to pay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instructions {
    /// The gateway's own id of the transaction.
    pub transaction_id: String,
    /// QRIS: the text of the QR code.
    pub qr_string: Option<String>,
    /// Virtual account: the account's number.
    pub va_number: Option<String>,
    /// Mandiri: the bill's key.
    pub bill_key: Option<String>,
    /// Mandiri: the biller's code.
    pub biller_code: Option<String>,
    /// Until when the gateway takes the money, if it says so.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Instructions {
    /// Whether they say how to pay.
    #[must_use]
    pub const fn is_payable(&self) -> bool {
        self.qr_string.is_some() || self.va_number.is_some() || self.bill_key.is_some()
    }
}

/// Where a gateway says that an attempt stands, on being asked or in a webhook event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayReport {
    /// The gateway's own id of the transaction.
    pub transaction_id: Option<String>,
    /// Where the attempt stands, in our words.
    pub status: PaymentStatus,
    /// The amount, if it is whole rupiah; `None` for fractions, other currencies and nonsense. A payer's fee is in it.
    pub amount: Option<Rupiah>,
    /// What the gateway made the payer pay on top of what we charged, if it says so.
    pub payer_fee: Option<Rupiah>,
    /// Amount and currency exactly as received, for people.
    pub amount_as_received: String,
    /// What was taken back of the money, refunds of ours among them.
    pub reversals: Vec<Reversal>,
    /// How it can be paid, as far as the gateway says so again.
    pub instructions: Instructions,
}

impl GatewayReport {
    /// What was charged, by what it says; `None` when it names no amount of ours.
    #[must_use]
    pub fn charged(&self) -> Option<Rupiah> {
        charged(self.amount, self.payer_fee)
    }
}

/// What a webhook event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An attempt, by our name for it at the gateway.
    Attempt(String),
    /// A refund, by the gateway's id: of which attempt has to be asked for.
    Refund(String),
}

impl About {
    /// Our name for the attempt; the gateway's id of the refund while that is all that is known.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Attempt(name) | Self::Refund(name) => name,
        }
    }
}

/// Something that a gateway tells by itself, read from what it sent, or from what was kept of that.
///
/// How far it may be believed is part of it: the same words move an open attempt when the gateway was asked, and
/// nothing when nothing stands behind them.
///
/// ```
/// use domain::{Rupiah, billing::{Evidence, PaymentStatus}, gateway::{About, GatewayReport, Instructions, WebhookEvent}};
///
/// let event = WebhookEvent {
///     gateway: "midtrans",
///     about: About::Attempt("WB-0193e7d043627709b2624de1f9ad2f5e-1".into()),
///     dedupe_key: "513f1f01:settlement".into(),
///     report: GatewayReport {
///         transaction_id: Some("513f1f01".into()),
///         status: PaymentStatus::Paid,
///         amount: Some(Rupiah::new(134_132)),
///         payer_fee: Some(Rupiah::new(932)),
///         amount_as_received: "134132.00 IDR".into(),
///         reversals: Vec::new(),
///         instructions: Instructions::default(),
///     },
///     evidence: Some(Evidence::Signed),
///     body: b"{}".to_vec(),
/// };
/// assert_eq!(event.report.charged(), Some(Rupiah::new(133_200)));
/// // No signature covers what an amount is made up of.
/// assert!(event.must_be_asked_about());
/// assert!(!WebhookEvent { evidence: Some(Evidence::Asked), ..event }.must_be_asked_about());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Slug of the gateway.
    pub gateway: &'static str,
    /// What it is about.
    pub about: About,
    /// The gateway's identity of the event, with all that decides what it means: two events with the same key tell of
    /// the same.
    pub dedupe_key: String,
    /// What it says.
    pub report: GatewayReport,
    /// What stands behind its content. `None`: nothing, as with a token that anybody who ever saw it can repeat.
    pub evidence: Option<Evidence>,
    /// As it came.
    pub body: Vec<u8>,
}

impl WebhookEvent {
    /// What the event is kept under: with it the status that it names, so that one which had no effect never stands in
    /// the way of one that has.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.about.name(), self.dedupe_key, self.report.status)
    }

    /// Whether the gateway has to be asked before anything of it can be weighed: nothing stands behind it, or nothing
    /// behind the fee that it names.
    #[must_use]
    pub fn must_be_asked_about(&self) -> bool {
        match self.evidence {
            None => true,
            Some(evidence) => self.report.payer_fee.is_some() && !evidence.covers_payer_fee(),
        }
    }
}

/// What came of what a gateway said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It moved the attempt.
    Applied {
        /// The attempt.
        payment_id: PaymentId,
        /// Its order, if it pays one.
        order_id: Option<OrderId>,
        /// Where the attempt stands now.
        status: PaymentStatus,
        /// What the money did, if it was money.
        outcome: Option<PaymentOutcome>,
    },
    /// It told nothing new: it was overtaken by another one.
    Ignored,
    /// It contradicts what we were told before, or names a payer's fee, and a signature is not enough for that; or
    /// nothing stands behind it. Nothing moved, and nothing was kept.
    /// The gateway is to be asked, and what it says to be applied.
    AskFirst,
    /// Money of a paid attempt was taken back: somebody has to decide what follows. Nothing moved.
    Disputed {
        /// The attempt.
        payment_id: PaymentId,
        /// The dispute about it, the first one of several.
        dispute_id: DisputeId,
    },
    /// The same event was handled before.
    AlreadyHandled,
    /// It names another amount than the attempt's. Nothing moved.
    Mismatch {
        /// The attempt.
        payment_id: PaymentId,
        /// What the attempt is about.
        expected: Rupiah,
    },
    /// No attempt has that name. Nothing moved.
    UnknownPayment,
}
