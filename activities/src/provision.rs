//! Getting the one server of an order. At most one is ever made, whatever fails:
//!
//! 1. Before a create is sent, the database notes that it will be (a fenced update: two workers can't both).
//! 2. While that note stands, a server may exist that we have not seen. The next try waits until the request must
//!    have settled and the provider's listing lag is over, looks the server up by the order's tag, and only when
//!    there is none takes the note back and creates.
//! 3. The note is also taken back when the provider refused for certain. Otherwise the server's id replaces it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{sync::Arc, time::Duration};

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

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// First and longest wait between two looks at a booting server.
const READY_POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Implements the ports at the providers.
#[derive(Debug, Clone)]
pub struct ProviderActivities {
    /// The database.
    pub store: Store,
    /// The providers this worker may call.
    pub providers: Arc<Registry>,
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
            None => self.obtain(provider.as_ref(), order, &job).await?,
        };
        crash_point("provision_server.before_ready");
        self.await_ready(provider.as_ref(), order, &server).await
    }

    /// Finds the order's server or creates it; answers with its id.
    async fn obtain(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        job: &ProvisioningJob,
    ) -> Result<String, StepError> {
        if let Some(sent) = job.create_sent_at {
            let settled = provider.request_timeout() + provider.listing_lag();
            let since = (Utc::now() - sent).to_std().unwrap_or_default();
            if let Some(left) = settled.checked_sub(since).filter(|left| !left.is_zero()) {
                return Err(StepError::OutcomePending(left));
            }
        }
        let tag = order_tag(order);
        let found = provider.find_by_tag(&tag).await?;
        if let Some(first) = found.first() {
            if found.len() > 1 {
                let ids: Vec<&str> = found.iter().map(|s| s.id.as_str()).collect();
                tracing::error!(order_id = %order, servers = ?ids, "several servers carry the tag of one order; the oldest is used");
            }
            self.store.save_server(order, &first.id).await?;
            return Ok(first.id.clone());
        }
        if job.create_sent_at.is_some() {
            self.store.clear_create_sent(order, job.create_fence).await?;
        }
        // Waiting for the rate limit comes first: the note must not age before the create is sent.
        let ticket = provider.ready_to_create().await?;
        if !self.store.mark_create_sent(order, job.create_fence).await? {
            return Err(StepError::Overtaken);
        }
        crash_point("provision_server.before_create");
        let created = self.create(provider, ticket, order, job, tag).await?;
        crash_point("provision_server.after_create");
        self.store.save_server(order, &created.id).await?;
        Ok(created.id)
    }

    async fn create(
        &self,
        provider: &dyn CloudProvider,
        ticket: CreateTicket,
        order: OrderId,
        job: &ProvisioningJob,
        tag: String,
    ) -> Result<ProviderInstance, StepError> {
        let request = CreateInstance {
            tag,
            cohort: cohort_tag(order),
            hostname: job.hostname.clone(),
            size: job.size.clone(),
            region: job.region.clone(),
            image: job.image.clone(),
            ssh_public_keys: job.ssh_keys.clone(),
            root_password: None,
        };
        match provider.create_instance(ticket, &request).await {
            Ok(created) => Ok(created),
            Err(error) => {
                if !error.is_ambiguous() {
                    self.store.clear_create_sent(order, job.create_fence + 1).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Waits until a customer can log in, then saves the address. A server that a read does not find is given the
    /// listing lag to show up; one that is gone for good is forgotten, so that a retry creates anew.
    async fn await_ready(
        &self,
        provider: &dyn CloudProvider,
        order: OrderId,
        server: &str,
    ) -> Result<(), StepError> {
        let (mut wait, longest) = READY_POLL;
        let grace = provider.listing_lag();
        let mut missing_since = None;
        loop {
            match provider.get_instance(server).await {
                Ok(seen) if seen.ready => return self.save_address(order, &seen).await,
                Ok(_) => missing_since = None,
                Err(error) if error.class == FailureClass::NotFound => {
                    let since = *missing_since.get_or_insert_with(tokio::time::Instant::now);
                    if since.elapsed() >= grace {
                        return Err(self.confirm_lost(provider, order, server).await?);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(longest);
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
