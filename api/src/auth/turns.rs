//! One attempt at a time: those that are counted together are checked one after another in this process, so that a
//! person who logs in at several places at once is not taken for somebody who guesses.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Forget turns that nobody waits for whenever there are so many.
const SWEEP_AT: usize = 1024;

static TURNS: LazyLock<Mutex<HashMap<String, Weak<Turn>>>> = LazyLock::new(Mutex::default);

/// Waits until no other attempt of this name is under way. The next one may begin when the guard is dropped.
pub(super) async fn take(name: String) -> OwnedMutexGuard<()> {
    turn(name).lock_owned().await
}

fn turn(name: String) -> Arc<Turn> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(turn) = turns.get(&name).and_then(Weak::upgrade) {
        return turn;
    }
    if turns.len() >= SWEEP_AT {
        turns.retain(|_, turn| turn.strong_count() > 0);
    }
    let turn = Arc::new(Turn::default());
    turns.insert(name, Arc::downgrade(&turn));
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attempts_of_one_name_wait_for_each_other_and_no_others() {
        let first = take("siti".to_owned()).await;
        let _other = take("budi".to_owned()).await;
        let mut second = Box::pin(take("siti".to_owned()));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }
}
