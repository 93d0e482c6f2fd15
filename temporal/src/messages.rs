//! From a [`Delivery`] to the engine's request. The outbox id is the request's id, so the engine itself drops a second
//! delivery; the workflow's id is deterministic, so a second start finds the first.

use std::{collections::HashMap, time::Duration};

use domain::{
    ids::OutboxId,
    outbox::{Delivery, SearchAttribute, Signal},
};
use serde::Serialize;
use temporalio_common::protos::temporal::api::{
    common::v1::{Payload, Payloads, SearchAttributes, WorkflowType},
    enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
    sdk::v1::UserMetadata,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{SignalWithStartWorkflowExecutionRequest, StartWorkflowExecutionRequest},
};
use workflows::queues;

/// What every request carries.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub namespace: String,
    pub queue_prefix: String,
    pub identity: String,
    /// The present, by the database's clock, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Whether an order may wait for money in a delayed start: a signal then has to end the delay.
    pub delayed: bool,
}

impl Envelope {
    /// Starts a workflow; `again` also when one under its id has ended. The first task waits until `not_before_ms`, where
    /// a signal ends such a wait; where it does not, the workflow waits on a timer of its own.
    pub(crate) fn start(
        &self,
        id: OutboxId,
        delivery: &Delivery,
        again: bool,
        not_before_ms: Option<u64>,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        let reuse = if again {
            WorkflowIdReusePolicy::AllowDuplicate
        } else {
            WorkflowIdReusePolicy::RejectDuplicate
        };
        let delay = not_before_ms.filter(|_| self.delayed).and_then(|moment| self.until(moment));
        Ok(StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: delivery.workflow_id.clone(),
            workflow_type: Some(workflow_type(delivery)),
            task_queue: Some(self.queue(delivery)),
            input: Some(payloads(&delivery.input)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: reuse.into(),
            search_attributes: attributes(&delivery.attributes)?,
            workflow_start_delay: delay.and_then(|left| left.try_into().ok()),
            user_metadata: Some(metadata(delivery)?),
            ..Default::default()
        })
    }

    /// Signals a workflow, starting it when it has ended or never began.
    pub(crate) fn signal(
        &self,
        id: OutboxId,
        delivery: &Delivery,
        signal: Signal,
    ) -> Result<SignalWithStartWorkflowExecutionRequest, serde_json::Error> {
        Ok(SignalWithStartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: delivery.workflow_id.clone(),
            workflow_type: Some(workflow_type(delivery)),
            task_queue: Some(self.queue(delivery)),
            input: Some(payloads(&delivery.input)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            signal_name: signal.to_string(),
            signal_input: Some(payloads(&id)?),
            search_attributes: attributes(&delivery.attributes)?,
            user_metadata: Some(metadata(delivery)?),
            ..Default::default()
        })
    }

    /// The time to a moment given in milliseconds since the Unix epoch; `None` when it is past.
    fn until(&self, moment_ms: u64) -> Option<Duration> {
        moment_ms.checked_sub(self.now_ms).map(Duration::from_millis)
    }

    /// The same signal for a workflow that sleeps in its start's delay and was not woken by it: that run is ended, and one
    /// without delay begins with the signal. The database is the authority on what is to be done, so nothing is lost.
    pub(crate) fn anew(
        signal: SignalWithStartWorkflowExecutionRequest,
    ) -> SignalWithStartWorkflowExecutionRequest {
        SignalWithStartWorkflowExecutionRequest {
            request_id: format!("{}-anew", signal.request_id),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::TerminateExisting.into(),
            ..signal
        }
    }

    fn queue(&self, delivery: &Delivery) -> TaskQueue {
        let queue = match delivery.input.workflow() {
            domain::outbox::WorkflowType::Delivery => queues::notifications,
            _ => queues::lifecycle,
        };
        TaskQueue { name: queue(&self.queue_prefix), ..Default::default() }
    }
}

fn workflow_type(delivery: &Delivery) -> WorkflowType {
    WorkflowType { name: delivery.input.workflow().to_string() }
}

fn metadata(delivery: &Delivery) -> Result<UserMetadata, serde_json::Error> {
    Ok(UserMetadata {
        summary: Some(json(&delivery.summary)?),
        details: delivery.details.as_ref().map(json).transpose()?,
    })
}

fn attributes(pairs: &[(SearchAttribute, String)]) -> Result<Option<SearchAttributes>, serde_json::Error> {
    let mut indexed_fields = HashMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let mut payload = json(value)?;
        payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
        indexed_fields.insert(name.to_string(), payload);
    }
    Ok((!indexed_fields.is_empty()).then_some(SearchAttributes { indexed_fields }))
}

fn payloads<T: Serialize>(value: &T) -> Result<Payloads, serde_json::Error> {
    Ok(Payloads { payloads: vec![json(value)?] })
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Payload, serde_json::Error> {
    Ok(Payload {
        metadata: HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]),
        data: serde_json::to_vec(value)?,
        ..Default::default()
    })
}
