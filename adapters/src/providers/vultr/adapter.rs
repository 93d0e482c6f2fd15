//! The calls.

use std::sync::Arc;

use async_trait::async_trait;
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
    types::{
        Bandwidth, Change, CreateSnapshot, OneServer, OneSnapshot, OsPage, Page, PlanPage, RegionPage,
        Restore, Server, ServerList, SnapshotPage, Source,
    },
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
const PER_PAGE: &str = "500";

/// An account at Vultr.
#[derive(Debug, Clone)]
pub struct Vultr {
    account: Account,
    terms: Terms,
    channel: Channel,
}

impl Vultr {
    /// An adapter for an account. Nothing is called yet.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL or the machine's TLS setup is unusable.
    pub fn new(account: Account) -> Result<Self, SetupError> {
        Ok(Self { terms: account.terms(&DESCRIPTOR), channel: account.channel(MANNERS)?, account })
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let url = http::join(&self.account.base_url, &[&["v2"], segments].concat());
        self.channel.request(method, url).bearer_auth(self.account.credential.expose_secret())
    }

    /// Sends a call and gives the body of its success.
    async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Vec<u8>, ProviderError> {
        self.channel.send(LANE, request, effect).await
    }

    /// Sends a call that reads.
    async fn read<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, ProviderError> {
        let body = self.send(self.request(Method::GET, segments), Effect::None).await?;
        parse(&body, Effect::None)
    }

    /// Sends a call that changes something and whose answer's body tells nothing we need.
    async fn change(&self, request: RequestBuilder) -> Result<(), ProviderError> {
        self.send(request, Effect::Changes).await.map(drop)
    }

    /// Sends a delete; what is gone already counts as deleted.
    async fn delete(&self, segments: &[&str]) -> Result<(), ProviderError> {
        match self.change(self.request(Method::DELETE, segments)).await {
            Err(error) if error.class == FailureClass::NotFound => Ok(()),
            result => result,
        }
    }

    /// One page of a list, with the cursor of the next.
    async fn page<P: Page>(
        &self,
        list: &str,
        filter: &[(&str, &str)],
        cursor: Option<&str>,
    ) -> Result<(Vec<P::Item>, Option<String>), ProviderError> {
        let mut call = self.request(Method::GET, &[list]).query(filter).query(&[("per_page", PER_PAGE)]);
        if let Some(cursor) = cursor {
            call = call.query(&[("cursor", cursor)]);
        }
        let body = self.send(call, Effect::None).await?;
        Ok(parse::<P>(&body, Effect::None)?.open())
    }

    /// A whole list.
    async fn all<P: Page>(&self, list: &str) -> Result<Vec<P::Item>, ProviderError> {
        let (mut items, mut next) = self.page::<P>(list, &[], None).await?;
        while let Some(cursor) = next {
            let (more, following) = self.page::<P>(list, &[], Some(&cursor)).await?;
            items.extend(more);
            next = following;
        }
        Ok(items)
    }

    async fn server(&self, id: &str) -> Result<Server, ProviderError> {
        let OneServer { instance } = self.read(&["instances", id]).await?;
        Ok(instance)
    }

    /// `POST /v2/instances/{id}/{verb}` without a body.
    async fn order(&self, id: &str, verb: &str) -> Result<(), ProviderError> {
        self.change(self.request(Method::POST, &["instances", id, verb])).await
    }

    async fn patch(&self, id: &str, change: &Change<'_>) -> Result<(), ProviderError> {
        self.change(self.request(Method::PATCH, &["instances", id]).json(change)).await
    }

