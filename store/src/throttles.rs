//! The back-off after failed attempts to prove who one is. An attempt is counted *before* it is checked, under its row's
//! lock, so that of any number at once only as many are checked as may be; one that was right is given back.
//!
//! Attempts at an account are counted twice: together with the network they come from, where few are free, and all of
//! them together, where many are. A network that the account was logged in from counts for itself only, so that
//! strangers don't lock its owner out.

use domain::{
    email::EmailKey,
    ids::{SessionId, UserId},
};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, opaque_token,
    users::about,
};

/// Attempts from one network, or of one session, before they have to wait.
pub const FREE_ATTEMPTS: i32 = 5;

/// Attempts from all networks that an account was not logged in from, before these have to wait.
pub const FREE_ATTEMPTS_OF_STRANGERS: i32 = 50;

/// Stands for all networks together.
const ALL_NETWORKS: &str = "";

/// An attempt that was counted and may be checked.
#[derive(Debug)]
#[must_use = "an attempt that was right is given back"]
pub struct Attempt {
    subject: Vec<u8>,
    /// The counters that it stands in.
    networks: Vec<String>,
}

/// Whether an attempt may be checked.
#[derive(Debug)]
pub enum Admission {
    /// It may: it counts as failed until it is given back.
    Admitted(Attempt),
    /// Not before so many seconds are over. It was not counted.
    Wait(u64),
}

impl Store {
    /// Counts an attempt to log in from `network`. From the fifth on, further ones have to wait: 30 seconds, doubled with
    /// each, 15 minutes at most. An hour without any forgives them. It does not matter whether the address has an account.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn admit_login(&self, email: &EmailKey, network: &str, origin: &Origin) -> Result<Admission> {
        let subject = account(email);
        let mut tx = self.pool.begin().await?;
        let holder = sqlx::query!(
            r#"SELECT u.id AS "id: UserId",
                      EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id AND s.network = $2
                              AND s.created_at > now() - interval '90 days') AS "known!"
               FROM users u WHERE u.email_key = $1"#,
            email.as_str(),
            network,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let is_known = holder.as_ref().is_some_and(|holder| holder.known);
        let (attempt, locked) = match count_from(&mut tx, subject, network, is_known).await? {
            Counting::Free { attempt, last } => (attempt, last),
            Counting::Wait(seconds) => return Ok(Admission::Wait(seconds)),
        };
        if locked {
            let act = AuditEntry {
                action: "auth.login_locked",
                object_kind: "user",
                object_id: holder.map(|holder| holder.id.0),
                before: None,
                after: None,
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        Ok(Admission::Admitted(attempt))
    }

    /// Counts an attempt of somebody who is logged in to prove it once more. Bound by the session's own failures only.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn admit_proof(&self, session: SessionId) -> Result<Admission> {
        let subject = opaque_token::hash(format!("session\0{session}").as_bytes());
        let mut tx = self.pool.begin().await?;
        let counted = count(&mut tx, &subject, ALL_NETWORKS, FREE_ATTEMPTS).await?;
        if let Counted::Wait(seconds) = counted {
            return Ok(Admission::Wait(seconds));
        }
        tx.commit().await?;
        Ok(Admission::Admitted(Attempt { subject, networks: vec![ALL_NETWORKS.to_owned()] }))
    }

    /// Forgets all failures at an account, from wherever, with an audit row. Says whether there were any.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the address has no account.
    #[boxed]
    pub async fn unlock_logins(&self, email: &EmailKey, origin: &Origin) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let user = sqlx::query_scalar!(
            r#"SELECT id AS "id: UserId" FROM users WHERE email_key = $1"#,
            email.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("account"))?;
        let had_any = unlock(&mut tx, user, origin).await?;
        tx.commit().await?;
        Ok(had_any)
    }
}

/// Forgets all failures at an account, with an audit row. Says whether there were any.
pub(crate) async fn unlock(tx: &mut PgConnection, user: UserId, origin: &Origin) -> Result<bool> {
    let email =
        sqlx::query_scalar!("SELECT email FROM users WHERE id = $1", user.0).fetch_one(&mut *tx).await?;
    let subject = account(&EmailKey::of(&email));
    let subjects = [subject, second_factor(user)];
    let forgotten = sqlx::query!("DELETE FROM auth_throttles WHERE subject_hash = ANY ($1)", &subjects)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    audit::record(tx, origin, &about("auth.login_unlocked", user)).await?;
    Ok(forgotten > 0)
}

