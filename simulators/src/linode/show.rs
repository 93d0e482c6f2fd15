//! The things an account holds, as the vendor shows them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    USERNAME,
    catalog::Type,
    model::{Backup, Disk, Event, Image, Key, Linode},
};

/// The vendor's dates have no zone and mean UTC.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z').to_owned()
}

impl Linode {
    /// The vendor's Linode object at `now`.
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(self.status(now), now >= self.addressed_at, now)
    }

    /// The same without its addresses.
    pub(super) fn body_without_ip(&self, now: DateTime<Utc>) -> Value {
        self.show(self.status(now), false, now)
    }

    /// As the answer to what began its steps shows it, however short they are.
    pub(super) fn body_at_start(&self, now: DateTime<Utc>) -> Value {
        let status = self.steps.first().map_or_else(|| self.status(now), |step| step.status.word());
        self.show(status, now >= self.addressed_at, now)
    }

    fn show(&self, status: &str, addressed: bool, now: DateTime<Utc>) -> Value {
        let kind = Type::find(self.type_at(now));
        let ipv4: Vec<_> = self.addresses.iter().filter(|_| addressed).map(|a| &a.address).collect();
        json!({
            "id": self.id,
            "label": self.label,
            "group": self.group,
            "status": status,
            "created": stamp(self.created_at),
            "updated": stamp(self.updated_at),
            "type": self.type_at(now),
            "ipv4": ipv4,
            "ipv6": addressed.then(|| format!("{}/128", self.ipv6())),
            "image": self.image,
            "region": self.region,
            "site_type": "core",
            "specs": {
                "disk": kind.map(|k| k.disk),
                "memory": kind.map(|k| k.memory),
                "vcpus": kind.map(|k| k.vcpus),
                "gpus": 0,
                "transfer": kind.map(|k| k.transfer),
                "accelerated_devices": 0,
            },
            "alerts": self.alerts,
            "backups": self.backups_body(now),
            "hypervisor": "kvm",
            "watchdog_enabled": self.watchdog_enabled,
            "tags": self.tags,
            "host_uuid": self.host_uuid(),
            "has_user_data": self.user_data.is_some(),
            "placement_group": null,
            "disk_encryption": self.disk_encryption,
            "lke_cluster_id": null,
            "capabilities": ["Block Storage Encryption", "SMTP Enabled", "Maintenance Policy"],
            "interface_generation": "legacy_config",
            "maintenance_policy": self.maintenance_policy,
            "locks": [],
        })
    }

    fn backups_body(&self, now: DateTime<Utc>) -> Value {
        let done = self.backups.as_ref().and_then(|backups| backups.current(now));
        let scheduled = self.backups.is_some().then_some("Scheduling");
        json!({
            "enabled": self.backups.is_some(),
            "available": done.is_some(),
            "schedule": { "day": scheduled, "window": scheduled },
            "last_successful": done.map(|backup| stamp(backup.finished_at)),
        })
    }

    /// An address that follows from the id, out of a range that leads nowhere (RFC 3849).
    pub(super) fn ipv6(&self) -> String {
        format!("2001:db8::f03c:95ff:{:x}:{:x}", self.id >> 16 & 0xffff, self.id & 0xffff)
    }

    /// Forty hex digits, as the vendor's are.
    fn host_uuid(&self) -> String {
        format!("{:040x}", u128::from(self.id).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced))
    }

    /// As events and addresses name it.
    pub(super) fn entity(&self) -> Value {
        entity(self.id, &self.label)
    }
}

/// A Linode as events and addresses name it.
pub(super) fn entity(id: u64, label: &str) -> Value {
    json!({ "id": id, "label": label, "type": "linode", "url": format!("/v4/linode/instances/{id}") })
}

impl Backup {
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(now >= self.finished_at)
    }

    /// As the answer that starts it shows it, however short it is.
    pub(super) fn body_at_start(&self) -> Value {
        self.show(false)
    }

    fn show(&self, done: bool) -> Value {
        let disks: Vec<_> = self
            .disks
            .iter()
            .map(|disk| json!({ "label": disk.label, "size": disk.size, "filesystem": disk.filesystem }))
            .collect();
        let configs: Vec<_> = self.configs.iter().map(|config| &config.body["label"]).collect();
        json!({
            "id": self.id,
            "label": self.label,
            "region": self.region,
            "type": "snapshot",
            "status": if done { "successful" } else { "pending" },
            "available": done,
            "created": stamp(self.created_at),
            "updated": stamp(if done { self.finished_at } else { self.created_at }),
            "finished": done.then(|| stamp(self.finished_at)),
            "configs": if done { json!(configs) } else { json!([]) },
            "disks": if done { json!(disks) } else { json!([]) },
        })
    }
}

impl Disk {
    pub(super) fn body(&self, encryption: &str, now: DateTime<Utc>) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "status": if now >= self.ready_at { "ready" } else { "not ready" },
            "created": stamp(self.created_at),
            "updated": stamp(self.created_at),
            "filesystem": self.filesystem,
            "size": self.size,
            "disk_encryption": encryption,
        })
    }
}

impl Image {
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(match self.available_at {
            None => "pending_upload",
            Some(at) if at > now => "creating",
            Some(_) => "available",
        })
    }

    /// As the answer that starts it shows it, however short it is.
    pub(super) fn body_at_start(&self) -> Value {
        self.show(if self.available_at.is_some() { "creating" } else { "pending_upload" })
    }

    fn show(&self, status: &str) -> Value {
        let done = status == "available";
        let regions: Vec<_> = self
            .regions
            .iter()
            .filter(|_| done)
            .map(|region| json!({ "region": region, "status": "available" }))
            .collect();
        json!({
            "id": self.slug(),
            "label": self.label,
            "description": self.description,
            "created": stamp(self.created_at),
            "updated": stamp(self.available_at.filter(|_| done).unwrap_or(self.created_at)),
            "size": self.size,
            "total_size": self.size * self.regions.len().max(1) as u64,
            "created_by": USERNAME,
            "type": "manual",
            "tags": self.tags,
            "is_public": false,
            "is_shared": false,
            "deprecated": false,
            "vendor": null,
            "expiry": null,
            "eol": null,
            "status": status,
            "capabilities": if self.cloud_init { json!(["cloud-init"]) } else { json!([]) },
            "regions": regions,
            "image_sharing": null,
        })
    }
}

impl Event {
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        let done = now >= self.finished_at;
        let length = (self.finished_at - self.created_at).as_seconds_f64();
        json!({
            "id": self.id,
            "action": self.action,
            "created": stamp(self.created_at),
            "status": if done { "finished" } else { "started" },
            "percent_complete": if done { 100 } else { 50 },
            "time_remaining": null,
            "rate": null,
            "duration": length,
            "username": USERNAME,
            "seen": self.seen,
            "read": self.read,
            "entity": entity(self.linode, &self.label),
            "secondary_entity": self.secondary,
            "message": "",
            "details": {},
        })
    }
}

impl Key {
    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "ssh_key": self.ssh_key,
            "created": stamp(self.created_at),
        })
    }
}
