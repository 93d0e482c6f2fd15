//! Load: so many clients, each beginning its next piece of work when the last is done.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};

/// What came of a load.
#[derive(Debug)]
pub struct Run<T> {
    /// An outcome for each piece of work, in the order in which they were done.
    pub outcomes: Vec<T>,
    /// From the first piece's beginning to the last one's end.
    pub elapsed: Duration,
}

impl<T> Run<T> {
    /// Puts another run after this one, as if they were one.
    pub fn extend(&mut self, later: Self) {
        self.outcomes.extend(later.outcomes);
        self.elapsed += later.elapsed;
    }

    /// Pieces of work a second; 0 when there was none.
    pub fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.outcomes.len() as f64 / seconds } else { 0.0 }
    }
}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self { outcomes: Vec::new(), elapsed: Duration::ZERO }
    }
}

/// Does `work` for the numbers 0 to `total - 1`, `concurrency` of them at any time.
///
/// # Errors
/// The first piece's that fails; the others are then dropped.
pub async fn closed_loop<T, F>(total: usize, concurrency: usize, work: impl Fn(usize) -> F) -> Result<Run<T>>
where
    F: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    let outcomes =
        stream::iter(0..total).map(work).buffer_unordered(concurrency.max(1)).try_collect().await?;
    Ok(Run { outcomes, elapsed: begun.elapsed() })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn all_is_done_and_no_more_at_once_than_asked() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = closed_loop(20, 3, |number| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::Relaxed);
                Ok(number)
            }
        });
        let mut numbers = run.await.unwrap().outcomes;
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 3);
    }

    #[tokio::test]
    async fn a_failure_ends_it() {
        let run =
            closed_loop(
                5,
                2,
                |number| async move { if number == 3 { anyhow::bail!("three") } else { Ok(()) } },
            );
        assert_eq!(run.await.unwrap_err().to_string(), "three");
    }

    #[test]
    fn runs_add_up() {
        let mut run = Run { outcomes: vec![1; 10], elapsed: Duration::from_secs(2) };
        run.extend(Run { outcomes: vec![2; 20], elapsed: Duration::from_secs(1) });
        assert!((run.per_second() - 10.0).abs() < 1e-9);
        assert!(Run::<()>::default().per_second().abs() < 1e-9);
    }
}
