//! The calls.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
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
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    descriptor::{CREATE, DESCRIPTOR, IMAGES, LIST, OTHER, SLUG, STATS},
    mapper,
    types::{AnyStats, Disk, Image, Instance, Page, Resize, Stats},
};
use crate::{
    http::{self, SetupError},
    providers::{
        Account, ActionProgress, ActionReceipt, CloudProvider, CreateServer, CreateTicket, Effect,
        MetricsQuery, ProviderAction, ProviderError, Quota, Series, ServerPage, Snapshot, Terms,
        channel::{Channel, Manners},
    },
};

/// The most the vendor lists in one answer.
const PAGE_SIZE: &str = "500";

/// An account at Linode.
#[derive(Debug, Clone)]
pub struct Linode {
    account: Account,
    terms: Terms,
    channel: Channel,
}

impl Linode {
    /// An adapter for an account. Nothing is called yet.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL or the machine's TLS setup is unusable.
    pub fn new(account: Account) -> Result<Self, SetupError> {
        Ok(Self { terms: account.terms(&DESCRIPTOR), channel: account.channel(MANNERS)?, account })
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let url = http::join(&self.account.base_url, &[&["v4"], segments].concat());
        self.channel.request(method, url).bearer_auth(self.account.credential.expose_secret())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        lane: &'static str,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<T, ProviderError> {
        let body = self.channel.send(lane, request, effect).await?;
        serde_json::from_slice(&body).map_err(|error| ProviderError::unreadable(SLUG, error, effect))
    }

    async fn read<T: DeserializeOwned>(
        &self,
        lane: &'static str,
        segments: &[&str],
    ) -> Result<T, ProviderError> {
        self.call(lane, self.request(Method::GET, segments), Effect::None).await
    }

    /// One page of a list, and the number of the next if there is one.
    async fn page<T: DeserializeOwned>(
        &self,
        lane: &'static str,
        segments: &[&str],
        filter: &Value,
        number: u32,
    ) -> Result<(Vec<T>, Option<u32>), ProviderError> {
        let paging = [("page", &*number.to_string()), ("page_size", PAGE_SIZE)];
        let request =
            self.request(Method::GET, segments).query(&paging).header("X-Filter", filter.to_string());
        let Page { data, page, pages } = self.call(lane, request, Effect::None).await?;
        let last = data.is_empty() || page >= pages;
        Ok((data, (!last).then_some(number + 1)))
    }

