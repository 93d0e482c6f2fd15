//! Whether something may still be sold.

use domain::ids::{OrderId, PlanId};
use sqlx::PgConnection;

use crate::Result;

/// Whether what an order of before is made from is still on offer: its image, and its plan in its region. The provider may
/// have retired them since, and would refuse the server after it is paid.
pub(crate) async fn still_offered(tx: &mut PgConnection, order: OrderId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM orders o
               JOIN images i ON i.id = o.image_id AND i.is_active
               JOIN image_sources s ON s.image_id = i.id AND s.provider_id = o.provider_id
                                   AND s.unavailable_since IS NULL
               JOIN plan_regions r ON r.plan_id = o.plan_id AND r.region_id = o.region_id
                                  AND r.unavailable_since IS NULL
               WHERE o.id = $1) AS "is!""#,
        order.0,
    )
    .fetch_one(tx)
    .await?)
}

/// Whether one more of a plan may be sold: its provider has it, and fewer are sold than may be. A plan with a limit is
/// locked until the caller's transaction ends, so that two buyers can't both take the last one; a plan without a limit
/// is not locked.
///
/// The order that is about to use up stock must not be counted yet: call this before it is placed or revived.
pub(crate) async fn in_stock(tx: &mut PgConnection, plan: PlanId) -> Result<bool> {
    let limited = sqlx::query!(
        r#"SELECT stock_limit, unavailable_since IS NOT NULL AS "unavailable!" FROM plans
           WHERE id = $1 AND (stock_limit IS NOT NULL OR unavailable_since IS NOT NULL) FOR NO KEY UPDATE"#,
        plan.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(limited) = limited else { return Ok(true) };
    let Some(limit) = limited.stock_limit.filter(|_| !limited.unavailable) else {
        return Ok(!limited.unavailable);
    };
    let sold = sqlx::query_scalar!(
        r#"SELECT count(*) AS "sold!" FROM orders o LEFT JOIN instances i ON i.order_id = o.id
           WHERE o.plan_id = $1 AND o.status NOT IN ('EXPIRED', 'CANCELLED', 'REFUNDED')
             AND i.status IS DISTINCT FROM 'TERMINATED'"#,
        plan.0,
    )
    .fetch_one(tx)
    .await?;
    Ok(sold < i64::from(limit))
}
