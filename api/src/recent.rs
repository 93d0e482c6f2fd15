//! Answers of providers that are kept for a moment, so that many readers cost one call.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

/// Most answers kept at once.
const CAPACITY: usize = 1_000;

/// Answers by what was asked. Those who ask the same at once wait for one answer; a failure is not kept.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    kept_for: Duration,
    answers: Mutex<HashMap<K, Answer<V>>>,
}

#[derive(Debug)]
struct Answer<V> {
    asked: Instant,
    value: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Keeps answers for `kept_for` from when they were asked for.
    pub(crate) fn new(kept_for: Duration) -> Self {
        Self { kept_for, answers: Mutex::new(HashMap::new()) }
    }

    /// The answer for `key`: a recent one, or what `ask` gives.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(crate) async fn get<E>(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let value = self.cell(key);
        value.get_or_try_init(|| ask).await.cloned()
    }

    fn cell(&self, key: K) -> Arc<OnceCell<V>> {
        let now = Instant::now();
        let is_recent = |answer: &Answer<V>| now.duration_since(answer.asked) < self.kept_for;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(&key).filter(|answer| is_recent(answer)) {
            return Arc::clone(&answer.value);
        }
        if answers.len() >= CAPACITY {
            answers.retain(|_, answer| is_recent(answer));
        }
        if answers.len() >= CAPACITY {
            answers.clear();
        }
        let value = Arc::new(OnceCell::new());
        answers.insert(key, Answer { asked: now, value: Arc::clone(&value) });
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_readers_cost_one_call_and_failures_are_not_kept() {
        let recent = Recent::new(Duration::from_secs(60));
        let calls = AtomicU32::new(0);
        let ask = || async { Ok::<_, ()>(calls.fetch_add(1, Ordering::SeqCst)) };
        assert_eq!(recent.get("b", async { Err::<u32, _>("down") }).await, Err("down"));
        let both = futures::join!(recent.get("a", ask()), recent.get("a", ask()));
        assert_eq!(both, (Ok(0), Ok(0)));
        assert_eq!(recent.get("b", ask()).await, Ok(1));
    }

    #[tokio::test]
    async fn what_is_old_is_asked_for_again() {
        let recent = Recent::new(Duration::ZERO);
        for expected in 0..2 {
            assert_eq!(recent.get("a", async { Ok::<_, ()>(expected) }).await, Ok(expected));
        }
    }
}
