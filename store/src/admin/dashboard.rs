//! What the business comes to, in one look: all of it from one state of the database, by its clock. Months are Jakarta's.

use chrono::{DateTime, Utc};
use domain::{Rupiah, money::AmountOverflow, order::OrderStatus};
use sqlx::{PgConnection, types::Decimal};

use crate::{Result, Store, boxed};

/// What the business comes to.
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// As of when, by the database's clock.
    pub at: DateTime<Utc>,
    /// Orders by status, none left out.
    pub orders: Vec<(OrderStatus, i64)>,
    /// Orders in `PROVISIONING_FAILED` by the class of the failure, the most first.
    pub failures: Vec<(String, i64)>,
    /// What was earned since this month began.
    pub this_month: Revenue,
    /// What was earned in the month before.
    pub last_month: Revenue,
    /// Servers that were active when the last 30 days began.
    pub served_before: i64,
    /// How many of these are terminated since.
    pub lost: i64,
    /// By provider, in alphabetical order, none left out.
    pub providers: Vec<ProviderFigures>,
    /// How many attempts to pay are open.
    pub payments_pending: i64,
    /// What they are over together.
    pub payments_pending_amount: Rupiah,
    /// Those of them that are bank transfers.
    pub transfers_pending: i64,
    /// What we owe to customers.
    pub liabilities: Liabilities,
}

/// What the books say was earned in a time, without tax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revenue {
    /// Recognised as earned.
    pub recognised: Rupiah,
    /// Given back of what was earned.
    pub refunded: Rupiah,
}

/// The servers at a provider.
#[derive(Debug, Clone)]
pub struct ProviderFigures {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Servers that are active.
    pub active: i64,
    /// Servers that we pay for and nobody has now: suspended, or being deleted.
    pub idle: i64,
    /// What the active ones bring in a month: their plans' price, less their terms' discounts, without tax.
    pub mrr: Rupiah,
    /// What all of them cost us a month by the catalog, in US dollars.
    pub cost_usd: Decimal,
}

/// What we owe to customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liabilities {
    /// Can be spent by them.
    pub wallets: Rupiah,
    /// Is set aside for their orders.
    pub holds: Rupiah,
    /// Was paid for service that is not served yet, without tax.
    pub deferred_revenue: Rupiah,
    /// Is on its way back to them.
    pub refunds_payable: Rupiah,
}

/// Servers of one provider that are alike in what they bring and cost.
struct Alike {
    slug: String,
    name: String,
    is_active: Option<bool>,
    price_monthly: Option<Rupiah>,
    cost_monthly_usd: Option<Decimal>,
    discount_bp: i32,
    servers: i64,
}

impl Store {
    /// What the business comes to.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; [`crate::StoreError::Amount`] when a sum is beyond what
    /// rupiah can say.
    #[boxed]
    pub async fn dashboard(&self) -> Result<Dashboard> {
        let mut tx = self.pool.begin().await?;
        // All figures are of one state: an order does not move from one to the other meanwhile.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        let (orders, failures) = (orders(&mut tx).await?, failures(&mut tx).await?);
        let (this_month, last_month) = revenue(&mut tx).await?;
        let providers = providers(&mut tx).await?;
        let liabilities = liabilities(&mut tx).await?;
        let rest = sqlx::query!(
            r#"SELECT now() AS "at!",
                      (SELECT count(*) FROM instances WHERE starts_at <= now() - interval '30 days'
                       AND (terminated_at IS NULL OR terminated_at > now() - interval '30 days')) AS "served_before!",
                      (SELECT count(*) FROM instances WHERE starts_at <= now() - interval '30 days'
                       AND terminated_at > now() - interval '30 days') AS "lost!",
                      p.pending AS "pending!", p.amount AS "amount!: Rupiah", p.transfers AS "transfers!"
               FROM (SELECT count(*) AS pending, coalesce(sum(amount), 0)::bigint AS amount,
                            count(*) FILTER (WHERE method = 'MANUAL_TRANSFER') AS transfers
                     FROM payments WHERE status IN ('PENDING', 'UNKNOWN')) p"#
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Dashboard {
            at: rest.at,
            orders,
            failures,
            this_month,
            last_month,
            served_before: rest.served_before,
            lost: rest.lost,
            providers,
            payments_pending: rest.pending,
            payments_pending_amount: rest.amount,
            transfers_pending: rest.transfers,
            liabilities,
        })
    }
}

async fn orders(tx: &mut PgConnection) -> Result<Vec<(OrderStatus, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT status AS "status: OrderStatus", count(*) AS "orders!" FROM orders GROUP BY status"#
    )
    .fetch_all(tx)
    .await?;
    let of = |status| rows.iter().find(|row| row.status == status).map_or(0, |row| row.orders);
    Ok(OrderStatus::ALL.iter().map(|status| (*status, of(*status))).collect())
}

async fn failures(tx: &mut PgConnection) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT failure_class AS "class!", count(*) AS "orders!" FROM orders WHERE status = 'PROVISIONING_FAILED'
           GROUP BY failure_class ORDER BY 2 DESC, 1"#
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.class, row.orders)).collect())
}

