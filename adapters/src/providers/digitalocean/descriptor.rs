//! What DigitalOcean is to the rest of the product.

use std::{sync::Arc, time::Duration};

use domain::{
    instance::Capability,
    rate_limit::{Lane, Window},
};

use super::adapter::DigitalOcean;
use crate::providers::{Descriptor, Environment};

pub(super) const SLUG: &str = "digitalocean";

/// The vendor counts all calls of a token together.
pub(super) const LANE: &str = "all";

/// DigitalOcean. No [`Capability::MetricsDisk`]: the vendor tells how full a disk is, not how busy. No
/// [`Capability::Console`]: it has no public API for that.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: SLUG,
    name: "DigitalOcean",
    default_url: "https://api.digitalocean.com",
    environment: Environment {
        url: "DIGITALOCEAN_URL",
        credential: "DIGITALOCEAN_TOKEN",
        enabled: "DIGITALOCEAN_ENABLED",
        listing_lag: "DIGITALOCEAN_LISTING_LAG",
    },
    capabilities: &[
        Capability::PowerOn,
        Capability::PowerOff,
        Capability::Shutdown,
        Capability::Reboot,
        Capability::PowerCycle,
        Capability::Rebuild,
        Capability::Resize,
        Capability::Snapshot,
        Capability::Restore,
        Capability::Rename,
        Capability::EnableBackups,
        Capability::DisableBackups,
        Capability::MetricsCpu,
        Capability::MetricsMemory,
        Capability::MetricsNetwork,
    ],
    rate_limits: &[Lane::new(
        LANE,
        &[
            Window { calls: 250, period: Duration::from_secs(60) },
            Window { calls: 5_000, period: Duration::from_secs(3_600) },
        ],
    )],
    create_lane: LANE,
    list_lane: LANE,
    listing_lag: Duration::from_secs(15),
    first_boot_bytes: 64 * 1024,
    between_actions: Duration::from_secs(30),
    connect: |account| Ok(Arc::new(DigitalOcean::new(account)?)),
};
