//! What Vultr is to the rest of the product.

use std::{sync::Arc, time::Duration};

use domain::{
    instance::Capability,
    rate_limit::{Lane, Window},
};

use super::adapter::Vultr;
use crate::providers::{Descriptor, Environment};

pub(super) const SLUG: &str = "vultr";

/// The vendor counts all calls of an address together.
pub(super) const LANE: &str = "all";

/// Vultr.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: SLUG,
    name: "Vultr",
    default_url: "https://api.vultr.com",
    environment: Environment {
        url: "VULTR_URL",
        credential: "VULTR_API_KEY",
        enabled: "VULTR_ENABLED",
        listing_lag: "VULTR_LISTING_LAG",
    },
    capabilities: &[
        Capability::PowerOn,
        Capability::PowerOff,
        Capability::Reboot,
        Capability::Rebuild,
        Capability::Resize,
        Capability::Snapshot,
        Capability::Restore,
        Capability::Rename,
        Capability::EnableBackups,
        Capability::DisableBackups,
        Capability::MetricsNetwork,
        Capability::Console,
    ],
    rate_limits: &[Lane::new(LANE, &[Window { calls: 30, period: Duration::from_secs(1) }])],
    create_lane: LANE,
    list_lane: LANE,
    listing_lag: Duration::from_secs(15),
    // The vendor names no limit. 64 KiB of base64, which is how it keeps it.
    first_boot_bytes: 64 * 1024 * 3 / 4,
    between_actions: Duration::from_secs(1),
    connect: |account| Ok(Arc::new(Vultr::new(account)?)),
};
