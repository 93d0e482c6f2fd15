//! What the workflows' ports do: thin and idempotent, each naming what makes it so. `store` moves the business in
//! one transaction, `adapters` talk to the outside world; an activity only puts the two in the right order. Errors
//! become Temporal failures in one place (`failure`). Our own HTTP API is never called from here.

pub mod crash_point;
mod failure;
mod heartbeat;
mod instance;
mod order;
mod payment_check;
mod provision;

pub use crash_point::crash_point;
pub use instance::InstanceActivities;
pub use order::OrderActivities;
pub use payment_check::PaymentActivities;
pub use provision::ProviderActivities;
