//! Cloud providers behind one trait. CONTRIBUTING has the recipe for adding one.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    catalog::{ProviderImage, ProviderRegion, ProviderSize},
    instance::Capability,
    rate_limit::{Caller, Lane},
    server::ProviderServer,
    user_data::FirstBootLimits,
};

mod action;
mod channel;
pub mod cloud_init;
mod descriptor;
mod error;
mod metrics;
mod pacing;
mod registry;
mod server;

pub mod digitalocean;
pub mod linode;
pub mod vultr;

pub use crate::http::Effect;
pub use action::{ActionProgress, ActionReceipt, ProviderAction, Snapshot};
pub use channel::CreateTicket;
pub use descriptor::{Account, Descriptor, Environment, Terms};
use error::{NO_VERDICT, says, success_body};
pub use error::{ProviderError, Refuses};
pub use metrics::{MetricKind, MetricsQuery, Series};
pub use pacing::{Call, CallOutcome, Health, NotAdmitted, Paced, Pacer, Quota, Shut, Unpaced};
pub use registry::{Registry, UnknownProvider};
pub use server::{CreateServer, ServerPage};

/// Every vendor there is an adapter for.
pub const ALL: &[&Descriptor] = &[&digitalocean::DESCRIPTOR, &vultr::DESCRIPTOR, &linode::DESCRIPTOR];

/// The vendor of a slug.
#[must_use]
pub fn descriptor(slug: &str) -> Option<&'static Descriptor> {
    ALL.iter().copied().find(|vendor| vendor.slug == slug)
}

/// How much text a new server can be told at each vendor.
#[must_use]
pub fn first_boot_limits() -> FirstBootLimits {
    ALL.iter().map(|vendor| (vendor.slug, vendor.first_boot_bytes)).collect()
}

/// One cloud. Every call has a time-out, waits for its share of the vendor's rate limit first, and answers with a
/// sorted [`ProviderError`]. What the provider lacks is an error of class
/// [`domain::provisioning::FailureClass::Unsupported`] that says so, never an imitation.
#[async_trait]
pub trait CloudProvider: Send + Sync + std::fmt::Debug {
    /// The same account, with calls that count as this caller's.
    fn called_by(&self, caller: Caller) -> Arc<dyn CloudProvider>;

    /// The vendor and how our account there is set up: all that the six below need.
    fn terms(&self) -> &Terms;

