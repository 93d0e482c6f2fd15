//! The connections to Postgres, bounded in every way: how long one is waited for, how long a lock is, how long a
//! statement may run and a transaction be idle. One that is stuck stops nobody but itself.

mod executor;
mod health;
mod lease;

use std::{sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::deadline;
use health::Health;
use lease::Lease;

pub(crate) use lease::{Acquired, Transaction};

/// How much longer than the server's own bound the answer to a statement is waited for: it comes at the bound, or never,
/// because a network swallowed it.
const SILENCE: Duration = Duration::from_secs(2);
/// The same where the server's bound is not known.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// Bound of a statement that reads everything there is.
const LONG: Duration = Duration::from_secs(600);

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
    /// Whether a pooler in between hands every transaction to whichever session is free. Then nothing can be set for a
    /// session of ours: the bounds above are the role's or the database's, see [`crate::Store::session_problems`].
    pub pooled: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 20,
            acquire_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(10),
            pooled: false,
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
    pub(crate) fn session(&self) -> [(&'static str, String); 4] {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        [
            ("lock_timeout", milliseconds(self.lock_timeout)),
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle_in_transaction_timeout)),
            ("TimeZone", "UTC".to_owned()),
        ]
    }
}

/// Probes on connections that nothing is said on: a NAT in between does not forget them, and the server ends the session of
/// a client that is gone within half a minute, and frees its locks. The server sends them, since the driver has no say in
/// its own socket; the client's system answers.
pub(crate) const KEEPALIVES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];

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
    /// Longest wait for the server's answer to anything.
    patience: Duration,
}

impl Pool {
    /// Opens a pool.
    pub(crate) async fn connect(
        options: PgConnectOptions,
        settings: &PoolSettings,
    ) -> Result<Self, sqlx::Error> {
        let health = Arc::<Health>::default();
        let connections = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(health::refuse_read_only(connection)))
            .before_acquire(move |connection, unused| {
                let health = Arc::clone(&health);
                Box::pin(async move { health.is_usable(connection, &unused).await })
            })
            .connect_with(if settings.pooled {
                // Poolers refuse what they don't know at a session's start, and today's servers write floats in full anyway.
                options.extra_float_digits(None)
            } else {
                options.options(settings.session()).options(KEEPALIVES)
            })
            .await?;
        Ok(Self {
            statement: settings.acquire_timeout + settings.statement_timeout,
            commit: settings.statement_timeout,
            patience: settings.statement_timeout + SILENCE,
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
            patience: LONGEST_SILENCE,
        }
    }

    /// Begins a transaction. Dropped without a commit, it is rolled back.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let place = self.place().await?;
        let lease = self.lease(Some(place)).await?;
        Transaction::begin(lease, self.commit).await
    }

    /// The same for what reads everything there is and takes its time: a statement of it may run for ten minutes.
    pub(crate) async fn begin_long(&self) -> Result<Transaction, sqlx::Error> {
        let mut tx = self.begin().await?;
        sqlx::query("SET LOCAL statement_timeout = '10min'").execute(&mut *tx).await?;
        tx.takes_its_time(LONG + SILENCE);
        Ok(tx)
    }

    /// A connection for several reads.
    pub(crate) async fn acquire(&self) -> Result<Acquired, sqlx::Error> {
        let place = self.place().await?;
        Ok(Acquired::new(self.lease(Some(place)).await?))
    }

    /// The connections themselves, for what is not bound by a request: listening, migrating, metrics.
    pub(crate) const fn connections(&self) -> &PgPool {
        &self.connections
    }

    async fn lease(&self, place: Option<OwnedSemaphorePermit>) -> Result<Lease, sqlx::Error> {
        Ok(Lease::new(self.connections.acquire().await?, place, self.patience))
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

/// No answer came, and none will.
fn silent() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer").into()
}

#[cfg(test)]
mod tests;
