//! One message to the engine.

use std::sync::Arc;

use activities::crash_point;
use domain::outbox::{How, Plan};
use engine::{ConnectError, TemporalConfig, connect, timed};
use store::{Store, StoreError, outbox::Claimed};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::workflowservice::v1::SignalWithStartWorkflowExecutionRequest;
use tonic::{Code, Status};

use super::{DATABASE_TIMEOUT, pulse::Outcome};
use crate::{
    canary::{self, StartDelay},
    messages::Envelope,
};

/// How long a message is left alone that the engine was not there for. The engine's absence is waited out by the
/// dispatcher as a whole.
const OUTAGE_PAUSE_SECONDS: f64 = 1.0;

#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("Temporal answered {}: {}", .0.code(), .0.message())]
    Refused(#[source] Status),
    #[error("the message can't be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the message can't be read: {0}")]
    Unreadable(#[source] Arc<serde_json::Error>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not answer")]
    DatabaseSilent,
}

impl DeliveryError {
    /// Whether any message would have failed: engine or database are away, or don't let us in.
    fn is_outage(&self) -> bool {
        match self {
            Self::Connect(_) | Self::DatabaseSilent => true,
            Self::Store(error) => error.is_transient(),
            Self::Encode(_) | Self::Unreadable(_) => false,
            Self::Refused(status) => match status.code() {
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
                | Code::Aborted
                | Code::Unauthenticated
                | Code::PermissionDenied
                | Code::Unimplemented
                // Of the namespace: starts and signals find workflows or make them.
                | Code::NotFound => true,
                // With a source it was not the engine that said so, but the connection that broke.
                _ => std::error::Error::source(status).is_some(),
            },
        }
    }
}

/// A delivery that ended.
pub(super) struct Delivery {
    /// The message.
    pub claimed: Claimed,
    /// What came of it.
    pub outcome: Outcome,
}

/// The engine, connected when first needed and again after it was away.
pub(super) struct Deliverer {
    store: Store,
    config: TemporalConfig,
    client: tokio::sync::Mutex<Option<Client>>,
    start_delay: StartDelay,
}

impl Deliverer {
    pub(super) fn new(store: Store, config: TemporalConfig, start_delay: StartDelay) -> Self {
        Self { store, config, client: tokio::sync::Mutex::new(None), start_delay }
    }

    /// Delivers one message. What did not get through is noted with the message; that it did, the caller notes.
    pub(super) async fn deliver(self: std::sync::Arc<Self>, claimed: Claimed) -> Delivery {
        crash_point("dispatcher.before_delivery");
        if claimed.is_superseded {
            return Delivery { claimed, outcome: Outcome::Superseded };
        }
        let outcome = match self.send(&claimed).await {
            Ok(()) => {
                crash_point("dispatcher.after_delivery");
                Outcome::Delivered
            }
            Err(error) => self.not_delivered(&claimed, &error).await,
        };
        Delivery { claimed, outcome }
    }

    async fn not_delivered(&self, claimed: &Claimed, error: &DeliveryError) -> Outcome {
        let reason = error.to_string();
        if error.is_outage() {
            // Failing that, the message's lease runs out by itself.
            let postponed = self.store.postpone_outbox(claimed.id, OUTAGE_PAUSE_SECONDS, &reason);
            let _ = tokio::time::timeout(DATABASE_TIMEOUT, postponed).await;
            return Outcome::Outage(reason);
        }
        let noted = tokio::time::timeout(DATABASE_TIMEOUT, self.store.fail_outbox(claimed.id, &reason)).await;
        let is_dead = matches!(noted, Ok(Ok(failed)) if failed.is_dead);
        Outcome::Failed { reason, is_dead }
    }

    async fn send(&self, claimed: &Claimed) -> Result<(), DeliveryError> {
        let message =
            claimed.message.as_ref().map_err(|error| DeliveryError::Unreadable(Arc::clone(error)))?;
        let client = self.client().await?;
        let envelope = Envelope {
            namespace: self.config.namespace.clone(),
            queue_prefix: self.config.queue_prefix.clone(),
            identity: client.connection().identity().to_owned(),
            now_ms: claimed.claimed_at_ms,
            delayed: self.start_delay.ends(),
        };
        let delivery = match message.plan() {
            Plan::Now(delivery) => *delivery,
            Plan::OfOrder(order, plan) => {
                let (status, start) = self.asked(self.store.order_standing(order)).await?;
                let Some(delivery) = plan(status, start) else { return Ok(()) };
                delivery
            }
            Plan::OfInstance(instance, plan) => plan(self.asked(self.store.instance_start(instance)).await?),
        };
        let answer = match delivery.how {
            How::Start { again, not_before_ms } => {
                let request = timed(envelope.start(claimed.id, &delivery, again, not_before_ms)?);
                let mut service = client.connection().workflow_service();
                service.start_workflow_execution(request).await.map(drop)
            }
            How::Signal(signal) => {
                self.signal(&client, envelope.signal(claimed.id, &delivery, signal)?).await
            }
        };
        match answer {
            // The workflow is there: an earlier delivery got through.
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            answer => answer.map_err(DeliveryError::Refused),
        }
    }

    /// Signals a workflow, and sees to it that it wakes up.
    async fn signal(
        &self,
        client: &Client,
        request: SignalWithStartWorkflowExecutionRequest,
    ) -> Result<(), Status> {
        let mut service = client.connection().workflow_service();
        service.signal_with_start_workflow_execution(timed(request.clone())).await?;
        if self.start_delay.ends() || !canary::sleeps(client, &request.workflow_id).await? {
            return Ok(());
        }
        tracing::warn!(
            event = "workflow.start_delay_cut",
            workflow_id = request.workflow_id,
            "a workflow sleeps on in its start's delay; it is started anew"
        );
        service.signal_with_start_workflow_execution(timed(Envelope::anew(request))).await.map(drop)
    }

    /// What the database says, which it has to do in time.
    async fn asked<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, DeliveryError> {
        match tokio::time::timeout(DATABASE_TIMEOUT, question).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(DeliveryError::DatabaseSilent),
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
