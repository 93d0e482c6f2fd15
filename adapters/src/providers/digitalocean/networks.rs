//! Private networks, the vendor's VPCs. A droplet that names none joins the account's default VPC of its region, with every
//! other that names none; so each of ours names one that it shares with its customer's only.

use domain::provisioning::FailureClass;
use reqwest::Method;
use serde_json::json;

use super::{
    adapter::DigitalOcean,
    mapper,
    types::{OneVpc, Vpc},
};
use crate::providers::{Effect, ProviderError};

impl DigitalOcean {
    /// The network of this name: names are unique in an account, so of several that make it at once one does, and the
    /// others find it, as does whoever never heard of its own success.
    pub(super) async fn network(&self, name: &str, region: &str) -> Result<String, ProviderError> {
        let made = match self.make_network(name, region).await {
            Ok(made) => made,
            Err(error) if error.class.is_retryable() => return Err(error),
            // Refused: because it is there already, or for good.
            Err(error) => self.find_network(name).await?.ok_or_else(|| passing_overlap(error))?,
        };
        if made.default {
            self.relieve(region).await?;
        }
        Ok(made.id.to_string())
    }

    /// Deletes a network. The vendor keeps one that has members, and a region's default (403) until there is another one.
    pub(super) async fn remove_network(&self, id: &str) -> Result<(), ProviderError> {
        let id = mapper::to_uuid(id, "network")?;
        match self.delete(&["vpcs", &id]).await {
            Err(error) if error.status == Some(403) => {
                let OneVpc { vpc } = self.read(&["vpcs", &id], &[]).await?;
                if !vpc.default {
                    return Err(error);
                }
                self.relieve(&vpc.region).await?;
                self.delete(&["vpcs", &id]).await
            }
            outcome => outcome,
        }
    }

    async fn make_network(&self, name: &str, region: &str) -> Result<Vpc, ProviderError> {
        let body = json!({ "name": name, "region": region });
        let call = self.request(Method::POST, &["vpcs"]).json(&body);
        let OneVpc { vpc } = self.call(call, Effect::Changes).await?;
        Ok(vpc)
    }

    async fn find_network(&self, name: &str) -> Result<Option<Vpc>, ProviderError> {
        let all: Vec<Vpc> = self.list(&["vpcs"], &[]).await?;
        Ok(all.into_iter().find(|vpc| vpc.name == name))
    }

    /// Makes a network of nobody's the default of a region. The first one in a region is its default by itself, takes in
    /// whatever names no network, and can't be deleted.
    async fn relieve(&self, region: &str) -> Result<(), ProviderError> {
        let name = format!("webrana-default-{region}");
        let spare = match self.make_network(&name, region).await {
            Ok(made) => made,
            Err(error) if error.class.is_retryable() => return Err(error),
            Err(error) => self.find_network(&name).await?.ok_or(error)?,
        };
        if spare.default {
            return Ok(());
        }
        let call = self.request(Method::PATCH, &["vpcs", &spare.id.to_string()]);
        let _: OneVpc = self.call(call.json(&json!({ "default": true })), Effect::Changes).await?;
        Ok(())
    }
}

/// The vendor chooses a range of addresses, and of networks made at once two may be given the same: then one is refused
/// whose next try gets another.
fn passing_overlap(error: ProviderError) -> ProviderError {
    let overlaps = error.message.contains("overlaps with another VPC");
    ProviderError { class: if overlaps { FailureClass::Retryable } else { error.class }, ..error }
}
