//! Deterministic workflow code, one module per workflow, and the ports: the activities they call, declared but not
//! implemented. No clock, no randomness, no IO and no tokio may appear here; the crate depends on the Temporal
//! authoring crates and `domain` only, which `cargo verify` checks. Every duration comes from the input.
//!
//! A change of this code must let recorded histories replay (`workflows/histories/`): guard it with
//! `ctx.patched("...")`.

mod instance;
mod order;
mod payment_check;
mod ports;
pub mod queues;
pub mod search;

pub use instance::InstanceWorkflow;
pub use order::{OrderOutcome, OrderWorkflow};
pub use payment_check::{CheckPayments, PaymentCheckPorts, PaymentCheckWorkflow, PaymentsChecked};
pub use ports::{
    ActivateOrder, ExpireOrder, FailProvisioning, InstancePorts, NoteTermEnd, OrderPorts, OrderProgress,
    ProviderPorts, ProvisionServer, ProvisioningFailed, RemindOfPayment, StartProvisioning,
};
