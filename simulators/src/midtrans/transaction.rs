//! A transaction, and its form in answers and notifications.

use chrono::{DateTime, Duration, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};
use uuid::Uuid;

use super::channel::Channel;
use crate::kit::gateway::{Charge, Outcome};

pub(super) const MERCHANT_ID: &str = "G000000001";

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Settlement => "settlement",
            Self::Pending => "pending",
            Self::Deny => "deny",
            Self::Expire => "expire",
            Self::Cancel => "cancel",
        }
    }

    /// `status_code` of a notification.
    const fn notified_code(self) -> &'static str {
        match self {
            Self::Settlement | Self::Cancel => "200",
            Self::Pending => "201",
            Self::Deny | Self::Expire => "202",
        }
    }

    /// `status_code` of `GET /v2/{order_id}/status`.
    const fn status_code(self) -> &'static str {
        match self {
            Self::Expire => "407",
            other => other.notified_code(),
        }
    }

    const fn fraud_status(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            _ => "accept",
        }
    }
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) refund_chargeback_id: u32,
    pub(super) refund_key: String,
    /// Whether the customer's bank took it back: it has no key then.
    #[serde(default)]
    pub(super) chargeback: bool,
    pub(super) amount: i64,
    pub(super) reason: String,
    pub(super) created_at: DateTime<Utc>,
}

/// One charge and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) transaction_id: Uuid,
    pub(super) order_id: String,
    pub(super) gross_amount: i64,
    pub(super) channel: Channel,
    pub(super) outcome: Outcome,
    pub(super) transaction_time: DateTime<Utc>,
    pub(super) expiry_time: DateTime<Utc>,
    pub(super) settlement_time: Option<DateTime<Utc>>,
    /// What was paid in the vendor's words, if it is not what was charged.
    #[serde(default)]
    pub(super) paid_amount: Option<String>,
    /// What the payer was made to pay on top of what was charged.
    #[serde(default)]
    pub(super) payer_fee: i64,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
}

impl Charge for Transaction {
    fn key(&self) -> String {
        self.order_id.clone()
    }

    fn reference(&self) -> &str {
        &self.order_id
    }

    fn expire(&mut self, now: DateTime<Utc>) -> bool {
        let is_over = self.outcome == Outcome::Pending && self.expiry_time <= now;
        if is_over {
            self.turn(Outcome::Expire);
        }
        is_over
    }
}

/// By the merchant's order id or by the vendor's transaction id.
pub(super) fn by_id(id: &str) -> impl Fn(&Transaction) -> bool {
    move |transaction| transaction.order_id == id || transaction.transaction_id.to_string() == id
}

impl Transaction {
    pub(super) fn new(order_id: &str, gross_amount: i64, channel: Channel, lasts: Option<Duration>) -> Self {
        let now = Utc::now();
        let lasts = lasts.unwrap_or_else(|| Duration::minutes(channel.default_expiry_minutes()));
        Self {
            transaction_id: Uuid::new_v4(),
            order_id: order_id.to_owned(),
            gross_amount,
            channel,
            outcome: Outcome::Pending,
            transaction_time: now,
            expiry_time: now + lasts,
            settlement_time: None,
            paid_amount: None,
            payer_fee: 0,
            refunds: Vec::new(),
        }
    }

    /// Money that arrived stays, and arrives even late; other outcomes close only what is pending.
    pub(super) fn turn(&mut self, outcome: Outcome) {
        if outcome == Outcome::Settlement {
            self.settlement_time.get_or_insert_with(Utc::now);
            self.outcome = outcome;
        } else if self.outcome == Outcome::Pending {
            self.outcome = outcome;
        }
    }

    /// Answer to `POST /v2/charge`.
    pub(super) fn created(&self, host: &str) -> Value {
        let mut body = self.body("201", self.channel.created_message(), Outcome::Pending);
        if let Channel::Qris { qr_string, .. } = &self.channel {
            let image = format!("http://{host}/v2/qris/{}/qr-code", self.transaction_id);
            body.insert("qr_string".to_owned(), json!(qr_string));
            body.insert(
                "actions".to_owned(),
                json!([{ "name": "generate-qr-code", "method": "GET", "url": image }]),
            );
        }
        Value::Object(body)
    }

    /// All that is paid: what was charged, and the payer's fee.
    pub(super) const fn gross(&self) -> i64 {
        self.gross_amount.saturating_add(self.payer_fee)
    }

    /// What may still be given back.
    pub(super) fn refundable(&self) -> i64 {
        self.gross() - self.refunded()
    }

    fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    /// Answer to `GET /v2/{order_id}/status`.
    pub(super) fn status(&self, server_key: &str) -> Value {
        let mut body = self.body(self.outcome.status_code(), "Success, transaction is found", self.outcome);
        if let (Some(paid), Outcome::Settlement) = (&self.paid_amount, self.outcome) {
            body.insert("gross_amount".to_owned(), json!(paid));
        }
        self.describe_refunds(&mut body);
        self.sign(&mut body, server_key);
        Value::Object(body)
    }

