//! What a server's life depends on, read under its lock.

use domain::{
    Rupiah,
    ids::{InstanceId, InvoiceId, UserId},
    instance::InstanceStatus,
    life::{Facts, Gates, Hold, LifePolicy, Renewal, Told},
};
use sqlx::{PgConnection, types::Json};

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
    // One round trip: every look costs it, and every order ends with one.
    let row = sqlx::query!(
        r#"SELECT now() AS "now!", s.user_id AS "owner: UserId", p.slug AS provider, s.name,
                  s.status AS "status: InstanceStatus", s.expires_at, s.suspended_at, s.auto_renew,
                  s.cancels_at_period_end, l.rules,
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "is_being_deleted!",
                  coalesce((SELECT r.term_months FROM renewals r WHERE r.instance_id = s.id AND r.ends_at IS NOT NULL
                            ORDER BY r.ends_at DESC LIMIT 1), o.term_months) AS "months!",
                  open.id AS "open_invoice?: InvoiceId", open.total AS "open_total?: Rupiah",
                  coalesce((SELECT jsonb_agg(jsonb_build_object('notice', t.notice, 'at', t.told_at) ORDER BY t.told_at)
                            FROM life_notices t WHERE t.instance_id = s.id AND t.term_ends_at = s.expires_at),
                           '[]') AS "told!: Json<Vec<Told>>",
                  coalesce((SELECT jsonb_agg(jsonb_build_object('from', h.held_from,
                                                                'until', least(h.held_until, h.released_at),
                                                                'stops_clock', h.stops_clock) ORDER BY h.held_from)
                            FROM instance_holds h WHERE h.instance_id = s.id), '[]') AS "holds!: Json<Vec<Hold>>"
           FROM instances s
           JOIN orders o ON o.id = s.order_id
           JOIN providers p ON p.id = s.provider_id
           JOIN life_policies l ON l.version = s.life_policy
           LEFT JOIN LATERAL (SELECT v.id, v.total FROM renewals r JOIN invoices v ON v.id = r.invoice_id
                              WHERE r.instance_id = s.id AND v.status = 'OPEN' ORDER BY v.id DESC LIMIT 1) open ON true
           WHERE s.id = $1"#,
        instance.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(expires_at) = row.expires_at else { return Ok(None) };
    let subject = Subject {
        instance,
        owner: row.owner,
        provider: row.provider,
        name: row.name,
        months: row.months.unsigned_abs(),
        invoice: row.open_invoice,
    };
    let renewal = if row.auto_renew {
        let price = match row.open_total {
            Some(total) => Some(total),
            None => renewals::price(tx, instance, subject.owner, subject.months).await?,
        };
        let available = ledger::balances(tx, subject.owner).await?.wallet;
        Renewal { price, available, is_billed: subject.invoice.is_some() }
    } else {
        Renewal { price: None, available: Rupiah::ZERO, is_billed: subject.invoice.is_some() }
    };
    let facts = Facts {
        now: row.now,
        status: row.status,
        is_being_deleted: row.is_being_deleted,
        expires_at,
        suspended_at: row.suspended_at,
        auto_renew: row.auto_renew,
        cancels_at_period_end: row.cancels_at_period_end,
        renewal,
        told: row.told.0,
        holds: row.holds.0,
        closed,
    };
    Ok(Some((subject, facts, serde_json::from_value(row.rules)?)))
}
