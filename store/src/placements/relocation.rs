//! Another place for an order, as an admin asks for it.

use domain::{
    hostname::Hostname,
    ids::{OrderId, PlanId, SshKeyId, UserId},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Place, Target};
use crate::{
    Result, StoreError,
    orders::{self, OrderError, Refusal},
};

/// What an admin wants changed before an order is tried again.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// Another region (slug); left out with a plan: the region the order has, or the nearest in its country.
    pub region: Option<String>,
    /// Another plan; left out: the one the order has.
    pub plan_id: Option<PlanId>,
    /// Another image (slug).
    pub image: Option<String>,
    /// Another host name.
    pub hostname: Option<Hostname>,
    /// Other SSH keys, all of them, of the order's customer; none: a root password.
    pub ssh_key_ids: Option<Vec<SshKeyId>>,
    /// Slugs of the providers that are set up.
    pub configured: Vec<String>,
}

impl Elsewhere {
    /// Whether nothing is to be changed.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.names_a_place() && self.hostname.is_none() && self.ssh_key_ids.is_none()
    }

    const fn names_a_place(&self) -> bool {
        self.region.is_some() || self.plan_id.is_some() || self.image.is_some()
    }
}

/// Why an order can't go where it is wanted. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElsewhereRefusal {
    /// No plan has that id.
    #[error("there is no such plan")]
    UnknownPlan,
    /// The plan is not on sale.
    #[error("this plan is not on sale at the moment")]
    PlanInactive,
    /// The plan's provider is turned off, or was never set up here.
    #[error("the plan's provider is turned off or not set up")]
    ProviderDisabled,
    /// No active region has that slug.
    #[error("there is no such region")]
    RegionUnknown,
    /// The plan is not offered there.
    #[error("the plan is not offered in this region")]
    RegionWithoutPlan,
    /// The plan is not offered in the order's country, and no region was named.
    #[error("the plan is not offered in the order's country: name the region")]
    RegionRequired,
    /// The plan's provider does not have the image.
    #[error("the plan's provider does not offer the image")]
    ImageNotForProvider,
    /// No active image has that slug.
    #[error("there is no such image")]
    ImageUnknown,
    /// A key is not the customer's.
    #[error("the customer has no such SSH key")]
    SshKeyUnknown,
    /// The keys are too long together.
    #[error("these SSH keys are too long to be put on one server together")]
    SshKeysTooLong,
    /// The plan's provider does not take so much user data.
    #[error("the order's user data is longer than the plan's provider takes beside these SSH keys")]
    UserDataTooLong,
    /// A server of the order may exist where it was tried last.
    #[error(
        "a server of this order exists or may exist at the provider: retry where it is, have it replaced, or cancel, until \
         the outcome of the last try is known"
    )]
    OutcomePending,
}

/// What an admin's wish comes to for an order that is at `now`.
pub(crate) async fn resolve(
    tx: &mut PgConnection,
    order: OrderId,
    now: &Place,
    wish: &Elsewhere,
) -> Result<Result<Target, ElsewhereRefusal>> {
    if !wish.names_a_place() {
        return Ok(Ok(now.target()));
    }
    let plan = wish.plan_id.unwrap_or(now.plan_id);
    let image = match &wish.image {
        Some(slug) => match image(tx, slug).await? {
            Some(image) => image,
            None => return Ok(Err(ElsewhereRefusal::ImageUnknown)),
        },
        None => now.image_id,
    };
    if let Some(refusal) = refuse_plan(tx, image, plan, &wish.configured).await? {
        return Ok(Err(refusal));
    }
    let region = match &wish.region {
        Some(slug) => named_region(tx, plan, slug).await?,
        None => nearest_region(tx, order, plan).await?,
    };
    Ok(region.map(|region| Target { plan, region, image }))
}

async fn image(tx: &mut PgConnection, slug: &str) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!("SELECT id FROM images WHERE slug = $1 AND is_active", slug)
        .fetch_optional(tx)
        .await?)
}

