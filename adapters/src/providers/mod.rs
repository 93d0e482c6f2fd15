//! Cloud providers behind one trait. Adding one touches its own folder and the registry.

use std::net::{Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::instance::PowerState;

mod error;
mod registry;

pub mod digitalocean;

pub use error::ProviderError;
pub use registry::{Registry, UnknownProvider};

/// What it takes to create a server. Sizes, regions and images are the provider's own slugs.
#[derive(Debug, Clone)]
pub struct CreateInstance {
    /// The order's tag: deterministic, so the server can be found again. See [`domain::provisioning::order_tag`].
    pub tag: String,
    /// Host name of the machine.
    pub hostname: String,
    /// The provider's size slug.
    pub size: String,
    /// The provider's region slug.
    pub region: String,
    /// The provider's image slug.
    pub image: String,
    /// SSH public keys for root.
    pub ssh_public_keys: Vec<String>,
}

/// A server as the provider reports it, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInstance {
    /// The provider's own id, as text.
    pub id: String,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// Public IPv4, once assigned.
    pub ipv4: Option<Ipv4Addr>,
    /// Public IPv6, once assigned.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it is on.
    pub power: PowerState,
    /// True when it boots no longer, is not locked and has an address: a customer can log in.
    pub ready: bool,
    /// When the provider made it.
    pub created_at: DateTime<Utc>,
}

/// One cloud. Every call has a time-out and answers with a sorted [`ProviderError`].
#[async_trait]
pub trait CloudProvider: Send + Sync + std::fmt::Debug {
    /// The catalog's slug of this provider.
    fn slug(&self) -> &'static str;

    /// Longest time after a create until the new server is sure to show up in [`Self::find_by_tag`].
    fn listing_lag(&self) -> std::time::Duration;

    /// Longest time one call may take, after which its effect at the provider can be assumed settled.
    fn request_timeout(&self) -> std::time::Duration;

    /// Creates a server. Not idempotent by itself: callers look up by tag first, and treat
    /// [`ProviderError::is_ambiguous`] as "may have been created".
    async fn create_instance(&self, request: &CreateInstance) -> Result<ProviderInstance, ProviderError>;

    /// All servers that carry `tag`, oldest first. More than one is a duplicate to be reported.
    async fn find_by_tag(&self, tag: &str) -> Result<Vec<ProviderInstance>, ProviderError>;

    /// One server. [`domain::provisioning::FailureClass::NotFound`] when the provider does not know it.
    async fn get_instance(&self, id: &str) -> Result<ProviderInstance, ProviderError>;

    /// Deletes a server; one that is gone already counts as deleted.
    async fn delete_instance(&self, id: &str) -> Result<(), ProviderError>;
}
