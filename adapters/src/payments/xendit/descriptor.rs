//! What Xendit is to the rest of the product.

use std::sync::Arc;

use super::adapter::{Xendit, XenditConfig};
use crate::payments::{Account, Credential, Descriptor};

pub(super) const SLUG: &str = "xendit";

/// Xendit.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: SLUG,
    name: "Xendit",
    default_url: "https://api.xendit.co",
    url_env: "XENDIT_URL",
    credentials: &[
        Credential {
            env: "XENDIT_SECRET_KEY",
            help: "Xendit's secret key: charges; `webrana dev` uses its simulator without one",
            sandbox_prefix: Some("xnd_development_"),
        },
        Credential {
            env: "XENDIT_CALLBACK_TOKEN",
            help: "Xendit's webhook verification token: proves where webhooks come from",
            sandbox_prefix: None,
        },
    ],
    limits_env: "XENDIT_LIMITS",
    // As its documentation tells of each channel.
    published_limits: "QRIS:1-10000000,BCA:10000-50000000,BNI:1-50000000000,BRI:1-50000000000,\
                       MANDIRI:1-50000000000,PERMATA:1-9999999999",
    connect: |account: Account| {
        let timeout = account.timeout;
        let (base_url, [secret_key, callback_token]) = account.open()?;
        Ok(Arc::new(Xendit::new(XenditConfig { base_url, secret_key, callback_token, timeout })?))
    },
};
