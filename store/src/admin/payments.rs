//! Reading everybody's payments and what gateways told us about them.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, Claim, PaymentMethod, PaymentOutcome, PaymentStatus},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
    sorting::PaymentSort,
};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Result, Store, boxed,
    page::{Page, PageRequest, SortCursor, SortKey, SortedRequest},
};

/// One attempt to pay, as staff see it.
#[derive(Debug, Clone)]
pub struct PaymentDetail {
    /// Its id, also the cursor of lists.
    pub id: PaymentId,
    /// The order it pays, if it pays one.
    pub order_id: Option<OrderId>,
    /// The invoice it pays, if it pays one.
    pub invoice_id: Option<InvoiceId>,
    /// The deposit it pays, if it pays one.
    pub deposit_id: Option<DepositId>,
    /// Who pays.
    pub customer_id: UserId,
    /// Slug of the gateway; `None` for methods without one.
    pub gateway: Option<String>,
    /// Our name for the attempt at the gateway.
    pub gateway_order_id: String,
    /// The gateway's name for it.
    pub gateway_transaction_id: Option<String>,
    /// How.
    pub method: PaymentMethod,
    /// Through which bank, for virtual accounts.
    pub bank: Option<Bank>,
    /// How much.
    pub amount: Rupiah,
    /// Bank transfers: what has arrived so far.
    pub amount_received: Option<Rupiah>,
    /// What its gateway made the payer pay on top of the amount.
    pub payer_fee: Rupiah,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What became of its money; `None` while it is not paid.
    pub outcome: Option<PaymentOutcome>,
    /// The administrator who approved it.
    pub approved_by: Option<UserId>,
    /// What an administrator or the gateway remarked.
    pub note: Option<String>,
    /// How many files the customer sent to prove it.
    pub proofs: i64,
    /// What of its money its gateway took back without our asking: not dismissed, decided or not.
    pub disputed: Rupiah,
    /// How many disputes about it wait for a decision.
    pub open_disputes: i64,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// Until when the gateway takes the money.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the money was ours.
    pub paid_at: Option<DateTime<Utc>>,
    /// Whether what it is for waits for money.
    pub waits: bool,
    /// What earlier transfers brought for that and is set aside.
    pub set_aside: Rupiah,
}

impl PaymentDetail {
    /// What it still has to bring; `None` when nobody waits for it.
    #[must_use]
    pub fn amount_due(&self) -> Option<Rupiah> {
        let claim = Claim { waits: self.waits, total: self.amount, set_aside: self.set_aside };
        claim.due_by(self.method, self.status).ok().flatten()
    }
}

/// Which payments are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only those in this status.
    pub status: Option<PaymentStatus>,
    /// Only those whose money became this.
    pub outcome: Option<PaymentOutcome>,
    /// Only this one.
    pub id: Option<PaymentId>,
    /// Only those of this order.
    pub order: Option<OrderId>,
    /// Only those of this invoice.
    pub invoice: Option<InvoiceId>,
    /// Only those of this deposit.
    pub deposit: Option<DepositId>,
    /// Only this customer's.
    pub customer: Option<UserId>,
    /// Only those by this method.
    pub method: Option<PaymentMethod>,
    /// Only those through this gateway (slug).
    pub gateway: Option<String>,
}

/// One notification from a gateway, without its body.
#[derive(Debug, Clone)]
pub struct WebhookSummary {
    /// Its id.
    pub id: Uuid,
    /// Slug of the gateway.
    pub gateway: String,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// What was done with it.
    pub outcome: String,
    /// Why nothing was moved, when nothing was.
    pub reason: Option<String>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Payments in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_payments {
    ($on:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            PaymentDetail,
            r#"SELECT id AS "id: PaymentId", order_id AS "order_id: OrderId", invoice_id AS "invoice_id: InvoiceId",
                      deposit_id AS "deposit_id: DepositId", user_id AS "customer_id: UserId", gateway, gateway_order_id, gateway_transaction_id,
                      method AS "method: PaymentMethod", bank AS "bank: Bank", amount AS "amount: Rupiah",
                      amount_received AS "amount_received: Rupiah", payer_fee AS "payer_fee: Rupiah", w.waits AS "waits!", w.set_aside AS "set_aside!: Rupiah",
                      status AS "status: PaymentStatus", outcome AS "outcome: PaymentOutcome", approved_by AS "approved_by: UserId", note,
                      (SELECT count(*) FROM payment_proofs f WHERE f.payment_id = payments.id) AS "proofs!",
                      d.disputed AS "disputed!: Rupiah", d.open AS "open_disputes!",
                      created_at, expires_at, paid_at
               FROM payments
               CROSS JOIN LATERAL payment_claim(payments) w
               CROSS JOIN LATERAL (SELECT coalesce(sum(b.amount) FILTER (WHERE b.status <> 'DISMISSED'), 0)::bigint AS disputed,
                                          count(*) FILTER (WHERE b.status = 'OPEN') AS open
                                   FROM disputes b WHERE b.payment_id = payments.id) d
               WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR outcome = $2)
                 AND ($3::uuid IS NULL OR order_id = $3) AND ($4::uuid IS NULL OR user_id = $4)
                 AND ($5::text IS NULL OR method = $5) AND ($6::text IS NULL OR gateway = $6)
                 AND ($10::uuid IS NULL OR id = $10) AND ($11::uuid IS NULL OR invoice_id = $11)
                 AND ($12::uuid IS NULL OR deposit_id = $12)
                 AND ($7::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $9",
            $filter.status.map(PaymentStatus::as_str),
            $filter.outcome.map(PaymentOutcome::as_str),
            $filter.order.map(|order| order.0),
            $filter.customer.map(|customer| customer.0),
            $filter.method.map(PaymentMethod::as_str),
            $filter.gateway,
            $page.key(),
            $page.id(),
            $page.fetch(),
            $filter.id.map(|id| id.0),
            $filter.invoice.map(|invoice| invoice.0),
            $filter.deposit.map(|deposit| deposit.0),
        )
        .fetch_all($on)
        .await?
    };
}

