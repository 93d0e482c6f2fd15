//! What Midtrans is to the rest of the product.

use std::sync::Arc;

use super::adapter::{Midtrans, MidtransConfig};
use crate::payments::{Account, Credential, Descriptor};

pub(super) const SLUG: &str = "midtrans";

/// Midtrans.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: SLUG,
    name: "Midtrans",
    default_url: "https://api.midtrans.com",
    url_env: "MIDTRANS_URL",
    credentials: &[Credential {
        env: "MIDTRANS_SERVER_KEY",
        help: "Midtrans' server key: charges, and proves notifications; `webrana dev` uses its simulator without one",
        sandbox_prefix: Some("SB-"),
    }],
    limits_env: "MIDTRANS_LIMITS",
    // QRIS as Bank Indonesia bounds it, virtual accounts as their banks do.
    published_limits: "QRIS:1-10000000,BCA:10000-50000000,BNI:1-50000000000,BRI:1-50000000000,\
                       MANDIRI:1-50000000000,PERMATA:1-9999999999",
    connect: |account: Account| {
        let timeout = account.timeout;
        let (base_url, [server_key]) = account.open()?;
        Ok(Arc::new(Midtrans::new(MidtransConfig { base_url, server_key, timeout })?))
    },
};
