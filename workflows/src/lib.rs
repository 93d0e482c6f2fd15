//! Deterministic workflow code, one module per workflow, and the ports: the activities they call, declared but not
//! implemented. No clock, no randomness, no IO and no tokio may appear here; the crate depends on the Temporal
//! authoring crates and `domain` only, which `cargo verify` checks. Every duration comes from the input.
//!
//! A change of this code must let recorded histories replay (`workflows/histories/`): guard it with
//! `ctx.patched("...")`.

mod catalog_sync;
mod create_watch;
mod delivery;
mod instance;
mod ledger_upkeep;
pub mod next_version;
mod order;
mod payment_check;
mod ports;
mod purge;
pub mod queues;
mod reconcile;
mod refund;
pub mod search;
mod steps;
mod sweep;

/// A name for the workflow code of this program: it changes with the code, with the rules and types that it shares with its
/// steps, and with the engine's library.
pub const CODE: &str = env!("WORKFLOW_CODE");

pub use catalog_sync::{CatalogSyncPorts, CatalogSyncWorkflow, CatalogSynced, SyncCatalog};
pub use create_watch::{CreateWatchPorts, CreateWatchWorkflow, CreatesWatched, WatchCreates};
pub use delivery::{DeliveryPorts, DeliveryRecordPorts, DeliveryWorkflow, GiveUpDelivery, SendDelivery};
pub use instance::{InstanceInput, InstanceWorkflow};
pub use ledger_upkeep::{
    CheckLedger, LedgerCheckRun, LedgerChecked, LedgerPorts, LedgerUpkeepWorkflow, RecogniseRevenue,
};
pub use order::{OrderOutcome, OrderWorkflow};
pub use payment_check::{CheckPayments, PaymentCheckPorts, PaymentCheckWorkflow, PaymentsChecked};
pub use ports::{
    ActionFailed, ActionRun, ActivateOrder, AwaitResumption, DeleteServer, ExpireOrder, FailAction,
    FailProvisioning, InstancePorts, LookAtLife, MovedOn, NextAction, NoteTermEnd, OrderPorts, OrderProgress,
    PAUSED, ProviderPorts, ProvisionServer, ProvisioningFailed, RemindOfPayment, RunInstanceAction,
    ServerPorts, StartProvisioning,
};
pub use purge::{PurgePorts, PurgeRows, PurgeRun, PurgeWorkflow, Purged};
pub use reconcile::{ReconcilePorts, ReconcileProvider, ReconcileWorkflow, Reconciled};
pub use refund::{
    RefundGatewayPorts, RefundGiven, RefundNotGiven, RefundOrder, RefundOutcome, RefundPorts, RefundWorkflow,
    ReturnRefund, SendRefund, SettleRefund,
};
pub use sweep::{SweepPorts, SweepWorkflow, Swept, WakeLost};
