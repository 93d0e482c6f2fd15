//! Terms of servers, as the invoices over them see them: had when the invoice is paid, and wanted by nobody once the server
//! goes. Asking for a further one is [`crate::renewals`]'.

use domain::{
    billing::PaymentMethod,
    event::{ServerRenewed, ServerResumed},
    ids::{InstanceId, InvoiceId, UserId},
    instance::InstanceAction,
    outbox::Message,
    unpaid::UnpaidLimits,
};
use sqlx::PgConnection;

use crate::{
    Result,
    events::Entry,
    invoices, ledger, outbox, own_actions, server_resizes, term,
    unpaid::{self, Beginning},
};

/// Whether an invoice is over a term of a server that is gone, being deleted or called off, or over a
/// plan that it can't have any more: nobody has anything from paying it.
pub(crate) async fn is_pointless(tx: &mut PgConnection, invoice: InvoiceId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM renewals r JOIN instances s ON s.id = r.instance_id
                          WHERE r.invoice_id = $1
                            AND (s.status IN ('TERMINATING', 'TERMINATED') OR s.cancels_at_period_end
                                 OR EXISTS (SELECT FROM instance_actions a
                                            WHERE a.instance_id = s.id AND a.action = 'delete'
                                              AND a.status IN ('pending', 'in_progress'))))
               OR EXISTS (SELECT FROM resizes z JOIN instances s ON s.id = z.instance_id
                          WHERE z.invoice_id = $1
                            AND (z.status <> 'OPEN' OR z.lapses_at <= now() OR s.status <> 'ACTIVE'
                                 OR s.cancels_at_period_end OR s.plan_id <> z.from_plan_id
                                 OR s.expires_at IS DISTINCT FROM z.term_ends_at
                                 OR EXISTS (SELECT FROM instance_actions a
                                            WHERE a.instance_id = s.id AND a.action = 'delete'
                                              AND a.status IN ('pending', 'in_progress')))) AS "is_pointless!""#,
        invoice.0,
    )
    .fetch_one(tx)
    .await?)
}

/// Withdraws what is wished for a server and not paid yet, a further term or another plan, since a later wish counts or the server ends. The attempts to
/// pay it are called off; money that comes all the same goes to the balance. The server is locked by the caller.
pub(crate) async fn withdraw_open(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    let open = sqlx::query_scalar!(
        r#"SELECT v.id AS "id: InvoiceId" FROM invoices v
           WHERE v.status = 'OPEN' AND v.id IN (SELECT invoice_id FROM renewals WHERE instance_id = $1
                                                UNION ALL SELECT invoice_id FROM resizes WHERE instance_id = $1)
           ORDER BY v.id FOR NO KEY UPDATE OF v"#,
        instance.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    for invoice in open {
        invoices::void(tx, invoice).await?;
    }
    server_resizes::lapse_open(tx, instance).await
}

/// What comes before something for a server that is to be paid: it is not asked for more often than it may be, the last wish
/// counts, and the balance is locked where it pays, since the invoice's number is taken before it is paid, and nobody may
/// wait for us then. The server is locked by the caller.
pub(crate) async fn make_way(
    tx: &mut PgConnection,
    limits: &UnpaidLimits,
    user: UserId,
    instance: InstanceId,
    method: PaymentMethod,
) -> Result<()> {
    if method != PaymentMethod::Wallet {
        unpaid::allow(tx, limits, user, Beginning::Renewal(instance)).await?;
    }
    withdraw_open(tx, instance).await?;
    if method == PaymentMethod::Wallet {
        ledger::lock_accounts(tx, user).await?;
    }
    Ok(())
}

/// Who has to be woken when a server's term becomes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakes {
    /// Its workflow.
    Workflow,
    /// Nobody: its workflow is renewing it.
    Nobody,
}

/// Gives a server the term that an invoice is over, once; `false` when it is over something else. Its owner is told, and
/// one that was switched off for want of money goes on. Server and invoice are locked by the caller.
pub(crate) async fn extend(tx: &mut PgConnection, invoice: InvoiceId, wakes: Wakes) -> Result<bool> {
    let renewal = sqlx::query!(
        r#"SELECT r.id, r.instance_id AS "instance_id: InstanceId", r.user_id AS "user_id: UserId", r.term_months,
                  s.expires_at AS "starts_at!", s.anchor_day AS "anchor_day!", s.name, r.starts_at IS NOT NULL AS "had_already!"
           FROM renewals r JOIN instances s ON s.id = r.instance_id WHERE r.invoice_id = $1"#,
        invoice.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(renewal) = renewal else { return Ok(false) };
    if renewal.had_already {
        return Ok(true);
    }
    let anchor = term::anchor(renewal.anchor_day, renewal.starts_at);
    let ends_at = domain::term::end(renewal.starts_at, renewal.term_months.unsigned_abs(), anchor);
    sqlx::query!(
        "WITH term AS (UPDATE renewals SET starts_at = $2, ends_at = $3 WHERE id = $1 RETURNING instance_id)
         UPDATE instances s SET expires_at = $3, anchor_day = $4, term_ended_at = NULL, attempts_since = NULL,
                next_due_at = now(), updated_at = now()
         FROM term WHERE s.id = term.instance_id",
        renewal.id,
        renewal.starts_at,
        ends_at,
        anchor.day(),
    )
    .execute(&mut *tx)
    .await?;
    resume_if_paid(tx, renewal.instance_id).await?;
    if wakes == Wakes::Workflow {
        outbox::enqueue(tx, &Message::ActionRequested { instance_id: renewal.instance_id }).await?;
    }
    let renewed = ServerRenewed {
        instance_id: renewal.instance_id,
        invoice_id: invoice,
        renewal_id: renewal.id.into(),
        name: renewal.name,
        expires_at: ends_at,
    };
    Entry::of(renewed).tell(tx, renewal.user_id).await?;
    Ok(true)
}

/// Has a server that was switched off for want of money switched on again, if its term lasts. Its owner is told. The server
/// is locked by the caller.
pub(crate) async fn resume_if_paid(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    let resumed = sqlx::query!(
        r#"WITH before AS (SELECT id, suspended_at FROM instances WHERE id = $1)
           UPDATE instances s SET status = 'ACTIVE', suspended_at = NULL, updated_at = now()
           FROM before WHERE s.id = before.id AND s.status = 'SUSPENDED' AND s.expires_at > now()
           RETURNING s.user_id AS "owner: UserId", s.name, coalesce(before.suspended_at, now()) AS "suspended_at!""#,
        instance.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(server) = resumed else { return Ok(()) };
    own_actions::request(tx, instance, &InstanceAction::Resume).await?;
    let resumed =
        ServerResumed { instance_id: instance, name: server.name, suspended_at: server.suspended_at };
    Entry::of(resumed).tell(tx, server.owner).await
}