/// Changes the order itself as far as the wish names that. Answers whether anything is different now.
pub(crate) async fn change_order(
    tx: &mut PgConnection,
    order: OrderId,
    wish: &Elsewhere,
) -> Result<bool, RetryError> {
    let mut changed = false;
    if let Some(hostname) = &wish.hostname {
        changed |= rename(tx, order, hostname.as_str()).await?;
    }
    if let Some(ids) = &wish.ssh_key_ids {
        let customer =
            sqlx::query_scalar!(r#"SELECT user_id AS "id: UserId" FROM orders WHERE id = $1"#, order.0)
                .fetch_one(&mut *tx)
                .await?;
        let keys = orders::public_keys(&mut *tx, customer, ids).await?;
        let put = sqlx::query!(
            "UPDATE orders SET ssh_keys = $2 WHERE id = $1 AND ssh_keys IS DISTINCT FROM $2",
            order.0,
            &keys,
        )
        .execute(tx)
        .await?;
        changed |= put.rows_affected() == 1;
    }
    Ok(changed)
}

async fn rename(tx: &mut PgConnection, order: OrderId, hostname: &str) -> Result<bool> {
    sqlx::query!(
        "UPDATE instances SET name = CASE WHEN name = hostname THEN $2 ELSE name END, hostname = $2, updated_at = now()
         WHERE order_id = $1",
        order.0,
        hostname,
    )
    .execute(&mut *tx)
    .await?;
    let renamed =
        sqlx::query!("UPDATE orders SET hostname = $2 WHERE id = $1 AND hostname <> $2", order.0, hostname,)
            .execute(tx)
            .await?;
    Ok(renamed.rows_affected() == 1)
}

async fn refuse_plan(
    tx: &mut PgConnection,
    image: Uuid,
    plan: PlanId,
    configured: &[String],
) -> Result<Option<ElsewhereRefusal>> {
    let row = sqlx::query!(
        r#"SELECT l.is_active AND l.unavailable_since IS NULL AS "plan_on_sale!", p.is_active AND p.slug = ANY($3) AS "provider_enabled!",
                  EXISTS (SELECT FROM image_sources s JOIN images i ON i.id = s.image_id AND i.is_active
                          WHERE s.image_id = $2 AND s.provider_id = p.id
                          AND s.unavailable_since IS NULL) AS "has_image!"
           FROM plans l JOIN providers p ON p.id = l.provider_id WHERE l.id = $1"#,
        plan.0,
        image,
        configured,
    )
    .fetch_optional(tx)
    .await?;
    Ok(match row {
        None => Some(ElsewhereRefusal::UnknownPlan),
        Some(plan) if !plan.provider_enabled => Some(ElsewhereRefusal::ProviderDisabled),
        Some(plan) if !plan.plan_on_sale => Some(ElsewhereRefusal::PlanInactive),
        Some(plan) if !plan.has_image => Some(ElsewhereRefusal::ImageNotForProvider),
        Some(_) => None,
    })
}

async fn named_region(
    tx: &mut PgConnection,
    plan: PlanId,
    slug: &str,
) -> Result<Result<Uuid, ElsewhereRefusal>> {
    let row = sqlx::query!(
        r#"SELECT r.id, EXISTS (SELECT FROM plan_regions WHERE plan_id = $2 AND region_id = r.id
                                AND unavailable_since IS NULL) AS "offers!"
           FROM regions r WHERE r.slug = $1 AND r.is_active"#,
        slug,
        plan.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(match row {
        None => Err(ElsewhereRefusal::RegionUnknown),
        Some(region) if !region.offers => Err(ElsewhereRefusal::RegionWithoutPlan),
        Some(region) => Ok(region.id),
    })
}

/// The order's own region where the plan is offered there, else the nearest in the same country.
async fn nearest_region(
    tx: &mut PgConnection,
    order: OrderId,
    plan: PlanId,
) -> Result<Result<Uuid, ElsewhereRefusal>> {
    let region = sqlx::query_scalar!(
        "SELECT r.id FROM current_placements c
         JOIN regions now ON now.id = c.region_id
         JOIN plan_regions pr ON pr.plan_id = $2 AND pr.unavailable_since IS NULL
         JOIN regions r ON r.id = pr.region_id AND r.is_active AND r.country = now.country
         WHERE c.order_id = $1
         ORDER BY (r.id = now.id) DESC, abs(r.sort_order - now.sort_order), r.id LIMIT 1",
        order.0,
        plan.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(region.ok_or(ElsewhereRefusal::RegionRequired))
}

/// A retry that was not accepted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// It can't go where it is wanted.
    #[error(transparent)]
    Refused(#[from] ElsewhereRefusal),
    /// There is no such order, it has not failed, or the database was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OrderError> for RetryError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Refused(Refusal::SshKeyUnknown) => ElsewhereRefusal::SshKeyUnknown.into(),
            OrderError::Refused(_) => ElsewhereRefusal::SshKeysTooLong.into(),
            OrderError::Store(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for RetryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
