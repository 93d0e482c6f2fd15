//! Servers as they are shown to their owners. How they come about is in [`crate::provisioning`].

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId, UserId},
    instance::{InstanceStatus, PowerState},
};

use crate::{
    Result, Store, StoreError,
    page::{Page, PageRequest},
};

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
    /// When the paid term began.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the paid term ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was ordered from the provider.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// One server of `owner`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such server.
    pub async fn instance(&self, instance: InstanceId, owner: UserId) -> Result<Instance> {
        self.select_instances(owner, Some(instance), None, None, 1)
            .await?
            .pop()
            .ok_or(StoreError::NotFound("instance"))
    }

    /// A customer's servers, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn instances_of(
        &self,
        owner: UserId,
        status: Option<InstanceStatus>,
        page: &PageRequest,
    ) -> Result<Page<Instance>> {
        let rows = self.select_instances(owner, None, status, page.before, page.fetch()).await?;
        Ok(page.cut(rows, |instance| instance.id.0))
    }

    async fn select_instances(
        &self,
        owner: UserId,
        instance: Option<InstanceId>,
        status: Option<InstanceStatus>,
        before: Option<uuid::Uuid>,
        limit: i64,
    ) -> Result<Vec<Instance>> {
        Ok(sqlx::query_as!(
            Instance,
            r#"SELECT s.id AS "id: InstanceId", s.order_id AS "order_id: OrderId", s.name, s.hostname,
                      s.status AS "status: InstanceStatus", s.power_state AS "power_state: PowerState", s.ipv4, s.ipv6,
                      p.slug AS provider, p.name AS provider_name, r.slug AS region, r.name AS region_name,
                      l.slug AS plan, l.name AS plan_name, l.vcpu, l.memory_mb, l.disk_gb, i.slug AS image,
                      s.auto_renew, s.starts_at, s.expires_at, s.created_at
               FROM instances s
               JOIN providers p ON p.id = s.provider_id
               JOIN regions r ON r.id = s.region_id
               JOIN plans l ON l.id = s.plan_id
               JOIN images i ON i.id = s.image_id
               WHERE s.user_id = $1 AND ($2::uuid IS NULL OR s.id = $2) AND ($3::text IS NULL OR s.status = $3)
                 AND ($4::uuid IS NULL OR s.id < $4)
               ORDER BY s.id DESC LIMIT $5"#,
            owner.0,
            instance.map(|id| id.0),
            status.map(InstanceStatus::as_str),
            before,
            limit,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
