//! The catalog's data. Sizes, regions and images are named as the providers' public APIs name them; costs are
//! their list prices in US cents a month; our prices are rupiah a month before PPN.

use domain::instance::Capability;

pub(super) struct Provider {
    pub slug: &'static str,
    pub name: &'static str,
    /// What its servers can do, until its adapter says so at the first sync.
    pub capabilities: &'static [Capability],
}

pub(super) struct Region {
    pub provider: &'static str,
    pub slug: &'static str,
    pub provider_slug: &'static str,
    pub name: &'static str,
    pub country: &'static str,
    pub sort_order: i32,
}

pub(super) struct Image {
    pub slug: &'static str,
    pub name: &'static str,
    pub distribution: &'static str,
    pub version: &'static str,
    /// Provider and the image's name there.
    pub sources: &'static [(&'static str, &'static str)],
}

pub(super) struct Plan {
    pub provider: &'static str,
    pub slug: &'static str,
    pub name: &'static str,
    pub provider_slug: &'static str,
    pub vcpu: i32,
    pub memory_mb: i32,
    pub disk_gb: i32,
    pub bandwidth_gb: i32,
    pub price_monthly: i64,
    pub cost_usd_cents: i64,
}

const DIGITALOCEAN: &str = "digitalocean";
const VULTR: &str = "vultr";
const LINODE: &str = "linode";

pub(super) const PROVIDERS: &[Provider] = &[
    Provider {
        slug: DIGITALOCEAN,
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
    },
    Provider {
        slug: VULTR,
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
    },
    Provider {
        slug: LINODE,
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
            Capability::MetricsCpu,
            Capability::MetricsDisk,
            Capability::MetricsNetwork,
        ],
    },
];

const fn region(
    provider: &'static str,
    slug: &'static str,
    provider_slug: &'static str,
    name: &'static str,
    country: &'static str,
    sort_order: i32,
) -> Region {
    Region { provider, slug, provider_slug, name, country, sort_order }
}

/// Nearest to Indonesia first.
pub(super) const REGIONS: &[Region] = &[
    region(LINODE, "linode-id-cgk", "id-cgk", "Jakarta", "ID", 5),
    region(DIGITALOCEAN, "sgp1", "sgp1", "Singapore", "SG", 10),
    region(VULTR, "vultr-sgp", "sgp", "Singapore", "SG", 11),
    region(LINODE, "linode-ap-south", "ap-south", "Singapore", "SG", 12),
    region(DIGITALOCEAN, "syd1", "syd1", "Sydney", "AU", 20),
    region(VULTR, "vultr-syd", "syd", "Sydney", "AU", 21),
    region(LINODE, "linode-ap-southeast", "ap-southeast", "Sydney", "AU", 22),
    region(DIGITALOCEAN, "blr1", "blr1", "Bangalore", "IN", 30),
    region(VULTR, "vultr-bom", "bom", "Mumbai", "IN", 31),
    region(VULTR, "vultr-nrt", "nrt", "Tokyo", "JP", 40),
    region(LINODE, "linode-jp-osa", "jp-osa", "Osaka", "JP", 41),
    region(DIGITALOCEAN, "fra1", "fra1", "Frankfurt", "DE", 50),
    region(DIGITALOCEAN, "ams3", "ams3", "Amsterdam", "NL", 51),
    region(DIGITALOCEAN, "lon1", "lon1", "London", "GB", 52),
    region(DIGITALOCEAN, "sfo3", "sfo3", "San Francisco", "US", 60),
    region(DIGITALOCEAN, "nyc3", "nyc3", "New York", "US", 61),
];

pub(super) const IMAGES: &[Image] = &[
    Image {
        slug: "ubuntu-24-04",
        name: "Ubuntu 24.04 LTS",
        distribution: "ubuntu",
        version: "24.04",
        sources: &[(DIGITALOCEAN, "ubuntu-24-04-x64"), (VULTR, "2284"), (LINODE, "linode/ubuntu24.04")],
    },
    Image {
        slug: "ubuntu-22-04",
        name: "Ubuntu 22.04 LTS",
        distribution: "ubuntu",
        version: "22.04",
        sources: &[(DIGITALOCEAN, "ubuntu-22-04-x64"), (VULTR, "1743"), (LINODE, "linode/ubuntu22.04")],
    },
    Image {
        slug: "debian-12",
        name: "Debian 12",
        distribution: "debian",
        version: "12",
        sources: &[(DIGITALOCEAN, "debian-12-x64"), (VULTR, "2136"), (LINODE, "linode/debian12")],
    },
    Image {
        slug: "rocky-9",
        name: "Rocky Linux 9",
        distribution: "rocky",
        version: "9",
        sources: &[(DIGITALOCEAN, "rockylinux-9-x64"), (VULTR, "1869"), (LINODE, "linode/rocky9")],
    },
    Image {
        slug: "almalinux-9",
        name: "AlmaLinux 9",
        distribution: "almalinux",
        version: "9",
        sources: &[(DIGITALOCEAN, "almalinux-9-x64"), (VULTR, "1868"), (LINODE, "linode/almalinux9")],
    },
];

