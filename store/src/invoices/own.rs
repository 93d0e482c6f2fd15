//! A customer's invoices in lists.

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    ids::{InvoiceId, OrderId, UserId},
    money::Rupiah,
    sorting::InvoiceSort,
};

use super::Invoice;
use crate::{
    Result, Store, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Which of a customer's invoices are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct OwnInvoiceFilter {
    /// Only those in this status.
    pub status: Option<InvoiceStatus>,
    /// Only those with this in their number, in any case.
    pub search: Option<String>,
    /// Only those that were issued then or later.
    pub from: Option<DateTime<Utc>>,
    /// Only those that were issued before then.
    pub until: Option<DateTime<Utc>>,
}

/// Invoices in lists. One macro, so that each sorting is a query of its own.
macro_rules! list_invoices {
    ($store:expr, $owner:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Invoice,
            r#"SELECT v.id AS "id: InvoiceId", v.number AS "number!", v.order_id AS "order_id: OrderId",
                      v.status AS "status: InvoiceStatus", v.subtotal AS "subtotal: Rupiah", v.discount AS "discount: Rupiah",
                      v.tax_base AS "tax_base: Rupiah", v.tax AS "tax: Rupiah", v.tax_bp, v.total AS "total: Rupiah",
                      v.issued_at AS "issued_at!", v.due_at AS "due_at!", v.paid_at
               FROM invoices v
               WHERE v.user_id = $1 AND v.number IS NOT NULL AND ($2::text IS NULL OR v.status = $2)
                 AND ($3::text IS NULL OR strpos(v.number, upper($3)) > 0)
                 AND ($4::timestamptz IS NULL OR v.issued_at >= $4) AND ($5::timestamptz IS NULL OR v.issued_at < $5)
                 AND ($6::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $8",
            $owner.0,
            $filter.status.map(InvoiceStatus::as_str),
            $filter.search,
            $filter.from,
            $filter.until,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all(&$store.pool)
        .await?
    };
}

impl Store {
    /// A customer's invoices, without their lines.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn invoices_of(
        &self,
        owner: UserId,
        filter: &OwnInvoiceFilter,
        sort: InvoiceSort,
        page: SortedRequest,
    ) -> Result<Page<Invoice, SortCursor>> {
        let rows = self.own_invoices(owner, filter, sort, &page).await?;
        Ok(page.cut(rows, |invoice| SortCursor { key: key(invoice, sort), id: invoice.id.0 }))
    }

    async fn own_invoices(
        &self,
        owner: UserId,
        filter: &OwnInvoiceFilter,
        sort: InvoiceSort,
        page: &SortedRequest,
    ) -> Result<Vec<Invoice>> {
        Ok(match sort {
            InvoiceSort::Newest => list_invoices!(self, owner, filter, page, "v.id < $7", "v.id DESC"),
            InvoiceSort::Oldest => list_invoices!(self, owner, filter, page, "v.id > $7", "v.id"),
            InvoiceSort::Largest => list_invoices!(
                self,
                owner,
                filter,
                page,
                "(v.total, v.id) < ($6::text::bigint, $7)",
                "v.total DESC, v.id DESC"
            ),
            InvoiceSort::Smallest => list_invoices!(
                self,
                owner,
                filter,
                page,
                "(v.total, v.id) > ($6::text::bigint, $7)",
                "v.total, v.id"
            ),
            InvoiceSort::DueFirst => list_invoices!(
                self,
                owner,
                filter,
                page,
                "(coalesce(v.due_at, 'infinity'::timestamptz), v.id) > ($6::text::timestamptz, $7)",
                "coalesce(v.due_at, 'infinity'::timestamptz), v.id"
            ),
            InvoiceSort::DueLast => list_invoices!(
                self,
                owner,
                filter,
                page,
                "(coalesce(v.due_at, 'infinity'::timestamptz), v.id) < ($6::text::timestamptz, $7)",
                "coalesce(v.due_at, 'infinity'::timestamptz) DESC, v.id DESC"
            ),
        })
    }
}

fn key(invoice: &Invoice, sort: InvoiceSort) -> SortKey {
    match sort {
        InvoiceSort::Newest | InvoiceSort::Oldest => SortKey::Age,
        InvoiceSort::Largest | InvoiceSort::Smallest => SortKey::Number(invoice.total.get()),
        InvoiceSort::DueFirst | InvoiceSort::DueLast => SortKey::Time(Some(invoice.due_at)),
    }
}
