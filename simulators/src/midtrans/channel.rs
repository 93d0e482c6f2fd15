//! Ways to pay: what a charge asks for and what the customer is shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::kit::gateway::qris::{digits, qr_string};

/// What the customer pays with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Channel {
    Qris { qr_string: String, acquirer: String },
    VirtualAccount { bank: String, va_number: String },
    Permata { va_number: String },
    MandiriBill { bill_key: String, biller_code: String },
}

/// Banks of `bank_transfer` with the digits their account numbers begin with.
const BANKS: &[(&str, &str)] = &[("bca", "81278"), ("bni", "98880"), ("bri", "26215"), ("cimb", "51193")];

/// The most that Bank Indonesia lets one QR code be paid with.
const MOST_BY_QRIS: i64 = 10_000_000;

const MANDIRI_BILLER: &str = "70012";

impl Channel {
    pub(super) fn qris(acquirer: Option<&str>, order_id: &str, gross_amount: i64) -> Self {
        Self::Qris {
            qr_string: qr_string(order_id, gross_amount),
            acquirer: acquirer.unwrap_or("gopay").to_owned(),
        }
    }

    pub(super) fn bank_transfer(bank: &str) -> Option<Self> {
        if bank == "permata" {
            return Some(Self::Permata { va_number: format!("8562{}", digits(12)) });
        }
        BANKS.iter().find(|(name, _)| *name == bank).map(|(name, prefix)| Self::VirtualAccount {
            bank: (*name).to_owned(),
            va_number: format!("{prefix}{}", digits(11)),
        })
    }

    pub(super) fn mandiri_bill() -> Self {
        Self::MandiriBill { bill_key: digits(12), biller_code: MANDIRI_BILLER.to_owned() }
    }

    pub(super) const fn payment_type(&self) -> &'static str {
        match self {
            Self::Qris { .. } => "qris",
            Self::VirtualAccount { .. } | Self::Permata { .. } => "bank_transfer",
            Self::MandiriBill { .. } => "echannel",
        }
    }

    pub(super) const fn created_message(&self) -> &'static str {
        match self {
            Self::Qris { .. } => "QRIS transaction is created",
            Self::VirtualAccount { .. } => "Success, Bank Transfer transaction is created",
            Self::Permata { .. } => "Success, PERMATA VA transaction is successful",
            Self::MandiriBill { .. } => "OK, Mandiri Bill transaction is successful",
        }
    }

    /// From how much to how much can be paid so at once.
    pub(super) fn takes(&self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::Qris { .. } => 1..=MOST_BY_QRIS,
            Self::VirtualAccount { bank, .. } if bank == "bca" => 10_000..=50_000_000,
            Self::VirtualAccount { .. } | Self::MandiriBill { .. } => 1..=50_000_000_000,
            Self::Permata { .. } => 1..=9_999_999_999,
        }
    }

    /// Minutes until an unpaid charge expires when it does not say itself.
    pub(super) const fn default_expiry_minutes(&self) -> i64 {
        match self {
            Self::Qris { .. } => 15,
            _ => 24 * 60,
        }
    }

    /// The fields this channel adds to every answer and notification.
    pub(super) fn describe(&self, body: &mut Map<String, Value>) {
        match self {
            Self::Qris { acquirer, .. } => {
                body.insert("acquirer".to_owned(), json!(acquirer));
            }
            Self::VirtualAccount { bank, va_number } => {
                let number = json!([{ "bank": bank, "va_number": va_number }]);
                body.insert("va_numbers".to_owned(), number);
            }
            Self::Permata { va_number } => {
                body.insert("permata_va_number".to_owned(), json!(va_number));
            }
            Self::MandiriBill { bill_key, biller_code } => {
                body.insert("bill_key".to_owned(), json!(bill_key));
                body.insert("biller_code".to_owned(), json!(biller_code));
            }
        }
    }
}
