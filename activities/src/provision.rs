//! Getting the one server of an order. At most one is ever made, whatever fails:
//!
//! 1. Before a create is sent, the database notes that it will be (a fenced update: two workers can't both).
//! 2. While that note stands, a server may exist that we have not seen. The next try waits until the request must
//!    have settled and the provider's listing lag is over, looks the server up by the order's tag, and only when
//!    there is none takes the note back and creates.
//! 3. The note is also taken back when the provider refused for certain. Otherwise the server's id replaces it.
//!
//! Waiting orders share their look-ups and their looks at booting servers: see [`crate::readiness`].

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use adapters::providers::{
    CloudProvider, CreateInstance, CreateTicket, ProviderError, ProviderInstance, Registry,
};
use chrono::Utc;
use domain::{
    ids::OrderId,
    order::OrderStatus,
    provisioning::{FailureClass, cohort_tag, order_tag},
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
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
    readiness::{Boards, Listing, Question},
};

/// Implements the ports at the providers.
#[derive(Clone)]
pub struct ProviderActivities {
    store: Store,
    providers: Arc<Registry>,
    boards: Arc<Boards>,
}

impl ProviderActivities {
    /// Works at these providers, and keeps the database told.
    #[must_use]
    pub fn new(store: Store, providers: Arc<Registry>) -> Self {
        Self { store, providers, boards: Arc::default() }
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
        if let Err(error) = while_heartbeating(&ctx, self.provision(order)).await {
            self.note_trouble(order, &error).await;
            return Err(failure(error));
        }
        crash_point("provision_server.after");
        Ok(())
    }
}

impl ProviderActivities {
    async fn provision(&self, order: OrderId) -> Result<(), StepError> {
        let job = self.store.provisioning_job(order).await?;
        match job.status {
            OrderStatus::Provisioning => {}
            OrderStatus::Active => return Ok(()),
            status => return Err(StoreError::Conflict { object: "order", state: status.to_string() }.into()),
        }
        let provider = self.providers.get(&job.provider)?;
        let server = match &job.provider_instance_id {
            Some(id) => id.clone(),
            None => self.obtain(&provider, order, &job).await?,
        };
        crash_point("provision_server.before_ready");
        self.await_ready(&provider, order, &server).await
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
        if job.create_sent_at.is_some() {
            self.store.clear_create_sent(order, job.create_fence).await?;
        }
        // Waiting for the rate limit comes first: the note must not age before the create is sent.
        let ticket = {
            let _counted = self.boards.of(provider).create_waiting();
            provider.ready_to_create().await?
        };
        if !self.store.mark_create_sent(order, job.create_fence).await? {
            return Err(StepError::Overtaken);
        }
        crash_point("provision_server.before_create");
        let created = self.create(provider.as_ref(), ticket, order, job).await?;
        crash_point("provision_server.after_create");
        self.store.save_server(order, &created).await?;
        Ok(created)
    }

    /// The order's server, if there is one. After a create whose outcome is not known, the answer has to be certain:
    /// the order asks for itself, and not before the request must have settled and lists show what it made.
    async fn look_up(
        &self,
        provider: &Arc<dyn CloudProvider>,
        order: OrderId,
        job: &ProvisioningJob,
    ) -> Result<Option<String>, StepError> {
        let Some(sent) = job.create_sent_at else {
            let listing = self.boards.of(provider).listing(&cohort_tag(order), Question::LookUp).await?;
            return Ok(oldest(order, &listing));
        };
        let settled = provider.request_timeout() + provider.listing_lag();
        let since = (Utc::now() - sent).to_std().unwrap_or_default();
        if let Some(left) = settled.checked_sub(since).filter(|left| !left.is_zero()) {
            return Err(StepError::OutcomePending(left));
        }
        Ok(oldest(order, &provider.find_by_tag(&order_tag(order)).await?))
    }

    async fn create(
        &self,
        provider: &dyn CloudProvider,
        ticket: CreateTicket,
        order: OrderId,
        job: &ProvisioningJob,
    ) -> Result<String, StepError> {
        let request = CreateInstance {
            tag: order_tag(order),
            cohort: cohort_tag(order),
            hostname: job.hostname.clone(),
            size: job.size.clone(),
            region: job.region.clone(),
            image: job.image.clone(),
            ssh_public_keys: job.ssh_keys.clone(),
            root_password: job.root_password.clone(),
        };
        match provider.create_instance(ticket, &request).await {
            Ok(created) => Ok(created.id),
            // The order's name is taken, so its server exists: it is taken, or waited for, but never made again.
            Err(error) if error.class == FailureClass::Conflict => {
                tracing::warn!(order_id = %order, %error, "the provider has a server of this name already");
                let found = provider.find_by_tag(&order_tag(order)).await?;
                oldest(order, &found).ok_or_else(|| StepError::OutcomePending(provider.listing_lag()))
            }
            Err(error) => {
                if !error.is_ambiguous() {
                    self.store.clear_create_sent(order, job.create_fence + 1).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Waits until a customer can log in, then saves the address. A server that lists don't show is given the
    /// listing lag to show up and then read by itself; one that is gone for good is forgotten, so that a retry
    /// creates anew.
    async fn await_ready(
        &self,
        provider: &Arc<dyn CloudProvider>,
        order: OrderId,
        server: &str,
    ) -> Result<(), StepError> {
        let board = self.boards.of(provider);
        let cohort = cohort_tag(order);
        let since = Instant::now();
        let mut missing_since = None;
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
        }
        Ok(())
    }

    /// Reads a server that lists should show by now. `None` when it is there but not ready.
    async fn read_missing(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        server: &str,
    ) -> Result<Option<ProviderInstance>, StepError> {
        match provider.get_instance(server).await {
            Ok(seen) => Ok(seen.ready.then_some(seen)),
            Err(error) if error.class == FailureClass::NotFound => {
                Err(self.confirm_lost(provider, order, server).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn save_address(&self, order: OrderId, seen: &ProviderInstance) -> Result<(), StepError> {
        let ipv4 = seen.ipv4.map(|ip| ip.to_string());
        let ipv6 = seen.ipv6.map(|ip| ip.to_string());
        Ok(self.store.save_address(order, ipv4, ipv6, seen.power).await?)
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
            StepError::Provider(e) => (e.code.clone(), e.request_id.clone()),
            _ => (None, None),
        };
        let trouble = ProviderTrouble { class: error.class(), message: error.to_string(), code, request_id };
        if let Err(noting) = self.store.note_provider_trouble(order, &trouble).await {
            tracing::warn!(order_id = %order, error = %noting, "could not note the provider's trouble");
        }
    }
}

/// The oldest server that carries the order's tag.
fn oldest(order: OrderId, listed: &[ProviderInstance]) -> Option<String> {
    let tag = order_tag(order);
    let mut found: Vec<&ProviderInstance> =
        listed.iter().filter(|server| server.tags.contains(&tag)).collect();
    found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    // Pages move when a server is made meanwhile: the same one may be listed twice.
    found.dedup_by(|a, b| a.id == b.id);
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|server| server.id.as_str()).collect();
        tracing::error!(order_id = %order, servers = ?ids, "several servers carry the tag of one order; the oldest is used");
    }
    found.first().map(|server| server.id.clone())
}

#[cfg(test)]
mod tests;