/// `size` is vCPU, MiB of memory, GiB of disk, GB of traffic; `money` is our price and the provider's in US cents.
const fn plan(
    provider: &'static str,
    slug: &'static str,
    name: &'static str,
    provider_slug: &'static str,
    size: (i32, i32, i32, i32),
    money: (i64, i64),
) -> Plan {
    Plan {
        provider,
        slug,
        name,
        provider_slug,
        vcpu: size.0,
        memory_mb: size.1,
        disk_gb: size.2,
        bandwidth_gb: size.3,
        price_monthly: money.0,
        cost_usd_cents: money.1,
    }
}

#[rustfmt::skip] // a table reads best with a plan a line
pub(super) const PLANS: &[Plan] = &[
    plan(DIGITALOCEAN, "do-basic-1gb", "Basic 1 GB", "s-1vcpu-1gb", (1, 1024, 25, 1000), (129_000, 600)),
    plan(DIGITALOCEAN, "do-basic-2gb", "Basic 2 GB", "s-1vcpu-2gb", (1, 2048, 50, 2000), (249_000, 1200)),
    plan(DIGITALOCEAN, "do-basic-2gb-2cpu", "Basic 2 GB, 2 vCPU", "s-2vcpu-2gb", (2, 2048, 60, 3000), (369_000, 1800)),
    plan(DIGITALOCEAN, "do-basic-4gb", "Basic 4 GB", "s-2vcpu-4gb", (2, 4096, 80, 4000), (489_000, 2400)),
    plan(DIGITALOCEAN, "do-basic-8gb", "Basic 8 GB", "s-4vcpu-8gb", (4, 8192, 160, 5000), (979_000, 4800)),
    plan(DIGITALOCEAN, "do-basic-16gb", "Basic 16 GB", "s-8vcpu-16gb", (8, 16384, 320, 6000), (1_949_000, 9600)),
    plan(DIGITALOCEAN, "do-cpu-4gb", "CPU-Optimized 4 GB", "c-2", (2, 4096, 25, 4000), (859_000, 4200)),
    plan(DIGITALOCEAN, "do-general-8gb", "General Purpose 8 GB", "g-2vcpu-8gb", (2, 8192, 25, 4000), (1_279_000, 6300)),
    plan(VULTR, "vultr-regular-1gb", "Regular 1 GB", "vc2-1c-1gb", (1, 1024, 25, 1024), (109_000, 500)),
    plan(VULTR, "vultr-regular-2gb", "Regular 2 GB", "vc2-1c-2gb", (1, 2048, 55, 2048), (209_000, 1000)),
    plan(VULTR, "vultr-regular-2gb-2cpu", "Regular 2 GB, 2 vCPU", "vc2-2c-2gb", (2, 2048, 65, 3072), (309_000, 1500)),
    plan(VULTR, "vultr-regular-4gb", "Regular 4 GB", "vc2-2c-4gb", (2, 4096, 80, 3072), (409_000, 2000)),
    plan(VULTR, "vultr-regular-8gb", "Regular 8 GB", "vc2-4c-8gb", (4, 8192, 160, 4096), (819_000, 4000)),
    plan(VULTR, "vultr-regular-16gb", "Regular 16 GB", "vc2-6c-16gb", (6, 16384, 320, 5120), (1_629_000, 8000)),
    plan(LINODE, "linode-nanode-1gb", "Nanode 1 GB", "g6-nanode-1", (1, 1024, 25, 1000), (109_000, 500)),
    plan(LINODE, "linode-shared-2gb", "Shared 2 GB", "g6-standard-1", (1, 2048, 50, 2000), (249_000, 1200)),
    plan(LINODE, "linode-shared-4gb", "Shared 4 GB", "g6-standard-2", (2, 4096, 80, 4000), (489_000, 2400)),
    plan(LINODE, "linode-shared-8gb", "Shared 8 GB", "g6-standard-4", (4, 8192, 160, 5000), (979_000, 4800)),
    plan(LINODE, "linode-shared-16gb", "Shared 16 GB", "g6-standard-6", (6, 16384, 320, 8000), (1_949_000, 9600)),
];

/// Every plan is offered in every region of its provider, except these: plan and region.
pub(super) const NOT_OFFERED: &[(&str, &str)] = &[("do-general-8gb", "syd1")];

/// Months and discount in basis points.
pub(super) const TERMS: &[(i32, i32)] = &[(1, 0), (3, 500), (6, 1_000), (12, 1_500)];
