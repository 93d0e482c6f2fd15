//! Connections to the mail server that are used again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::transport::smtp::client::AsyncSmtpConnection;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// A connection unused for longer is not used again: servers close theirs after a minute or more.
const IDLE: Duration = Duration::from_secs(20);

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// So many connections, and those of them that nobody uses.
pub(super) struct Pool {
    places: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn of(connections: usize) -> Self {
        Self { places: Semaphore::new(connections.max(1)), idle: Mutex::default() }
    }

    /// A place among those who talk to the server. It is waited for in line.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// The connection that was used last, if there is one.
    pub(super) fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        idle.pop().map(|idle| idle.connection)
    }

    /// Keeps a connection for the next mail.
    pub(super) fn keep(&self, connection: AsyncSmtpConnection) {
        if connection.has_broken() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { connection, since: Instant::now() });
    }
}