/// Everybody's payments, in whatever transaction they are read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &PaymentFilter,
    sort: PaymentSort,
    page: &SortedRequest,
) -> Result<Vec<PaymentDetail>> {
    Ok(match sort {
        PaymentSort::Newest => select_payments!(on, filter, page, "id < $8", "id DESC"),
        PaymentSort::Oldest => select_payments!(on, filter, page, "id > $8", "id"),
        PaymentSort::Largest => select_payments!(
            on,
            filter,
            page,
            "(amount, id) < ($7::text::bigint, $8)",
            "amount DESC, id DESC"
        ),
        PaymentSort::Smallest => {
            select_payments!(on, filter, page, "(amount, id) > ($7::text::bigint, $8)", "amount, id")
        }
    })
}

impl Store {
    /// Everybody's payments.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn payments_for_staff(
        &self,
        filter: &PaymentFilter,
        sort: PaymentSort,
        page: SortedRequest,
    ) -> Result<Page<PaymentDetail, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |payment: &PaymentDetail| match sort {
            PaymentSort::Newest | PaymentSort::Oldest => SortKey::Age,
            PaymentSort::Largest | PaymentSort::Smallest => SortKey::Number(payment.amount.get()),
        };
        Ok(page.cut(rows, |payment| SortCursor { key: key(payment), id: payment.id.0 }))
    }

    /// Open bank transfers, which an administrator has to look at: first those with a proof, then the others, each newest
    /// first. `filter` restricts them further.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn transfers_awaiting_approval(
        &self,
        filter: &PaymentFilter,
        page: PageRequest,
    ) -> Result<Page<PaymentDetail>> {
        let rows = sqlx::query_as!(
            PaymentDetail,
            r#"SELECT id AS "id: PaymentId", order_id AS "order_id: OrderId", invoice_id AS "invoice_id: InvoiceId",
                      deposit_id AS "deposit_id: DepositId", user_id AS "customer_id: UserId", gateway, gateway_order_id, gateway_transaction_id,
                      method AS "method: PaymentMethod", bank AS "bank: Bank", amount AS "amount: Rupiah",
                      amount_received AS "amount_received: Rupiah", payer_fee AS "payer_fee: Rupiah", w.waits AS "waits!", w.set_aside AS "set_aside!: Rupiah",
                      status AS "status: PaymentStatus", outcome AS "outcome: PaymentOutcome", approved_by AS "approved_by: UserId", note,
                      f.proofs AS "proofs!", 0::bigint AS "disputed!: Rupiah", 0::bigint AS "open_disputes!", created_at, expires_at, paid_at
               FROM payments
               CROSS JOIN LATERAL payment_claim(payments) w
               CROSS JOIN LATERAL (SELECT count(*) AS proofs FROM payment_proofs WHERE payment_id = payments.id) f
               WHERE method = 'MANUAL_TRANSFER' AND status IN ('PENDING', 'UNKNOWN')
                 AND ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR outcome = $2)
                 AND ($3::uuid IS NULL OR order_id = $3)
                 AND ($4::uuid IS NULL
                      OR (f.proofs > 0, id) < (EXISTS (SELECT FROM payment_proofs WHERE payment_id = $4), $4))
                 AND ($6::uuid IS NULL OR user_id = $6) AND ($7::text IS NULL OR method = $7)
                 AND ($8::text IS NULL OR gateway = $8)
               ORDER BY (f.proofs > 0) DESC, id DESC LIMIT $5"#,
            filter.status.map(PaymentStatus::as_str),
            filter.outcome.map(PaymentOutcome::as_str),
            filter.order.map(|order| order.0),
            page.before,
            page.fetch(),
            filter.customer.map(|customer| customer.0),
            filter.method.map(PaymentMethod::as_str),
            filter.gateway,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |row| row.id.0))
    }

    /// The latest hundred notifications that gateways sent about an order's payments, newest first.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn order_webhooks(&self, order: OrderId) -> Result<Vec<WebhookSummary>> {
        Ok(sqlx::query_as!(
            WebhookSummary,
            r#"SELECT w.id, w.gateway, w.payment_id AS "payment_id: PaymentId", w.outcome, w.reason, w.received_at
               FROM webhook_events w JOIN payments p ON p.id = w.payment_id
               WHERE p.order_id = $1 ORDER BY w.received_at DESC, w.id DESC LIMIT 100"#,
            order.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
