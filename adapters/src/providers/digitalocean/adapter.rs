//! The calls.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    instance::Capability,
    rate_limit::{Lane, Window},
};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    mapper,
    types::{DropletPage, OneDroplet},
};
use crate::{
    http::{self, SetupError},
    providers::{
        ActionProgress, ActionReceipt, CloudProvider, CreateInstance, CreateTicket, Effect, InstancePage,
        MetricsQuery, Pacer, ProviderAction, ProviderError, ProviderImage, ProviderInstance, ProviderRegion,
        ProviderSize, Quota, Series, Snapshot, channel::Channel,
    },
};

/// The catalog's slug of DigitalOcean.
pub const SLUG: &str = "digitalocean";

/// The vendor counts all calls of a token together.
const LANE: &str = "all";
const RATE_LIMITS: &[Lane] = &[Lane {
    name: LANE,
    windows: &[
        Window { calls: 250, period: Duration::from_secs(60) },
        Window { calls: 5_000, period: Duration::from_secs(3_600) },
    ],
}];

const CAPABILITIES: &[Capability] = &[];

/// The most the vendor lists in one answer.
const PER_PAGE: &str = "200";

/// How to reach an account at DigitalOcean.
#[derive(Debug, Clone)]
pub struct DigitalOceanConfig {
    /// `https://api.digitalocean.com`, or a simulator's address; without `/v2`.
    pub base_url: Url,
    /// The account's API token.
    pub token: SecretString,
    /// Longest time one call may take.
    pub request_timeout: Duration,
    /// Longest time until a new droplet shows up in lists.
    pub listing_lag: Duration,
    /// Decides when a call may be sent.
    pub pacer: Arc<dyn Pacer>,
}

/// An account at DigitalOcean.
#[derive(Debug)]
pub struct DigitalOcean {
    config: DigitalOceanConfig,
    channel: Channel,
}

impl DigitalOcean {
    /// An adapter for the account that `config` names. Nothing is called yet.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL or the machine's TLS setup is unusable.
    pub fn new(config: DigitalOceanConfig) -> Result<Self, SetupError> {
        let client = http::client(&config.base_url, config.request_timeout)?;
        let channel = Channel::new(SLUG, client, Arc::clone(&config.pacer), quota);
        Ok(Self { config, channel })
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let url = http::join(&self.config.base_url, &[&["v2"], segments].concat());
        self.channel.request(method, url).bearer_auth(self.config.token.expose_secret())
    }

    /// Sends a call and gives the body of its success.
    async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Vec<u8>, ProviderError> {
        mapper::success(self.channel.send(LANE, request, effect).await?, effect)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<T, ProviderError> {
        let body = self.send(request, effect).await?;
        serde_json::from_slice(&body).map_err(|error| ProviderError::unreadable(SLUG, &error, effect))
    }
}

/// The headers tell of the hour only; the minute is ours to keep.
fn quota(_headers: &HeaderMap) -> Option<Quota> {
    None
}

#[async_trait]
impl CloudProvider for DigitalOcean {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn capabilities(&self) -> &'static [Capability] {
        CAPABILITIES
    }

    fn rate_limits(&self) -> &'static [Lane] {
        RATE_LIMITS
    }

    fn listing_lag(&self) -> Duration {
        self.config.listing_lag
    }

    fn request_timeout(&self) -> Duration {
        self.config.request_timeout
    }

    async fn ready_to_create(&self) -> Result<CreateTicket, ProviderError> {
        self.channel.ticket(LANE).await
    }

    async fn create_instance(
        &self,
        ticket: CreateTicket,
        request: &CreateInstance,
    ) -> Result<ProviderInstance, ProviderError> {
        let call = self.request(Method::POST, &["droplets"]).json(&mapper::to_create(request));
        let answer = self.channel.send_with(ticket, LANE, call).await?;
        let body = mapper::success(answer, Effect::Changes)?;
        let OneDroplet { droplet } = serde_json::from_slice(&body)
            .map_err(|error| ProviderError::unreadable(SLUG, &error, Effect::Changes))?;
        Ok(mapper::to_instance(droplet))
    }

    async fn list_instances(&self, tag: &str, page: Option<&str>) -> Result<InstancePage, ProviderError> {
        let page: u32 = page.and_then(|page| page.parse().ok()).unwrap_or(1);
        let query = [("tag_name", tag), ("page", &page.to_string()), ("per_page", PER_PAGE)];
        let call = self.request(Method::GET, &["droplets"]).query(&query);
        let DropletPage { droplets, links } = self.call(call, Effect::None).await?;
        let last = droplets.is_empty() || links.pages.next.is_none();
        Ok(InstancePage {
            instances: droplets.into_iter().map(mapper::to_instance).collect(),
            next: (!last).then(|| (page + 1).to_string()),
        })
    }

    async fn get_instance(&self, id: &str) -> Result<ProviderInstance, ProviderError> {
        let id = mapper::to_droplet_id(id)?;
        let call = self.request(Method::GET, &["droplets", &id]);
        let OneDroplet { droplet } = self.call(call, Effect::None).await?;
        Ok(mapper::to_instance(droplet))
    }

    async fn delete_instance(&self, id: &str) -> Result<(), ProviderError> {
        let id = mapper::to_droplet_id(id)?;
        let call = self.request(Method::DELETE, &["droplets", &id]);
        match self.send(call, Effect::Changes).await {
            Ok(_) => Ok(()),
            Err(error) if error.class == domain::provisioning::FailureClass::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn perform_action(
        &self,
        _id: &str,
        action: &ProviderAction,
    ) -> Result<ActionReceipt, ProviderError> {
        Err(ProviderError::unsupported(SLUG, action.capability(), "not here yet"))
    }

    async fn action_progress(
        &self,
        _id: &str,
        receipt: &ActionReceipt,
    ) -> Result<ActionProgress, ProviderError> {
        Err(ProviderError::unsupported(SLUG, receipt.action, "not here yet"))
    }

    async fn list_snapshots(&self, _id: &str) -> Result<Vec<Snapshot>, ProviderError> {
        Err(ProviderError::unsupported(SLUG, Capability::Snapshot, "not here yet"))
    }

    async fn delete_snapshot(&self, _snapshot_id: &str) -> Result<(), ProviderError> {
        Err(ProviderError::unsupported(SLUG, Capability::Snapshot, "not here yet"))
    }

    async fn list_regions(&self) -> Result<Vec<ProviderRegion>, ProviderError> {
        Ok(Vec::new())
    }

    async fn list_sizes(&self) -> Result<Vec<ProviderSize>, ProviderError> {
        Ok(Vec::new())
    }

    async fn list_images(&self) -> Result<Vec<ProviderImage>, ProviderError> {
        Ok(Vec::new())
    }

    async fn get_metrics(&self, _id: &str, query: &MetricsQuery) -> Result<Vec<Series>, ProviderError> {
        Err(ProviderError::unsupported(SLUG, query.kind.capability(), "not here yet"))
    }

    async fn console_url(&self, _id: &str) -> Result<SecretString, ProviderError> {
        Err(ProviderError::unsupported(SLUG, Capability::Console, "the vendor has no public console API"))
    }
}
