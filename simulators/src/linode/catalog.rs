//! What the vendor offers: regions, types, public images and kernels with the vendor's own ids. Regions near
//! Indonesia first.

use axum::{Json, extract::Path};
use serde_json::{Value, json};

use super::{Answer, error::Error, paging::Listing};

/// A region.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) id: &'static str,
    label: &'static str,
    country: &'static str,
}

/// A type (size) of Linode. Memory and disk are in MiB, transfer in GB.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) id: &'static str,
    label: &'static str,
    class: &'static str,
    pub(super) vcpus: u32,
    pub(super) memory: u32,
    pub(super) disk: u64,
    pub(super) transfer: u32,
    network_out: u32,
    /// Dollars an hour and a month.
    price: (f64, f64),
    /// The same for backups.
    backups: (f64, f64),
}

/// A public image; its size is in MiB.
#[derive(Debug)]
pub(super) struct PublicImage {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    vendor: &'static str,
    pub(super) size: u64,
    created: &'static str,
    eol: Option<&'static str>,
    deprecated: bool,
    pub(super) cloud_init: bool,
}

const fn region(id: &'static str, label: &'static str, country: &'static str) -> Region {
    Region { id, label, country }
}

pub(super) const REGIONS: &[Region] = &[
    region("id-cgk", "Jakarta, ID", "id"),
    region("ap-south", "Singapore, SG", "sg"),
    region("sg-sin-2", "Singapore 2, SG", "sg"),
    region("ap-southeast", "Sydney, AU", "au"),
    region("au-mel", "Melbourne, AU", "au"),
    region("ap-west", "Mumbai, IN", "in"),
    region("in-maa", "Chennai, IN", "in"),
    region("in-bom-2", "Mumbai 2, IN", "in"),
    region("jp-osa", "Osaka, JP", "jp"),
    region("ap-northeast", "Tokyo, JP", "jp"),
    region("jp-tyo-3", "Tokyo 3, JP", "jp"),
    region("eu-central", "Frankfurt, DE", "de"),
    region("de-fra-2", "Frankfurt 2, DE", "de"),
    region("eu-west", "London, UK", "gb"),
    region("gb-lon", "London 2, UK", "gb"),
    region("fr-par", "Paris, FR", "fr"),
    region("nl-ams", "Amsterdam, NL", "nl"),
    region("es-mad", "Madrid, ES", "es"),
    region("it-mil", "Milan, IT", "it"),
    region("se-sto", "Stockholm, SE", "se"),
    region("br-gru", "Sao Paulo, BR", "br"),
    region("ca-central", "Toronto, CA", "ca"),
    region("us-east", "Newark, NJ", "us"),
    region("us-central", "Dallas, TX", "us"),
    region("us-west", "Fremont, CA", "us"),
    region("us-southeast", "Atlanta, GA", "us"),
    region("us-ord", "Chicago, IL", "us"),
    region("us-sea", "Seattle, WA", "us"),
    region("us-iad", "Washington, DC", "us"),
    region("us-lax", "Los Angeles, CA", "us"),
    region("us-mia", "Miami, FL", "us"),
];

/// Classes of types that these older sites don't have.
const WITHOUT_PREMIUM: &[&str] =
    &["ap-south", "ap-southeast", "ap-west", "ap-northeast", "eu-central", "eu-west", "ca-central"];

