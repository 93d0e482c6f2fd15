//! Providers' circuit breakers, shared by all processes. The rule is [`domain::circuit::Breaker`]'s.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    circuit::{Admission, Breaker, CircuitScope, CircuitState},
    event::ProviderRefuses,
};
use sqlx::PgConnection;

use super::finish;
use crate::{Result, Store, boxed, events};

/// A provider's circuit, for those who look.
#[derive(Debug, Clone)]
pub struct Circuit {
    /// Slug of the provider.
    pub provider: String,
    /// The calls it stands before.
    pub scope: CircuitScope,
    /// Where it stands.
    pub state: CircuitState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Failed calls in a row.
    pub failures: i32,
    /// The vendor turned our account away, rather than that calls failed.
    pub refused: bool,
}

/// What a circuit says to somebody who wants to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Call. `suspect` when calls have failed lately, so that an answer is worth noting.
    Open {
        /// See there.
        suspect: bool,
    },
    /// Don't, for now.
    Shut(Shut),
}

/// Why no call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// What the last call met, and what follows from that.
    pub reason: String,
    /// When to come back.
    pub retry_after: Duration,
    /// The vendor turned us away, rather than that calls failed.
    pub refused: bool,
}

/// A circuit's row.
struct Row {
    state: CircuitState,
    since: DateTime<Utc>,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    openings: i32,
    retry_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    refused: bool,
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
            reason: row.reason,
            refused: row.refused,
        }
    }
}

impl Store {
    /// The circuits of all providers, as far as a call ever failed to them.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn circuits(&self) -> Result<Vec<Circuit>> {
        Ok(sqlx::query_as!(
            Circuit,
            r#"SELECT provider, scope AS "scope: CircuitScope", state AS "state: CircuitState", since, failures, refused
               FROM provider_circuits ORDER BY provider, scope"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Whether a call of this kind may be made now. While its circuit or the account's is open, one call may once in a
    /// while: that is noted, and the others wait for it.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; no call may be made then.
    #[boxed]
    pub async fn enter_circuit(&self, provider: &str, scope: CircuitScope) -> Result<Entry> {
        let rows = sqlx::query!(
            r#"SELECT state AS "state: CircuitState", failures FROM provider_circuits
               WHERE provider = $1 AND scope IN ('account', $2)"#,
            provider,
            scope.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        if rows.iter().all(|row| row.state == CircuitState::Closed) {
            return Ok(Entry::Open { suspect: rows.iter().any(|row| row.failures > 0) });
        }
        let mut tx = self.pool.begin().await?;
        for scope in [CircuitScope::Account, scope] {
            let Some((mut breaker, now)) = lock(&mut tx, provider, scope).await? else { continue };
            match breaker.admits(now) {
                Admission::Yes => {}
                Admission::Trial => {
                    breaker.begin_trial(now);
                    save(&mut tx, provider, scope, &breaker).await?;
                }
                // Dropping the transaction takes back the account's try.
                Admission::No(left) => {
                    let retry_after = left.to_std().unwrap_or_default();
                    return Ok(Entry::Shut(shut(scope, &breaker, retry_after)));
                }
            }
        }
        finish(tx, Entry::Open { suspect: true }).await
    }

    /// Notes a call that failed, and what it met.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_failed_call(&self, provider: &str, scope: CircuitScope, reason: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        move_circuit(&mut tx, provider, scope, |breaker, now| breaker.failed(now, reason)).await?;
        finish(tx, ()).await
    }

    /// Notes that the vendor turns our account away, or all its calls of a kind, in the vendor's words. Administrators are
    /// told when that begins, and at most once an hour.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_refused_call(&self, provider: &str, scope: CircuitScope, reason: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let begins =
            move_circuit(&mut tx, provider, scope, |breaker, now| breaker.refused(now, reason)).await?;
        if begins {
            tell_of_refusal(&mut tx, provider, scope, reason).await?;
        }
        finish(tx, ()).await
    }

    /// Notes a call that was answered after others failed: that says something of the account, too.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_answered_call(&self, provider: &str, scope: CircuitScope) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        for scope in [CircuitScope::Account, scope] {
            if lock(&mut tx, provider, scope).await?.is_some() {
                move_circuit(&mut tx, provider, scope, Breaker::answered).await?;
            }
        }
        finish(tx, ()).await
    }
}

