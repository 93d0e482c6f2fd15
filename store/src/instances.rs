//! Servers as they are shown to their owners. How they come about is in [`crate::provisioning`].

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId, UserId},
    instance::{InstancePolicy, InstanceStatus, PowerState},
    life::{self, LifePolicy},
    outbox::{InstanceFoundBy, InstanceStart},
    term,
};
use sqlx::PgConnection;

use crate::{Result, Store, StoreError, boxed};

mod provision;

pub use provision::ProvisioningStanding;

/// A server with the names of what it is.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The order it was bought with.
    pub order_id: OrderId,
    /// Its display name.
    pub name: String,
    /// Host name of the machine.
    pub hostname: String,
    /// Its owner's words for it, sorted.
    pub tags: Vec<String>,
    /// Where it stands with us.
    pub status: InstanceStatus,
    /// Whether it is on, as last told by the provider.
    pub power_state: PowerState,
    /// Public IPv4.
    pub ipv4: Option<String>,
    /// Public IPv6.
    pub ipv6: Option<String>,
    /// Slug of the provider.
    pub provider: String,
    /// Name of the provider.
    pub provider_name: String,
    /// Slug of the region.
    pub region: String,
    /// Name of the region.
    pub region_name: String,
    /// Slug of the plan.
    pub plan: String,
    /// Name of the plan.
    pub plan_name: String,
    /// Virtual processors.
    pub vcpu: i32,
    /// Memory in MiB.
    pub memory_mb: i32,
    /// Disk in GiB.
    pub disk_gb: i32,
    /// Slug of the image.
    pub image: String,
    /// Whether the term is renewed by itself.
    pub auto_renew: bool,
    /// When it was switched off for want of money, if it is.
    pub suspended_at: Option<DateTime<Utc>>,
    /// It goes when the present term ends.
    pub cancels_at_period_end: bool,
    /// When the paid term began.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the paid term ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// So many days its last snapshot is kept once it is deleted; none where none is taken.
    pub final_snapshot_days: Option<i32>,
    /// Until when its last snapshot is kept, once that is taken.
    pub final_snapshot_until: Option<DateTime<Utc>>,
    /// When it was ordered from the provider.
    pub created_at: DateTime<Utc>,
}

/// Where a server is at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRef {
    /// Slug of the provider.
    pub provider: String,
    /// The provider's own id; none until a create or a look-up told it.
    pub provider_instance_id: Option<String>,
    /// Where it stands with us.
    pub status: InstanceStatus,
}

/// A server's row with what its ids stand for. One macro, so that both queries read the same columns; two queries, so
/// that Postgres can plan the one by id once and for all.
macro_rules! select_instances {
    ($($tail:literal)+, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Instance,
            r#"SELECT s.id AS "id: InstanceId", s.order_id AS "order_id: OrderId", s.name, s.hostname, s.tags,
                      s.status AS "status: InstanceStatus", s.power_state AS "power_state: PowerState", s.ipv4, s.ipv6,
                      p.slug AS provider, p.name AS provider_name, r.slug AS region, r.name AS region_name,
                      l.slug AS plan, l.name AS plan_name, l.vcpu, l.memory_mb, l.disk_gb, i.slug AS image,
                      s.auto_renew, s.suspended_at, s.cancels_at_period_end, s.starts_at, s.expires_at,
                      s.final_snapshot_days, f.kept_until AS "final_snapshot_until?", s.created_at
               FROM instances s
               LEFT JOIN final_snapshots f ON f.instance_id = s.id
               JOIN providers p ON p.id = s.provider_id
               JOIN regions r ON r.id = s.region_id
               JOIN plans l ON l.id = s.plan_id
               JOIN images i ON i.id = s.image_id
               "# $(+ $tail)+,
            $($argument),+
        )
    };
}

mod own;

pub use own::OwnInstanceFilter;

