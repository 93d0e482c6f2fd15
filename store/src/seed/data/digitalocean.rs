//! What DigitalOcean sells, as far as we sell it on. Sizes, regions and images are named as its public API names them.

use domain::instance::Capability;

use super::{Catalog, plan, region};

pub(super) const CATALOG: Catalog = Catalog {
    slug: "digitalocean",
    name: "DigitalOcean",
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
    regions: &[
        region("sgp1", "sgp1", "Singapore", "SG", 10),
        region("syd1", "syd1", "Sydney", "AU", 20),
        region("blr1", "blr1", "Bangalore", "IN", 30),
        region("fra1", "fra1", "Frankfurt", "DE", 50),
        region("ams3", "ams3", "Amsterdam", "NL", 51),
        region("lon1", "lon1", "London", "GB", 52),
        region("sfo3", "sfo3", "San Francisco", "US", 60),
        region("nyc3", "nyc3", "New York", "US", 61),
    ],
    images: &[
        ("ubuntu-24-04", "ubuntu-24-04-x64"),
        ("ubuntu-22-04", "ubuntu-22-04-x64"),
        ("debian-12", "debian-12-x64"),
        ("rocky-9", "rockylinux-9-x64"),
        ("almalinux-9", "almalinux-9-x64"),
    ],
    plans: PLANS,
    not_offered: &[("do-general-8gb", "syd1")],
};

#[rustfmt::skip] // a table reads best with a plan a line
const PLANS: &[super::Plan] = &[
    plan("do-basic-1gb", "Basic 1 GB", "s-1vcpu-1gb", (1, 1024, 25, 1000), (129_000, 600)),
    plan("do-basic-2gb", "Basic 2 GB", "s-1vcpu-2gb", (1, 2048, 50, 2000), (249_000, 1200)),
    plan("do-basic-2gb-2cpu", "Basic 2 GB, 2 vCPU", "s-2vcpu-2gb", (2, 2048, 60, 3000), (369_000, 1800)),
    plan("do-basic-4gb", "Basic 4 GB", "s-2vcpu-4gb", (2, 4096, 80, 4000), (489_000, 2400)),
    plan("do-basic-8gb", "Basic 8 GB", "s-4vcpu-8gb", (4, 8192, 160, 5000), (979_000, 4800)),
    plan("do-basic-16gb", "Basic 16 GB", "s-8vcpu-16gb", (8, 16384, 320, 6000), (1_949_000, 9600)),
    plan("do-cpu-4gb", "CPU-Optimized 4 GB", "c-2", (2, 4096, 25, 4000), (859_000, 4200)),
    plan("do-general-8gb", "General Purpose 8 GB", "g-2vcpu-8gb", (2, 8192, 25, 4000), (1_279_000, 6300)),
];
