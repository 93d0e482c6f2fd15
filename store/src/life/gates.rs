//! What keeps a step from being done for now: a pause, money that may be on its way, too many at once, a database that
//! was put back. Asked in the transaction that would do it.

use domain::{
    event::DatabasePutBack,
    life::{Facts, Held, LifeLook, Process, Step},
};
use sqlx::PgConnection;

use super::{facts::Subject, held, pauses};
use crate::{Result, StoreError, events::Entry};

/// How old the janitor's last success may be.
const JANITOR_MINUTES: i32 = 10;

/// The word under which the janitor of payments keeps its successes.
pub(crate) const PAYMENT_CHECK: &str = "payment_check";

/// What keeps a step back, and why. Of a step that is let go beyond the bound of its hour, the release is used up.
pub(super) async fn closed_before(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    step: Step,
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
        None => destructive(tx, subject, facts, held).await?,
    };
    Ok(why.map(|why| (held, why)))
}

async fn destructive(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    held: Held,
) -> Result<Option<String>> {
    if is_put_back(tx).await? {
        return Ok(Some("the database was put back to an earlier state".to_owned()));
    }
    // Who called it off owes nothing.
    if !facts.cancels_at_period_end
        && let Some(why) = money_in_doubt(tx, subject).await?
    {
        return Ok(Some(why));
    }
    held::beyond_the_bound(tx, held).await
}

/// Whether somebody may have paid without our knowing.
async fn money_in_doubt(tx: &mut PgConnection, subject: &Subject) -> Result<Option<String>> {
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
    Ok(ask_about_attempts(tx, subject)
        .await?
        .then(|| "a payment for it was not asked about lately".to_owned()))
}

/// Whether an attempt to pay for the server waits whose gateway was not asked since the grace began, or not for an hour.
/// Such a one is asked about next, since the janitor asks less often the older an attempt is.
async fn ask_about_attempts(tx: &mut PgConnection, subject: &Subject) -> Result<bool> {
    let unasked = sqlx::query!(
        "UPDATE payments p SET checked_at = NULL
         FROM renewals r JOIN instances s ON s.id = r.instance_id
         WHERE r.instance_id = $1 AND p.invoice_id = r.invoice_id AND p.gateway IS NOT NULL
           AND p.status IN ('PENDING', 'UNKNOWN')
           AND (p.checked_at IS NULL OR p.checked_at < greatest(s.expires_at, now() - interval '1 hour'))",
        subject.instance.0,
    )
    .execute(tx)
    .await?;
    Ok(unasked.rows_affected() > 0)
}

async fn is_put_back(tx: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM installation WHERE restored_at IS NOT NULL) AS "is!""#
    )
    .fetch_one(tx)
    .await?)
}

/// Locks a server, and notes that the database was put back when its workflow knows of more looks at its life than the
/// database does. Staff are told.
pub(super) async fn lock_and_note_if_put_back(tx: &mut PgConnection, look: LifeLook) -> Result<()> {
    let found = sqlx::query_scalar!(
        "SELECT life_turns FROM instances WHERE id = $1 FOR NO KEY UPDATE",
        look.instance_id.0,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))?;
    if found >= look.seen_turns {
        return Ok(());
    }
    // What the workflow knows is what is counted on from here.
    sqlx::query!("UPDATE instances SET life_turns = $2 WHERE id = $1", look.instance_id.0, look.seen_turns)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("UPDATE installation SET restored_at = coalesce(restored_at, now())")
        .execute(&mut *tx)
        .await?;
    let hour = sqlx::query_scalar!(r#"SELECT to_char(now(), 'YYYYMMDDHH24') AS "hour!""#)
        .fetch_one(&mut *tx)
        .await?;
    tracing::error!(
        alert = "life.database_put_back",
        instance_id = %look.instance_id,
        known = look.seen_turns,
        found,
        "the database was put back to an earlier state"
    );
    let put_back = DatabasePutBack { instance_id: look.instance_id, known: look.seen_turns, found, hour };
    Entry::of(put_back).tell_administrators(tx).await
}