#[rustfmt::skip]
pub(super) const TYPES: &[Type] = &[
    kind("g6-nanode-1", "Nanode 1GB", "nanode", 1, 1_024, 25_600, 1_000, 1_000, (0.0075, 5.0), (0.003, 2.0)),
    kind("g6-standard-1", "Linode 2GB", "standard", 1, 2_048, 51_200, 2_000, 2_000, (0.018, 12.0), (0.004, 2.5)),
    kind("g6-standard-2", "Linode 4GB", "standard", 2, 4_096, 81_920, 4_000, 4_000, (0.036, 24.0), (0.008, 5.0)),
    kind("g6-standard-4", "Linode 8GB", "standard", 4, 8_192, 163_840, 5_000, 5_000, (0.072, 48.0), (0.015, 10.0)),
    kind("g6-standard-6", "Linode 16GB", "standard", 6, 16_384, 327_680, 8_000, 6_000, (0.144, 96.0), (0.03, 20.0)),
    kind("g6-standard-8", "Linode 32GB", "standard", 8, 32_768, 655_360, 16_000, 7_000, (0.288, 192.0), (0.06, 40.0)),
    kind("g6-standard-16", "Linode 64GB", "standard", 16, 65_536, 1_310_720, 20_000, 9_000, (0.576, 384.0), (0.12, 80.0)),
    kind("g7-highmem-1", "Linode 24GB", "highmem", 2, 24_576, 20_480, 5_000, 5_000, (0.09, 60.0), (0.0075, 5.0)),
    kind("g7-highmem-2", "Linode 48GB", "highmem", 2, 49_152, 40_960, 6_000, 6_000, (0.18, 120.0), (0.015, 10.0)),
    kind("g7-highmem-4", "Linode 90GB", "highmem", 4, 92_160, 92_160, 7_000, 7_000, (0.36, 240.0), (0.03, 20.0)),
    kind("g6-dedicated-2", "Dedicated 4GB", "dedicated", 2, 4_096, 81_920, 4_000, 4_000, (0.054, 36.0), (0.008, 5.0)),
    kind("g6-dedicated-4", "Dedicated 8GB", "dedicated", 4, 8_192, 163_840, 5_000, 5_000, (0.108, 72.0), (0.015, 10.0)),
    kind("g6-dedicated-8", "Dedicated 16GB", "dedicated", 8, 16_384, 327_680, 6_000, 6_000, (0.216, 144.0), (0.03, 20.0)),
    kind("g6-dedicated-16", "Dedicated 32GB", "dedicated", 16, 32_768, 655_360, 7_000, 7_000, (0.432, 288.0), (0.06, 40.0)),
    kind("g7-premium-2", "Premium 4GB", "premium", 2, 4_096, 81_920, 4_000, 4_000, (0.0645, 43.0), (0.008, 5.0)),
    kind("g7-premium-4", "Premium 8GB", "premium", 4, 8_192, 163_840, 5_000, 5_000, (0.129, 86.0), (0.015, 10.0)),
    kind("g7-premium-8", "Premium 16GB", "premium", 8, 16_384, 327_680, 6_000, 6_000, (0.2595, 173.0), (0.03, 20.0)),
];

#[rustfmt::skip]
pub(super) const IMAGES: &[PublicImage] = &[
    image("linode/ubuntu24.04", "Ubuntu 24.04 LTS", "Ubuntu", 3_500, "2024-05-06T12:30:06", Some("2029-04-25T04:00:00")),
    image("linode/ubuntu22.04", "Ubuntu 22.04 LTS", "Ubuntu", 3_500, "2022-05-05T16:54:31", Some("2027-04-01T04:00:00")),
    image("linode/debian13", "Debian 13", "Debian", 1_800, "2025-08-10T14:20:11", Some("2030-08-09T04:00:00")),
    image("linode/debian12", "Debian 12", "Debian", 1_800, "2023-06-11T18:25:44", Some("2028-06-10T04:00:00")),
    image("linode/debian11", "Debian 11", "Debian", 1_500, "2021-08-14T22:44:02", Some("2026-08-31T04:00:00")),
    image("linode/rocky10", "Rocky Linux 10", "Rocky", 3_500, "2025-06-17T20:31:07", Some("2035-05-31T04:00:00")),
    image("linode/rocky9", "Rocky Linux 9", "Rocky", 2_500, "2022-07-14T18:36:18", Some("2032-05-31T04:00:00")),
    image("linode/almalinux10", "AlmaLinux 10", "AlmaLinux", 3_500, "2025-06-03T17:04:09", Some("2035-05-31T04:00:00")),
    image("linode/almalinux9", "AlmaLinux 9", "AlmaLinux", 2_500, "2022-06-02T17:38:45", Some("2032-05-31T04:00:00")),
    image("linode/centos-stream9", "CentOS Stream 9", "CentOS", 2_400, "2022-06-13T20:45:46", Some("2027-05-31T04:00:00")),
    image("linode/fedora43", "Fedora 43", "Fedora", 3_000, "2025-10-28T16:11:32", Some("2026-12-02T05:00:00")),
    image("linode/alpine3.22", "Alpine 3.22", "Alpine", 500, "2025-06-05T13:02:54", Some("2027-05-01T04:00:00")),
    image("linode/arch", "Arch Linux", "Arch", 2_500, "2016-06-13T20:31:34", None),
    PublicImage { cloud_init: false, ..image("linode/slackware15.0", "Slackware 15.0", "Slackware", 11_600, "2022-02-07T15:59:42", None) },
    PublicImage { deprecated: true, ..image("linode/ubuntu20.04", "Ubuntu 20.04 LTS", "Ubuntu", 3_500, "2020-05-06T11:27:32", Some("2025-05-31T04:00:00")) },
];

