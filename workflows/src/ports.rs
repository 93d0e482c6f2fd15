//! What the workflows need done, as declarations. `activities` implements them; each says there what makes it safe
//! to run twice.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::{
    ids::{ActionId, InstanceId, OrderId},
    instance::ActionTurn,
    life::{LifeLook, LifeTurn},
    order::OrderStatus,
    provisioning::FailureClass,
};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

pub use instance_ports::{FailAction, LookAtLife, NextAction, NoteTermEnd};
pub use order_ports::{
    ActivateOrder, AwaitResumption, ExpireOrder, FailProvisioning, RemindOfPayment, StartProvisioning,
};
pub use provider_ports::ProvisionServer;
pub use server_ports::{DeleteServer, RunInstanceAction};

/// Where an order stands after a step.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderProgress {
    /// Its status now. A step that found it elsewhere than expected changed nothing.
    pub status: OrderStatus,
    /// Its server, once there is one.
    pub instance_id: Option<InstanceId>,
    /// Which try at the provider this is, counted from 1.
    pub try_number: i64,
    /// Slug of the provider to get it from; what steps recorded before there was failover leave out is as ordered.
    #[serde(default)]
    pub provider: Option<String>,
    /// Slug of the plan to get it as, likewise.
    #[serde(default)]
    pub plan_slug: Option<String>,
    /// Why staff want nothing provisioned there for now. What steps recorded before there were pauses leave out is none.
    #[serde(default)]
    pub paused: Option<String>,
}

/// The type of a failure by which a step at a provider says that staff paused provisioning: no failure of the order's.
pub const PAUSED: &str = "PAUSED";

/// Where an order goes on after a try that ended for want of capacity.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MovedOn {
    /// Slug of the provider.
    pub provider: String,
    /// Slug of the plan.
    pub plan_slug: String,
}

/// A try at the provider that ended for good.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProvisioningFailed {
    /// The order.
    pub order_id: OrderId,
    /// Which try it was: recording it twice must not end the next one.
    pub try_number: i64,
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words, for admins.
    pub message: String,
}

/// An action to be carried out at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionRun {
    /// The action.
    pub action_id: ActionId,
    /// How long a provider that is busy with the server is asked again, in milliseconds.
    pub busy_patience_ms: u64,
}

/// An action that ended for good without its effect.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionFailed {
    /// The action.
    pub action_id: ActionId,
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words, for admins.
    pub message: String,
}

/// Recording steps of an order: one database transaction each, run as local activities.
pub struct OrderPorts;

#[activity_definitions]
impl OrderPorts {
    /// Reminds the customer of an unpaid order.
    #[activity(name = "remind_of_payment")]
    pub fn remind_of_payment(_: OrderId) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Closes an order that was not paid in time, unless it was paid meanwhile.
    #[activity(name = "expire_order")]
    pub fn expire_order(_: OrderId) -> Result<OrderStatus, ActivityError> {
        unimplemented!()
    }

    /// Moves a paid order to `PROVISIONING`.
    #[activity(name = "start_provisioning")]
    pub fn start_provisioning(_: OrderId) -> Result<OrderProgress, ActivityError> {
        unimplemented!()
    }

    /// Succeeds when nothing is paused any more at the provider with this slug.
    #[activity(name = "await_resumption")]
    pub fn await_resumption(_: String) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Moves an order whose server runs to `ACTIVE` and hands over to the server's own workflow. Answers where the order
    /// stands when it was called off just before.
    #[activity(name = "activate_order")]
    pub fn activate_order(_: OrderId) -> Result<Option<OrderStatus>, ActivityError> {
        unimplemented!()
    }

    /// Moves an order to `PROVISIONING_FAILED` with its reason, or to another provider where it goes on at once.
    #[activity(name = "fail_provisioning")]
    pub fn fail_provisioning(_: ProvisioningFailed) -> Result<Option<MovedOn>, ActivityError> {
        unimplemented!()
    }
}

/// Calls to a provider, on that provider's own task queue.
pub struct ProviderPorts;

#[activity_definitions]
impl ProviderPorts {
    /// Gets the order's one server from the provider and waits until a customer can log in.
    #[activity(name = "provision_server")]
    pub fn provision_server(_: OrderId) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

/// Recording steps of a server's life: one database transaction each, run as local activities.
pub struct InstancePorts;

#[activity_definitions]
impl InstancePorts {
    /// Notes that the paid term is over.
    #[activity(name = "note_term_end")]
    pub fn note_term_end(_: InstanceId) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Records what is due in a server's life, and takes the next action in the order they were asked for.
    #[activity(name = "look_at_life")]
    pub fn look_at_life(_: LifeLook) -> Result<LifeTurn, ActivityError> {
        unimplemented!()
    }

    /// Takes the next action in the order they were asked for.
    #[activity(name = "next_action")]
    pub fn next_action(_: InstanceId) -> Result<ActionTurn, ActivityError> {
        unimplemented!()
    }

    /// Ends an action with its reason.
    #[activity(name = "fail_action")]
    pub fn fail_action(_: ActionFailed) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

/// What is done to a server at its provider, on that provider's own task queue. Each records its own success.
pub struct ServerPorts;

#[activity_definitions]
impl ServerPorts {
    /// Carries out an action and waits until the provider says that it is done.
    #[activity(name = "run_instance_action")]
    pub fn run_instance_action(_: ActionRun) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Deletes a server and waits until the provider neither reads nor lists it any more.
    #[activity(name = "delete_server")]
    pub fn delete_server(_: ActionId) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
