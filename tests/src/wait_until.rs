//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long a condition may take before a test gives up.
pub const LONGEST: Duration = Duration::from_secs(240);

/// Asks until the answer is `Some`; panics with `what` when it stays `None` for four minutes.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < LONGEST, "gave up waiting: {what}");
    }
}