    /// Installs an image afresh, and tells how to know that it is there. The vendor's document says that naming an
    /// operating system reinstalls, but not that naming the present one does: for that there is a call of its own.
    async fn rebuild(
        &self,
        id: &str,
        source: Source<'_>,
        user_data: Option<String>,
    ) -> Result<Option<String>, ProviderError> {
        let wanted = match &source {
            Source::System(os) => Some(*os),
            Source::Snapshot(_) | Source::Application(_) => None,
        };
        if wanted == Some(self.server(id).await?.os_id) {
            if user_data.is_some() {
                self.patch(id, &Change { user_data, ..Change::default() }).await?;
            }
            self.order(id, "reinstall").await?;
        } else {
            self.patch(id, &Change { source: Some(source), user_data, ..Change::default() }).await?;
        }
        Ok(wanted.map(|os| os.to_string()))
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<String, ProviderError> {
        let body = CreateSnapshot { instance_id: id, description: mapper::description(id, name) };
        let call = self.request(Method::POST, &["snapshots"]).json(&body);
        let body = self.send(call, Effect::Changes).await?;
        let OneSnapshot { snapshot } = parse(&body, Effect::Changes)?;
        Ok(snapshot.id)
    }

    async fn restore(&self, id: &str, snapshot_id: &str) -> Result<(), ProviderError> {
        let snapshot_id = &mapper::to_id(snapshot_id, "a snapshot")?;
        let call = self.request(Method::POST, &["instances", id, "restore"]).json(&Restore { snapshot_id });
        self.change(call).await
    }
}

const MANNERS: Manners = Manners { provider: SLUG, scope, sort: mapper::success, quota };

fn scope(method: &Method, path: &[&str]) -> CircuitScope {
    match path {
        [.., "instances", _, "bandwidth"] => CircuitScope::Metrics,
        [.., "instances"] if *method == Method::POST => CircuitScope::Creates,
        [.., "instances"] => CircuitScope::Lists,
        [.., "snapshots"] | [.., "snapshots", _] => CircuitScope::Snapshots,
        [.., "regions" | "plans" | "os"] => CircuitScope::Catalog,
        _ => CircuitScope::Servers,
    }
}

/// The vendor's headers tell nothing of the limit.
fn quota(_headers: &HeaderMap) -> Option<Quota> {
    None
}

fn parse<T: DeserializeOwned>(body: &[u8], effect: Effect) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|error| ProviderError::unreadable(SLUG, error, effect))
}

/// Refuses what the vendor has no call for.
fn check(capability: Capability) -> Result<(), ProviderError> {
    if DESCRIPTOR.capabilities.contains(&capability) {
        return Ok(());
    }
    Err(ProviderError::unsupported(SLUG, capability, why_not(capability)))
}

const fn why_not(capability: Capability) -> &'static str {
    match capability {
        Capability::Shutdown => "the vendor can only cut a server's power",
        Capability::PowerCycle => "the vendor restarts servers by `reboot` only",
        Capability::ResetPassword => "the vendor sets a password only when it installs a server",
        _ => "the vendor measures nothing but each day's traffic",
    }
}

#[async_trait]
impl CloudProvider for Vultr {
    fn called_by(&self, caller: Caller) -> Arc<dyn CloudProvider> {
        Arc::new(Self { channel: self.channel.called_by(caller), ..self.clone() })
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn why_not(&self, capability: Capability) -> &'static str {
        why_not(capability)
    }

    /// None. The vendor attaches a server to a network only where that is asked for (`enable_vpc`, `attach_vpc`), which is
    /// never.
    async fn ensure_network(&self, _name: &str, _region: &str) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    async fn delete_network(&self, _id: &str) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn ready_to_create(&self) -> Result<CreateTicket, ProviderError> {
        self.channel.ticket(LANE).await
    }

    async fn create_server(
        &self,
        ticket: CreateTicket,
        request: &CreateServer,
    ) -> Result<ProviderServer, ProviderError> {
        let user_data = mapper::user_data(
            &request.ssh_public_keys,
            request.root_password.as_ref(),
            request.user_data.as_ref(),
        )
        .await?;
        let call = self.request(Method::POST, &["instances"]).json(&mapper::to_create(request, user_data));
        let body = self.channel.send_with(ticket, LANE, call).await?;
        let OneServer { instance } = parse(&body, Effect::Changes)?;
        Ok(mapper::to_server(instance))
    }

    async fn list_servers(&self, tag: &str, page: Option<&str>) -> Result<ServerPage, ProviderError> {
        let (servers, next) = self.page::<ServerList>("instances", &[("tag", tag)], page).await?;
        Ok(ServerPage { servers: servers.into_iter().map(mapper::to_server).collect(), next })
    }

    /// Tags are words on a server here, and go with it.
    async fn forget_tag(&self, _tag: &str) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn get_server(&self, id: &str) -> Result<ProviderServer, ProviderError> {
        let id = mapper::to_id(id, "an instance")?;
        Ok(mapper::to_server(self.server(&id).await?))
    }

    async fn delete_server(&self, id: &str) -> Result<(), ProviderError> {
        let id = mapper::to_id(id, "an instance")?;
        self.delete(&["instances", &id]).await
    }