impl Store {
    /// A customer's server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server.
    #[boxed]
    pub async fn instance_of(&self, owner: UserId, instance: InstanceId) -> Result<Instance> {
        self.find_instance(instance, Some(owner)).await
    }

    /// Anybody's server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn any_instance(&self, instance: InstanceId) -> Result<Instance> {
        self.find_instance(instance, None).await
    }

    async fn find_instance(&self, instance: InstanceId, owner: Option<UserId>) -> Result<Instance> {
        select_instances!(
            "WHERE s.id = $1 AND ($2::uuid IS NULL OR s.user_id = $2)",
            instance.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("instance"))
    }

    /// Where a customer's server is at its provider.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server.
    #[boxed]
    pub async fn server_ref_of(&self, owner: UserId, instance: InstanceId) -> Result<ServerRef> {
        self.find_server_ref(instance, Some(owner)).await
    }

    /// Where anybody's server is at its provider.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn any_server_ref(&self, instance: InstanceId) -> Result<ServerRef> {
        self.find_server_ref(instance, None).await
    }

    async fn find_server_ref(&self, instance: InstanceId, owner: Option<UserId>) -> Result<ServerRef> {
        sqlx::query_as!(
            ServerRef,
            r#"SELECT p.slug AS provider, s.provider_instance_id, s.status AS "status: InstanceStatus"
               FROM instances s JOIN providers p ON p.id = s.provider_id
               WHERE s.id = $1 AND ($2::uuid IS NULL OR s.user_id = $2)"#,
            instance.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("instance"))
    }

    /// What a server's workflow starts with.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer or there is no such server.
    #[boxed]
    pub async fn instance_start(&self, instance: InstanceId) -> Result<InstanceStart> {
        instance_start(&mut *self.pool.acquire().await?, instance).await
    }
}

/// What a server's workflow starts with, within the caller's transaction. A server without a term (its order never
/// became active) has nothing to wait for: its term counts as over.
pub(crate) async fn instance_start(tx: &mut PgConnection, instance: InstanceId) -> Result<InstanceStart> {
    let row = sqlx::query!(
        r#"SELECT s.order_id, s.user_id, s.expires_at, s.status AS "status: InstanceStatus", s.auto_renew,
                  now() AS "now!", v.rules AS "rules?",
                  p.slug AS provider, l.slug AS plan, o.policy
           FROM instances s
           JOIN orders o ON o.id = s.order_id
           JOIN providers p ON p.id = s.provider_id
           JOIN plans l ON l.id = s.plan_id
           LEFT JOIN life_policies v ON v.version = s.life_policy
           WHERE s.id = $1"#,
        instance.0,
    )
    .fetch_one(tx)
    .await?;
    let ends = row.expires_at.map_or(0, |at| at.timestamp_millis());
    let found_by = match (row.status, row.expires_at, row.rules) {
        (InstanceStatus::Active, Some(ends), Some(rules)) => {
            let facts = life::Facts { auto_renew: row.auto_renew, ..life::Facts::paid_until(ends, row.now) };
            Some(found_by(&facts, &serde_json::from_value(rules)?))
        }
        _ => None,
    };
    Ok(InstanceStart {
        instance_id: instance,
        order_id: row.order_id.into(),
        customer_id: row.user_id.into(),
        provider: row.provider,
        plan_slug: row.plan,
        expires_at_ms: u64::try_from(ends).unwrap_or_default(),
        policy: InstancePolicy::of_order(&serde_json::from_value(row.policy)?),
        lives: true,
        found_by,
    })
}

/// What an active server is found by, if its life goes the usual way. Its workflow looks closer and says what is
/// different.
fn found_by(facts: &life::Facts, rules: &LifePolicy) -> InstanceFoundBy {
    let changes_at = life::decide(facts, rules).changes_at;
    InstanceFoundBy {
        status: InstanceStatus::Active,
        due_day: changes_at.map(|at| term::day(at).to_string()),
    }
}
