//! What Vultr sells, as far as we sell it on. Sizes, regions and images are named as its public API names them.

use domain::instance::Capability;

use super::{Catalog, plan, region};

pub(super) const CATALOG: Catalog = Catalog {
    slug: "vultr",
    name: "Vultr",
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
    regions: &[
        region("vultr-sgp", "sgp", "Singapore", "SG", 11),
        region("vultr-syd", "syd", "Sydney", "AU", 21),
        region("vultr-bom", "bom", "Mumbai", "IN", 31),
        region("vultr-nrt", "nrt", "Tokyo", "JP", 40),
    ],
    images: &[
        ("ubuntu-24-04", "2284"),
        ("ubuntu-22-04", "1743"),
        ("debian-12", "2136"),
        ("rocky-9", "1869"),
        ("almalinux-9", "1868"),
    ],
    plans: PLANS,
    not_offered: &[],
};

#[rustfmt::skip] // a table reads best with a plan a line
const PLANS: &[super::Plan] = &[
    plan("vultr-regular-1gb", "Regular 1 GB", "vc2-1c-1gb", (1, 1024, 25, 1024), (109_000, 500)),
    plan("vultr-regular-2gb", "Regular 2 GB", "vc2-1c-2gb", (1, 2048, 55, 2048), (209_000, 1000)),
    plan("vultr-regular-2gb-2cpu", "Regular 2 GB, 2 vCPU", "vc2-2c-2gb", (2, 2048, 65, 3072), (309_000, 1500)),
    plan("vultr-regular-4gb", "Regular 4 GB", "vc2-2c-4gb", (2, 4096, 80, 3072), (409_000, 2000)),
    plan("vultr-regular-8gb", "Regular 8 GB", "vc2-4c-8gb", (4, 8192, 160, 4096), (819_000, 4000)),
    plan("vultr-regular-16gb", "Regular 16 GB", "vc2-6c-16gb", (6, 16384, 320, 5120), (1_629_000, 8000)),
];
