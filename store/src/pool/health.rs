//! Whether a connection is of use: its server answers, and takes writes.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgConnection, pool::PoolConnectionMetadata};
use tokio::time::timeout;

use super::silent;

/// A connection that was unused for so long is asked whether it lives before it is used: a server that restarted, or a
/// network in between, may have cut it. Asking one that was used just now would cost a round trip per transaction.
const UNUSED_FOR: Duration = Duration::from_millis(500);
/// Longest wait for that answer.
const ANSWER: Duration = Duration::from_millis(1500);

/// What is known of all connections of a pool.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// When one last turned out to be swallowed. Those that were not used since are taken for swallowed as well: finding
    /// that out one by one would take longer than anybody waits for a connection.
    swallowed: Mutex<Option<Instant>>,
}

impl Health {
    /// Whether a connection that was in the pool can be used; an error closes it without a farewell.
    pub(super) async fn is_usable(
        &self,
        connection: &mut PgConnection,
        unused: &PoolConnectionMetadata,
    ) -> Result<bool, sqlx::Error> {
        if unused.idle_for < UNUSED_FOR {
            return Ok(true);
        }
        let last_used = Instant::now().checked_sub(unused.idle_for);
        let swallowed = *self.swallowed.lock().unwrap_or_else(PoisonError::into_inner);
        if swallowed.is_some_and(|moment| last_used.is_none_or(|used| used <= moment)) {
            return Err(silent());
        }
        match timeout(ANSWER, takes_writes(connection)).await {
            Ok(answer) => answer,
            Err(_) => {
                *self.swallowed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                Err(silent())
            }
        }
    }
}

/// Refuses a new connection to a server that takes no writes: a standby, or a primary that was demoted.
pub(super) async fn refuse_read_only(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match timeout(ANSWER, takes_writes(connection)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(sqlx::Error::Protocol("the database takes no writes".to_owned())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(silent()),
    }
}

/// Whether the server takes writes.
pub(super) async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off' AS "takes_writes!""#
    )
    .fetch_one(connection)
    .await
}

/// Whether a statement was refused because its server takes no writes (`SQLSTATE` 25006).
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "25006")
}
