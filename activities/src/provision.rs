//! Getting the one server of an order. At most one is ever made, whatever fails:
//!
//! 1. Before a create is sent, the database notes that it will be (a fenced update: two workers can't both).
//! 2. While that note stands, a server may exist that we have not seen. The next try waits until the request must
//!    have settled and the provider's listing lag is over, looks the server up by the order's tag, and only when
//!    there is none takes the note back and creates. It is looked for a few times afterwards: see
//!    [`crate::reconcile`].
//! 3. The note is also taken back when the provider refused for certain. Otherwise the server's id replaces it.
//!
//! Waiting orders share their look-ups and their looks at booting servers: see [`crate::readiness`].

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, CreateServer, CreateTicket, ProviderError, Registry};
use domain::{
    ids::OrderId,
    order::OrderStatus,
    provisioning::{FailureClass, cohort_tag, order_tag},
    rate_limit::Caller,
    server::ProviderServer,
};
use store::{
    Store, StoreError,
    provisioning::{ProviderTrouble, ProvisioningJob},
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::Instant;

use crate::{
    crash_point,
    failure::{StepError, ended_by_pause, failure},
    heartbeat::while_heartbeating,
    instance_deletion::{confirm_gone, request_delete},
    instance_server::refuse_foreign,
    private_network::{Turns, network_for},
    readiness::{Boards, Listing, Question},
};

/// Failed calls in a row beyond which a lost create's server is waited for no longer.
const MOST_TROUBLE: u32 = 4;

/// How often it is asked what staff want done about an order whose server is waited for.
const ASK_STAFF: Duration = Duration::from_secs(2);

/// How the wait for a server ended.
enum Waited {
    /// The server runs, or the order is `ACTIVE` in another way.
    Ready,
    /// Staff want another one.
    Replace,
}

/// Implements the ports at the providers.
#[derive(Clone)]
pub struct ProviderActivities {
    pub(crate) store: Store,
    providers: Arc<Registry>,
    boards: Arc<Boards>,
    network_turns: Arc<Turns>,
}

impl ProviderActivities {
    /// Works at these providers, and keeps the database told.
    #[must_use]
    pub fn new(store: Store, providers: Arc<Registry>) -> Self {
        Self { store, providers, boards: Arc::default(), network_turns: Arc::default() }
    }
}

#[activities]
impl ProviderActivities {
    /// Idempotent by the order's tag and the fenced note of a create (see the module).
    #[activity(definition = workflows::ProvisionServer)]
    pub async fn provision_server(
        self: Arc<Self>,
        ctx: ActivityContext,
        order: OrderId,
    ) -> Result<(), ActivityError> {
        crash_point("provision_server.before");
        match while_heartbeating(&ctx, self.provision(order)).await {
            Ok(()) => {
                crash_point("provision_server.after");
                Ok(())
            }
            Err(paused @ StepError::Paused(_)) => Err(ended_by_pause(&paused)),
            Err(error) => {
                self.note_trouble(order, &error).await;
                Err(failure(error))
            }
        }
    }
}

impl ProviderActivities {
    pub(crate) async fn provision(&self, order: OrderId) -> Result<(), StepError> {
        loop {
            let job = self.store.provisioning_job(order).await?;
            if is_over(job.status)? {
                return Ok(());
            }
            let provider = self.providers.get(&job.provider, Caller::Servers)?;
            if let Some(server) = &job.replace_server {
                self.remove(provider.as_ref(), order, server).await?;
                continue;
            }
            let server = match &job.provider_instance_id {
                Some(id) => id.clone(),
                None => self.obtain(&provider, order, &job).await?,
            };
            crash_point("provision_server.before_ready");
            match self.await_ready(&provider, order, &server, &job).await? {
                Waited::Ready => return Ok(()),
                Waited::Replace => {}
            }
        }
    }

    /// Deletes a server that is to be replaced, and makes sure that it is gone.
    async fn remove(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        server: &str,
    ) -> Result<(), StepError> {
        refuse_foreign(&self.store, provider, server).await?;
        request_delete(provider, server).await.map_err(StepError::until_gone)?;
        confirm_gone(provider, order, Some(server), &[server.to_owned()]).await?;
        Ok(self.store.note_replaced(order, server).await?)
    }

    /// Finds the order's server or creates it; answers with its id.
    async fn obtain(
        &self,
        provider: &Arc<dyn CloudProvider>,
        order: OrderId,
        job: &ProvisioningJob,
    ) -> Result<String, StepError> {
        if let Some(found) = self.look_up(provider, order, job).await? {
            self.store.save_server(order, &found).await?;
            return Ok(found);
        }
        if job.create_sent_ago.is_some() {
            self.store.create_again(order, job.create_fence).await?;
        }
        let network = network_for(&self.network_turns, &self.store, provider.as_ref(), order, job).await?;
        // Waiting for the rate limit comes first: the note must not age before the create is sent.
        let ticket = {
            let _counted = self.boards.of(provider).create_waiting();
            provider.ready_to_create().await?
        };
        if !self.store.mark_create_sent(order, job.create_fence).await? {
            self.refuse_if_paused(provider.slug()).await?;
            return Err(StepError::Overtaken);
        }
        crash_point("provision_server.before_create");
        let created = self.create(provider.as_ref(), ticket, order, (job, network)).await?;
        crash_point("provision_server.after_create");
        self.store.save_server(order, &created).await?;
        Ok(created)
    }

    /// What exists is brought to its end in a pause, but nothing is made.
    async fn refuse_if_paused(&self, provider: &str) -> Result<(), StepError> {
        match self.store.pause_of(provider).await? {
            Some(pause) => Err(StepError::Paused(pause.reason)),
            None => Ok(()),
        }
    }

    /// The order's server, if there is one. After a create whose outcome is not known, the answer has to be certain:
    /// the order asks for itself, and not before the request must have settled and lists show what it made.
    async fn look_up(
        &self,
        provider: &Arc<dyn CloudProvider>,
        order: OrderId,
        job: &ProvisioningJob,
    ) -> Result<Option<String>, StepError> {
        let Some(sent) = job.create_sent_ago else {
            let (board, cohort) = (self.boards.of(provider), cohort_tag(order));
            // By our records there never was a create, so that there is none to be listed late: this look is for what a
            // restored database does not know, which is older than any list that is kept.
            if job.create_fence == 0
                && let Some(recent) = board.recent(&cohort)
                && oldest(order, &recent).is_none()
            {
                return Ok(None);
            }
            return Ok(oldest(order, &board.listing(&cohort, Question::LookUp).await?));
        };
        // A provider in trouble is late with everything.
        let trouble = self.store.provider_trouble(provider.slug()).await?.min(MOST_TROUBLE);
        let settled = (provider.request_timeout() + provider.listing_lag()) * (1 + trouble);
        if let Some(left) = sent.left_of(settled) {
            return Err(StepError::OutcomePending(left));
        }
        Ok(oldest(order, &provider.find_by_tag(&order_tag(order)).await?))
    }

    async fn create(
        &self,
        provider: &dyn CloudProvider,
        ticket: CreateTicket,
        order: OrderId,
        (job, network): (&ProvisioningJob, Option<String>),
    ) -> Result<String, StepError> {
        let request = CreateServer {
            tag: order_tag(order),
            fleet: self.store.installation().tag(),
            cohort: cohort_tag(order),
            hostname: job.hostname.clone(),
            size: job.size.clone(),
            region: job.region.clone(),
            image: job.image.clone(),
            ssh_public_keys: job.ssh_keys.clone(),
            root_password: job.root_password.clone(),
            user_data: job.user_data.clone(),
            network,
        };
        match provider.create_server(ticket, &request).await {
            Ok(created) => Ok(created.id),
            // The order's name is taken, so its server exists: it is taken, or waited for, but never made again.
            Err(error) if error.class == FailureClass::Conflict => {
                tracing::warn!(
                    event = "provision.name_taken",
                    order_id = %order,
                    %error,
                    "the provider has a server of this name already"
                );
                let found = provider.find_by_tag(&order_tag(order)).await?;
                oldest(order, &found).ok_or_else(|| StepError::OutcomePending(provider.listing_lag()))
            }
            Err(error) => {
                if !error.is_ambiguous() {
                    self.store.clear_create_sent(order, job.create_fence + 1).await?;
                }
                match request.network {
                    // Nothing else that a create names is looked up by an id.
                    Some(gone) if error.class == FailureClass::NotFound => {
                        self.store.forget_network(provider.slug(), &gone).await?;
                        Err(StepError::NetworkLost(gone))
                    }
                    _ => Err(error.into()),
                }
            }
        }
    }

    /// Waits until a customer can log in, then saves the address. A server that lists don't show is given the
    /// listing lag to show up and then read by itself; one that is gone for good is forgotten, so that a retry
    /// creates anew. One that takes too long is told of. Staff may want something else meanwhile.
    async fn await_ready(
        &self,
        provider: &Arc<dyn CloudProvider>,
        order: OrderId,
        server: &str,
        job: &ProvisioningJob,
    ) -> Result<Waited, StepError> {
        let board = self.boards.of(provider);
        let cohort = cohort_tag(order);
        let since = Instant::now();
        let mut patience = Some(job.patience_left());
        let (mut missing_since, mut asked_staff) = (None, Instant::now());
        for asked_before in 0.. {
            let listing: Listing = board.listing(&cohort, Question::Ready { since, asked_before }).await?;
            match listing.iter().find(|listed| listed.id == server) {
                Some(seen) if seen.ready => return self.save_address(order, seen).await,
                Some(_) => missing_since = None,
                None => {
                    let missing: Instant = *missing_since.get_or_insert_with(Instant::now);
                    if missing.elapsed() >= provider.listing_lag() {
                        if let Some(seen) = self.read_missing(provider.as_ref(), order, server).await? {
                            return self.save_address(order, &seen).await;
                        }
                        missing_since = None;
                    }
                }
            }
            if asked_staff.elapsed() >= ASK_STAFF {
                asked_staff = Instant::now();
                let wanted = self.store.wanted_of_order(order).await?;
                if is_over(wanted.status)? {
                    return Ok(Waited::Ready);
                }
                if wanted.replace_server.is_some() {
                    return Ok(Waited::Replace);
                }
            }
            if patience.is_some_and(|left| since.elapsed() >= left) {
                self.store.note_not_ready(order, server).await?;
                patience = None;
            }
        }
        Ok(Waited::Ready)
    }

    /// Reads a server that lists should show by now. `None` when it is there but not ready.
    async fn read_missing(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        server: &str,
    ) -> Result<Option<ProviderServer>, StepError> {
        match provider.get_server(server).await {
            Ok(seen) => Ok(seen.ready.then_some(seen)),
            Err(error) if error.class == FailureClass::NotFound => {
                Err(self.confirm_lost(provider, order, server).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn save_address(&self, order: OrderId, seen: &ProviderServer) -> Result<Waited, StepError> {
        let ipv4 = seen.ipv4.map(|ip| ip.to_string());
        let ipv6 = seen.ipv6.map(|ip| ip.to_string());
        self.store.save_address(order, ipv4, ipv6, seen.power).await?;
        Ok(Waited::Ready)
    }

    /// 404 alone proves nothing: only when the list by tag is empty as well is the server gone.
    async fn confirm_lost(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        server: &str,
    ) -> Result<StepError, StepError> {
        if provider.find_by_tag(&order_tag(order)).await?.iter().any(|listed| listed.id == server) {
            let message = format!("server {server} is listed but can't be read");
            return Ok(ProviderError::new(provider.slug(), FailureClass::Retryable, message).into());
        }
        self.store.forget_server(order, server).await?;
        Ok(StepError::ServerLost(server.to_owned()))
    }

    /// Admins see the latest trouble while retries go on; failing to note it must not hide the trouble itself.
    async fn note_trouble(&self, order: OrderId, error: &StepError) {
        let (code, request_id) = match error {
            StepError::Provider(e) => (e.code.clone(), e.request_id.as_deref().map(str::to_owned)),
            _ => (None, None),
        };
        let trouble = ProviderTrouble { class: error.class(), message: error.to_string(), code, request_id };
        if let Err(noting) = self.store.note_provider_trouble(order, &trouble).await {
            tracing::warn!(
                event = "provision.trouble_not_noted",
                order_id = %order,
                error = %noting,
                "could not note the provider's trouble"
            );
        }
    }
}

/// Whether an order has its server. One that was called off does not get any.
fn is_over(status: OrderStatus) -> Result<bool, StepError> {
    match status {
        OrderStatus::Provisioning => Ok(false),
        OrderStatus::Active => Ok(true),
        status => {
            Err(StoreError::Conflict { object: store::Object::Order, state: status.to_string() }.into())
        }
    }
}

/// The oldest server that carries the order's tag.
fn oldest(order: OrderId, listed: &[ProviderServer]) -> Option<String> {
    let tag = order_tag(order);
    let mut found: Vec<&ProviderServer> = listed.iter().filter(|server| server.tags.contains(&tag)).collect();
    found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    // Pages move when a server is made meanwhile: the same one may be listed twice.
    found.dedup_by(|a, b| a.id == b.id);
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|server| server.id.as_str()).collect();
        tracing::error!(
            alert = "provision.several_servers",
            order_id = %order,
            servers = ?ids,
            "several servers carry the tag of one order; the oldest is used"
        );
    }
    found.first().map(|server| server.id.clone())
}

#[cfg(test)]
pub(crate) mod tests;
