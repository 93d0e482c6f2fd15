//! Reading everybody's invoices.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InvoiceId, OrderId, UserId},
    sorting::InvoiceSort,
};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, boxed,
    invoices::{self, InvoiceLine},
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// A bill, as staff see it. Drafts have no number and no dates yet.
#[derive(Debug, Clone)]
pub struct InvoiceDetail {
    /// Its id, also the cursor of lists.
    pub id: InvoiceId,
    /// Its number, sequential per year; `None` for drafts.
    pub number: Option<String>,
    /// Who is billed.
    pub customer_id: UserId,
    /// Their address.
    pub customer_email: String,
    /// The order it is for, if it is an order's.
    pub order_id: Option<OrderId>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Sum of the lines that are not discounts.
    pub subtotal: Rupiah,
    /// What was taken off.
    pub discount: Rupiah,
    /// What PPN was computed on, rounded.
    pub tax_base: Rupiah,
    /// PPN.
    pub tax: Rupiah,
    /// PPN rate in basis points.
    pub tax_bp: i32,
    /// What is to be paid.
    pub total: Rupiah,
    /// A remark of staff.
    pub note: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was issued; `None` for drafts.
    pub issued_at: Option<DateTime<Utc>>,
    /// Until when it is to be paid.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
}

/// Which invoices are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct InvoiceFilter {
    /// Only those in this status.
    pub status: Option<InvoiceStatus>,
    /// Only this customer's.
    pub customer: Option<UserId>,
    /// Only those whose number has this in it, in any case.
    pub number: Option<String>,
}

/// Invoices in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_invoices {
    ($on:expr, $filter:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            InvoiceDetail,
            r#"SELECT i.id AS "id: InvoiceId", i.number, i.user_id AS "customer_id: UserId", u.email AS customer_email,
                      i.order_id AS "order_id: OrderId", i.status AS "status: InvoiceStatus",
                      i.subtotal AS "subtotal: Rupiah", i.discount AS "discount: Rupiah",
                      i.tax_base AS "tax_base: Rupiah", i.tax AS "tax: Rupiah",
                      i.tax_bp, i.total AS "total: Rupiah", i.note, i.created_at, i.issued_at, i.due_at, i.paid_at
               FROM invoices i JOIN users u ON u.id = i.user_id
               WHERE ($1::uuid IS NULL OR i.id = $1) AND ($2::text IS NULL OR i.status = $2)
                 AND ($3::uuid IS NULL OR i.user_id = $3)
                 AND ($4::text IS NULL OR position(upper($4) IN i.number) > 0)
                 AND ($5::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $7",
            $only,
            $filter.status.map(InvoiceStatus::as_str),
            $filter.customer.map(|id| id.0),
            $filter.number,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

/// Everybody's invoices, in whatever transaction they are read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &InvoiceFilter,
    sort: InvoiceSort,
    page: &SortedRequest,
) -> Result<Vec<InvoiceDetail>> {
    let all: Option<Uuid> = None;
    Ok(match sort {
        InvoiceSort::Newest => select_invoices!(on, filter, all, page, "i.id < $6", "i.id DESC"),
        InvoiceSort::Oldest => select_invoices!(on, filter, all, page, "i.id > $6", "i.id"),
        InvoiceSort::Largest => select_invoices!(
            on,
            filter,
            all,
            page,
            "(i.total, i.id) < ($5::text::bigint, $6)",
            "i.total DESC, i.id DESC"
        ),
        InvoiceSort::Smallest => select_invoices!(
            on,
            filter,
            all,
            page,
            "(i.total, i.id) > ($5::text::bigint, $6)",
            "i.total, i.id"
        ),
        InvoiceSort::DueFirst => select_invoices!(
            on,
            filter,
            all,
            page,
            "(coalesce(i.due_at, 'infinity'::timestamptz), i.id) > ($5::text::timestamptz, $6)",
            "coalesce(i.due_at, 'infinity'::timestamptz), i.id"
        ),
        InvoiceSort::DueLast => select_invoices!(
            on,
            filter,
            all,
            page,
            "(coalesce(i.due_at, 'infinity'::timestamptz), i.id) < ($5::text::timestamptz, $6)",
            "coalesce(i.due_at, 'infinity'::timestamptz) DESC, i.id DESC"
        ),
    })
}

impl Store {
    /// Everybody's invoices, without their lines.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn invoices_for_staff(
        &self,
        filter: &InvoiceFilter,
        sort: InvoiceSort,
        page: SortedRequest,
    ) -> Result<Page<InvoiceDetail, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |invoice: &InvoiceDetail| match sort {
            InvoiceSort::Newest | InvoiceSort::Oldest => SortKey::Age,
            InvoiceSort::Largest | InvoiceSort::Smallest => SortKey::Number(invoice.total.get()),
            InvoiceSort::DueFirst | InvoiceSort::DueLast => SortKey::Time(invoice.due_at),
        };
        Ok(page.cut(rows, |invoice| SortCursor { key: key(invoice), id: invoice.id.0 }))
    }

    /// Anybody's invoice with its lines, drafts too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such invoice.
    #[boxed]
    pub async fn invoice_for_staff(&self, invoice: InvoiceId) -> Result<(InvoiceDetail, Vec<InvoiceLine>)> {
        let (all, one) = (InvoiceFilter::default(), SortedRequest::first(1));
        let found = select_invoices!(&self.pool, all, Some(invoice.0), one, "i.id < $6", "i.id DESC").pop();
        let found = found.ok_or(StoreError::NotFound("invoice"))?;
        let lines = invoices::lines(&mut *self.pool.acquire().await?, invoice).await?;
        Ok((found, lines))
    }
}
