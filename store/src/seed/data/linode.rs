//! What Linode sells, as far as we sell it on. Sizes, regions and images are named as its public API names them.

use domain::instance::Capability;

use super::{Catalog, plan, region};

pub(super) const CATALOG: Catalog = Catalog {
    slug: "linode",
    name: "Linode",
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
    regions: &[
        region("linode-id-cgk", "id-cgk", "Jakarta", "ID", 5),
        region("linode-ap-south", "ap-south", "Singapore", "SG", 12),
        region("linode-ap-southeast", "ap-southeast", "Sydney", "AU", 22),
        region("linode-jp-osa", "jp-osa", "Osaka", "JP", 41),
    ],
    images: &[
        ("ubuntu-24-04", "linode/ubuntu24.04"),
        ("ubuntu-22-04", "linode/ubuntu22.04"),
        ("debian-12", "linode/debian12"),
        ("rocky-9", "linode/rocky9"),
        ("almalinux-9", "linode/almalinux9"),
    ],
    plans: PLANS,
    not_offered: &[],
};

#[rustfmt::skip] // a table reads best with a plan a line
const PLANS: &[super::Plan] = &[
    plan("linode-nanode-1gb", "Nanode 1 GB", "g6-nanode-1", (1, 1024, 25, 1000), (109_000, 500)),
    plan("linode-shared-2gb", "Shared 2 GB", "g6-standard-1", (1, 2048, 50, 2000), (249_000, 1200)),
    plan("linode-shared-4gb", "Shared 4 GB", "g6-standard-2", (2, 4096, 80, 4000), (489_000, 2400)),
    plan("linode-shared-8gb", "Shared 8 GB", "g6-standard-4", (4, 8192, 160, 5000), (979_000, 4800)),
    plan("linode-shared-16gb", "Shared 16 GB", "g6-standard-6", (6, 16384, 320, 8000), (1_949_000, 9600)),
];