/// What was earned this month and in the one before. The kinds of movements are those of the index
/// `ledger_movements_earned_idx`: no others touch these accounts.
async fn revenue(tx: &mut PgConnection) -> Result<(Revenue, Revenue)> {
    let row = sqlx::query!(
        r#"WITH month AS MATERIALIZED (
               SELECT date_trunc('month', now() AT TIME ZONE 'Asia/Jakarta') AT TIME ZONE 'Asia/Jakarta' AS this,
                      (date_trunc('month', now() AT TIME ZONE 'Asia/Jakarta') - interval '1 month')
                          AT TIME ZONE 'Asia/Jakarta' AS last)
           SELECT coalesce(sum(e.amount) FILTER (WHERE a.kind = 'REVENUE' AND m.at >= month.this), 0)::bigint
                      AS "this_recognised!: Rupiah",
                  coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'REFUNDS' AND m.at >= month.this), 0)::bigint
                      AS "this_refunded!: Rupiah",
                  coalesce(sum(e.amount) FILTER (WHERE a.kind = 'REVENUE' AND m.at < month.this), 0)::bigint
                      AS "last_recognised!: Rupiah",
                  coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'REFUNDS' AND m.at < month.this), 0)::bigint
                      AS "last_refunded!: Rupiah"
           FROM month
           JOIN ledger_movements m ON m.at >= month.last
                AND m.kind IN ('REVENUE', 'REFUND', 'REFUND_OWED', 'REFUND_SETTLED', 'REFUND_RETURNED', 'DISPUTE')
           JOIN ledger_entries e ON e.movement_id = m.id
           JOIN ledger_accounts a ON a.id = e.account_id AND a.kind IN ('REVENUE', 'REFUNDS')"#
    )
    .fetch_one(tx)
    .await?;
    Ok((
        Revenue { recognised: row.this_recognised, refunded: row.this_refunded },
        Revenue { recognised: row.last_recognised, refunded: row.last_refunded },
    ))
}

async fn providers(tx: &mut PgConnection) -> Result<Vec<ProviderFigures>> {
    let rows = sqlx::query_as!(
        Alike,
        r#"SELECT p.slug, p.name, (s.status = 'ACTIVE') AS is_active, l.price_monthly AS "price_monthly?: Rupiah",
                  l.cost_monthly_usd AS "cost_monthly_usd?", coalesce(t.discount_bp, 0) AS "discount_bp!",
                  count(s.id) AS "servers!"
           FROM providers p
           LEFT JOIN instances s ON s.provider_id = p.id AND s.status IN ('ACTIVE', 'SUSPENDED', 'TERMINATING')
           LEFT JOIN plans l ON l.id = s.plan_id
           LEFT JOIN orders o ON o.id = s.order_id
           LEFT JOIN LATERAL (SELECT r.term_months FROM renewals r WHERE r.instance_id = s.id AND r.starts_at <= now()
                              ORDER BY r.starts_at DESC LIMIT 1) r ON true
           LEFT JOIN terms t ON t.months = coalesce(r.term_months, o.term_months)
           GROUP BY p.slug, p.name, 3, l.price_monthly, l.cost_monthly_usd, 6 ORDER BY p.slug"#
    )
    .fetch_all(tx)
    .await?;
    let mut figures: Vec<ProviderFigures> = Vec::new();
    for row in rows {
        if figures.last().is_none_or(|last| last.slug != row.slug) {
            figures.push(ProviderFigures {
                slug: row.slug.clone(),
                name: row.name.clone(),
                active: 0,
                idle: 0,
                mrr: Rupiah::ZERO,
                cost_usd: Decimal::ZERO,
            });
        }
        if let Some(figures) = figures.last_mut() {
            figures.add(&row)?;
        }
    }
    Ok(figures)
}

impl ProviderFigures {
    fn add(&mut self, alike: &Alike) -> Result<(), AmountOverflow> {
        let (Some(price), Some(cost)) = (alike.price_monthly, alike.cost_monthly_usd) else { return Ok(()) };
        let cost = cost.checked_mul(Decimal::from(alike.servers)).ok_or(AmountOverflow)?;
        self.cost_usd = self.cost_usd.checked_add(cost).ok_or(AmountOverflow)?;
        if alike.is_active == Some(true) {
            let discount = price.share(alike.discount_bp.unsigned_abs())?;
            let number = u32::try_from(alike.servers).map_err(|_| AmountOverflow)?;
            self.mrr = self.mrr.plus(price.minus(discount)?.times(number)?)?;
            self.active += alike.servers;
        } else {
            self.idle += alike.servers;
        }
        Ok(())
    }
}

/// Customers' accounts know their balance; the house's are the sum of their entries, which the index
/// `ledger_entries_sum_idx` has.
async fn liabilities(tx: &mut PgConnection) -> Result<Liabilities> {
    Ok(sqlx::query_as!(
        Liabilities,
        r#"SELECT coalesce((SELECT sum(balance) FROM ledger_accounts WHERE kind = 'CUSTOMER_WALLET'), 0)::bigint
                      AS "wallets!: Rupiah",
                  coalesce((SELECT sum(balance) FROM ledger_accounts WHERE kind = 'CUSTOMER_HOLDS'), 0)::bigint
                      AS "holds!: Rupiah",
                  coalesce((SELECT sum(amount) FROM ledger_entries WHERE account_id = (
                      SELECT id FROM ledger_accounts WHERE kind = 'DEFERRED_REVENUE')), 0)::bigint
                      AS "deferred_revenue!: Rupiah",
                  coalesce((SELECT sum(amount) FROM ledger_entries WHERE account_id = (
                      SELECT id FROM ledger_accounts WHERE kind = 'REFUNDS_PAYABLE')), 0)::bigint
                      AS "refunds_payable!: Rupiah""#
    )
    .fetch_one(tx)
    .await?)
}