/// Moves a circuit; `true` when it begins to be refused by that.
async fn move_circuit(
    tx: &mut PgConnection,
    provider: &str,
    scope: CircuitScope,
    change: impl FnOnce(&mut Breaker, DateTime<Utc>) + Send,
) -> Result<bool> {
    sqlx::query!(
        "INSERT INTO provider_circuits (provider, scope) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        provider,
        scope.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    let Some((mut breaker, now)) = lock(tx, provider, scope).await? else { return Ok(false) };
    let before = breaker.clone();
    change(&mut breaker, now);
    if breaker != before {
        save(tx, provider, scope, &breaker).await?;
    }
    if breaker.state != before.state {
        tracing::warn!(
            event = "provider.circuit_changed",
            provider,
            %scope,
            from = %before.state,
            to = %breaker.state,
            reason = breaker.reason.as_deref(),
            "a provider's circuit changed"
        );
    }
    Ok(breaker.refused && !before.refused)
}

async fn tell_of_refusal(
    tx: &mut PgConnection,
    provider: &str,
    scope: CircuitScope,
    reason: &str,
) -> Result<()> {
    let told = sqlx::query_scalar!(
        r#"UPDATE provider_circuits SET alerted_at = now()
           WHERE provider = $1 AND scope = $2 AND coalesce(alerted_at < now() - interval '1 hour', true)
           RETURNING since"#,
        provider,
        scope.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(since) = told else { return Ok(()) };
    let refuses = ProviderRefuses { provider: provider.to_owned(), scope, since, reason: reason.to_owned() };
    events::Entry::of(refuses).tell_administrators(tx).await
}

fn shut(scope: CircuitScope, breaker: &Breaker, retry_after: Duration) -> Shut {
    let met = breaker.reason.as_deref().unwrap_or("unknown");
    let reason = match (breaker.refused, scope) {
        (true, CircuitScope::Account) => format!("our account is refused: {met}"),
        (true, scope) => format!("our account's {scope} are refused: {met}"),
        (false, _) => {
            format!("{met}; {} calls in a row failed, so none is made for a while", breaker.failures)
        }
    };
    Shut { reason, retry_after, refused: breaker.refused }
}

/// The breaker, locked, and the time after the lock was got; `None` when no such call ever failed.
async fn lock(
    tx: &mut PgConnection,
    provider: &str,
    scope: CircuitScope,
) -> Result<Option<(Breaker, DateTime<Utc>)>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT state AS "state: CircuitState", since, failures, failing_since, openings, retry_at, reason, refused
           FROM provider_circuits WHERE provider = $1 AND scope = $2 FOR UPDATE"#,
        provider,
        scope.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // A statement of its own: in the one above the clock would be read before the lock was waited for.
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(tx).await?;
    Ok(Some((row.into(), now)))
}

async fn save(tx: &mut PgConnection, provider: &str, scope: CircuitScope, breaker: &Breaker) -> Result<()> {
    sqlx::query!(
        "UPDATE provider_circuits
         SET state = $3, since = $4, failures = $5, failing_since = $6, openings = $7, retry_at = $8, reason = $9,
             refused = $10
         WHERE provider = $1 AND scope = $2",
        provider,
        scope.as_str(),
        breaker.state.as_str(),
        breaker.since,
        i32::try_from(breaker.failures).unwrap_or(i32::MAX),
        breaker.failing_since,
        i32::try_from(breaker.openings).unwrap_or(i32::MAX),
        breaker.retry_at,
        breaker.reason,
        breaker.refused,
    )
    .execute(tx)
    .await?;
    Ok(())
}
