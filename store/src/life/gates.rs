//! What keeps a step from being done for now: a pause, money that may be on its way, too many at once, a database that
//! was put back. Asked in the transaction that would do it.

use chrono::{DateTime, Utc};
use domain::{
    ids::PaymentId,
    life::{Attempt, Facts, Held, LifePolicy, Process, Step},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{facts::Subject, held, pauses, put_back};
use crate::Result;

/// How old the janitor's last success may be.
const JANITOR_MINUTES: i32 = 10;

/// The word under which the janitor of payments keeps its successes.
pub(crate) const PAYMENT_CHECK: &str = "payment_check";

/// What keeps a step back, and why. Of a step that is let go beyond the bound of its hour, the release is used up.
pub(super) async fn closed_before(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    policy: &LifePolicy,
    (step, due): (Step, DateTime<Utc>),
) -> Result<Option<(Held, String)>> {
    let (held, process) = match step {
        Step::Renew => (Held::Renew, Process::Renewals),
        Step::Suspend => (Held::Suspend, Process::Suspensions),
        Step::Terminate => (Held::Terminate, Process::Terminations),
        Step::Tell(_) | Step::OpenInvoice | Step::Resume => return Ok(None),
    };
    let why = match pauses::reason(tx, &subject.provider, process).await? {
        Some(reason) => Some(format!("{process} are paused: {reason}")),
        None if held == Held::Renew => None,
        None => destructive(tx, subject, facts, policy, (held, due)).await?,
    };
    Ok(why.map(|why| (held, why)))
}

async fn destructive(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    policy: &LifePolicy,
    (held, due): (Held, DateTime<Utc>),
) -> Result<Option<String>> {
    if put_back::is(tx).await? {
        return Ok(Some(put_back::WHY.to_owned()));
    }
    // Who called it off owes nothing.
    if !facts.cancels_at_period_end
        && let Some(why) = money_in_doubt(tx, subject, facts.now, policy, due).await?
    {
        return Ok(Some(why));
    }
    held::beyond_the_bound(tx, held).await
}

/// Whether somebody may have paid without our knowing.
async fn money_in_doubt(
    tx: &mut PgConnection,
    subject: &Subject,
    now: DateTime<Utc>,
    policy: &LifePolicy,
    due: DateTime<Utc>,
) -> Result<Option<String>> {
    let doubt = sqlx::query!(
        r#"SELECT NOT EXISTS (SELECT FROM upkeep_successes
                              WHERE kind = $1 AND at > now() - make_interval(mins => $2)) AS "is_unwatched!",
                  EXISTS (SELECT FROM gateway_credentials WHERE refused_since IS NOT NULL) AS "is_refused!""#,
        PAYMENT_CHECK,
        JANITOR_MINUTES,
    )
    .fetch_one(&mut *tx)
    .await?;
    if doubt.is_unwatched {
        return Ok(Some(format!("payments were not looked after for {JANITOR_MINUTES} minutes")));
    }
    if doubt.is_refused {
        return Ok(Some("a payment gateway turns us away".to_owned()));
    }
    Ok(ask_about_attempts(tx, subject, now, policy, due)
        .await?
        .then(|| "a payment for it was not asked about lately".to_owned()))
}

/// Whether an attempt to pay for the server waits whose gateway has to be asked first, or one to put money on the balance
/// that the server is renewed from. Such a one is asked about next, since
/// the janitor asks less often the older an attempt is; and it is kept when one first held the step back.
async fn ask_about_attempts(
    tx: &mut PgConnection,
    subject: &Subject,
    now: DateTime<Utc>,
    policy: &LifePolicy,
    due: DateTime<Utc>,
) -> Result<bool> {
    let unknown = sqlx::query!(
        r#"SELECT p.id AS "id: PaymentId", p.created_at AS begun_at, p.checked_at AS asked_at, s.attempts_since
           FROM instances s JOIN payments p ON p.gateway IS NOT NULL AND p.status IN ('PENDING', 'UNKNOWN')
                AND (p.invoice_id IN (SELECT r.invoice_id FROM renewals r WHERE r.instance_id = s.id)
                     OR (s.auto_renew AND p.user_id = s.user_id AND p.deposit_id IS NOT NULL))
           WHERE s.id = $1"#,
        subject.instance.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    let held_since = unknown.iter().find_map(|row| row.attempts_since);
    let attempts =
        || unknown.iter().map(|row| (row.id.0, Attempt { begun_at: row.begun_at, asked_at: row.asked_at }));
    if !attempts().any(|(_, attempt)| attempt.holds_back(held_since, due, now, policy)) {
        return Ok(false);
    }
    let waited_for: Vec<Uuid> =
        attempts().filter(|(_, attempt)| attempt.is_in_time(held_since, policy)).map(|(id, _)| id).collect();
    sqlx::query!("UPDATE payments SET checked_at = NULL WHERE id = ANY($1)", &waited_for)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "UPDATE instances SET attempts_since = coalesce(attempts_since, now()) WHERE id = $1",
        subject.instance.0,
    )
    .execute(tx)
    .await?;
    Ok(true)
}
