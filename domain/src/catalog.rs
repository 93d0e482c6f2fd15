//! What a provider sells, in its own slugs and our words.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::instance::Capability;

/// What a provider says it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderCatalog {
    /// Where servers can be made.
    pub regions: Vec<ProviderRegion>,
    /// Sizes of servers.
    pub sizes: Vec<ProviderSize>,
    /// Operating systems.
    pub images: Vec<ProviderImage>,
    /// What can be done to its servers.
    pub capabilities: Vec<Capability>,
}

/// A place where servers can be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderRegion {
    /// The provider's slug.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 country code in upper case, where the provider tells it.
    pub country: Option<String>,
    /// Whether servers can be made there now.
    pub available: bool,
}

/// A size of server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderSize {
    /// The provider's slug.
    pub slug: String,
    /// Virtual processors.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Disk in GiB.
    pub disk_gb: u32,
    /// Traffic included in a month, in GB.
    pub transfer_gb: u32,
    /// List price of a month in US dollars.
    pub price_monthly_usd: Decimal,
    /// Slugs of the regions that have it; empty when the provider does not tell.
    pub regions: Vec<String>,
    /// Whether it can be had at all now.
    pub available: bool,
}

/// An operating system image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderImage {
    /// The provider's slug or id, as it is put into a create.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The family, such as `Ubuntu`.
    pub distribution: String,
    /// Whether servers can be made from it now.
    pub available: bool,
}
