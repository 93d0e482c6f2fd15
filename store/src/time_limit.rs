//! An end for work whose answer from the database never comes. Single statements have their own; a transaction has many
//! statements, of which the server ends each in time, unless a network in between swallowed the connection.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Result, StoreError};

/// Longest time a transaction can be open: some statements, each as long as it may be.
const LONGEST: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

tokio::task_local! {
    static TRANSACTIONS: Transactions;
}

/// Since when transactions of a task are open.
#[derive(Debug, Clone, Default)]
struct Transactions(Arc<Mutex<Vec<Instant>>>);

impl Transactions {
    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_for(&self) -> Option<Duration> {
        self.lock().iter().map(Instant::elapsed).max()
    }
}

/// Does `work`, however long that takes, but gives it up when a transaction of it is open for longer than any may be.
/// Tasks that it spawns are not bounded.
///
/// # Errors
/// A [`StoreError::is_transient`] one when it was given up.
pub async fn bounded<F: Future>(work: F) -> Result<F::Output> {
    bounded_by(LONGEST, LOOK, work).await
}

async fn bounded_by<F: Future>(longest: Duration, look: Duration, work: F) -> Result<F::Output> {
    let transactions = Transactions::default();
    let work = TRANSACTIONS.scope(transactions.clone(), work);
    tokio::pin!(work);
    let mut look = tokio::time::interval(look);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = look.tick() => {
                if transactions.open_for().is_some_and(|time| time > longest) {
                    let silence = std::io::Error::new(
                        std::io::ErrorKind::TimedOut,
                        "the database did not answer within a transaction",
                    );
                    return Err(StoreError::Db(silence.into()));
                }
            }
        }
    }
}

/// An open transaction of a task that is bounded, until it is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    of: Transactions,
    since: Instant,
}

/// Notes that a transaction begins; `None` where nothing is bounded.
pub(crate) fn opened() -> Option<Open> {
    let of = TRANSACTIONS.try_with(Clone::clone).ok()?;
    let since = Instant::now();
    of.lock().push(since);
    Some(Open { of, since })
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        if let Some(place) = open.iter().position(|since| *since == self.since) {
            open.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn work_is_given_up_when_a_transaction_stays_open_but_not_when_it_takes_long_besides() {
        let long = async {
            drop(opened());
            tokio::time::sleep(LOOK * 5).await;
        };
        assert!(bounded_by(Duration::ZERO, LOOK, long).await.is_ok());
        let stuck = async {
            let _open = opened();
            std::future::pending::<()>().await;
        };
        assert!(bounded_by(Duration::ZERO, LOOK, stuck).await.unwrap_err().is_transient());
        assert!(opened().is_none(), "nothing is bounded here");
    }
}
