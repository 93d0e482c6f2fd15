//! Turns outbox rows into workflow starts and signals. It hears of new rows by LISTEN/NOTIFY and looks by itself once a
//! second; several dispatchers share the work, since a row is leased to one of them. Delivering twice is harmless.

use std::{sync::Arc, time::Duration};

use activities::crash_point;
use domain::{
    order::OrderStatus,
    outbox::Message,
    upkeep::{CatalogSyncStart, LedgerUpkeepStart, ReconcileStart, UpkeepPolicy},
};
use store::{Store, StoreError, outbox::Claimed};
use temporalio_client::Client;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Code, IntoRequest, Status};
use workflows::queues::signals;

use crate::{
    connect::{ConnectError, TemporalConfig, connect},
    messages::Envelope,
};

/// Deliveries under way at once.
const IN_FLIGHT: usize = 64;
/// How long a row is ours. A delivery that takes longer is done again by another dispatcher.
const LEASE_SECONDS: f64 = 30.0;
/// How often it looks without being told.
const POLL: Duration = Duration::from_secs(1);
/// Longest wait for the engine's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait before a failed delivery is tried again.
const LONGEST_PAUSE_SECONDS: f64 = 5.0;

#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("Temporal answered {}: {}", .0.code(), .0.message())]
    Refused(Status),
    #[error("the message can't be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Delivers messages until `stop`, then finishes those under way.