    /// Answer to a refund, which is the latest one.
    pub(super) fn refund_answer(&self) -> Value {
        let mut body = self.body("200", "Success, refund request is approved", self.outcome);
        self.describe_refunds(&mut body);
        if let Some(latest) = self.refunds.last() {
            body.insert("refund_chargeback_id".to_owned(), json!(latest.refund_chargeback_id));
            body.insert("refund_amount".to_owned(), json!(rupiah(latest.amount)));
            body.insert("refund_key".to_owned(), json!(latest.refund_key));
        }
        body.remove("refunds");
        Value::Object(body)
    }

    /// A notification of the latest refund.
    pub(super) fn refund_notification(&self, server_key: &str) -> Value {
        let mut body = self.body("200", "midtrans payment notification", self.outcome);
        self.describe_refunds(&mut body);
        self.sign(&mut body, server_key);
        Value::Object(body)
    }

    fn describe_refunds(&self, body: &mut Map<String, Value>) {
        let Some(latest) = self.refunds.last().filter(|_| self.outcome == Outcome::Settlement) else {
            return;
        };
        let word = match (latest.chargeback, self.refundable() == 0) {
            (false, true) => "refund",
            (false, false) => "partial_refund",
            (true, true) => "chargeback",
            (true, false) => "partial_chargeback",
        };
        let list = self.refunds.iter().map(|refund| {
            let mut listed = json!({
                "refund_chargeback_id": refund.refund_chargeback_id,
                "refund_amount": rupiah(refund.amount),
                "created_at": jakarta(refund.created_at),
                "reason": refund.reason,
            });
            if !refund.chargeback {
                listed["refund_key"] = json!(refund.refund_key);
            }
            listed
        });
        body.insert("transaction_status".to_owned(), json!(word));
        body.insert("refund_amount".to_owned(), json!(rupiah(self.refunded())));
        body.insert("refunds".to_owned(), list.collect());
    }

    /// Answer to a cancel or an expire.
    pub(super) fn closed(&self, code: &str, message: &str) -> Value {
        Value::Object(self.body(code, message, self.outcome))
    }

    /// A notification that tells of `outcome`, of another amount if one is given.
    pub(super) fn notification(&self, outcome: Outcome, amount: Option<&str>, server_key: &str) -> Value {
        let code = outcome.notified_code();
        let mut body = self.body(code, "midtrans payment notification", outcome);
        if let Some(amount) = amount {
            body.insert("gross_amount".to_owned(), json!(amount));
        }
        if let (Channel::Qris { acquirer, .. }, Outcome::Settlement) = (&self.channel, outcome) {
            body.insert("transaction_type".to_owned(), json!("on-us"));
            body.insert("issuer".to_owned(), json!(acquirer));
        }
        if matches!(self.channel, Channel::VirtualAccount { .. }) {
            body.insert("payment_amounts".to_owned(), json!([]));
        }
        self.sign(&mut body, server_key);
        Value::Object(body)
    }

    fn body(&self, code: &str, message: &str, outcome: Outcome) -> Map<String, Value> {
        let mut body = Map::new();
        let mut put = |name: &str, value: String| body.insert(name.to_owned(), Value::String(value));
        put("status_code", code.to_owned());
        put("status_message", message.to_owned());
        put("transaction_id", self.transaction_id.to_string());
        put("order_id", self.order_id.clone());
        put("merchant_id", MERCHANT_ID.to_owned());
        put("gross_amount", rupiah(self.gross()));
        put("currency", "IDR".to_owned());
        put("payment_type", self.channel.payment_type().to_owned());
        put("transaction_time", jakarta(self.transaction_time));
        put("transaction_status", outcome.word().to_owned());
        put("fraud_status", outcome.fraud_status().to_owned());
        put("expiry_time", jakarta(self.expiry_time));
        if let (Some(time), Outcome::Settlement) = (self.settlement_time, outcome) {
            put("settlement_time", jakarta(time));
        }
        self.channel.describe(&mut body);
        if self.payer_fee > 0 {
            body.insert("metadata".to_owned(), self.made_up_of());
        }
        body
    }

    /// What the vendor's "automatic fee imposition" adds to answers and notifications.
    fn made_up_of(&self) -> Value {
        json!({ "extra_info": { "gross_amount_info": {
            "original_amount": self.gross_amount.to_string(),
            "gross_amount": self.gross().to_string(),
            "customer_imposed_payment_fee": self.payer_fee.to_string(),
        } } })
    }

    fn sign(&self, body: &mut Map<String, Value>, server_key: &str) {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let signed = [text("order_id"), text("status_code"), text("gross_amount"), server_key.to_owned()];
        let signature = format!("{:x}", Sha512::digest(signed.concat()));
        body.insert("signature_key".to_owned(), Value::String(signature));
    }
}

/// The vendor's form of an amount.
pub(super) fn rupiah(amount: i64) -> String {
    format!("{amount}.00")
}

/// The vendor writes Jakarta's clock, without a zone.
fn jakarta(time: DateTime<Utc>) -> String {
    let local =
        FixedOffset::east_opt(7 * 3_600).map_or(time.naive_utc(), |z| time.with_timezone(&z).naive_local());
    local.format("%Y-%m-%d %H:%M:%S").to_string()
}