    async fn perform_action(
        &self,
        id: &str,
        action: &ProviderAction,
    ) -> Result<ActionReceipt, ProviderError> {
        check(action.capability())?;
        let id = &mapper::to_id(id, "an instance")?;
        let mut receipt = ActionReceipt { action: action.capability(), action_id: None, resource_id: None };
        match action {
            ProviderAction::PowerOn => self.order(id, "start").await?,
            ProviderAction::PowerOff => self.order(id, "halt").await?,
            ProviderAction::Reboot => self.order(id, "reboot").await?,
            ProviderAction::Rebuild { image, ssh_public_keys, root_password, user_data } => {
                let user_data =
                    mapper::user_data(ssh_public_keys, root_password.as_ref(), user_data.as_ref()).await?;
                receipt.action_id = self.rebuild(id, mapper::to_source(image), user_data).await?;
            }
            ProviderAction::Resize { size, .. } => {
                self.patch(id, &Change { plan: Some(size), ..Change::default() }).await?;
                receipt.action_id = Some(size.clone());
            }
            ProviderAction::Snapshot { name } => receipt.resource_id = Some(self.snapshot(id, name).await?),
            ProviderAction::Restore { snapshot_id, .. } => self.restore(id, snapshot_id).await?,
            ProviderAction::Rename { name } => {
                self.patch(id, &Change { label: Some(name), ..Change::default() }).await?;
            }
            ProviderAction::EnableBackups => {
                self.patch(id, &Change { backups: Some("enabled"), ..Change::default() }).await?;
            }
            ProviderAction::DisableBackups => {
                self.patch(id, &Change { backups: Some("disabled"), ..Change::default() }).await?;
            }
            // Refused above: the vendor has no call for these.
            ProviderAction::Shutdown | ProviderAction::PowerCycle | ProviderAction::ResetPassword { .. } => {}
        }
        Ok(receipt)
    }

    async fn action_progress(
        &self,
        id: &str,
        receipt: &ActionReceipt,
    ) -> Result<ActionProgress, ProviderError> {
        if let Some(snapshot) = &receipt.resource_id {
            let snapshot = mapper::to_id(snapshot, "a snapshot")?;
            let OneSnapshot { snapshot } = self.read(&["snapshots", &snapshot]).await?;
            return Ok(mapper::snapshot_progress(snapshot));
        }
        let id = mapper::to_id(id, "an instance")?;
        Ok(mapper::progress(receipt, &self.server(&id).await?))
    }

    async fn list_snapshots(&self, id: &str) -> Result<Vec<Snapshot>, ProviderError> {
        let id = mapper::to_id(id, "an instance")?;
        let all = self.all::<SnapshotPage>("snapshots").await?;
        let mut mine: Vec<_> =
            all.into_iter().filter_map(|snapshot| mapper::to_snapshot(&id, snapshot)).collect();
        mine.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(mine)
    }

    async fn delete_snapshot(&self, snapshot_id: &str) -> Result<(), ProviderError> {
        let snapshot_id = mapper::to_id(snapshot_id, "a snapshot")?;
        self.delete(&["snapshots", &snapshot_id]).await
    }

    async fn list_regions(&self) -> Result<Vec<ProviderRegion>, ProviderError> {
        Ok(self.all::<RegionPage>("regions").await?.into_iter().map(mapper::to_region).collect())
    }

    async fn list_sizes(&self) -> Result<Vec<ProviderSize>, ProviderError> {
        self.all::<PlanPage>("plans").await?.into_iter().map(mapper::to_size).collect()
    }

    async fn list_images(&self) -> Result<Vec<ProviderImage>, ProviderError> {
        Ok(self.all::<OsPage>("os").await?.into_iter().filter_map(mapper::to_image).collect())
    }

    async fn get_metrics(&self, id: &str, query: &MetricsQuery) -> Result<Vec<Series>, ProviderError> {
        check(query.kind.capability())?;
        let id = mapper::to_id(id, "an instance")?;
        let bandwidth: Bandwidth = self.read(&["instances", &id, "bandwidth"]).await?;
        Ok(mapper::to_series(&bandwidth, query))
    }

    async fn console_url(&self, id: &str) -> Result<SecretString, ProviderError> {
        let id = mapper::to_id(id, "an instance")?;
        let url = self.server(&id).await?.kvm;
        if url.is_empty() {
            let message = "the server has no console yet".to_owned();
            return Err(mapper::failure(FailureClass::Conflict, message));
        }
        Ok(url.into())
    }
}
