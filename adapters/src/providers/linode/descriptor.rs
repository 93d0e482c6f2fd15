//! What Linode is to the rest of the product.

use std::{sync::Arc, time::Duration};

use domain::{
    instance::Capability,
    rate_limit::{Lane, Window},
};

use super::adapter::Linode;
use crate::providers::{Descriptor, Environment};

pub(super) const SLUG: &str = "linode";

const MINUTE: Duration = Duration::from_secs(60);
pub(super) const CREATE: &str = "create";
pub(super) const LIST: &str = "list";
pub(super) const IMAGES: &str = "images";
pub(super) const STATS: &str = "stats";
pub(super) const OTHER: &str = "other";

/// Linode. Why capabilities are missing: [`super::mapper::unsupported`].
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: SLUG,
    name: "Linode",
    default_url: "https://api.linode.com",
    environment: Environment {
        url: "LINODE_URL",
        credential: "LINODE_API_TOKEN",
        enabled: "LINODE_ENABLED",
        listing_lag: "LINODE_LISTING_LAG",
    },
    capabilities: &[
        Capability::PowerOn,
        Capability::PowerOff,
        Capability::Shutdown,
        Capability::Reboot,
        Capability::Rebuild,
        Capability::Resize,
        Capability::Snapshot,
        Capability::Restore,
        Capability::EnableBackups,
        Capability::DisableBackups,
        Capability::ResetPassword,
        Capability::MetricsCpu,
        Capability::MetricsDisk,
        Capability::MetricsNetwork,
    ],
    rate_limits: &[
        Lane::new(CREATE, &[Window { calls: 20, period: Duration::from_secs(15) }]),
        Lane::new(LIST, &[Window { calls: 200, period: MINUTE }]),
        Lane::new(IMAGES, &[Window { calls: 20, period: MINUTE }]),
        Lane::for_display(STATS, &[Window { calls: 50, period: MINUTE }]),
        Lane::new(OTHER, &[Window { calls: 1_600, period: MINUTE }]),
    ],
    create_lane: CREATE,
    list_lane: LIST,
    listing_lag: Duration::from_secs(15),
    // As it was before base64.
    first_boot_bytes: 65_535,
    between_actions: Duration::from_secs(5),
    connect: |account| Ok(Arc::new(Linode::new(account)?)),
};
