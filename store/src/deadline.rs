//! Until when an answer is of use to whoever asked. Nothing is begun that could still take effect after that: a caller
//! who is told that it took too long may rely on it that nothing was changed.

use std::time::{Duration, Instant};

tokio::task_local! {
    static END: Instant;
}

/// Does `work` with the deadline `end`. It is not cut off then, but begins nothing that may not be over by `end`:
/// [`crate::StoreError::is_transient`] errors come instead. Tasks that it spawns have no deadline.
pub async fn until<F: Future>(end: Instant, work: F) -> F::Output {
    END.scope(end, work).await
}

/// Whether something that takes `longest` would be over in time.
pub(crate) fn leaves(longest: Duration) -> bool {
    END.try_with(|end| end.saturating_duration_since(Instant::now()) >= longest).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_could_come_too_late_is_not_begun() {
        assert!(leaves(Duration::MAX), "there is no deadline here");
        let soon = Instant::now() + Duration::from_secs(60);
        until(soon, async {
            assert!(leaves(Duration::from_secs(50)));
            assert!(!leaves(Duration::from_secs(61)));
            assert!(tokio::spawn(async { leaves(Duration::MAX) }).await.unwrap());
        })
        .await;
        until(Instant::now(), async { assert!(leaves(Duration::ZERO)) }).await;
    }
}
