//! The vendor's JSON objects.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    catalog::{Image, Region, Size},
    model::{Action, Droplet, Shape, Snapshot, SnapshotKind, Source, Target},
    state::State,
};

/// A moment as the vendor writes it.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl State {
    /// The droplet object at `now`.
    pub(super) fn show(&self, droplet: &Droplet, now: DateTime<Utc>) -> Value {
        self.show_as(droplet, droplet.status(now), now >= droplet.addressed_at, now)
    }

    /// The same without its addresses.
    pub(super) fn show_without_ip(&self, droplet: &Droplet, now: DateTime<Utc>) -> Value {
        self.show_as(droplet, droplet.status(now), false, now)
    }

    /// As the answer to its create shows it, however short its boot.
    pub(super) fn show_at_birth(&self, droplet: &Droplet) -> Value {
        self.show_as(droplet, "new", false, droplet.created_at)
    }

    fn show_as(&self, droplet: &Droplet, status: &str, addressed: bool, now: DateTime<Utc>) -> Value {
        let shape = droplet.shape(now);
        let size = Size::find(&shape.size);
        let image = self.image(&shape.image.to_string(), now);
        let ids = |kind: SnapshotKind| -> Vec<u64> {
            self.snapshots(now).filter(|s| s.droplet == droplet.id && s.kind == kind).map(|s| s.id).collect()
        };
        json!({
            "id": droplet.id,
            "name": shape.name,
            "memory": size.map(|s| s.memory),
            "vcpus": size.map(|s| s.vcpus),
            "disk": shape.disk_gb(),
            "disk_info": Size::disk_info(shape.disk_gb()),
            "locked": status == "new" || droplet.is_busy(now),
            "status": status,
            "kernel": null,
            "created_at": stamp(droplet.created_at),
            "features": shape.features,
            "backup_ids": ids(SnapshotKind::Backup),
            "next_backup_window": shape.backups.as_ref().map(|policy| policy.next_window(now)),
            "snapshot_ids": ids(SnapshotKind::Snapshot),
            "image": image.map_or_else(|| deleted_image(shape.image), Source::body),
            "volume_ids": [],
            "size": size.map(Size::body),
            "size_slug": shape.size,
            "networks": if addressed { droplet.networks(shape) } else { json!({ "v4": [], "v6": [] }) },
            "region": Region::find(&droplet.region).map(Region::body),
            "tags": droplet.tags,
            "vpc_uuid": droplet.vpc_uuid,
        })
    }
}

/// The image of a droplet that outlived it.
fn deleted_image(id: u64) -> Value {
    json!({
        "id": id,
        "name": "",
        "type": "snapshot",
        "distribution": "Unknown",
        "slug": null,
        "public": false,
        "regions": [],
        "created_at": stamp(DateTime::UNIX_EPOCH),
        "min_disk_size": 0,
        "size_gigabytes": 0,
        "description": "",
        "tags": [],
        "status": "deleted",
        "error_message": "",
    })
}

impl Droplet {
    /// Addresses that follow from the id, out of ranges that lead nowhere (RFC 2544, RFC 3849).
    fn networks(&self, shape: &Shape) -> Value {
        let [.., b, c, d] = (self.id % 0x2_0000).to_be_bytes();
        let private = json!({
            "ip_address": format!("10.{}.{c}.{d}", 104 + b),
            "netmask": "255.254.0.0",
            "gateway": "nil",
            "type": "private",
        });
        let public = json!({
            "ip_address": format!("198.{}.{c}.{d}", 18 + b),
            "netmask": "255.254.0.0",
            "gateway": "198.18.0.1",
            "type": "public",
        });
        let v6 = json!({
            "ip_address": format!("2001:db8:{:x}:{:x}::1", self.id >> 16 & 0xffff, self.id & 0xffff),
            "netmask": 64,
            "gateway": format!("2001:db8:{:x}:{:x}::ffff", self.id >> 16 & 0xffff, self.id & 0xffff),
            "type": "public",
        });
        let has_ipv6 = shape.features.iter().any(|f| f == "ipv6");
        json!({
            "v4": if self.public { vec![private, public] } else { vec![private] },
            "v6": if has_ipv6 { vec![v6] } else { vec![] },
        })
    }
}

impl Action {
    /// The action object at `now`.
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(now >= self.done_at)
    }

    /// As the answer that starts it shows it, however short it is.
    pub(super) fn body_at_start(&self) -> Value {
        self.show(false)
    }

    fn show(&self, done: bool) -> Value {
        json!({
            "id": self.id,
            "status": if done { "completed" } else { "in-progress" },
            "type": self.kind,
            "started_at": stamp(self.started_at),
            "completed_at": done.then(|| stamp(self.done_at)),
            "resource_id": self.resource,
            "resource_type": match self.on {
                Target::Droplet => "droplet",
                Target::Image => "image",
            },
            "region": Region::find(&self.region).map(Region::body),
            "region_slug": self.region,
        })
    }
}

impl Source<'_> {
    /// The image object.
    pub(super) fn body(self) -> Value {
        match self {
            Self::Public(image) => image.body(),
            Self::Private(snapshot) => snapshot.image_body(),
        }
    }
}

impl Image {
    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": "base",
            "distribution": self.distribution,
            "slug": self.slug,
            "public": true,
            "regions": Region::open_slugs(),
            "created_at": self.created_at,
            "min_disk_size": self.min_disk,
            "size_gigabytes": self.gigabytes,
            "description": format!("{} {}", self.distribution, self.name),
            "tags": [],
            "status": "available",
            "error_message": "",
        })
    }
}

impl Snapshot {
    /// As `/v2/images` shows it.
    pub(super) fn image_body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": self.kind,
            "distribution": self.distribution,
            "slug": null,
            "public": false,
            "regions": self.regions,
            "created_at": stamp(self.created_at),
            "min_disk_size": self.min_disk,
            "size_gigabytes": self.gigabytes,
            "description": "",
            "tags": self.tags,
            "status": "available",
            "error_message": "",
        })
    }

    /// As `/v2/droplets/{id}/snapshots` and `/backups` show it.
    pub(super) fn of_droplet_body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "created_at": stamp(self.created_at),
            "regions": self.regions,
            "min_disk_size": self.min_disk,
            "size_gigabytes": self.gigabytes,
            "type": self.kind,
        })
    }

    /// As `/v2/snapshots` shows it: ids are texts there.
    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "created_at": stamp(self.created_at),
            "regions": self.regions,
            "min_disk_size": self.min_disk,
            "size_gigabytes": self.gigabytes,
            "resource_id": self.droplet.to_string(),
            "resource_type": "droplet",
            "tags": self.tags,
        })
    }
}