///
/// Trouble with the database or the engine is waited out, not returned.
pub async fn run(store: Store, config: TemporalConfig, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = deliver_until(&store, &config, &stop).await {
            tracing::warn!(%error, "the outbox is out of reach; trying again");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

async fn deliver_until(
    store: &Store,
    config: &TemporalConfig,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let engine = Arc::new(Engine::new(store.clone(), config.clone()));
    let mut listener = store.listen_outbox().await?;
    let mut under_way = JoinSet::new();
    let mut delivered = Vec::new();
    loop {
        while let Some(done) = under_way.try_join_next() {
            delivered.extend(done.ok().flatten());
        }
        if !delivered.is_empty() {
            store.mark_dispatched(&delivered).await?;
            delivered.clear();
        }
        let room = IN_FLIGHT - under_way.len();
        let mut full = room == 0;
        if room > 0 && !stop.is_cancelled() {
            let claimed = store.claim_outbox(i64::try_from(room).unwrap_or(i64::MAX), LEASE_SECONDS).await?;
            full = claimed.len() == room;
            for message in claimed {
                under_way.spawn(Arc::clone(&engine).deliver(message));
            }
        }
        if stop.is_cancelled() && under_way.is_empty() {
            return Ok(());
        }
        tokio::select! {
            Some(done) = under_way.join_next(), if !under_way.is_empty() => delivered.extend(done.ok().flatten()),
            heard = listener.recv(), if !full => { heard?; }
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
    }
}

/// The engine, connected when first needed and again after it was away.
struct Engine {
    store: Store,
    config: TemporalConfig,
    client: tokio::sync::Mutex<Option<Client>>,
}

impl Engine {
    fn new(store: Store, config: TemporalConfig) -> Self {
        Self { store, config, client: tokio::sync::Mutex::new(None) }
    }

    /// Delivers one message; `Some(id)` when it is through, `None` when it was postponed.
    async fn deliver(self: Arc<Self>, claimed: Claimed) -> Option<domain::ids::OutboxId> {
        crash_point("dispatcher.before_delivery");
        match self.send(&claimed).await {
            Ok(()) => {
                crash_point("dispatcher.after_delivery");
                Some(claimed.id)
            }
            Err(error) => {
                let pause = (0.1 * f64::from(claimed.attempts).exp2()).min(LONGEST_PAUSE_SECONDS);
                tracing::warn!(outbox_id = %claimed.id, kind = claimed.message.kind(), attempts = claimed.attempts,
                               %error, "a message to Temporal was not delivered; trying again");
                if let Err(error) = self.store.postpone_outbox(claimed.id, pause, &error.to_string()).await {
                    tracing::warn!(%error, "the message's lease runs out by itself");
                }
                None
            }
        }
    }

    async fn send(&self, claimed: &Claimed) -> Result<(), DeliveryError> {
        let client = self.client().await?;
        let envelope = Envelope {
            namespace: self.config.namespace.clone(),
            queue_prefix: self.config.queue_prefix.clone(),
            identity: client.connection().identity().to_owned(),
        };
        let mut service = client.connection().workflow_service();
        let answer = match &claimed.message {
            Message::StartOrder(start) => {
                let request = timed(envelope.start_order(claimed.id, start)?);
                service.start_workflow_execution(request).await.map(drop)
            }
            Message::PaymentConfirmed(start) => {
                let request = envelope.signal_order(
                    claimed.id,
                    start,
                    signals::PAYMENT_CONFIRMED,
                    OrderStatus::Paid,
                )?;
                service.signal_with_start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::RetryProvisioning { order_id } => {
                let start = self.store.order_start(*order_id).await?;
                let request = envelope.signal_order(
                    claimed.id,
                    &start,
                    signals::RETRY_PROVISIONING,
                    OrderStatus::Provisioning,
                )?;
                service.signal_with_start_workflow_execution(timed(request)).await.map(drop)
            }
            // Also with a start: a plain signal does not end the delay of a workflow that waits for money.
            Message::OrderClosed { order_id } => {
                let start = self.store.order_start(*order_id).await?;
                let request = envelope.signal_order(
                    claimed.id,
                    &start,
                    signals::ORDER_CLOSED,
                    OrderStatus::Cancelled,
                )?;
                service.signal_with_start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::StartInstance(start) => {
                let request = timed(envelope.start_instance(claimed.id, start)?);
                service.start_workflow_execution(request).await.map(drop)
            }
            Message::ActionRequested { instance_id } => {
                let start = self.store.instance_start(*instance_id).await?;
                let request = envelope.signal_instance(claimed.id, &start, signals::ACTION_REQUESTED)?;
                service.signal_with_start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::SyncCatalog { sync_id, provider } => {
                let policy = UpkeepPolicy::default();
                let start = CatalogSyncStart { provider: provider.clone(), sync_id: Some(*sync_id), policy };
                let request =
                    envelope.start_catalog_sync(claimed.id, claimed.message.workflow_id(), &start)?;
                service.start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::Reconcile { reconciliation_id, provider, settings } => {
                let start = ReconcileStart {
                    provider: provider.clone(),
                    reconciliation_id: Some(*reconciliation_id),
                    settings: *settings,
                    policy: UpkeepPolicy::default(),
                };
                let request =
                    envelope.start_reconciliation(claimed.id, claimed.message.workflow_id(), &start)?;
                service.start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::CheckLedger { check_id } => {
                let policy = UpkeepPolicy::of_the_books();
                let start = LedgerUpkeepStart { check_id: Some(*check_id), policy };
                let request =
                    envelope.start_ledger_upkeep(claimed.id, claimed.message.workflow_id(), &start)?;
                service.start_workflow_execution(timed(request)).await.map(drop)
            }
            Message::StartRefund(start) => {
                let request = timed(envelope.start_refund(claimed.id, start)?);
                service.start_workflow_execution(request).await.map(drop)
            }
        };
        match answer {
            // The workflow is there: an earlier delivery got through.
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            answer => answer.map_err(DeliveryError::Refused),
        }
    }

    async fn client(&self) -> Result<Client, DeliveryError> {
        let mut client = self.client.lock().await;
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        Ok(client.insert(connect(&self.config).await?).clone())
    }
}

fn timed<T>(message: T) -> tonic::Request<T> {
    let mut request = message.into_request();
    request.set_timeout(CALL_TIMEOUT);
    request
}
