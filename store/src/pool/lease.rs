//! A connection out of the pool. It is given back once what was begun on it is over, or closed when it does not answer
//! in time: no network that swallows answers can keep the pool's places.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{error::Elapsed, timeout},
};

use super::{health::takes_writes, silent};
use crate::{deadline, time_limit};

/// A connection, until it is dropped.
pub(super) struct Lease {
    /// Taken by its end only, of which there is one.
    connection: Option<PoolConnection<Postgres>>,
    /// Among those that may be used for longer than a statement.
    place: Option<OwnedSemaphorePermit>,
    patience: Duration,
    in_transaction: bool,
}

impl Lease {
    pub(super) const fn new(
        connection: PoolConnection<Postgres>,
        place: Option<OwnedSemaphorePermit>,
        patience: Duration,
    ) -> Self {
        Self { connection: Some(connection), place, patience, in_transaction: false }
    }

    /// Longest wait for an answer.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Takes in how it went. A connection that was silent, or whose server takes no writes any more, is closed.
    pub(super) fn judge<T>(
        &mut self,
        answered: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, sqlx::Error> {
        let answer = answered.unwrap_or_else(|_| {
            tracing::warn!(
                event = "database.connection_dropped",
                within = ?self.patience,
                "the database did not answer; its connection is closed"
            );
            self.close();
            Err(silent())
        });
        if answer.as_ref().is_err_and(super::health::is_read_only) {
            self.close();
        }
        answer
    }

    /// Begins or ends a transaction.
    async fn say(&mut self, word: &'static str) -> Result<(), sqlx::Error> {
        let said = timeout(self.patience, sqlx::raw_sql(word).execute(&mut **self)).await;
        self.judge(said).map(drop)
    }

    fn close(&mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("whoever closed a connection does not use it"),
        }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("whoever closed a connection does not use it"),
        }
    }
}

impl Drop for Lease {
    /// Rolls back what is open. A statement that was given up goes on until it is over or out of time, and its connection
    /// with it: so long the place is taken, or clients who hang up would use up the connections of those who read.
    fn drop(&mut self) {
        let (Some(mut connection), Ok(runtime)) =
            (self.connection.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (place, patience, in_transaction) = (self.place.take(), self.patience, self.in_transaction);
        runtime.spawn(async move {
            let given_back = async {
                if !in_transaction || is_rolled_back(&mut connection).await {
                    connection.return_to_pool().await;
                } else {
                    drop(connection.detach());
                }
            };
            if timeout(patience, given_back).await.is_err() {
                tracing::warn!(
                    event = "database.connection_abandoned",
                    within = ?patience,
                    "a connection that was given up did not answer and is closed"
                );
            }
            drop(place);
        });
    }
}

/// Ends what was given up. `false` when the connection is of no use any more: broken, or to a server that takes no writes,
/// which may be why it was given up.
async fn is_rolled_back(connection: &mut PgConnection) -> bool {
    sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.is_ok()
        && takes_writes(connection).await.unwrap_or(false)
}

/// A connection for several reads, until it is dropped.
pub(crate) struct Acquired {
    lease: Lease,
    _open: Option<time_limit::Open>,
}

impl Acquired {
    pub(super) fn new(lease: Lease) -> Self {
        Self { lease, _open: time_limit::opened() }
    }
}

impl Deref for Acquired {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.lease
    }
}

impl DerefMut for Acquired {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.lease
    }
}

/// A transaction with its place among those that may be open.
pub(crate) struct Transaction {
    lease: Lease,
    commit: Duration,
    open: Option<time_limit::Open>,
}

impl Transaction {
    pub(super) async fn begin(mut lease: Lease, commit: Duration) -> Result<Self, sqlx::Error> {
        let open = time_limit::opened();
        // From here on, since what is given up on the way may have begun all the same.
        lease.in_transaction = true;
        lease.say("BEGIN").await?;
        Ok(Self { lease, commit, open })
    }

    /// What its statements may take, where that is more than usual. Nobody waits for it who would give it up before.
    pub(super) fn takes_its_time(&mut self, patience: Duration) {
        (self.lease.patience, self.open) = (patience, None);
    }

    /// Commits, unless whoever waits for it could be told before that it took too long.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if !deadline::leaves(self.commit) {
            return Err(sqlx::Error::PoolTimedOut);
        }
        self.lease.say("COMMIT").await?;
        self.lease.in_transaction = false;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.lease
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.lease
    }
}
