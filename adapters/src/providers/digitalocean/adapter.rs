//! The calls.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    mapper::{self, Effect},
    types::{DropletPage, OneDroplet},
};
use crate::{
    http::{self, SetupError},
    providers::{CloudProvider, CreateInstance, ProviderError, ProviderInstance},
};

/// The catalog's slug of DigitalOcean.
pub const SLUG: &str = "digitalocean";

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
}

/// An account at DigitalOcean.
#[derive(Debug)]
pub struct DigitalOcean {
    config: DigitalOceanConfig,
    client: Client,
}

impl DigitalOcean {
    /// An adapter for the account that `config` names. Nothing is called yet.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL or the machine's TLS setup is unusable.
    pub fn new(config: DigitalOceanConfig) -> Result<Self, SetupError> {
        let client = http::client(&config.base_url, config.request_timeout)?;
        Ok(Self { config, client })
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let url = http::join(&self.config.base_url, &[&["v2"], segments].concat());
        self.client.request(method, url).bearer_auth(self.config.token.expose_secret())
    }

    /// Sends a call and gives the body of its success.
    async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Vec<u8>, ProviderError> {
        let response = request.send().await.map_err(|error| mapper::from_transport(error, effect))?;
        let (status, headers) = (response.status(), response.headers().clone());
        match response.bytes().await {
            Ok(body) if status.is_success() => Ok(body.into()),
            Ok(body) => Err(mapper::from_answer(status, &headers, &body, effect)),
            // The status says enough, but a success without its body is none.
            Err(_) if !status.is_success() => Err(mapper::from_answer(status, &headers, &[], effect)),
            Err(error) => Err(mapper::from_transport(error, effect)),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<T, ProviderError> {
        let body = self.send(request, effect).await?;
        serde_json::from_slice(&body).map_err(|error| mapper::from_unreadable(&error, effect))
    }
}

#[async_trait]
impl CloudProvider for DigitalOcean {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn listing_lag(&self) -> Duration {
        self.config.listing_lag
    }

    fn request_timeout(&self) -> Duration {
        self.config.request_timeout
    }

    async fn create_instance(&self, request: &CreateInstance) -> Result<ProviderInstance, ProviderError> {
        let call = self.request(Method::POST, &["droplets"]).json(&mapper::to_create(request));
        let OneDroplet { droplet } = self.call(call, Effect::Changes).await?;
        Ok(mapper::to_instance(droplet))
    }

    async fn find_by_tag(&self, tag: &str) -> Result<Vec<ProviderInstance>, ProviderError> {
        let mut found = Vec::new();
        for page in 1_u32.. {
            let query = [("tag_name", tag), ("page", &page.to_string()), ("per_page", PER_PAGE)];
            let call = self.request(Method::GET, &["droplets"]).query(&query);
            let DropletPage { droplets, links } = self.call(call, Effect::None).await?;
            let last = droplets.is_empty() || links.pages.next.is_none();
            found.extend(droplets.into_iter().map(mapper::to_instance));
            if last {
                break;
            }
        }
        // Never trust a filter with what would be attached to an order: a vendor may ignore a parameter.
        found.retain(|instance| instance.tags.iter().any(|t| t == tag));
        // Pages move under our feet when a droplet is made meanwhile: the same one may come twice.
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
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
}
