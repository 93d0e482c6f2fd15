//! The catalog's data. What providers sell is in a file for each; costs are their list prices in US cents a month; our
//! prices are rupiah a month before PPN.

use domain::instance::Capability;

mod digitalocean;
mod linode;
mod vultr;

/// What every provider sells. Plans are shown in this order.
pub(super) static CATALOGS: &[Catalog] = &[digitalocean::CATALOG, vultr::CATALOG, linode::CATALOG];

/// Each with its provider's slug.
pub(super) fn regions() -> Vec<(&'static str, &'static Region)> {
    CATALOGS.iter().flat_map(|it| it.regions.iter().map(|region| (it.slug, region))).collect()
}

/// Each with its provider's slug.
pub(super) fn plans() -> Vec<(&'static str, &'static Plan)> {
    CATALOGS.iter().flat_map(|it| it.plans.iter().map(|plan| (it.slug, plan))).collect()
}

/// Provider, image, and the image's name there.
pub(super) fn image_sources() -> Vec<(&'static str, &'static str, &'static str)> {
    let of = |it: &'static Catalog| it.images.iter().map(|(image, there)| (it.slug, *image, *there));
    CATALOGS.iter().flat_map(of).collect()
}

/// Plan and region.
pub(super) fn not_offered() -> Vec<(&'static str, &'static str)> {
    CATALOGS.iter().flat_map(|it| it.not_offered).copied().collect()
}

/// What a provider sells, as far as we sell it on.
pub(super) struct Catalog {
    pub slug: &'static str,
    pub name: &'static str,
    /// What its servers can do, until its adapter says so at the first sync.
    pub capabilities: &'static [Capability],
    pub regions: &'static [Region],
    /// Images and their names there.
    pub images: &'static [(&'static str, &'static str)],
    pub plans: &'static [Plan],
    /// Every plan is offered in every region, except these: plan and region.
    pub not_offered: &'static [(&'static str, &'static str)],
}

/// Slugs are nobody else's, also not another provider's.
pub(super) struct Region {
    pub slug: &'static str,
    pub provider_slug: &'static str,
    pub name: &'static str,
    pub country: &'static str,
    /// The nearest to Indonesia comes first, whose ever it is.
    pub sort_order: i32,
}

pub(super) struct Image {
    pub slug: &'static str,
    pub name: &'static str,
    pub distribution: &'static str,
    pub version: &'static str,
}

/// Slugs are nobody else's, also not another provider's.
pub(super) struct Plan {
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

impl Plan {
    /// From 4 GiB of memory on, the last snapshot of a deleted server is included, and kept for two weeks.
    pub fn final_snapshot_days(&self) -> Option<i32> {
        (self.memory_mb >= 4096).then_some(14)
    }
}

const fn region(
    slug: &'static str,
    provider_slug: &'static str,
    name: &'static str,
    country: &'static str,
    sort_order: i32,
) -> Region {
    Region { slug, provider_slug, name, country, sort_order }
}

const fn image(
    slug: &'static str,
    name: &'static str,
    distribution: &'static str,
    version: &'static str,
) -> Image {
    Image { slug, name, distribution, version }
}

/// `size` is vCPU, MiB of memory, GiB of disk, GB of traffic; `money` is our price and the provider's in US cents.
const fn plan(
    slug: &'static str,
    name: &'static str,
    provider_slug: &'static str,
    size: (i32, i32, i32, i32),
    money: (i64, i64),
) -> Plan {
    Plan {
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

pub(super) const IMAGES: &[Image] = &[
    image("ubuntu-24-04", "Ubuntu 24.04 LTS", "ubuntu", "24.04"),
    image("ubuntu-22-04", "Ubuntu 22.04 LTS", "ubuntu", "22.04"),
    image("debian-12", "Debian 12", "debian", "12"),
    image("rocky-9", "Rocky Linux 9", "rocky", "9"),
    image("almalinux-9", "AlmaLinux 9", "almalinux", "9"),
];

/// Months and discount in basis points.
pub(super) const TERMS: &[(i32, i32)] = &[(1, 0), (3, 500), (6, 1_000), (12, 1_500)];
