//! Reading everybody's orders.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    email::EmailKey,
    ids::{InstanceId, InvoiceId, OrderId, TaskId, UserId},
    order::OrderStatus,
    provisioning::TaskStatus,
    sorting::{OrderSort, PaymentSort},
};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{PaymentDetail, PaymentFilter, WebhookSummary};
use crate::{
    Result, Store, StoreError, boxed,
    disputes::{Dispute, DisputeFilter},
    page::{Page, PageRequest, SortCursor, SortKey, SortedRequest},
    placements::Placement,
};

/// Which orders are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// Only those in this status.
    pub status: Option<OrderStatus>,
    /// Only those at this provider (slug).
    pub provider: Option<String>,
    /// Only those of this customer.
    pub customer: Option<UserId>,
    /// Only those of this plan (slug).
    pub plan: Option<String>,
    /// Only those that failed for a reason of this class.
    pub failure_class: Option<&'static str>,
    /// Only those with exactly this order id, host name or customer's email.
    pub search: Option<String>,
}

/// An order's customer.
#[derive(Debug, Clone)]
pub struct CustomerSummary {
    /// The account.
    pub id: UserId,
    /// Its email.
    pub email: String,
    /// Its name.
    pub full_name: String,
    /// Since when it is suspended.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// An order in a list.
#[derive(Debug, Clone)]
pub struct OrderSummary {
    /// Its id, also the cursor of lists.
    pub id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it failed: a word of `domain::provisioning::FailureClass`.
    pub failure_class: Option<String>,
    /// Why it failed, in words.
    pub failure_message: Option<String>,
    /// Who ordered.
    pub customer: CustomerSummary,
    /// Slug of the provider.
    pub provider: String,
    /// Slug of the plan.
    pub plan: String,
    /// Slug of the region.
    pub region: String,
    /// Slug of the image.
    pub image: String,
    /// The server's host name.
    pub hostname: String,
    /// Months bought.
    pub term_months: i32,
    /// Price of it all.
    pub total: Rupiah,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Until when it waits for money.
    pub expires_at: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// When its server ran.
    pub active_at: Option<DateTime<Utc>>,
}

/// An order's bill.
#[derive(Debug, Clone)]
pub struct InvoiceSummary {
    /// Its id.
    pub id: InvoiceId,
    /// Its number.
    pub number: String,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// What is to be paid.
    pub total: Rupiah,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
}

/// The work of getting an order's server.
#[derive(Debug, Clone)]
pub struct TaskDetail {
    /// Its id.
    pub id: TaskId,
    /// Where it stands.
    pub status: TaskStatus,
    /// Slug of the provider it goes to.
    pub provider_type: String,
    /// How often the provider was asked.
    pub attempts: i32,
    /// When a create went out that was not refused for certain: a server may exist since.
    pub create_sent_at: Option<DateTime<Utc>>,
    /// Kind of the last error.
    pub last_error_class: Option<String>,
    /// The provider's code for it.
    pub last_error_code: Option<String>,
    /// The last error in words.
    pub last_error: Option<String>,
    /// The provider's id of the request, to quote to its support.
    pub provider_request_id: Option<String>,
    /// Our server.
    pub instance_id: Option<InstanceId>,
    /// The provider's id of the server.
    pub provider_instance_id: Option<String>,
    /// The server's address.
    pub ipv4: Option<String>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// An order with everything around it.
#[derive(Debug, Clone)]
pub struct OrderDetail {
    /// The order.
    pub order: OrderSummary,
    /// Its bill.
    pub invoice: Option<InvoiceSummary>,
    /// The latest hundred attempts to pay, newest first.
    pub payments: Vec<PaymentDetail>,
    /// The latest hundred disputes about them, newest first.
    pub disputes: Vec<Dispute>,
    /// The work of getting its server.
    pub task: Option<TaskDetail>,
    /// Where its server was to be bought over time, the first first.
    pub placements: Vec<Placement>,
    /// The latest hundred notifications from gateways, newest first.
    pub webhooks: Vec<WebhookSummary>,
}

/// A row of the one query that both the list and the single order come from.
struct Row {
    id: OrderId,
    status: OrderStatus,
    failure_class: Option<String>,
    failure_message: Option<String>,
    user_id: UserId,
    email: String,
    full_name: String,
    suspended_at: Option<DateTime<Utc>>,
    provider: String,
    plan: String,
    region: String,
    image: String,
    hostname: String,
    term_months: i32,
    total: Rupiah,
    placed_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    active_at: Option<DateTime<Utc>>,
}

impl From<Row> for OrderSummary {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            status: row.status,
            failure_class: row.failure_class,
            failure_message: row.failure_message,
            customer: CustomerSummary {
                id: row.user_id,
                email: row.email,
                full_name: row.full_name,
                suspended_at: row.suspended_at,
            },
            provider: row.provider,
            plan: row.plan,
            region: row.region,
            image: row.image,
            hostname: row.hostname,
            term_months: row.term_months,
            total: row.total,
            placed_at: row.placed_at,
            expires_at: row.expires_at,
            paid_at: row.paid_at,
            active_at: row.active_at,
        }
    }
}