    /// The catalog's slug of this provider.
    fn slug(&self) -> &'static str {
        self.terms().descriptor.slug
    }

    /// What it can do for a server. An operation whose capability is missing here is refused without a call.
    fn capabilities(&self) -> &'static [Capability] {
        self.terms().descriptor.capabilities
    }

    /// Why it lacks a capability, for customers to read.
    fn why_not(&self, _capability: Capability) -> &'static str {
        "the provider does not offer it"
    }

    /// Whether it resizes a server only while that is off.
    fn resizes_only_off(&self) -> bool {
        false
    }

    /// The vendor's rate limits, by the groups of calls it counts.
    fn rate_limits(&self) -> &'static [Lane] {
        self.terms().descriptor.rate_limits
    }

    /// The time that one call takes of the limit that lists of servers count against, over the long run; `None` where
    /// nothing is limited.
    fn list_spacing(&self) -> Option<Duration> {
        let Terms { descriptor, is_limited, .. } = self.terms();
        is_limited.then(|| Lane::spacing_of(descriptor.rate_limits, descriptor.list_lane))
    }

    /// Longest time after a create until the new server is sure to show up in lists.
    fn listing_lag(&self) -> Duration {
        self.terms().listing_lag
    }

    /// Longest time one call may take once it is sent, after which its effect can be assumed settled.
    fn request_timeout(&self) -> Duration {
        self.terms().request_timeout
    }

    /// The id of the private network of this name in a region, which is made if there is none, for
    /// [`CreateServer::network`]; `None` where a server without one is alone. Servers of two customers must never share a
    /// private network. Idempotent by the name: letters, digits, dots and dashes.
    async fn ensure_network(&self, name: &str, region: &str) -> Result<Option<String>, ProviderError>;

    /// Deletes a private network; one that is gone already counts as deleted. Refused as
    /// [`domain::provisioning::FailureClass::Conflict`] while something is in it.
    async fn delete_network(&self, id: &str) -> Result<(), ProviderError>;

    /// Waits until the rate limit has room for a create. Apart from the create itself, because the wait may be long
    /// and callers note what they are about to do right before it is sent.
    async fn ready_to_create(&self) -> Result<CreateTicket, ProviderError>;

    /// Creates a server. Not idempotent by itself: callers look up by tag first, and treat
    /// [`ProviderError::is_ambiguous`] as "may have been created". Where the provider knows unique names, a second
    /// create of one order is refused as [`domain::provisioning::FailureClass::Conflict`].
    async fn create_server(
        &self,
        ticket: CreateTicket,
        request: &CreateServer,
    ) -> Result<ProviderServer, ProviderError>;

    /// One page of the servers that carry `tag`: one call. `page` is the `next` of the page before.
    async fn list_servers(&self, tag: &str, page: Option<&str>) -> Result<ServerPage, ProviderError>;

    /// All servers that carry `tag`, oldest first. More than one of an order's is a duplicate to be reported.
    async fn find_by_tag(&self, tag: &str) -> Result<Vec<ProviderServer>, ProviderError> {
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = self.list_servers(tag, next.as_deref()).await?;
            found.extend(page.servers);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        // Never trust a filter with what would be attached to an order: a vendor may ignore a parameter.
        found.retain(|server| server.tags.iter().any(|t| t == tag));
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        // Pages move under our feet when a server is made meanwhile: the same one may come twice.
        let mut seen = BTreeSet::new();
        found.retain(|server| seen.insert(server.id.clone()));
        Ok(found)
    }

    /// Deletes a tag that no server carries any more, where tags are things of the account that pile up; one that is gone
    /// already counts as deleted. Servers that do carry it lose it.
    async fn forget_tag(&self, tag: &str) -> Result<(), ProviderError>;

    /// One server. [`domain::provisioning::FailureClass::NotFound`] when the provider does not know it.
    async fn get_server(&self, id: &str) -> Result<ProviderServer, ProviderError>;

    /// Asks to delete a server; one that is gone already counts as deleted. Success is the provider's promise, not
    /// the end: only a server that is neither read nor listed any more costs nothing.
    async fn delete_server(&self, id: &str) -> Result<(), ProviderError>;

    /// Begins an action. [`Self::action_progress`] tells when it is done.
    async fn perform_action(&self, id: &str, action: &ProviderAction)
    -> Result<ActionReceipt, ProviderError>;

    /// How an action goes, in one call.
    async fn action_progress(
        &self,
        id: &str,
        receipt: &ActionReceipt,
    ) -> Result<ActionProgress, ProviderError>;

    /// Snapshots of a server, oldest first.
    async fn list_snapshots(&self, id: &str) -> Result<Vec<Snapshot>, ProviderError>;

    /// Deletes a snapshot; one that is gone already counts as deleted.
    async fn delete_snapshot(&self, snapshot_id: &str) -> Result<(), ProviderError>;

    /// Where servers can be made.
    async fn list_regions(&self) -> Result<Vec<ProviderRegion>, ProviderError>;

    /// Sizes of servers, with list prices.
    async fn list_sizes(&self) -> Result<Vec<ProviderSize>, ProviderError>;

    /// Operating systems the provider offers to everyone.
    async fn list_images(&self) -> Result<Vec<ProviderImage>, ProviderError>;

    /// How busy a server was.
    async fn get_metrics(&self, id: &str, query: &MetricsQuery) -> Result<Vec<Series>, ProviderError>;

    /// A link to a server's screen, for its owner only: whoever has it is in.
    async fn console_url(&self, id: &str) -> Result<secrecy::SecretString, ProviderError>;
}
