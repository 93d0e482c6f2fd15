//! What an account has begun without paying, counted before it may begin more. What is too much is decided by
//! [`domain::unpaid`].
//!
//! Whoever begins something holds a lock until the commit under which the count stays what it is: the account's for what is
//! counted per account; the order's, invoice's or server's for what is counted per such. Customers never wait for each other
//! here.

use domain::{
    ids::{InstanceId, InvoiceId, OrderId, PlanId, UserId},
    promo::PromoCode,
    unpaid::{Begun, UnpaidLimits, Wish},
};
use sqlx::PgConnection;

use crate::{Result, Store, StoreError};

impl Store {
    /// The same with other bounds on what an account may leave unpaid than those of production.
    #[must_use]
    pub const fn with_unpaid_limits(mut self, limits: UnpaidLimits) -> Self {
        self.unpaid_limits = limits;
        self
    }
}

/// What is to be begun.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beginning<'a> {
    /// An order that is not paid at once.
    Order {
        /// Its plan, where only so many are sold.
        plan: Option<PlanId>,
        /// Its promo code.
        code: Option<&'a PromoCode>,
    },
    /// A deposit.
    Deposit {
        /// Its promo code.
        code: Option<&'a PromoCode>,
    },
    /// A further attempt to pay an order.
    OrderAttempt(OrderId),
    /// A further attempt to pay an invoice that belongs to no order.
    InvoiceAttempt(InvoiceId),
    /// A further term of a server, or a dearer plan, that is not paid at once.
    Renewal(InstanceId),
    /// A proof of a bank transfer for an order.
    Proof {
        /// The order.
        order: Option<OrderId>,
        /// How long it is.
        bytes: u32,
    },
}

impl Beginning<'_> {
    const fn wish(self) -> Wish {
        match self {
            Self::Order { .. } => Wish::Order,
            Self::Deposit { .. } => Wish::Deposit,
            Self::OrderAttempt(_) | Self::InvoiceAttempt(_) => Wish::Attempt,
            Self::Renewal(_) => Wish::Renewal,
            Self::Proof { bytes, .. } => Wish::Proof { bytes },
        }
    }
}

/// Refuses with [`StoreError::TooMuchUnpaid`] what would be more than the account may begin. The caller holds the lock
/// under which it is counted.
pub(crate) async fn allow(
    tx: &mut PgConnection,
    limits: &UnpaidLimits,
    user: UserId,
    what: Beginning<'_>,
) -> Result<()> {
    let begun = match what {
        Beginning::Order { plan, code } => reserved(tx, user, Wish::Order, plan, code).await?,
        Beginning::Deposit { code } => reserved(tx, user, Wish::Deposit, None, code).await?,
        Beginning::OrderAttempt(order) => attempts(tx, Some(order), None).await?,
        Beginning::InvoiceAttempt(invoice) => attempts(tx, None, Some(invoice)).await?,
        Beginning::Renewal(instance) => renewals(tx, instance).await?,
        Beginning::Proof { order, .. } => proofs(tx, user, order).await?,
    };
    limits.allow(what.wish(), &begun).map_err(StoreError::TooMuchUnpaid)
}

/// What waits for money or holds one of few. Deposits past their end that no gateway told of wait no more.
async fn reserved(
    tx: &mut PgConnection,
    user: UserId,
    wish: Wish,
    plan: Option<PlanId>,
    code: Option<&PromoCode>,
) -> Result<Begun> {
    let row = sqlx::query!(
        r#"SELECT
               (SELECT count(*) FROM orders WHERE user_id = $1 AND status = 'PENDING_PAYMENT' AND $2) AS "orders!",
               (SELECT count(*) FROM payments
                WHERE user_id = $1 AND deposit_id IS NOT NULL AND status IN ('PENDING', 'UNKNOWN')
                  AND expires_at > now() AND NOT $2) AS "deposits!",
               (SELECT count(*) FROM orders
                WHERE user_id = $1 AND status = 'PENDING_PAYMENT' AND plan_id = $3::uuid) AS "of_plan!",
               (SELECT count(*) FROM promo_redemptions r
                JOIN promos p ON p.id = r.promo_id
                LEFT JOIN orders o ON o.id = r.order_id
                WHERE p.code = $4::text AND p.global_limit IS NOT NULL AND r.user_id = $1 AND r.state = 'RESERVED'
                  AND (o.id IS NULL OR o.status = 'PENDING_PAYMENT')) AS "of_code!""#,
        user.0,
        wish == Wish::Order,
        plan.map(|id| id.0),
        code.map(PromoCode::as_str),
    )
    .fetch_one(tx)
    .await?;
    Ok(Begun {
        orders: row.orders,
        deposits: row.deposits,
        of_plan: row.of_plan,
        of_code: row.of_code,
        ..Begun::default()
    })
}

/// Attempts to pay one thing. From the balance there is none that failed: such are not begun at all.
async fn attempts(
    tx: &mut PgConnection,
    order: Option<OrderId>,
    invoice: Option<InvoiceId>,
) -> Result<Begun> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "attempts!",
                  extract(epoch FROM min(created_at) + interval '1 day' - now())::float8 AS frees_in
           FROM payments
           WHERE (order_id = $1 OR (invoice_id = $2 AND order_id IS NULL)) AND created_at > now() - interval '1 day'"#,
        order.map(|id| id.0),
        invoice.map(|id| id.0),
    )
    .fetch_one(tx)
    .await?;
    Ok(Begun { attempts: row.attempts, frees_in_seconds: seconds(row.frees_in), ..Begun::default() })
}

/// Further terms and dearer plans asked for of a server, without those that were paid.
async fn renewals(tx: &mut PgConnection, instance: InstanceId) -> Result<Begun> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "renewals!",
                  extract(epoch FROM min(created_at) + interval '1 day' - now())::float8 AS frees_in
           FROM (SELECT created_at FROM renewals WHERE instance_id = $1 AND starts_at IS NULL
                 UNION ALL SELECT created_at FROM resizes
                 WHERE instance_id = $1 AND starts_at IS NULL AND invoice_id IS NOT NULL) wishes
           WHERE created_at > now() - interval '1 day'"#,
        instance.0,
    )
    .fetch_one(tx)
    .await?;
    Ok(Begun { renewals: row.renewals, frees_in_seconds: seconds(row.frees_in), ..Begun::default() })
}

async fn proofs(tx: &mut PgConnection, user: UserId, order: Option<OrderId>) -> Result<Begun> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "proofs!", coalesce(sum(size), 0)::bigint AS "bytes!",
                  extract(epoch FROM min(uploaded_at) + interval '1 day' - now())::float8 AS frees_in,
                  (SELECT count(*) FROM payment_proofs f JOIN payments y ON y.id = f.payment_id
                   WHERE y.order_id = $2::uuid) AS "of_order!"
           FROM payment_proofs WHERE uploaded_by = $1 AND uploaded_at > now() - interval '1 day'"#,
        user.0,
        order.map(|id| id.0),
    )
    .fetch_one(tx)
    .await?;
    Ok(Begun {
        proofs_of_order: row.of_order,
        proofs: row.proofs,
        proof_bytes: row.bytes,
        frees_in_seconds: seconds(row.frees_in),
        ..Begun::default()
    })
}

/// Whole seconds from now on, one at least.
fn seconds(from_now: Option<f64>) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between a second and a day"
    )]
    from_now.map_or(1, |seconds| seconds.ceil().clamp(1.0, 86_400.0) as u32)
}