/// Orders in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_orders {
    ($on:expr, $wanted:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Row,
            r#"SELECT o.id AS "id: OrderId", o.status AS "status: OrderStatus", o.failure_class, o.failure_message,
                      o.user_id AS "user_id: UserId", u.email, u.full_name, u.suspended_at, p.slug AS provider,
                      l.slug AS plan, r.slug AS region, i.slug AS image, o.hostname, o.term_months,
                      o.total AS "total: Rupiah", o.placed_at, o.expires_at, o.paid_at, o.active_at
               FROM orders o
               JOIN users u ON u.id = o.user_id
               JOIN providers p ON p.id = o.provider_id
               JOIN plans l ON l.id = o.plan_id
               JOIN regions r ON r.id = o.region_id
               JOIN images i ON i.id = o.image_id
               WHERE ($1::text IS NULL OR o.status = $1) AND ($2::text IS NULL OR p.slug = $2)
                 AND ($3::uuid IS NULL OR o.user_id = $3) AND ($4::uuid IS NULL OR o.id = $4)
                 AND ($5::text IS NULL OR o.hostname = $5
                      OR o.user_id = (SELECT id FROM users WHERE email_key = $5))
                 AND ($6::text IS NULL OR l.slug = $6) AND ($7::text IS NULL OR o.failure_class = $7)
                 AND ($8::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $10",
            $wanted.filter.status.map(OrderStatus::as_str),
            $wanted.filter.provider,
            $wanted.filter.customer.map(|customer| customer.0),
            $wanted.id,
            $wanted.words.as_ref().map(EmailKey::as_str),
            $wanted.filter.plan,
            $wanted.filter.failure_class,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

/// What is looked for, as the query takes it.
struct Wanted<'a> {
    filter: &'a OrderFilter,
    id: Option<Uuid>,
    words: Option<EmailKey>,
}

/// Everybody's orders, in whatever transaction they are read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &OrderFilter,
    sort: OrderSort,
    page: &SortedRequest,
) -> Result<Vec<OrderSummary>> {
    let id = filter.search.as_deref().and_then(|words| words.trim().parse::<Uuid>().ok());
    // Host names are kept in lower case, and addresses have a key that is.
    let words = filter.search.as_deref().filter(|_| id.is_none()).map(EmailKey::of);
    let wanted = Wanted { filter, id, words };
    let rows = match sort {
        OrderSort::Newest => select_orders!(on, wanted, page, "o.id < $9", "o.id DESC"),
        OrderSort::Oldest => select_orders!(on, wanted, page, "o.id > $9", "o.id"),
        OrderSort::Dearest => select_orders!(
            on,
            wanted,
            page,
            "(o.total, o.id) < ($8::text::bigint, $9)",
            "o.total DESC, o.id DESC"
        ),
        OrderSort::Cheapest => {
            select_orders!(on, wanted, page, "(o.total, o.id) > ($8::text::bigint, $9)", "o.total, o.id")
        }
    };
    Ok(rows.into_iter().map(OrderSummary::from).collect())
}

impl Store {
    /// Everybody's orders.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn orders_for_staff(
        &self,
        filter: &OrderFilter,
        sort: OrderSort,
        page: SortedRequest,
    ) -> Result<Page<OrderSummary, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |order: &OrderSummary| match sort {
            OrderSort::Newest | OrderSort::Oldest => SortKey::Age,
            OrderSort::Dearest | OrderSort::Cheapest => SortKey::Number(order.total.get()),
        };
        Ok(page.cut(rows, |order| SortCursor { key: key(order), id: order.id.0 }))
    }

    /// One order with everything around it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn order_for_staff(&self, order: OrderId) -> Result<OrderDetail> {
        const LIMIT: i64 = 100;
        let (filter, one) = (OrderFilter::default(), SortedRequest::first(1));
        let wanted = Wanted { filter: &filter, id: Some(order.0), words: None };
        let mut rows = select_orders!(&self.pool, wanted, one, "o.id < $9", "o.id DESC");
        let summary = rows.pop().map(OrderSummary::from).ok_or(StoreError::NotFound("order"))?;
        let payments = PaymentFilter { order: Some(order), ..PaymentFilter::default() };
        Ok(OrderDetail {
            order: summary,
            invoice: self.order_invoice(order).await?,
            payments: self
                .payments_for_staff(&payments, PaymentSort::Newest, SortedRequest::first(LIMIT))
                .await?
                .data,
            disputes: self
                .disputes(
                    &DisputeFilter { order: Some(order), ..DisputeFilter::default() },
                    PageRequest { before: None, limit: LIMIT },
                )
                .await?
                .data,
            task: self.order_task(order).await?,
            placements: self.placements(order).await?,
            webhooks: self.order_webhooks(order).await?,
        })
    }

    async fn order_invoice(&self, order: OrderId) -> Result<Option<InvoiceSummary>> {
        Ok(sqlx::query_as!(
            InvoiceSummary,
            r#"SELECT id AS "id: InvoiceId", number AS "number!", status AS "status: InvoiceStatus", total AS "total: Rupiah", paid_at
               FROM invoices WHERE order_id = $1"#,
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    async fn order_task(&self, order: OrderId) -> Result<Option<TaskDetail>> {
        Ok(sqlx::query_as!(
            TaskDetail,
            r#"SELECT t.id AS "id: TaskId", t.status AS "status: TaskStatus", t.provider_type, t.attempts, t.create_sent_at,
                      t.last_error_class, t.last_error_code, t.last_error, t.provider_request_id,
                      t.instance_id AS "instance_id: InstanceId", s.provider_instance_id AS "provider_instance_id?",
                      s.ipv4 AS "ipv4?", t.updated_at
               FROM provisioning_tasks t LEFT JOIN instances s ON s.id = t.instance_id
               WHERE t.order_id = $1"#,
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
