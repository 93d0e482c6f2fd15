//! From an outbox message to the engine's request. The outbox id is the request's id, so the engine itself drops a
//! second delivery; the workflow's id is deterministic, so a second start finds the first.

use std::{collections::HashMap, time::Duration};

use domain::{
    ids::OutboxId,
    order::OrderStatus,
    outbox::{InstanceStart, OrderStart, instance_workflow_id, order_workflow_id},
    refund::{RefundStart, refund_workflow_id},
    upkeep::{CatalogSyncStart, LedgerUpkeepStart, ReconcileStart},
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
    /// Starts an order's workflow. Its first task is delayed until the reminder is due: waiting for money costs the
    /// engine nothing, and a signal ends the delay. Where it does not, the workflow waits on a timer of its own.
    pub(crate) fn start_order(
        &self,
        id: OutboxId,
        start: &OrderStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        let policy = start.policy;
        let due = start.placed_at_ms + policy.remind_after_ms.min(policy.payment_window_ms);
        Ok(StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: order_workflow_id(start.order_id),
            workflow_type: Some(WorkflowType { name: queues::ORDER_WORKFLOW.to_owned() }),
            task_queue: Some(self.lifecycle_queue()),
            input: Some(payloads(start)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            search_attributes: Some(order_attributes(start, OrderStatus::PendingPayment)?),
            workflow_start_delay: self
                .until(due)
                .filter(|_| self.delayed)
                .and_then(|left| left.try_into().ok()),
            user_metadata: Some(order_summary(start)?),
            ..Default::default()
        })
    }

    /// Starts the workflow of an unpaid order again, which was lost. One that runs is left alone.
    pub(crate) fn restart_order(
        &self,
        id: OutboxId,
        start: &OrderStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        Ok(StartWorkflowExecutionRequest {
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            ..self.start_order(id, start)?
        })
    }

    /// Signals an order's workflow, starting it when it has ended or never began.
    pub(crate) fn signal_order(
        &self,
        id: OutboxId,
        start: &OrderStart,
        signal: &str,
        status: OrderStatus,
    ) -> Result<SignalWithStartWorkflowExecutionRequest, serde_json::Error> {
        Ok(SignalWithStartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: order_workflow_id(start.order_id),
            workflow_type: Some(WorkflowType { name: queues::ORDER_WORKFLOW.to_owned() }),
            task_queue: Some(self.lifecycle_queue()),
            input: Some(payloads(start)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            signal_name: signal.to_owned(),
            signal_input: Some(payloads(&id)?),
            search_attributes: Some(order_attributes(start, status)?),
            user_metadata: Some(order_summary(start)?),
            ..Default::default()
        })
    }

    /// Starts a server's workflow. It waits on a timer of its own: the engine would hold every run that continues it back
    /// for what is left of a start's delay, and more than that in versions since.
    pub(crate) fn start_instance(
        &self,
        id: OutboxId,
        start: &InstanceStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        Ok(StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: instance_workflow_id(start.instance_id),
            workflow_type: Some(WorkflowType { name: queues::INSTANCE_WORKFLOW.to_owned() }),
            task_queue: Some(self.lifecycle_queue()),
            input: Some(payloads(start)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            search_attributes: Some(instance_attributes(start)?),
            user_metadata: Some(instance_summary(start)?),
            ..Default::default()
        })
    }

    /// Signals a server's workflow, starting it when it has ended or never began.
    pub(crate) fn signal_instance(
        &self,
        id: OutboxId,
        start: &InstanceStart,
        signal: &str,
    ) -> Result<SignalWithStartWorkflowExecutionRequest, serde_json::Error> {
        Ok(SignalWithStartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: instance_workflow_id(start.instance_id),
            workflow_type: Some(WorkflowType { name: queues::INSTANCE_WORKFLOW.to_owned() }),
            task_queue: Some(self.lifecycle_queue()),
            input: Some(payloads(start)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            signal_name: signal.to_owned(),
            signal_input: Some(payloads(&id)?),
            search_attributes: Some(instance_attributes(start)?),
            user_metadata: Some(instance_summary(start)?),
            ..Default::default()
        })
    }

    /// Starts the reading of a provider's catalog that somebody asked for.
    pub(crate) fn start_catalog_sync(
        &self,
        id: OutboxId,
        workflow_id: String,
        start: &CatalogSyncStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        let summary = format!("Read the catalog of {}", start.provider);
        self.start_once(id, workflow_id, queues::CATALOG_SYNC_WORKFLOW, start, summary)
    }

    /// Starts the comparison of a provider with the database that somebody asked for.
    pub(crate) fn start_reconciliation(
        &self,
        id: OutboxId,
        workflow_id: String,
        start: &ReconcileStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        let summary = format!("Compare {} with the database", start.provider);
        self.start_once(id, workflow_id, queues::RECONCILE_WORKFLOW, start, summary)
    }

    /// Starts the upkeep of the books that somebody asked for.
    pub(crate) fn start_ledger_upkeep(
        &self,
        id: OutboxId,
        workflow_id: String,
        start: &LedgerUpkeepStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        self.start_once(id, workflow_id, queues::LEDGER_UPKEEP_WORKFLOW, start, "Check the books".to_owned())
    }

    /// Starts a refund's way through its gateway, again when staff want another try and the earlier one has ended.
    pub(crate) fn start_refund(
        &self,
        id: OutboxId,
        start: &RefundStart,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        let workflow_id = refund_workflow_id(start.refund_id);
        let summary = "Give money back through its gateway".to_owned();
        Ok(StartWorkflowExecutionRequest {
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            ..self.start_once(id, workflow_id, queues::REFUND_WORKFLOW, start, summary)?
        })
    }

    fn start_once<T: Serialize>(
        &self,
        id: OutboxId,
        workflow_id: String,
        workflow: &str,
        start: &T,
        summary: String,
    ) -> Result<StartWorkflowExecutionRequest, serde_json::Error> {
        Ok(StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id,
            workflow_type: Some(WorkflowType { name: workflow.to_owned() }),
            task_queue: Some(self.lifecycle_queue()),
            input: Some(payloads(start)?),
            identity: self.identity.clone(),
            request_id: id.to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            user_metadata: Some(UserMetadata { summary: Some(json(&summary)?), details: None }),
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

    fn lifecycle_queue(&self) -> TaskQueue {
        TaskQueue { name: queues::lifecycle(&self.queue_prefix), ..Default::default() }
    }
}

fn order_attributes(start: &OrderStart, status: OrderStatus) -> Result<SearchAttributes, serde_json::Error> {
    keywords([
        ("OrderStatus", status.to_string()),
        ("Provider", start.provider.clone()),
        ("PlanSlug", start.plan_slug.clone()),
        ("CustomerId", start.customer_id.to_string()),
    ])
}

fn order_summary(start: &OrderStart) -> Result<UserMetadata, serde_json::Error> {
    Ok(UserMetadata {
        summary: Some(json(&format!("Order of a {} server at {}", start.plan_slug, start.provider))?),
        details: Some(json(&format!("Customer {}.", start.customer_id))?),
    })
}

fn instance_attributes(start: &InstanceStart) -> Result<SearchAttributes, serde_json::Error> {
    keywords([
        ("Provider", start.provider.clone()),
        ("PlanSlug", start.plan_slug.clone()),
        ("CustomerId", start.customer_id.to_string()),
        ("InstanceId", start.instance_id.to_string()),
    ])
}

fn instance_summary(start: &InstanceStart) -> Result<UserMetadata, serde_json::Error> {
    Ok(UserMetadata {
        summary: Some(json(&format!("{} server at {}", start.plan_slug, start.provider))?),
        details: Some(json(&format!("Bought with order {}.", start.order_id))?),
    })
}

fn keywords<const N: usize>(pairs: [(&str, String); N]) -> Result<SearchAttributes, serde_json::Error> {
    let mut indexed_fields = HashMap::with_capacity(N);
    for (name, value) in pairs {
        let mut payload = json(&value)?;
        payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
        indexed_fields.insert(name.to_owned(), payload);
    }
    Ok(SearchAttributes { indexed_fields })
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
