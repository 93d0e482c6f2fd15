//! Orders as they are shown.

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    ids::{InstanceId, InvoiceId, OrderId, PlanId, UserId},
    money::Rupiah,
    order::OrderStatus,
    provisioning::FailureClass,
};

use crate::{Result, Store, StoreError, boxed};

/// An order with the names of what was ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The customer.
    pub user_id: UserId,
    /// Where it stands.
    pub status: OrderStatus,
    /// What kind of failure stopped provisioning.
    pub failure_class: Option<FailureClass>,
    /// The failure in the provider's words, for admins.
    pub failure_message: Option<String>,
    /// The server, once work on it began.
    pub instance_id: Option<InstanceId>,
    /// The plan.
    pub plan_id: PlanId,
    /// Slug of the plan.
    pub plan: String,
    /// Name of the plan.
    pub plan_name: String,
    /// Slug of the provider.
    pub provider: String,
    /// Name of the provider.
    pub provider_name: String,
    /// Slug of the region.
    pub region: String,
    /// Name of the region.
    pub region_name: String,
    /// Slug of the image.
    pub image: String,
    /// Name of the image.
    pub image_name: String,
    /// Host name of the machine.
    pub hostname: String,
    /// Months bought.
    pub term_months: i32,
    /// Whether the term is renewed by itself.
    pub auto_renew: bool,
    /// What it costs.
    pub total: Rupiah,
    /// Its bill.
    pub invoice: InvoiceSummary,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// When the server ran.
    pub active_at: Option<DateTime<Utc>>,
    /// When it expires if unpaid.
    pub expires_at: DateTime<Utc>,
    /// The promo code it was placed with.
    pub promo: Option<OrderPromo>,
}

/// The promo code of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPromo {
    /// The code.
    pub code: String,
    /// What it took off, before tax.
    pub discount: Rupiah,
}

/// The bill of an order, in short.
#[derive(Debug, Clone)]
pub struct InvoiceSummary {
    /// Its id.
    pub id: InvoiceId,
    /// Its number.
    pub number: String,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// What it amounts to.
    pub total: Rupiah,
}

/// An order's row with what its ids stand for. One macro, so that both queries read the same columns; two queries, so
/// that Postgres can plan the one by id once and for all.
macro_rules! select_orders {
    ($($tail:literal)+, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT o.id AS "id: OrderId", o.user_id AS "user_id: UserId", o.status AS "status: OrderStatus",
                      o.failure_class AS "failure_class: FailureClass", o.failure_message,
                      s.id AS "instance_id?: InstanceId",
                      l.id AS "plan_id: PlanId", l.slug AS plan, l.name AS plan_name,
                      p.slug AS provider, p.name AS provider_name, r.slug AS region, r.name AS region_name,
                      i.slug AS image, i.name AS image_name, o.hostname, o.term_months, o.auto_renew,
                      o.total AS "total: Rupiah", o.placed_at, o.paid_at, o.active_at, o.expires_at,
                      v.id AS "invoice_id: InvoiceId", v.number AS "invoice_number!",
                      v.status AS "invoice_status: InvoiceStatus", v.total AS "invoice_total: Rupiah",
                      c.code AS "promo_code?", u.amount AS "promo_discount?: Rupiah"
               FROM orders o
               JOIN plans l ON l.id = o.plan_id
               JOIN providers p ON p.id = o.provider_id
               JOIN regions r ON r.id = o.region_id
               JOIN images i ON i.id = o.image_id
               JOIN invoices v ON v.order_id = o.id
               LEFT JOIN instances s ON s.order_id = o.id
               LEFT JOIN promo_redemptions u ON u.order_id = o.id
               LEFT JOIN promos c ON c.id = u.promo_id
               "# $(+ $tail)+,
            $($argument),+
        )
    };
}

mod own;

pub use own::OwnOrderFilter;

impl Store {
    /// A customer's order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such order.
    #[boxed]
    pub async fn order_of(&self, owner: UserId, order: OrderId) -> Result<Order> {
        self.find_order(order, Some(owner)).await
    }

    /// Anybody's order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn any_order(&self, order: OrderId) -> Result<Order> {
        self.find_order(order, None).await
    }

    async fn find_order(&self, order: OrderId, owner: Option<UserId>) -> Result<Order> {
        select_orders!(
            "WHERE o.id = $1 AND ($2::uuid IS NULL OR o.user_id = $2)",
            order.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Order::from)
        .ok_or(StoreError::NotFound("order"))
    }
}

struct Row {
    id: OrderId,
    user_id: UserId,
    status: OrderStatus,
    failure_class: Option<FailureClass>,
    failure_message: Option<String>,
    instance_id: Option<InstanceId>,
    plan_id: PlanId,
    plan: String,
    plan_name: String,
    provider: String,
    provider_name: String,
    region: String,
    region_name: String,
    image: String,
    image_name: String,
    hostname: String,
    term_months: i32,
    auto_renew: bool,
    total: Rupiah,
    placed_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    active_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    invoice_id: InvoiceId,
    invoice_number: String,
    invoice_status: InvoiceStatus,
    invoice_total: Rupiah,
    promo_code: Option<String>,
    promo_discount: Option<Rupiah>,
}

impl From<Row> for Order {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            status: row.status,
            failure_class: row.failure_class,
            failure_message: row.failure_message,
            instance_id: row.instance_id,
            plan_id: row.plan_id,
            plan: row.plan,
            plan_name: row.plan_name,
            provider: row.provider,
            provider_name: row.provider_name,
            region: row.region,
            region_name: row.region_name,
            image: row.image,
            image_name: row.image_name,
            hostname: row.hostname,
            term_months: row.term_months,
            auto_renew: row.auto_renew,
            total: row.total,
            invoice: InvoiceSummary {
                id: row.invoice_id,
                number: row.invoice_number,
                status: row.invoice_status,
                total: row.invoice_total,
            },
            placed_at: row.placed_at,
            paid_at: row.paid_at,
            active_at: row.active_at,
            expires_at: row.expires_at,
            promo: row
                .promo_code
                .zip(row.promo_discount)
                .map(|(code, discount)| OrderPromo { code, discount }),
        }
    }
}
