//! The calls.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    catalog::{ProviderImage, ProviderRegion, ProviderSize},
    circuit::CircuitScope,
    instance::Capability,
    provisioning::FailureClass,
    rate_limit::Caller,
    server::ProviderServer,
};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{
    descriptor::{DESCRIPTOR, LANE, SLUG},
    mapper,
    types::{DropletSnapshot, Metrics, OneAction, OneDroplet, Page},
};
use crate::{
    http::{self, SetupError},
    providers::{
        Account, ActionProgress, ActionReceipt, CloudProvider, CreateServer, CreateTicket, Effect,
        MetricKind, MetricsQuery, ProviderAction, ProviderError, Quota, Series, ServerPage, Snapshot, Terms,
        channel::{Channel, Manners},
    },
};

/// The most the vendor lists in one answer.
const PER_PAGE: &str = "200";

/// An account at DigitalOcean.
#[derive(Debug, Clone)]
pub struct DigitalOcean {
    account: Account,
    terms: Terms,
    channel: Channel,
}

impl DigitalOcean {
    /// An adapter for an account. Nothing is called yet.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL or the machine's TLS setup is unusable.
    pub fn new(account: Account) -> Result<Self, SetupError> {
        Ok(Self { terms: account.terms(&DESCRIPTOR), channel: account.channel(MANNERS)?, account })
    }

