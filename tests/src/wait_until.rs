//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long a condition may take before a test gives up.
pub const LONGEST: Duration = Duration::from_secs(240);

/// Pauses between two questions grow: dozens of systems are waited for at once, and to ask costs what they need themselves.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(150);

/// Asks until the answer is `Some`; panics with `what` when it stays `None` for four minutes.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < LONGEST, "gave up waiting: {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(LONGEST_PAUSE);
    }
}
