//! Waiting for a share of the vendor's limit, call by call.

use std::time::Duration;

use adapters::providers::ProviderError;
use domain::rate_limit::HeldBy;
use tokio::time::sleep;

/// Shortest and longest wait for the turn of a call that its caller's share has no room for.
const TURN_POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// Makes a call as soon as its caller's share of the vendor's limit has room for it. Each call waits for itself: an attempt
/// that began anew would use up for its first calls what the last one needs, and never come to its end.
pub(crate) async fn in_turn<T, F>(mut call: impl FnMut() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    loop {
        match call().await {
            Err(error) if matches!(error.held_by, Some(HeldBy::Class | HeldBy::Party)) => {
                let (shortest, longest) = TURN_POLL;
                sleep(error.retry_after.unwrap_or(longest).clamp(shortest, longest)).await;
            }
            outcome => return outcome,
        }
    }
}
