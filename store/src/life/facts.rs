//! What a server's life depends on, read under its lock.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InstanceId, InvoiceId, UserId},
    instance::InstanceStatus,
    life::{Facts, Gates, Hold, LifePolicy, Notice, Renewal, Told},
};
use sqlx::PgConnection;

use crate::{Result, ledger, renewals};

/// Whose server it is, and what else the steps need to know of it.
pub(super) struct Subject {
    pub instance: InstanceId,
    pub owner: UserId,
    pub provider: String,
    pub name: String,
    /// Months of its last term.
    pub months: u32,
    /// The invoice over a further term that is open.
    pub invoice: Option<InvoiceId>,
}

/// What is known of a server and the rules it lives by. `None`: it has no term. The server is locked by the caller.
pub(super) async fn read(
    tx: &mut PgConnection,
    instance: InstanceId,
    closed: Gates,
) -> Result<Option<(Subject, Facts, LifePolicy)>> {
    let row = sqlx::query!(
        r#"SELECT now() AS "now!", s.user_id AS "owner: UserId", p.slug AS provider, s.name,
                  s.status AS "status: InstanceStatus", s.expires_at, s.suspended_at, s.auto_renew,
                  s.cancels_at_period_end, l.rules,
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "is_being_deleted!",
                  coalesce((SELECT r.term_months FROM renewals r WHERE r.instance_id = s.id AND r.ends_at IS NOT NULL
                            ORDER BY r.ends_at DESC LIMIT 1), o.term_months) AS "months!"
           FROM instances s
           JOIN orders o ON o.id = s.order_id
           JOIN providers p ON p.id = s.provider_id
           JOIN life_policies l ON l.version = s.life_policy
           WHERE s.id = $1"#,
        instance.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(expires_at) = row.expires_at else { return Ok(None) };
    let open = open_invoice(tx, instance).await?;
    let mut subject = Subject {
        instance,
        owner: row.owner,
        provider: row.provider,
        name: row.name,
        months: row.months.unsigned_abs(),
        invoice: None,
    };
    let renewal = if row.auto_renew {
        let price = match open {
            Some((_, total)) => Some(total),
            None => renewals::price(tx, instance, subject.months).await?,
        };
        let available = ledger::balances(tx, row.owner).await?.wallet;
        Renewal { price, available, is_billed: open.is_some() }
    } else {
        Renewal { price: None, available: Rupiah::ZERO, is_billed: open.is_some() }
    };
    subject.invoice = open.map(|(invoice, _)| invoice);
    let facts = Facts {
        now: row.now,
        status: row.status,
        is_being_deleted: row.is_being_deleted,
        expires_at,
        suspended_at: row.suspended_at,
        auto_renew: row.auto_renew,
        cancels_at_period_end: row.cancels_at_period_end,
        renewal,
        told: told(tx, instance, expires_at).await?,
        holds: holds(tx, instance).await?,
        closed,
    };
    Ok(Some((subject, facts, serde_json::from_value(row.rules)?)))
}

async fn open_invoice(tx: &mut PgConnection, instance: InstanceId) -> Result<Option<(InvoiceId, Rupiah)>> {
    let open = sqlx::query!(
        r#"SELECT v.id AS "id: InvoiceId", v.total AS "total: Rupiah"
           FROM renewals r JOIN invoices v ON v.id = r.invoice_id
           WHERE r.instance_id = $1 AND v.status = 'OPEN' ORDER BY v.id DESC LIMIT 1"#,
        instance.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(open.map(|invoice| (invoice.id, invoice.total)))
}

async fn told(tx: &mut PgConnection, instance: InstanceId, term_ends: DateTime<Utc>) -> Result<Vec<Told>> {
    Ok(sqlx::query_as!(
        Told,
        r#"SELECT notice AS "notice: Notice", told_at AS at FROM life_notices
           WHERE instance_id = $1 AND term_ends_at = $2 ORDER BY told_at"#,
        instance.0,
        term_ends,
    )
    .fetch_all(tx)
    .await?)
}

async fn holds(tx: &mut PgConnection, instance: InstanceId) -> Result<Vec<Hold>> {
    Ok(sqlx::query_as!(
        Hold,
        r#"SELECT held_from AS "from", least(held_until, released_at) AS until, stops_clock FROM instance_holds
           WHERE instance_id = $1 ORDER BY held_from"#,
        instance.0,
    )
    .fetch_all(tx)
    .await?)
}
