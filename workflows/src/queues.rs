//! Names of task queues: what a client outside this crate must spell the same way.

const LIFECYCLE: &str = "lifecycle";

/// Queue of order and instance workflows and of their recording steps. `prefix` keeps installations that share a
/// Temporal namespace apart; usually it is empty.
#[must_use]
pub fn lifecycle(prefix: &str) -> String {
    format!("{prefix}{LIFECYCLE}")
}

/// Queue of the calls to one provider, so that one provider's trouble never blocks another's orders.
#[must_use]
pub fn provider(prefix: &str, slug: &str) -> String {
    format!("{prefix}provider-{slug}")
}

/// The provider's queue that belongs to the same installation as a lifecycle queue.
#[must_use]
pub fn provider_beside(lifecycle_queue: &str, slug: &str) -> String {
    provider(lifecycle_queue.strip_suffix(LIFECYCLE).unwrap_or_default(), slug)
}

/// Queue of the calls to payment gateways.
#[must_use]
pub fn payments(prefix: &str) -> String {
    format!("{prefix}payments")
}

/// Queue of what tells people something outside of the app, workflows and steps: however much there is to be told, no order
/// waits for it.
#[must_use]
pub fn notifications(prefix: &str) -> String {
    format!("{prefix}notifications")
}

/// The payments' queue that belongs to the same installation as a lifecycle queue.
#[must_use]
pub fn payments_beside(lifecycle_queue: &str) -> String {
    payments(lifecycle_queue.strip_suffix(LIFECYCLE).unwrap_or_default())
}