/// Counts an answer with the second factor of an account within the caller's transaction, as an attempt to log in is.
pub(crate) async fn count_second_factor(
    tx: &mut PgConnection,
    user: UserId,
    network: &str,
) -> Result<Admission> {
    let is_known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM sessions WHERE user_id = $1 AND network = $2
                          AND created_at > now() - interval '90 days') AS "known!""#,
        user.0,
        network,
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(match count_from(tx, second_factor(user), network, is_known).await? {
        Counting::Free { attempt, .. } => Admission::Admitted(attempt),
        Counting::Wait(seconds) => Admission::Wait(seconds),
    })
}

enum Counting {
    /// It may be checked; `last` says that the next one has to wait.
    Free {
        attempt: Attempt,
        last: bool,
    },
    Wait(u64),
}

/// Counts one attempt from a network, unless those before it have to be waited for. What is counted is undone by a rollback.
async fn count_from(
    tx: &mut PgConnection,
    subject: Vec<u8>,
    network: &str,
    is_known: bool,
) -> Result<Counting> {
    let mut counters = vec![(network, FREE_ATTEMPTS)];
    if !is_known {
        // First, so that all attempts lock in one order.
        counters.insert(0, (ALL_NETWORKS, FREE_ATTEMPTS_OF_STRANGERS));
    }
    let mut is_last = false;
    for (network, free) in &counters {
        match count(tx, &subject, network, *free).await? {
            Counted::Wait(seconds) => return Ok(Counting::Wait(seconds)),
            Counted::Free { last } => is_last |= last,
        }
    }
    let networks = counters.into_iter().map(|(network, _)| network.to_owned()).collect();
    Ok(Counting::Free { attempt: Attempt { subject, networks }, last: is_last })
}

enum Counted {
    /// It may be checked; `last` says that the next one has to wait.
    Free {
        last: bool,
    },
    Wait(u64),
}

/// Counts one attempt, unless those before it have to be waited for. What is counted is undone by a rollback.
async fn count(tx: &mut PgConnection, subject: &[u8], network: &str, free: i32) -> Result<Counted> {
    // The insert waits for whoever has the row, so each attempt sees those before it.
    sqlx::query!(
        "INSERT INTO auth_throttles (subject_hash, network, failures) VALUES ($1, $2, 0)
         ON CONFLICT (subject_hash, network) DO UPDATE SET failures =
             CASE WHEN auth_throttles.updated_at < now() - interval '1 hour' THEN 0 ELSE auth_throttles.failures END",
        subject,
        network,
    )
    .execute(&mut *tx)
    .await?;
    let wait = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM locked_until - clock_timestamp())::float8 AS "seconds!" FROM auth_throttles
           WHERE subject_hash = $1 AND network = $2 AND locked_until > clock_timestamp()"#,
        subject,
        network,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(seconds) = wait {
        return Ok(Counted::Wait(whole_seconds(seconds)));
    }
    // 2^5 × 30 s is past the bound, so a larger exponent changes nothing.
    let last = sqlx::query_scalar!(
        r#"UPDATE auth_throttles SET failures = failures + 1, updated_at = clock_timestamp(),
               locked_until = CASE WHEN failures + 1 >= $3 THEN clock_timestamp() + make_interval(secs =>
                   LEAST(900.0::float8, 30.0::float8 * power(2::float8, LEAST(failures + 1 - $3, 5)::float8))) END
           WHERE subject_hash = $1 AND network = $2 RETURNING failures = $3 AS "last!""#,
        subject,
        network,
        free,
    )
    .fetch_one(tx)
    .await?;
    Ok(Counted::Free { last })
}

/// Gives back an attempt that was right: the failures from its network are forgiven, and it does not count among those
/// of strangers.
pub(crate) async fn give_back(tx: &mut PgConnection, attempt: &Attempt) -> Result<()> {
    for network in &attempt.networks {
        if network == ALL_NETWORKS && attempt.networks.len() > 1 {
            sqlx::query!(
                "UPDATE auth_throttles SET failures = GREATEST(failures - 1, 0),
                     locked_until = CASE WHEN failures > $3 THEN locked_until END
                 WHERE subject_hash = $1 AND network = $2",
                attempt.subject,
                network,
                FREE_ATTEMPTS_OF_STRANGERS,
            )
            .execute(&mut *tx)
            .await?;
        } else {
            sqlx::query!(
                "DELETE FROM auth_throttles WHERE subject_hash = $1 AND network = $2",
                attempt.subject,
                network,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// Accounts are counted by hash, so that the table does not collect addresses of people without one.
fn account(email: &EmailKey) -> Vec<u8> {
    opaque_token::hash(format!("account\0{}", email.as_str()).as_bytes())
}

/// Answers with the second factor of an account are counted by themselves.
fn second_factor(user: UserId) -> Vec<u8> {
    opaque_token::hash(format!("second factor\0{user}").as_bytes())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and at most 900")]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.ceil().max(1.0) as u64
}