/// Kernels: id, label, version, architecture.
const KERNELS: &[(&str, &str, &str, &str)] = &[
    ("linode/latest-64bit", "Latest 64 bit (6.8.9-x86_64-linode164)", "6.8.9", "x86_64"),
    ("linode/6.8.9-x86_64-linode164", "6.8.9-x86_64-linode164", "6.8.9", "x86_64"),
    ("linode/latest-32bit", "Latest 32 bit (6.8.9-x86-linode184)", "6.8.9", "i386"),
    ("linode/grub2", "GRUB 2", "2.06", "x86_64"),
    ("linode/direct-disk", "Direct Disk", "", "x86_64"),
];

#[allow(clippy::too_many_arguments, reason = "one line of the table above")]
const fn kind(
    id: &'static str,
    label: &'static str,
    class: &'static str,
    vcpus: u32,
    memory: u32,
    disk: u64,
    transfer: u32,
    network_out: u32,
    price: (f64, f64),
    backups: (f64, f64),
) -> Type {
    Type { id, label, class, vcpus, memory, disk, transfer, network_out, price, backups }
}

const fn image(
    id: &'static str,
    label: &'static str,
    vendor: &'static str,
    size: u64,
    created: &'static str,
    eol: Option<&'static str>,
) -> PublicImage {
    PublicImage { id, label, vendor, size, created, eol, deprecated: false, cloud_init: true }
}

impl Region {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|region| region.id == id)
    }

    fn has(&self, kind: &Type) -> bool {
        kind.class != "premium" || !WITHOUT_PREMIUM.contains(&self.id)
    }

    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "country": self.country,
            "capabilities": [
                "Linodes", "Block Storage Encryption", "Disk Encryption", "Backups", "NodeBalancers",
                "Block Storage", "Kubernetes", "Cloud Firewall", "Vlans", "VPCs", "Metadata",
                "Placement Group", "StackScripts", "Maintenance Policy",
            ],
            "monitors": { "alerts": [], "metrics": [] },
            "status": "ok",
            "resolvers": { "ipv4": "198.18.0.53,198.18.0.54", "ipv6": "2001:db8::53,2001:db8::54" },
            "placement_group_limits": {
                "maximum_pgs_per_customer": 100,
                "maximum_linodes_per_pg": 5,
                "maximum_linodes_per_flexible_pg": 5,
            },
            "site_type": "core",
        })
    }

    fn availability(&self) -> impl Iterator<Item = Value> {
        TYPES.iter().map(|kind| json!({ "region": self.id, "plan": kind.id, "available": self.has(kind) }))
    }
}

/// Two regions cost more.
fn region_prices((hourly, monthly): (f64, f64)) -> Value {
    let price = |id: &str, factor: f64| {
        let round = |dollars: f64, digits: f64| (dollars * factor * digits).round() / digits;
        json!({ "id": id, "hourly": round(hourly, 10_000.0), "monthly": round(monthly, 100.0) })
    };
    json!([price("id-cgk", 1.2), price("br-gru", 1.4)])
}

