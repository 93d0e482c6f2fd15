//! The connections to Postgres, bounded in every way: how long one is waited for, how long a lock is, how long a
//! statement may run and a transaction be idle. One that is stuck stops nobody but itself.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use futures::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Connection, Either, Execute, Executor, PgConnection, PgPool, PgTransaction, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::deadline;

/// A connection that was unused for so long is asked whether it lives before it is used: a server that restarted, or a
/// network in between, may have cut it. Asking one that was used just now would cost a round trip per transaction.
const UNUSED_FOR: Duration = Duration::from_millis(500);

/// How patient one process is with its database.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Most connections.
    pub max_connections: u32,
    /// Longest wait for a free connection, and for a new one to come about.
    pub acquire_timeout: Duration,
    /// Longest wait of a statement for a lock that another transaction holds.
    pub lock_timeout: Duration,
    /// Longest run of a statement.
    pub statement_timeout: Duration,
    /// Longest pause of a transaction between two statements; then the server ends it and its locks.
    pub idle_in_transaction_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 20,
            acquire_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }
}

impl PoolSettings {
    /// The usual bounds with so many connections.
    #[must_use]
    pub fn of(max_connections: u32) -> Self {
        Self { max_connections, ..Self::default() }
    }

    /// The bounds as the server is to keep them in every session, and the time zone of all of them: what is computed
    /// from days and months must name its own.
    fn session(&self) -> [(&'static str, String); 4] {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        [
            ("lock_timeout", milliseconds(self.lock_timeout)),
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle_in_transaction_timeout)),
            ("TimeZone", "UTC".to_owned()),
        ]
    }
}

/// The pool. A single statement is executed on `&Pool`; what takes several goes through [`Pool::begin`] or
/// [`Pool::acquire`], of which at most three quarters of the connections are in use: however many transactions wait for
/// one that is stuck, reads go on.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    connections: PgPool,
    places: Arc<Semaphore>,
    /// Longest time a statement can take to be over, the wait for its connection included.
    statement: Duration,
    /// The same for a commit, whose connection is there.
    commit: Duration,
}

impl Pool {
    /// Opens a pool.
    pub(crate) async fn connect(
        options: PgConnectOptions,
        settings: &PoolSettings,
    ) -> Result<Self, sqlx::Error> {
        let connections = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, unused| {
                Box::pin(async move {
                    if unused.idle_for >= UNUSED_FOR {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options.application_name("webrana").options(settings.session()))
            .await?;
        Ok(Self {
            statement: settings.acquire_timeout + settings.statement_timeout,
            commit: settings.statement_timeout,
            ..Self::new(connections)
        })
    }

    /// Takes over connections that were opened elsewhere, with whatever bounds they have.
    pub(crate) fn new(connections: PgPool) -> Self {
        let most = usize::try_from(connections.options().get_max_connections()).unwrap_or(usize::MAX);
        let places = (most - most / 4).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            connections,
            places: Arc::new(Semaphore::new(places)),
            statement: Duration::ZERO,
            commit: Duration::ZERO,
        }
    }

    /// Begins a transaction. Dropped without a commit, it is rolled back.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let place = self.place().await?;
        let open = Some(Open { transaction: self.connections.begin().await?, place });
        Ok(Transaction { open, commit: self.commit })
    }

    /// The same for what reads everything there is and takes its time: a statement of it may run for ten minutes.
    pub(crate) async fn begin_long(&self) -> Result<Transaction, sqlx::Error> {
        let mut tx = self.begin().await?;
        sqlx::query("SET LOCAL statement_timeout = '10min'").execute(&mut *tx).await?;
        Ok(tx)
    }

    /// A connection for several reads.
    pub(crate) async fn acquire(&self) -> Result<Acquired, sqlx::Error> {
        let place = self.place().await?;
        Ok(Acquired { connection: self.connections.acquire().await?, _place: place })
    }

    /// The connections themselves, for what is not bound by a request: listening, migrating, metrics.
    pub(crate) const fn connections(&self) -> &PgPool {
        &self.connections
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        self.in_time()?;
        let patience = self.connections.options().get_acquire_timeout();
        match tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => self.in_time().map(|()| place),
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    fn in_time(&self) -> Result<(), sqlx::Error> {
        if deadline::leaves(self.statement) { Ok(()) } else { Err(sqlx::Error::PoolTimedOut) }
    }
}

impl<'p> Executor<'p> for &'_ Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.in_time() {
            Ok(()) => (&self.connections).fetch_many(query),
            Err(late) => Box::pin(futures::stream::once(async { Err(late) })),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.in_time() {
            Ok(()) => (&self.connections).fetch_optional(query),
            Err(late) => Box::pin(async { Err(late) }),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        (&self.connections).prepare_with(sql, parameters)
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        (&self.connections).describe(sql)
    }
}

/// A connection out of the pool, until it is dropped.
pub(crate) struct Acquired {
    connection: PoolConnection<Postgres>,
    _place: OwnedSemaphorePermit,
}

impl Deref for Acquired {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Acquired {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// A transaction with its place among those that may be open.
pub(crate) struct Transaction {
    /// Taken by its end only, of which there is one.
    open: Option<Open>,
    commit: Duration,
}

struct Open {
    transaction: PgTransaction<'static>,
    place: OwnedSemaphorePermit,
}

impl Transaction {
    /// Commits, unless whoever waits for it could be told before that it took too long.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if !deadline::leaves(self.commit) {
            return Err(sqlx::Error::PoolTimedOut);
        }
        match self.open.take() {
            Some(open) => open.transaction.commit().await,
            None => Ok(()),
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.open {
            Some(open) => &open.transaction,
            None => unreachable!("whoever ends a transaction has it no longer"),
        }
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.open {
            Some(open) => &mut open.transaction,
            None => unreachable!("whoever ends a transaction has it no longer"),
        }
    }
}

impl Drop for Transaction {
    /// Rolls back. A statement that was given up goes on until it is over or out of time, and its connection with it:
    /// so long the place is taken, or clients who hang up would use up the connections of those who read.
    fn drop(&mut self) {
        let (Some(Open { transaction, place }), Ok(runtime)) =
            (self.open.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(%error, "a transaction was given up, and its connection with it");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests;
