//! A payment request with its payment and refunds, and their forms in answers and webhooks.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::kit::gateway::{Charge, Outcome};

pub(super) const BUSINESS_ID: &str = "5f27a14a9bf05c73dd040bc8";

/// What the customer pays with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Channel {
    Qris { qr_string: String },
    VirtualAccount { number: String, display_name: String },
}

/// Where a payment request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    RequiresAction,
    Authorized,
    Succeeded,
    Failed,
    Canceled,
    Expired,
}

/// The customer's act of paying, or of failing to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) payment_id: String,
    status: Status,
    /// What was captured, as the number the vendor writes.
    captured: Option<Value>,
    created: DateTime<Utc>,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) reference_id: String,
    pub(super) idempotency_key: Option<String>,
    pub(super) amount: i64,
    pub(super) reason: String,
    pub(super) created: DateTime<Utc>,
}

/// One charge and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PaymentRequest {
    pub(super) payment_request_id: String,
    pub(super) reference_id: String,
    pub(super) request_amount: i64,
    pub(super) channel_code: String,
    pub(super) channel: Channel,
    pub(super) status: Status,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    pub(super) payment: Option<Payment>,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
}

impl Charge for PaymentRequest {
    fn key(&self) -> String {
        self.payment_request_id.clone()
    }

    fn reference(&self) -> &str {
        &self.reference_id
    }

    fn expire(&mut self, now: DateTime<Utc>) -> bool {
        let is_over = self.is_open() && self.expires_at <= now;
        if is_over {
            self.turn(Outcome::Expire, None);
        }
        is_over
    }
}

impl PaymentRequest {
    pub(super) fn new(
        reference_id: &str,
        request_amount: i64,
        channel_code: &str,
        channel: Channel,
        expires_at: DateTime<Utc>,
    ) -> Self {
        let now = Utc::now();
        Self {
            payment_request_id: format!("pr-{}", Uuid::new_v4()),
            reference_id: reference_id.to_owned(),
            request_amount,
            channel_code: channel_code.to_owned(),
            channel,
            status: Status::RequiresAction,
            expires_at,
            created: now,
            updated: now,
            payment: None,
            refunds: Vec::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, Status::RequiresAction | Status::Authorized)
    }

    /// Money that arrived stays, and arrives even late; other outcomes close only what is open. `amount` is what is
    /// paid, if it is not what was asked for.
    pub(super) fn turn(&mut self, outcome: Outcome, amount: Option<Value>) {
        let status = match outcome {
            Outcome::Settlement => Status::Succeeded,
            Outcome::Pending => Status::Authorized,
            Outcome::Deny => Status::Failed,
            Outcome::Expire => Status::Expired,
            Outcome::Cancel => Status::Canceled,
        };
        let now = Utc::now();
        if status != Status::Succeeded && !self.is_open() {
            return;
        }
        self.status = status;
        self.updated = now;
        if matches!(status, Status::Succeeded | Status::Authorized | Status::Failed) {
            let payment = self.payment.get_or_insert_with(|| Payment {
                payment_id: format!("py-{}", Uuid::new_v4()),
                status,
                captured: None,
                created: now,
            });
            payment.status = status;
            if status == Status::Succeeded {
                payment.captured = Some(amount.unwrap_or_else(|| json!(self.request_amount)));
            }
        }
    }

    /// It turns out not to be paid after all, and stands as `outcome` says.
    pub(super) fn withdraw(&mut self, outcome: Outcome) {
        self.status = Status::RequiresAction;
        self.turn(outcome, None);
        if let Some(payment) = &mut self.payment {
            payment.status = self.status;
        }
    }

    /// What may still be given back.
    pub(super) fn refundable(&self) -> i64 {
        self.request_amount - self.refunds.iter().map(|refund| refund.amount).sum::<i64>()
    }

    /// The payment request, as its creation and its reads answer.
    pub(super) fn show(&self) -> Value {
        let mut body = self.common();
        body.insert("capture_method".to_owned(), json!("AUTOMATIC"));
        body.insert("status".to_owned(), json!(self.status));
        body.insert("actions".to_owned(), self.actions());
        body.insert("updated".to_owned(), json!(written(self.updated)));
        if let Some(payment) = &self.payment {
            body.insert("latest_payment_id".to_owned(), json!(payment.payment_id));
        }
        if self.status == Status::Failed {
            body.insert("failure_code".to_owned(), json!("CHANNEL_UNAVAILABLE"));
        }
        Value::Object(body)
    }

    /// The payment, as its reads answer and webhooks tell.
    pub(super) fn show_payment(&self) -> Option<Value> {
        let payment = self.payment.as_ref()?;
        let mut body = self.common();
        body.insert("payment_id".to_owned(), json!(payment.payment_id));
        body.insert("status".to_owned(), json!(payment.status));
        body.insert("created".to_owned(), json!(written(payment.created)));
        body.insert("updated".to_owned(), json!(written(self.updated)));
        if let Some(captured) = &payment.captured {
            let capture = json!({
                "capture_id": format!("cptr-{}", &payment.payment_id[3..]),
                "capture_timestamp": written(self.updated),
                "capture_amount": captured,
            });
            body.insert("captures".to_owned(), json!([capture]));
        }
        Some(Value::Object(body))
    }

    /// A refund, as its creation and its reads answer and webhooks tell.
    pub(super) fn show_refund(&self, refund: &Refund) -> Value {
        json!({
            "id": refund.id,
            "payment_request_id": self.payment_request_id,
            "payment_id": self.payment.as_ref().map(|payment| &payment.payment_id),
            "reference_id": refund.reference_id,
            "channel_code": self.channel_code,
            "country": "ID",
            "currency": "IDR",
            "amount": refund.amount,
            "status": "SUCCEEDED",
            "reason": refund.reason,
            "failure_code": null,
            "refund_fee_amount": null,
            "created": written(refund.created),
            "updated": written(refund.created),
            "metadata": null,
        })
    }

    fn common(&self) -> Map<String, Value> {
        let mut properties = json!({});
        if let Channel::VirtualAccount { number, display_name } = &self.channel {
            properties["expires_at"] = json!(written(self.expires_at));
            properties["virtual_account_number"] = json!(number);
            properties["display_name"] = json!(display_name);
        }
        let body = json!({
            "business_id": BUSINESS_ID,
            "payment_request_id": self.payment_request_id,
            "reference_id": self.reference_id,
            "type": "PAY",
            "country": "ID",
            "currency": "IDR",
            "request_amount": self.request_amount,
            "channel_code": self.channel_code,
            "channel_properties": properties,
            "created": written(self.created),
        });
        match body {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// What the customer is to be shown.
    fn actions(&self) -> Value {
        let (descriptor, value) = match &self.channel {
            Channel::Qris { qr_string } => ("QR_STRING", qr_string),
            Channel::VirtualAccount { number, .. } => ("VIRTUAL_ACCOUNT_NUMBER", number),
        };
        json!([{ "type": "PRESENT_TO_CUSTOMER", "descriptor": descriptor, "value": value }])
    }
}

/// A time in the vendor's form.
pub(super) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
