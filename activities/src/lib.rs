//! What the workflows' ports do: thin and idempotent, each naming what makes it so. `store` moves the business in
//! one transaction, `adapters` talk to the outside world; an activity only puts the two in the right order. Errors
//! become Temporal failures in one place (`failure`). Our own HTTP API is never called from here.

mod attempts;
mod catalog_sync;
pub mod crash_point;
pub mod credentials_watch;
mod delivery;
mod failure;
mod final_snapshot;
mod heartbeat;
mod instance;
mod instance_action;
mod instance_deletion;
mod instance_server;
mod instance_snapshot;
mod ledger;
mod order;
pub mod pacing;
mod payment_check;
mod private_network;
mod provision;
mod purge;
mod readiness;
mod reconcile;
mod refund;
#[cfg(test)]
mod skewed_clock;
mod suspend;
mod sweep;
pub mod telegram_reader;
mod turn;

pub use attempts::AttemptWatch;
pub use catalog_sync::CatalogSyncActivities;
pub use crash_point::crash_point;
pub use delivery::{Channels, DeliveryActivities, Links, MailChannel, TelegramChannel};
pub use instance::InstanceActivities;
pub use instance_server::ServerActivities;
pub use ledger::LedgerActivities;
pub use order::OrderActivities;
pub use payment_check::PaymentActivities;
pub use provision::ProviderActivities;
pub use purge::PurgeActivities;
pub use reconcile::{CreateWatchActivities, ReconcileActivities};
pub use refund::{RefundActivities, RefundGatewayActivities};
pub use sweep::{EngineError, RunningWorkflows, SweepActivities};
