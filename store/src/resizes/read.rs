//! Changes of plans as they are shown.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{ActionId, InstanceId, InvoiceId, PlanId, ResizeId, UserId},
    resize::{ResizeDirection, ResizeStatus},
};

use crate::{
    Result, Store, StoreError, boxed,
    orders::InvoiceSummary,
    page::{Page, PageRequest},
    payments::Payment,
};

/// Another plan for a server.
#[derive(Debug, Clone)]
pub struct Resize {
    /// Its id.
    pub id: ResizeId,
    /// The server.
    pub instance_id: InstanceId,
    /// Where it stands.
    pub status: ResizeStatus,
    /// Whether it costs more or less.
    pub direction: ResizeDirection,
    /// Slug of the plan before.
    pub from_plan: String,
    /// The plan.
    pub to_plan_id: PlanId,
    /// Its slug.
    pub to_plan: String,
    /// The end of the term that the difference is for.
    pub term_ends_at: DateTime<Utc>,
    /// The action to be watched; none before it is begun.
    pub action_id: Option<ActionId>,
    /// What went to the balance.
    pub credited: Rupiah,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// What is to be paid, or was; none where nothing is.
    pub invoice: Option<InvoiceSummary>,
    /// The latest attempt to pay it.
    pub payment: Option<Payment>,
}

impl Store {
    /// One change of plans of `owner`'s.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has none such.
    #[boxed]
    pub async fn resize(&self, resize: ResizeId, owner: UserId) -> Result<Resize> {
        let page = PageRequest { before: None, limit: 1 };
        let mut found = self.select_resizes(owner, Some(resize), None, &page).await?;
        found.data.pop().ok_or(StoreError::NotFound("resize"))
    }

    /// The changes of plans of one of `owner`'s servers, newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such server.
    #[boxed]
    pub async fn resizes_of(
        &self,
        instance: InstanceId,
        owner: UserId,
        page: &PageRequest,
    ) -> Result<Page<Resize>> {
        self.server_ref_of(owner, instance).await?;
        self.select_resizes(owner, None, Some(instance), page).await
    }

    async fn select_resizes(
        &self,
        owner: UserId,
        resize: Option<ResizeId>,
        instance: Option<InstanceId>,
        page: &PageRequest,
    ) -> Result<Page<Resize>> {
        let rows = sqlx::query!(
            r#"SELECT z.id AS "id: ResizeId", z.instance_id AS "instance_id: InstanceId",
                      z.status AS "status: ResizeStatus", z.from_price AS "from_price: Rupiah",
                      z.to_price AS "to_price: Rupiah", f.slug AS from_plan, t.id AS "to_plan_id: PlanId",
                      t.slug AS to_plan, z.term_ends_at, z.action_id AS "action_id: ActionId",
                      z.credited AS "credited: Rupiah", z.created_at, z.ended_at, v.id AS "invoice_id?: InvoiceId",
                      v.number AS "number?", v.status AS "invoice_status?: InvoiceStatus", v.total AS "total?: Rupiah"
               FROM resizes z JOIN plans f ON f.id = z.from_plan_id JOIN plans t ON t.id = z.to_plan_id
               LEFT JOIN invoices v ON v.id = z.invoice_id
               WHERE z.user_id = $1 AND ($2::uuid IS NULL OR z.id = $2) AND ($3::uuid IS NULL OR z.instance_id = $3)
                 AND ($4::uuid IS NULL OR z.id < $4)
               ORDER BY z.id DESC LIMIT $5"#,
            owner.0,
            resize.map(|id| id.0),
            instance.map(|id| id.0),
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        let Page { data: rows, next } = page.cut(rows, |row| row.id.0);
        let invoices: Vec<InvoiceId> = rows.iter().filter_map(|row| row.invoice_id).collect();
        let payments = self.payments_of_invoices(&invoices).await?;
        let data = rows.into_iter().map(|row| {
            let payment = payments
                .iter()
                .find(|payment| payment.invoice_id.is_some() && payment.invoice_id == row.invoice_id);
            let invoice = match (row.invoice_id, row.number, row.invoice_status, row.total) {
                (Some(id), Some(number), Some(status), Some(total)) => {
                    Some(InvoiceSummary { id, number, status, total })
                }
                _ => None,
            };
            Resize {
                id: row.id,
                instance_id: row.instance_id,
                status: row.status,
                direction: ResizeDirection::between(row.from_price, row.to_price),
                from_plan: row.from_plan,
                to_plan_id: row.to_plan_id,
                to_plan: row.to_plan,
                term_ends_at: row.term_ends_at,
                action_id: row.action_id,
                credited: row.credited,
                created_at: row.created_at,
                ended_at: row.ended_at,
                invoice,
                payment: payment.cloned(),
            }
        });
        Ok(Page { data: data.collect(), next })
    }
}