    pub(super) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let url = http::join(&self.account.base_url, &[&["v2"], segments].concat());
        self.channel.request(method, url).bearer_auth(self.account.credential.expose_secret())
    }

    /// Sends a call and gives the body of its success.
    async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Vec<u8>, ProviderError> {
        self.channel.send(LANE, request, effect).await
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<T, ProviderError> {
        let body = self.send(request, effect).await?;
        serde_json::from_slice(&body).map_err(|error| ProviderError::unreadable(SLUG, error, effect))
    }

    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ProviderError> {
        self.call(self.request(Method::GET, segments).query(query), Effect::None).await
    }

    /// One page of a list, and the number of the next if there is one.
    async fn page<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        filter: &[(&str, &str)],
        number: u32,
    ) -> Result<(Vec<T>, Option<u32>), ProviderError> {
        let paging = [("page", &*number.to_string()), ("per_page", PER_PAGE)];
        let page: Page<T> = self.read(segments, &[filter, &paging].concat()).await?;
        let last = page.items.is_empty() || page.links.pages.next.is_none();
        Ok((page.items, (!last).then_some(number + 1)))
    }

    /// All pages of a list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, ProviderError> {
        let (mut all, mut next) = self.page(segments, filter, 1).await?;
        while let Some(number) = next {
            let (items, after) = self.page(segments, filter, number).await?;
            all.extend(items);
            next = after;
        }
        Ok(all)
    }

    pub(super) async fn delete(&self, segments: &[&str]) -> Result<(), ProviderError> {
        match self.send(self.request(Method::DELETE, segments), Effect::Changes).await {
            Err(error) if error.class != FailureClass::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn metric(
        &self,
        droplet: &str,
        query: &MetricsQuery,
        name: &str,
        more: &[(&str, &str)],
    ) -> Result<Metrics, ProviderError> {
        let (start, end) = (query.start.timestamp().to_string(), query.end.timestamp().to_string());
        let window = [("host_id", droplet), ("start", &*start), ("end", &*end)];
        self.read(&["monitoring", "metrics", "droplet", name], &[&window, more].concat()).await
    }

    async fn traffic(
        &self,
        droplet: &str,
        query: &MetricsQuery,
        direction: &str,
    ) -> Result<Series, ProviderError> {
        let more = [("interface", "public"), ("direction", direction)];
        Ok(mapper::bytes_per_second(direction, self.metric(droplet, query, "bandwidth", &more).await?))
    }

    /// The snapshot that an action which began at `started_at` made. Actions on a droplet take turns, so it is the
    /// first since.
    async fn snapshot_since(
        &self,
        id: &str,
        started_at: DateTime<Utc>,
    ) -> Result<Option<String>, ProviderError> {
        let snapshots = self.list_snapshots(id).await?;
        Ok(snapshots.into_iter().find(|s| s.created_at >= started_at).map(|s| s.id))
    }
}

const MANNERS: Manners = Manners { provider: SLUG, scope, sort: mapper::success, quota };

fn scope(method: &Method, path: &[&str]) -> CircuitScope {
    match path {
        [.., "monitoring", "metrics", "droplet", _] => CircuitScope::Metrics,
        [.., "droplets"] if *method == Method::POST => CircuitScope::Creates,
        [.., "droplets"] => CircuitScope::Lists,
        [.., "snapshots"] | [.., "snapshots", _] => CircuitScope::Snapshots,
        [.., "regions" | "sizes" | "images"] => CircuitScope::Catalog,
        [.., "vpcs"] | [.., "vpcs", _] => CircuitScope::Networks,
        _ => CircuitScope::Servers,
    }
}

/// The headers tell of the hour only; the minute is ours to keep.
fn quota(_headers: &HeaderMap) -> Option<Quota> {
    None
}

#[async_trait]
impl CloudProvider for DigitalOcean {
    fn called_by(&self, caller: Caller) -> Arc<dyn CloudProvider> {
        Arc::new(Self { channel: self.channel.called_by(caller), ..self.clone() })
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn why_not(&self, capability: Capability) -> &'static str {
        mapper::why_not(capability)
    }

    fn resizes_only_off(&self) -> bool {
        true
    }

    async fn ensure_network(&self, name: &str, region: &str) -> Result<Option<String>, ProviderError> {
        self.network(name, region).await.map(Some)
    }

    async fn delete_network(&self, id: &str) -> Result<(), ProviderError> {
        self.remove_network(id).await
    }

    async fn ready_to_create(&self) -> Result<CreateTicket, ProviderError> {
        self.channel.ticket(LANE).await
    }

    async fn create_server(
        &self,
        ticket: CreateTicket,
        request: &CreateServer,
    ) -> Result<ProviderServer, ProviderError> {
        let user_data = mapper::user_data(request).await?;
        let call = self.request(Method::POST, &["droplets"]).json(&mapper::to_create(request, user_data));
        let body = self.channel.send_with(ticket, LANE, call).await?;
        let OneDroplet { droplet } = serde_json::from_slice(&body)
            .map_err(|error| ProviderError::unreadable(SLUG, error, Effect::Changes))?;
        Ok(mapper::to_server(droplet))
    }

    async fn list_servers(&self, tag: &str, page: Option<&str>) -> Result<ServerPage, ProviderError> {
        let number = page.and_then(|page| page.parse().ok()).unwrap_or(1);
        let (droplets, next) = self.page(&["droplets"], &[("tag_name", tag)], number).await?;
        Ok(ServerPage {
            servers: droplets.into_iter().map(mapper::to_server).collect(),
            next: next.map(|number| number.to_string()),
        })
    }

    async fn forget_tag(&self, tag: &str) -> Result<(), ProviderError> {
        self.delete(&["tags", tag]).await
    }

    async fn get_server(&self, id: &str) -> Result<ProviderServer, ProviderError> {
        let id = mapper::to_id(id, "droplet")?;
        let OneDroplet { droplet } = self.read(&["droplets", &id], &[]).await?;
        Ok(mapper::to_server(droplet))
    }

    async fn delete_server(&self, id: &str) -> Result<(), ProviderError> {
        self.delete(&["droplets", &mapper::to_id(id, "droplet")?]).await
    }

    async fn perform_action(
        &self,
        id: &str,
        action: &ProviderAction,
    ) -> Result<ActionReceipt, ProviderError> {
        let (id, body) = (mapper::to_id(id, "droplet")?, mapper::to_action(action)?);
        let call = self.request(Method::POST, &["droplets", &id, "actions"]).json(&body);
        let OneAction { action: begun } = self.call(call, Effect::Changes).await?;
        Ok(mapper::to_receipt(action.capability(), &begun))
    }

    /// One call, and one more for the id of a snapshot once it is taken.
    async fn action_progress(
        &self,
        id: &str,
        receipt: &ActionReceipt,
    ) -> Result<ActionProgress, ProviderError> {
        let (id, action_id) = (mapper::to_id(id, "droplet")?, mapper::action_id(receipt)?);
        let OneAction { action } = self.read(&["droplets", &id, "actions", &action_id], &[]).await?;
        match mapper::to_progress(&action) {
            ActionProgress::Completed { .. } if receipt.action == Capability::Snapshot => {
                let resource_id = self.snapshot_since(&id, action.started_at).await?;
                Ok(ActionProgress::Completed { resource_id })
            }
            progress => Ok(progress),
        }
    }

    async fn list_snapshots(&self, id: &str) -> Result<Vec<Snapshot>, ProviderError> {
        let id = mapper::to_id(id, "droplet")?;
        let snapshots: Vec<DropletSnapshot> = self.list(&["droplets", &id, "snapshots"], &[]).await?;
        let mut snapshots: Vec<_> = snapshots.into_iter().map(mapper::to_snapshot).collect();
        snapshots.sort_by_key(|snapshot| snapshot.created_at);
        Ok(snapshots)
    }

    async fn delete_snapshot(&self, snapshot_id: &str) -> Result<(), ProviderError> {
        self.delete(&["snapshots", &mapper::to_id(snapshot_id, "snapshot")?]).await
    }

    async fn list_regions(&self) -> Result<Vec<ProviderRegion>, ProviderError> {
        Ok(self.list(&["regions"], &[]).await?.into_iter().map(mapper::to_region).collect())
    }

    async fn list_sizes(&self) -> Result<Vec<ProviderSize>, ProviderError> {
        Ok(self.list(&["sizes"], &[]).await?.into_iter().filter_map(mapper::to_size).collect())
    }

    async fn list_images(&self) -> Result<Vec<ProviderImage>, ProviderError> {
        let images = self.list(&["images"], &[("type", "distribution")]).await?;
        Ok(images.into_iter().filter_map(mapper::to_image).collect())
    }

    async fn get_metrics(&self, id: &str, query: &MetricsQuery) -> Result<Vec<Series>, ProviderError> {
        let id = mapper::to_id(id, "droplet")?;
        match query.kind {
            MetricKind::Cpu => Ok(vec![mapper::percent_busy(self.metric(&id, query, "cpu", &[]).await?)]),
            MetricKind::Memory => {
                let total = self.metric(&id, query, "memory_total", &[]).await?;
                let available = self.metric(&id, query, "memory_available", &[]).await?;
                Ok(vec![mapper::percent_used(total, available)])
            }
            MetricKind::Network => Ok(vec![
                self.traffic(&id, query, "inbound").await?,
                self.traffic(&id, query, "outbound").await?,
            ]),
            MetricKind::Disk => Err(mapper::unsupported(query.kind.capability())),
        }
    }

    async fn console_url(&self, _id: &str) -> Result<SecretString, ProviderError> {
        Err(mapper::unsupported(Capability::Console))
    }
}
