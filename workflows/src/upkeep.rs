//! What the workflows share that keep an installation true to its providers and to its books.

use std::time::Duration;

use domain::upkeep::UpkeepPolicy;
use temporalio_workflow::{ActivityOptions, RetryPolicy};

use crate::queues;

/// Options of a step at a provider: retried under the policy, taken over when its worker falls silent.
pub(crate) fn at_provider(
    policy: &UpkeepPolicy,
    own_queue: &str,
    provider: &str,
    summary: String,
) -> ActivityOptions {
    on_queue(policy, queues::provider_beside(own_queue, provider), summary)
}

/// Options of a step on a queue: retried under the policy, taken over when its worker falls silent.
pub(crate) fn on_queue(policy: &UpkeepPolicy, queue: String, summary: String) -> ActivityOptions {
    ActivityOptions::with_schedule_to_close_timeout(Duration::from_millis(policy.give_up_after_ms))
        .task_queue(queue)
        .heartbeat_timeout(Duration::from_millis(policy.heartbeat_timeout_ms))
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(policy.retry_initial_ms))
                .maximum_interval(Duration::from_millis(policy.retry_max_ms))
                .build(),
        )
        .summary(summary)
        .build()
}