    /// All pages of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        lane: &'static str,
        segments: &[&str],
        filter: &Value,
    ) -> Result<Vec<T>, ProviderError> {
        let (mut all, mut next) = self.page(lane, segments, filter, 1).await?;
        while let Some(number) = next {
            let (items, after) = self.page(lane, segments, filter, number).await?;
            all.extend(items);
            next = after;
        }
        Ok(all)
    }

    async fn instance(&self, id: &str) -> Result<Instance, ProviderError> {
        self.read(OTHER, &["linode", "instances", id]).await
    }

    /// Begins something that the Linode itself shows the end of.
    async fn begin(&self, id: &str, path: &[&str], body: &impl Serialize) -> Result<(), ProviderError> {
        let segments = [&["linode", "instances", id], path].concat();
        let request = self.request(Method::POST, &segments).json(body);
        // What a rebuild answers tells no more than the next read.
        self.call::<Value>(OTHER, request, Effect::Changes).await.map(drop)
    }

    async fn delete(&self, segments: &[&str]) -> Result<(), ProviderError> {
        let request = self.request(Method::DELETE, segments);
        match self.call::<Value>(OTHER, request, Effect::Changes).await {
            Err(error) if error.class != FailureClass::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Turns backups on or off. The vendor refuses where they are so already: that is as wanted.
    async fn set_backups(&self, id: &str, verb: &str, wanted: bool) -> Result<(), ProviderError> {
        match self.begin(id, &["backups", verb], &json!({})).await {
            Err(error) if error.status == Some(400) => {
                if self.instance(id).await?.backups.enabled == wanted {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            answer => answer,
        }
    }

    /// Takes an image of the main disk, and gives its number.
    async fn snapshot(&self, id: &str, name: &str) -> Result<Option<String>, ProviderError> {
        let disks: Vec<Disk> = self.list(LIST, &["linode", "instances", id, "disks"], &json!({})).await?;
        let body = mapper::to_image_request(id, &mapper::main_disk(disks)?, name);
        let request = self.request(Method::POST, &["images"]).json(&body);
        let image: Image = self.call(OTHER, request, Effect::Changes).await?;
        Ok(mapper::to_snapshot(image).map(|snapshot| snapshot.id))
    }

    async fn snapshot_progress(&self, receipt: &ActionReceipt) -> Result<ActionProgress, ProviderError> {
        let image = mapper::snapshot_path(receipt.resource_id.as_deref().unwrap_or_default())?;
        match self.read(OTHER, &["images", &image]).await {
            Ok(image) => Ok(mapper::to_snapshot_progress(image)),
            Err(error) if error.class == FailureClass::NotFound => {
                Ok(ActionProgress::Failed(format!("image {image} is gone")))
            }
            Err(error) => Err(error),
        }
    }

    /// Statistics of one span; none while a Linode is too young.
    async fn stats(&self, id: &str, span: &[&str]) -> Result<Stats, ProviderError> {
        let segments = [&["linode", "instances", id, "stats"], span].concat();
        match self.read::<AnyStats>(STATS, &segments).await {
            Err(error) if mapper::is_too_young(&error) => Ok(Stats::default()),
            answer => answer.map(Stats::from),
        }
    }
}

const MANNERS: Manners = Manners { provider: SLUG, scope, sort: mapper::success, quota };

fn scope(method: &Method, path: &[&str]) -> CircuitScope {
    match path {
        [.., "linode", "instances", _, "stats"] | [.., "stats", _, _] => CircuitScope::Metrics,
        [.., "linode", "instances"] if *method == Method::POST => CircuitScope::Creates,
        [.., "linode", "instances"] => CircuitScope::Lists,
        [.., "images" | "disks"] | [.., "images", _] => CircuitScope::Snapshots,
        [.., "regions" | "types" | "availability"] => CircuitScope::Catalog,
        _ => CircuitScope::Servers,
    }
}

fn quota(headers: &HeaderMap) -> Option<Quota> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
    Some(Quota { limit: number("x-ratelimit-limit")?, remaining: number("x-ratelimit-remaining")? })
}

#[async_trait]
impl CloudProvider for Linode {
    fn called_by(&self, caller: Caller) -> Arc<dyn CloudProvider> {
        Arc::new(Self { channel: self.channel.called_by(caller), ..self.clone() })
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn why_not(&self, capability: Capability) -> &'static str {
        mapper::why_not(capability)
    }

    /// None. The vendor gives a server a private address or an interface in a VPC or VLAN only where that is asked for
    /// (`private_ip`, `interfaces`), which is never. Private addresses would be reachable by all of a data centre.
    async fn ensure_network(&self, _name: &str, _region: &str) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    async fn delete_network(&self, _id: &str) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn ready_to_create(&self) -> Result<CreateTicket, ProviderError> {
        self.channel.ticket(CREATE).await
    }

    async fn create_server(
        &self,
        ticket: CreateTicket,
        request: &CreateServer,
    ) -> Result<ProviderServer, ProviderError> {
        let call = self.request(Method::POST, &["linode", "instances"]).json(&mapper::to_create(request));
        let body = self.channel.send_with(ticket, CREATE, call).await?;
        let made = serde_json::from_slice(&body)
            .map_err(|error| ProviderError::unreadable(SLUG, error, Effect::Changes))?;
        Ok(mapper::to_server(made))
    }

    async fn list_servers(&self, tag: &str, page: Option<&str>) -> Result<ServerPage, ProviderError> {
        let number = page.and_then(|page| page.parse().ok()).unwrap_or(1);
        // Oldest first, so that a server made meanwhile moves no other to another page.
        let filter = json!({ "tags": tag, "+order_by": "id", "+order": "asc" });
        let (linodes, next) = self.page(LIST, &["linode", "instances"], &filter, number).await?;
        Ok(ServerPage {
            servers: linodes.into_iter().map(mapper::to_server).collect(),
            next: next.map(|number| number.to_string()),
        })
    }

    async fn forget_tag(&self, tag: &str) -> Result<(), ProviderError> {
        self.delete(&["tags", tag]).await
    }

    async fn get_server(&self, id: &str) -> Result<ProviderServer, ProviderError> {
        Ok(mapper::to_server(self.instance(&mapper::to_id(id, "Linode")?).await?))
    }

    async fn delete_server(&self, id: &str) -> Result<(), ProviderError> {
        self.delete(&["linode", "instances", &mapper::to_id(id, "Linode")?]).await
    }

    /// `PowerOff` is the same as `Shutdown`: the vendor cuts the power of what does not stop by itself in time.
    /// `Restore` is a rebuild from a private image, and the vendor demands a root password with every image.
    async fn perform_action(
        &self,
        id: &str,
        action: &ProviderAction,
    ) -> Result<ActionReceipt, ProviderError> {
        let capability = action.capability();
        if !DESCRIPTOR.capabilities.contains(&capability) {
            return Err(mapper::unsupported(capability));
        }
        let id = &mapper::to_id(id, "Linode")?;
        let nothing = json!({});
        let mut resource_id = None;
        match action {
            ProviderAction::PowerOn => self.begin(id, &["boot"], &nothing).await?,
            ProviderAction::PowerOff | ProviderAction::Shutdown => {
                self.begin(id, &["shutdown"], &nothing).await?;
            }
            ProviderAction::Reboot => self.begin(id, &["reboot"], &nothing).await?,
            ProviderAction::Rebuild { image, ssh_public_keys, root_password, .. } => {
                let body = mapper::to_rebuild(image, ssh_public_keys, root_password.as_ref());
                self.begin(id, &["rebuild"], &body).await?;
            }
            ProviderAction::Resize { size, grow_disk } => {
                let body = Resize { kind: size, allow_auto_disk_resize: *grow_disk };
                self.begin(id, &["resize"], &body).await?;
            }
            ProviderAction::Snapshot { name } => resource_id = self.snapshot(id, name).await?,
            ProviderAction::Restore { snapshot_id, ssh_public_keys, root_password } => {
                let image = mapper::snapshot_path(snapshot_id)?;
                let body = mapper::to_rebuild(&image, ssh_public_keys, root_password.as_ref());
                self.begin(id, &["rebuild"], &body).await?;
            }
            ProviderAction::EnableBackups => self.set_backups(id, "enable", true).await?,
            ProviderAction::DisableBackups => self.set_backups(id, "cancel", false).await?,
            ProviderAction::ResetPassword { root_password } => {
                mapper::check_password_reset(&self.instance(id).await?)?;
                let body = json!({ "root_pass": root_password.expose_secret() });
                self.begin(id, &["password"], &body).await?;
            }
            ProviderAction::PowerCycle | ProviderAction::Rename { .. } => {
                return Err(mapper::unsupported(capability));
            }
        }
        Ok(ActionReceipt { action: capability, action_id: None, resource_id })
    }

    async fn action_progress(
        &self,
        id: &str,
        receipt: &ActionReceipt,
    ) -> Result<ActionProgress, ProviderError> {
        if receipt.action == Capability::Snapshot {
            return self.snapshot_progress(receipt).await;
        }
        let linode = self.instance(&mapper::to_id(id, "Linode")?).await?;
        Ok(mapper::to_progress(receipt.action, &linode))
    }

    async fn list_snapshots(&self, id: &str) -> Result<Vec<Snapshot>, ProviderError> {
        let filter = json!({ "tags": mapper::snapshot_tag(&mapper::to_id(id, "Linode")?) });
        let images = self.list(IMAGES, &["images"], &filter).await?;
        let mut snapshots: Vec<_> = images.into_iter().filter_map(mapper::to_snapshot).collect();
        snapshots.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(snapshots)
    }

    async fn delete_snapshot(&self, snapshot_id: &str) -> Result<(), ProviderError> {
        self.delete(&["images", &mapper::snapshot_path(snapshot_id)?]).await
    }

    async fn list_regions(&self) -> Result<Vec<ProviderRegion>, ProviderError> {
        let regions = self.list(LIST, &["regions"], &json!({})).await?;
        Ok(regions.into_iter().map(mapper::to_region).collect())
    }

    async fn list_sizes(&self) -> Result<Vec<ProviderSize>, ProviderError> {
        let types = self.list(LIST, &["linode", "types"], &json!({})).await?;
        let availability = self.list(LIST, &["regions", "availability"], &json!({})).await?;
        Ok(mapper::to_sizes(types, &availability))
    }

    async fn list_images(&self) -> Result<Vec<ProviderImage>, ProviderError> {
        let images = self.list(IMAGES, &["images"], &json!({ "is_public": true })).await?;
        Ok(images.into_iter().filter_map(mapper::to_image).collect())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the vendor's months end at its own present, which ours stands for"
    )]
    async fn get_metrics(&self, id: &str, query: &MetricsQuery) -> Result<Vec<Series>, ProviderError> {
        let capability = query.kind.capability();
        if !DESCRIPTOR.capabilities.contains(&capability) {
            return Err(mapper::unsupported(capability));
        }
        let id = mapper::to_id(id, "Linode")?;
        let mut spans = Vec::new();
        for (year, month) in mapper::Months::of(query, Utc::now()) {
            spans.push(self.stats(&id, &[&year.to_string(), &month.to_string()]).await?);
        }
        spans.push(self.stats(&id, &[]).await?);
        let vcpus = match capability {
            Capability::MetricsCpu => self.instance(&id).await?.specs.vcpus,
            _ => 1,
        };
        Ok(mapper::to_series(&spans, query, vcpus))
    }

    async fn console_url(&self, _id: &str) -> Result<SecretString, ProviderError> {
        Err(mapper::unsupported(Capability::Console))
    }
}
