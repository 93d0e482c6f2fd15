//! Ways to pay: what a charge asks for and what the customer is shown.

use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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

fn digits(count: usize) -> String {
    let mut rng = rand::rng();
    (0..count).map(|_| char::from(b'0' + rng.random_range(0..10_u8))).collect()
}

/// A dynamic QRIS code: tag-length-value as in EMVCo's merchant-presented mode, closed by a checksum.
fn qr_string(order_id: &str, gross_amount: i64) -> String {
    let merchant = [field("00", "COM.GO-JEK.WWW"), field("01", &format!("93600914{}", digits(10)))].concat();
    let reference: String = order_id.chars().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect();
    let mut code = [
        field("00", "01"),
        field("01", "12"),
        field("26", &merchant),
        field("52", "4816"),
        field("53", "360"),
        field("54", &gross_amount.to_string()),
        field("58", "ID"),
        field("59", "SIMULATED MERCHANT"),
        field("60", "JAKARTA"),
        field("61", "10110"),
        field("62", &field("05", &reference)),
    ]
    .concat();
    code.push_str("6304");
    let checksum = crc16(code.as_bytes());
    format!("{code}{checksum:04X}")
}

fn field(tag: &str, value: &str) -> String {
    format!("{tag}{:02}{value}", value.len())
}

/// CRC-16/IBM-3740 (polynomial 0x1021, initially 0xFFFF), as EMVCo asks for.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_emvcos() {
        // The check value every catalogue of CRCs gives for this one.
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }

    #[test]
    fn a_code_names_amount_and_currency() {
        let code = qr_string("WB-0123456789abcdef0123456789abcdef-1", 55_390);
        assert!(code.starts_with("000201010212"));
        assert!(code.contains("5303360540555390"));
        let (content, checksum) = code.split_at(code.len() - 4);
        assert_eq!(format!("{:04X}", crc16(content.as_bytes())), checksum);
    }
}