impl Type {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        TYPES.iter().find(|kind| kind.id == id)
    }

    pub(super) fn is_in(&self, region: &Region) -> bool {
        region.has(self)
    }

    fn body(&self) -> Value {
        let price = |(hourly, monthly): (f64, f64)| json!({ "hourly": hourly, "monthly": monthly });
        json!({
            "id": self.id,
            "label": self.label,
            "class": self.class,
            "vcpus": self.vcpus,
            "memory": self.memory,
            "disk": self.disk,
            "transfer": self.transfer,
            "network_out": self.network_out,
            "gpus": 0,
            "accelerated_devices": 0,
            "price": price(self.price),
            "region_prices": region_prices(self.price),
            "addons": {
                "backups": { "price": price(self.backups), "region_prices": region_prices(self.backups) },
            },
            "successor": null,
        })
    }
}

impl PublicImage {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        IMAGES.iter().find(|image| image.id == id)
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "description": "",
            "vendor": self.vendor,
            "size": self.size,
            "total_size": self.size,
            "created": self.created,
            "updated": self.created,
            "created_by": "linode",
            "type": "manual",
            "tags": [],
            "is_public": true,
            "is_shared": false,
            "deprecated": self.deprecated,
            "expiry": null,
            "eol": self.eol,
            "status": "available",
            "capabilities": if self.cloud_init { json!(["cloud-init", "distributed-sites"]) } else { json!([]) },
            "regions": [],
            "image_sharing": null,
        })
    }
}

const REGION_FIELDS: &[&str] = &["id", "label", "country", "status", "capabilities", "site_type"];

pub(super) async fn list_regions(listing: Listing) -> Answer {
    Ok(Json(listing.answer(REGION_FIELDS, REGIONS.iter().map(Region::body))?))
}

pub(super) async fn get_region(Path(id): Path<String>) -> Answer {
    Ok(Json(Region::find(&id).ok_or_else(Error::not_found)?.body()))
}

pub(super) async fn list_availability(listing: Listing) -> Answer {
    let all = REGIONS.iter().flat_map(Region::availability);
    Ok(Json(listing.answer(&["region", "plan", "available"], all)?))
}

pub(super) async fn get_availability(Path(id): Path<String>) -> Answer {
    let region = Region::find(&id).ok_or_else(Error::not_found)?;
    Ok(Json(region.availability().collect()))
}

const TYPE_FIELDS: &[&str] =
    &["id", "label", "class", "vcpus", "memory", "disk", "transfer", "network_out", "gpus"];

pub(super) async fn list_types(listing: Listing) -> Answer {
    Ok(Json(listing.answer(TYPE_FIELDS, TYPES.iter().map(Type::body))?))
}

pub(super) async fn get_type(Path(id): Path<String>) -> Answer {
    Ok(Json(Type::find(&id).ok_or_else(Error::not_found)?.body()))
}

fn kernel((id, label, version, architecture): &(&str, &str, &str, &str)) -> Value {
    json!({
        "id": id,
        "label": label,
        "version": version,
        "architecture": architecture,
        "kvm": true,
        "pvops": true,
        "deprecated": false,
        "built": "2024-05-16T14:02:09",
    })
}

const KERNEL_FIELDS: &[&str] = &["label", "version", "architecture", "kvm", "pvops", "deprecated", "built"];

pub(super) async fn list_kernels(listing: Listing) -> Answer {
    Ok(Json(listing.answer(KERNEL_FIELDS, KERNELS.iter().map(kernel))?))
}

pub(super) async fn get_kernel(Path(id): Path<String>) -> Answer {
    let found = KERNELS.iter().find(|(known, ..)| *known == id);
    Ok(Json(kernel(found.ok_or_else(Error::not_found)?)))
}

/// Clients that don't escape the slash in `linode/latest-64bit`.
pub(super) async fn get_kernel_unescaped(Path((vendor, name)): Path<(String, String)>) -> Answer {
    get_kernel(Path(format!("{vendor}/{name}"))).await
}

/// What a Linode could have and none here has, such as volumes: an empty list.
pub(super) async fn none(listing: Listing) -> Answer {
    Ok(Json(listing.answer(&["id", "label", "tags", "created", "updated"], [])?))
}
