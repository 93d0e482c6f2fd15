//! Reading refunds and credit notes.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{CreditNoteId, InvoiceId, OrderId, PaymentId, RefundId, UserId},
    refund::{CreditReason, RefundDestination, RefundStatus},
    sorting::AmountSort,
};
use sqlx::PgConnection;

use super::Refund;
use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, PageRequest, SortCursor, SortKey, SortedRequest},
};

/// The paper for money of an invoice that went back.
#[derive(Debug, Clone)]
pub struct CreditNote {
    /// Its id.
    pub id: CreditNoteId,
    /// Its number, sequential per year: `CN/2026/000001`.
    pub number: String,
    /// Why the money went back.
    pub reason: CreditReason,
    /// What went back, without tax.
    pub net: Rupiah,
    /// PPN that went back.
    pub tax: Rupiah,
    /// All that went back.
    pub total: Rupiah,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
}

/// Which refunds are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Copy, Default)]
pub struct RefundFilter {
    /// Only this one.
    pub refund: Option<RefundId>,
    /// Only those in this status.
    pub status: Option<RefundStatus>,
    /// Only those to there.
    pub destination: Option<RefundDestination>,
    /// Only those of this order.
    pub order: Option<OrderId>,
    /// Only those of this invoice, be it an order's or not.
    pub invoice: Option<InvoiceId>,
    /// Only this customer's.
    pub customer: Option<UserId>,
}

impl Store {
    /// The credit notes of one of `owner`'s invoices, the first first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn credit_notes(&self, invoice: InvoiceId, owner: UserId) -> Result<Vec<CreditNote>> {
        Ok(sqlx::query_as!(
            CreditNote,
            r#"SELECT id AS "id: CreditNoteId", number, reason, net AS "net: Rupiah", tax AS "tax: Rupiah",
                      total AS "total: Rupiah", issued_at
               FROM credit_notes WHERE invoice_id = $1 AND user_id = $2 ORDER BY id"#,
            invoice.0,
            owner.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One refund.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such refund.
    #[boxed]
    pub async fn refund(&self, refund: RefundId) -> Result<Refund> {
        read(&mut *self.pool.acquire().await?, refund).await
    }

    /// One refund of a customer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such refund.
    #[boxed]
    pub async fn refund_of(&self, owner: UserId, refund: RefundId) -> Result<Refund> {
        let only = RefundFilter { refund: Some(refund), customer: Some(owner), ..RefundFilter::default() };
        let mut connection = self.pool.acquire().await?;
        select(&mut connection, &only, AmountSort::Newest, &SortedRequest::first(1))
            .await?
            .pop()
            .ok_or(StoreError::NotFound("refund"))
    }

    /// Refunds, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn refunds(&self, filter: &RefundFilter, page: PageRequest) -> Result<Page<Refund>> {
        let mut connection = self.pool.acquire().await?;
        let after = page.before.map(|id| SortCursor { key: SortKey::Age, id });
        let newest = SortedRequest { after, limit: page.limit };
        let rows = select(&mut connection, filter, AmountSort::Newest, &newest).await?;
        Ok(page.cut(rows, |refund| refund.id.0))
    }

    /// Refunds, sorted: everybody's, unless the filter names a customer.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn refunds_sorted(
        &self,
        filter: &RefundFilter,
        sort: AmountSort,
        page: SortedRequest,
    ) -> Result<Page<Refund, SortCursor>> {
        let mut connection = self.pool.acquire().await?;
        let rows = select(&mut connection, filter, sort, &page).await?;
        let key = |refund: &Refund| match sort {
            AmountSort::Newest | AmountSort::Oldest => SortKey::Age,
            AmountSort::Largest | AmountSort::Smallest => SortKey::Number(refund.amount.get()),
        };
        Ok(page.cut(rows, |refund| SortCursor { key: key(refund), id: refund.id.0 }))
    }
}

/// One refund as the caller's transaction sees it.
pub(super) async fn read(connection: &mut PgConnection, refund: RefundId) -> Result<Refund> {
    let only = RefundFilter { refund: Some(refund), ..RefundFilter::default() };
    select(connection, &only, AmountSort::Newest, &SortedRequest::first(1))
        .await?
        .pop()
        .ok_or(StoreError::NotFound("refund"))
}

/// Refunds in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_refunds {
    ($on:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Refund,
            r#"SELECT r.id AS "id: RefundId", r.user_id AS "customer_id: UserId", r.order_id AS "order_id: OrderId",
                  i.id AS "invoice_id: InvoiceId", r.payment_id AS "payment_id: PaymentId", p.gateway AS "gateway?",
                  r.destination AS "destination: RefundDestination", r.status AS "status: RefundStatus",
                  r.amount AS "amount: Rupiah", r.net AS "net: Rupiah", r.tax AS "tax: Rupiah", r.reason,
                  r.credit_note_id AS "credit_note_id: CreditNoteId", c.number AS "credit_note?",
                  r.requested_by AS "requested_by: UserId", r.gateway_refund_id, r.attempts, r.in_doubt_since,
                  r.last_error, r.created_at, r.sent_at, r.ended_at
           FROM refunds r
           JOIN invoices i ON i.id = r.invoice_id OR i.order_id = r.order_id
           LEFT JOIN payments p ON p.id = r.payment_id
           LEFT JOIN credit_notes c ON c.id = r.credit_note_id
           WHERE ($1::uuid IS NULL OR r.id = $1) AND ($2::text IS NULL OR r.status = $2)
             AND ($3::text IS NULL OR r.destination = $3) AND ($4::uuid IS NULL OR r.order_id = $4)
             AND ($5::uuid IS NULL OR i.id = $5) AND ($6::uuid IS NULL OR r.user_id = $6)
             AND ($7::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $9",
            $filter.refund.map(|id| id.0),
            $filter.status.map(RefundStatus::as_str),
            $filter.destination.map(RefundDestination::as_str),
            $filter.order.map(|id| id.0),
            $filter.invoice.map(|id| id.0),
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
    filter: &RefundFilter,
    sort: AmountSort,
    page: &SortedRequest,
) -> Result<Vec<Refund>> {
    Ok(match sort {
        AmountSort::Newest => select_refunds!(connection, filter, page, "r.id < $8", "r.id DESC"),
        AmountSort::Oldest => select_refunds!(connection, filter, page, "r.id > $8", "r.id"),
        AmountSort::Largest => select_refunds!(
            connection,
            filter,
            page,
            "(r.amount, r.id) < ($7::text::bigint, $8)",
            "r.amount DESC, r.id DESC"
        ),
        AmountSort::Smallest => select_refunds!(
            connection,
            filter,
            page,
            "(r.amount, r.id) > ($7::text::bigint, $8)",
            "r.amount, r.id"
        ),
    })
}
