//! Providers' circuit breakers, shared by all processes. The rule is [`domain::circuit::Breaker`]'s.

use chrono::{DateTime, Utc};
use domain::circuit::{Admission, Breaker, CircuitState};
use sqlx::PgConnection;

use super::{Held, finish};
use crate::{Result, Store};

/// A provider's circuit, for those who look.
#[derive(Debug, Clone)]
pub struct Circuit {
    /// Slug of the provider.
    pub provider: String,
    /// Where it stands.
    pub state: CircuitState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Failed calls in a row.
    pub failures: i32,
}

/// A circuit's row.
pub(super) struct Row {
    state: CircuitState,
    since: DateTime<Utc>,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    openings: i32,
    retry_at: Option<DateTime<Utc>>,
}

impl From<Row> for Breaker {
    fn from(row: Row) -> Self {
        Self {
            state: row.state,
            since: row.since,
            failures: u32::try_from(row.failures).unwrap_or_default(),
            failing_since: row.failing_since,
            openings: u32::try_from(row.openings).unwrap_or_default(),
            retry_at: row.retry_at,
        }
    }
}

impl Store {
    /// The circuits of all providers that were ever called.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn circuits(&self) -> Result<Vec<Circuit>> {
        Ok(sqlx::query_as!(
            Circuit,
            r#"SELECT provider, state AS "state: CircuitState", since, failures FROM provider_circuits
               ORDER BY provider"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Notes a failed call. `true` when no further calls should be made.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn note_failed_call(&self, provider: &str) -> Result<bool> {
        let breaker = self.move_circuit(provider, Breaker::failed).await?;
        Ok(breaker.state == CircuitState::Open)
    }

    /// Notes a call that was answered after others failed.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn note_answered_call(&self, provider: &str) -> Result<()> {
        self.move_circuit(provider, Breaker::answered).await?;
        Ok(())
    }

    async fn move_circuit(
        &self,
        provider: &str,
        change: impl FnOnce(&mut Breaker, DateTime<Utc>) + Send,
    ) -> Result<Breaker> {
        let mut tx = self.pool.begin().await?;
        let (mut breaker, now) = lock(&mut tx, provider).await?;
        let before = breaker.clone();
        change(&mut breaker, now);
        if breaker != before {
            save(&mut tx, provider, &breaker).await?;
        }
        if breaker.state != before.state {
            tracing::warn!(provider, from = %before.state, to = %breaker.state, "a provider's circuit changed");
        }
        finish(tx, breaker).await
    }
}

/// How many of the wanted calls a circuit lets through: all, or the one that tries, or none; and whether a success
/// is worth noting.
pub(super) async fn admits(
    tx: &mut PgConnection,
    provider: &str,
    now: DateTime<Utc>,
    wanted: u32,
) -> Result<std::result::Result<(u32, bool), Held>> {
    let breaker = Breaker::from(read(tx, provider).await?);
    match breaker.admits(now) {
        Admission::Yes => return Ok(Ok((wanted, breaker.failures > 0))),
        Admission::No(left) => return Ok(Err(held(left, &breaker))),
        Admission::Trial => {}
    }
    let (mut breaker, now) = lock(tx, provider).await?;
    match breaker.admits(now) {
        Admission::Yes => Ok(Ok((wanted, true))),
        Admission::No(left) => Ok(Err(held(left, &breaker))),
        Admission::Trial => {
            breaker.begin_trial(now);
            save(tx, provider, &breaker).await?;
            Ok(Ok((1, true)))
        }
    }
}

fn held(left: chrono::TimeDelta, breaker: &Breaker) -> Held {
    let reason = format!("no calls are made for now: {} failed in a row", breaker.failures);
    Held { reason, retry_after: left.to_std().unwrap_or_default() }
}

async fn read(tx: &mut PgConnection, provider: &str) -> Result<Row> {
    Ok(sqlx::query_as!(
        Row,
        r#"SELECT state AS "state: CircuitState", since, failures, failing_since, openings, retry_at
           FROM provider_circuits WHERE provider = $1"#,
        provider,
    )
    .fetch_one(tx)
    .await?)
}

/// The breaker, locked, and the time after the lock was got.
async fn lock(tx: &mut PgConnection, provider: &str) -> Result<(Breaker, DateTime<Utc>)> {
    let row = sqlx::query!(
        r#"WITH circuit AS MATERIALIZED (SELECT * FROM provider_circuits WHERE provider = $1 FOR UPDATE)
           SELECT clock_timestamp() AS "now!", state AS "state!: CircuitState", since AS "since!",
                  failures AS "failures!", failing_since, openings AS "openings!", retry_at FROM circuit"#,
        provider,
    )
    .fetch_one(tx)
    .await?;
    let (state, since, failures) = (row.state, row.since, row.failures);
    let (failing_since, openings, retry_at) = (row.failing_since, row.openings, row.retry_at);
    Ok((Row { state, since, failures, failing_since, openings, retry_at }.into(), row.now))
}

async fn save(tx: &mut PgConnection, provider: &str, breaker: &Breaker) -> Result<()> {
    sqlx::query!(
        "UPDATE provider_circuits SET state = $2, since = $3, failures = $4, failing_since = $5, openings = $6, retry_at = $7
         WHERE provider = $1",
        provider,
        breaker.state.as_str(),
        breaker.since,
        i32::try_from(breaker.failures).unwrap_or(i32::MAX),
        breaker.failing_since,
        i32::try_from(breaker.openings).unwrap_or(i32::MAX),
        breaker.retry_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
