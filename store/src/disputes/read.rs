//! Reading disputes.

use domain::{
    Rupiah,
    dispute::{DisputeStatus, ReversalKind},
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId, UserId},
    sorting::AmountSort,
};
use sqlx::PgConnection;

use super::Dispute;
use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, PageRequest, SortCursor, SortKey, SortedRequest},
};

/// Which disputes are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct DisputeFilter {
    /// Only this one.
    pub dispute: Option<DisputeId>,
    /// Only those in this status.
    pub status: Option<DisputeStatus>,
    /// Only those about money taken back in this way.
    pub kind: Option<ReversalKind>,
    /// Only those with this gateway.
    pub gateway: Option<String>,
    /// Only those about this payment.
    pub payment: Option<PaymentId>,
    /// Only those about payments of this order.
    pub order: Option<OrderId>,
    /// Only this customer's.
    pub customer: Option<UserId>,
}

impl Store {
    /// One dispute.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such dispute.
    #[boxed]
    pub async fn dispute(&self, dispute: DisputeId) -> Result<Dispute> {
        read(&mut *self.pool.acquire().await?, dispute).await
    }

    /// Disputes, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn disputes(&self, filter: &DisputeFilter, page: PageRequest) -> Result<Page<Dispute>> {
        let mut connection = self.pool.acquire().await?;
        let after = page.before.map(|id| SortCursor { key: SortKey::Age, id });
        let newest = SortedRequest { after, limit: page.limit };
        let rows = select(&mut connection, filter, AmountSort::Newest, &newest).await?;
        Ok(page.cut(rows, |dispute| dispute.id.0))
    }

    /// Disputes of everybody.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn disputes_for_staff(
        &self,
        filter: &DisputeFilter,
        sort: AmountSort,
        page: SortedRequest,
    ) -> Result<Page<Dispute, SortCursor>> {
        let mut connection = self.pool.acquire().await?;
        let rows = select(&mut connection, filter, sort, &page).await?;
        let key = |dispute: &Dispute| match sort {
            AmountSort::Newest | AmountSort::Oldest => SortKey::Age,
            AmountSort::Largest | AmountSort::Smallest => SortKey::Number(dispute.amount.get()),
        };
        Ok(page.cut(rows, |dispute| SortCursor { key: key(dispute), id: dispute.id.0 }))
    }
}

/// One dispute as the caller's transaction sees it.
pub(super) async fn read(connection: &mut PgConnection, dispute: DisputeId) -> Result<Dispute> {
    let only = DisputeFilter { dispute: Some(dispute), ..DisputeFilter::default() };
    select(connection, &only, AmountSort::Newest, &SortedRequest::first(1))
        .await?
        .pop()
        .ok_or(StoreError::NotFound("dispute"))
}

/// Disputes in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_disputes {
    ($on:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Dispute,
            r#"SELECT d.id AS "id: DisputeId", d.payment_id AS "payment_id: PaymentId", d.user_id AS "customer_id: UserId",
                  p.order_id AS "order_id: OrderId", p.invoice_id AS "invoice_id: InvoiceId",
                  p.deposit_id AS "deposit_id: DepositId", p.gateway AS "gateway!", p.gateway_order_id,
                  d.kind AS "kind: ReversalKind", d.name, d.status AS "status: DisputeStatus",
                  d.amount AS "amount: Rupiah", d.payer_fee AS "payer_fee: Rupiah", d.amount_told, d.suspends_server, d.note,
                  d.decided_by AS "decided_by: UserId", d.decided_at, d.receivable AS "receivable: Rupiah", d.created_at
           FROM disputes d JOIN payments p ON p.id = d.payment_id
           WHERE ($1::uuid IS NULL OR d.id = $1) AND ($2::text IS NULL OR d.status = $2)
             AND ($3::text IS NULL OR d.kind = $3) AND ($4::text IS NULL OR p.gateway = $4)
             AND ($5::uuid IS NULL OR d.payment_id = $5) AND ($6::uuid IS NULL OR p.order_id = $6)
             AND ($7::uuid IS NULL OR d.user_id = $7) AND ($8::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $10",
            $filter.dispute.map(|id| id.0),
            $filter.status.map(DisputeStatus::as_str),
            $filter.kind.map(ReversalKind::as_str),
            $filter.gateway,
            $filter.payment.map(|id| id.0),
            $filter.order.map(|id| id.0),
            $filter.customer.map(|id| id.0),
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

async fn select(
    connection: &mut PgConnection,
    filter: &DisputeFilter,
    sort: AmountSort,
    page: &SortedRequest,
) -> Result<Vec<Dispute>> {
    Ok(match sort {
        AmountSort::Newest => select_disputes!(connection, filter, page, "d.id < $9", "d.id DESC"),
        AmountSort::Oldest => select_disputes!(connection, filter, page, "d.id > $9", "d.id"),
        AmountSort::Largest => select_disputes!(
            connection,
            filter,
            page,
            "(d.amount, d.id) < ($8::text::bigint, $9)",
            "d.amount DESC, d.id DESC"
        ),
        AmountSort::Smallest => select_disputes!(
            connection,
            filter,
            page,
            "(d.amount, d.id) > ($8::text::bigint, $9)",
            "d.amount, d.id"
        ),
    })
}
