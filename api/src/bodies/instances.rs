//! A server.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId},
    instance::{InstanceStatus, PowerState},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Instance {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InstanceId,
    /// The order it was bought with.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    order_id: OrderId,
    /// Its display name.
    #[schema(example = "web-1")]
    name: String,
    #[schema(example = "web-1.example.com")]
    hostname: String,
    /// My own words for it, sorted.
    #[schema(example = json!(["env:prod", "web"]))]
    tags: Vec<String>,
    status: InstanceStatus,
    /// As last told by the provider.
    power_state: PowerState,
    /// Null until it is assigned.
    #[schema(example = "203.0.113.7")]
    ipv4: Option<String>,
    /// Null if it has none.
    #[schema(example = "2001:db8::7")]
    ipv6: Option<String>,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    #[schema(example = "DigitalOcean")]
    provider_name: String,
    /// Slug of the region.
    #[schema(example = "sgp1")]
    region: String,
    #[schema(example = "Singapore")]
    region_name: String,
    /// Slug of the plan.
    #[schema(example = "do-basic-1gb")]
    plan: String,
    #[schema(example = "Basic 1 GB")]
    plan_name: String,
    #[schema(example = 1)]
    vcpu: i32,
    /// MiB.
    #[schema(example = 1024)]
    memory_mb: i32,
    /// GiB.
    #[schema(example = 25)]
    disk_gb: i32,
    /// Slug of the image.
    #[schema(example = "ubuntu-24-04")]
    image: String,
    /// Whether the term is renewed by itself.
    auto_renew: bool,
    /// When it was switched off for want of money; null while it is not.
    suspended_at: Option<DateTime<Utc>>,
    /// True when I called it off for the end of the term: it is deleted then.
    cancels_at_period_end: bool,
    /// When the paid term began; null until the server is active.
    starts_at: Option<DateTime<Utc>>,
    /// When the paid term ends; null until the server is active.
    expires_at: Option<DateTime<Utc>>,
    /// Its plan includes a last snapshot, taken before the server is deleted and kept for so many days; null where it does
    /// not.
    #[schema(example = 14)]
    final_snapshot_days: Option<i32>,
    /// Until when its last snapshot is kept; null until that is taken.
    final_snapshot_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<store::instances::Instance> for Instance {
    fn from(row: store::instances::Instance) -> Self {
        Self {
            id: row.id,
            order_id: row.order_id,
            name: row.name,
            hostname: row.hostname,
            tags: row.tags,
            status: row.status,
            power_state: row.power_state,
            ipv4: row.ipv4,
            ipv6: row.ipv6,
            provider: row.provider,
            provider_name: row.provider_name,
            region: row.region,
            region_name: row.region_name,
            plan: row.plan,
            plan_name: row.plan_name,
            vcpu: row.vcpu,
            memory_mb: row.memory_mb,
            disk_gb: row.disk_gb,
            image: row.image,
            auto_renew: row.auto_renew,
            suspended_at: row.suspended_at,
            cancels_at_period_end: row.cancels_at_period_end,
            starts_at: row.starts_at,
            expires_at: row.expires_at,
            final_snapshot_days: row.final_snapshot_days,
            final_snapshot_until: row.final_snapshot_until,
            created_at: row.created_at,
        }
    }
}
