//! What the vendor offers: regions, sizes and images with the vendor's own slugs. Regions near Indonesia first.

use axum::Json;
use serde_json::{Value, json};

use super::paging::Listing;

/// A region.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) slug: &'static str,
    name: &'static str,
    pub(super) available: bool,
}

/// A size of droplets.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) slug: &'static str,
    pub(super) vcpus: u32,
    pub(super) memory: u32,
    pub(super) disk: u32,
    transfer: f64,
    monthly: f64,
    hourly: f64,
    description: &'static str,
    /// Regions that don't have it.
    missing_in: &'static [&'static str],
}

/// A public image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) id: u64,
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) distribution: &'static str,
    pub(super) created_at: &'static str,
    pub(super) min_disk: u32,
    pub(super) gigabytes: f64,
}

const fn region(slug: &'static str, name: &'static str, available: bool) -> Region {
    Region { slug, name, available }
}

pub(super) const REGIONS: &[Region] = &[
    region("sgp1", "Singapore 1", true),
    region("blr1", "Bangalore 1", true),
    region("syd1", "Sydney 1", true),
    region("nyc1", "New York 1", true),
    region("nyc2", "New York 2", true),
    region("nyc3", "New York 3", true),
    region("sfo2", "San Francisco 2", false),
    region("sfo3", "San Francisco 3", true),
    region("ams2", "Amsterdam 2", false),
    region("ams3", "Amsterdam 3", true),
    region("fra1", "Frankfurt 1", true),
    region("lon1", "London 1", true),
    region("tor1", "Toronto 1", true),
];

#[rustfmt::skip]
pub(super) const SIZES: &[Size] = &[
    size("s-1vcpu-512mb-10gb", 1, 512, 10, 0.5, 4.0, 0.00595, "Basic", &["blr1", "lon1"]),
    size("s-1vcpu-1gb", 1, 1_024, 25, 1.0, 6.0, 0.00893, "Basic", &[]),
    size("s-1vcpu-2gb", 1, 2_048, 50, 2.0, 12.0, 0.01786, "Basic", &[]),
    size("s-2vcpu-2gb", 2, 2_048, 60, 3.0, 18.0, 0.02679, "Basic", &[]),
    size("s-2vcpu-4gb", 2, 4_096, 80, 4.0, 24.0, 0.03571, "Basic", &[]),
    size("s-4vcpu-8gb", 4, 8_192, 160, 5.0, 48.0, 0.07143, "Basic", &[]),
    size("s-8vcpu-16gb", 8, 16_384, 320, 6.0, 96.0, 0.14286, "Basic", &[]),
    size("c-2", 2, 4_096, 25, 4.0, 42.0, 0.0625, "CPU-Optimized", &["nyc2"]),
    size("c-4", 4, 8_192, 50, 5.0, 84.0, 0.125, "CPU-Optimized", &["nyc2"]),
    size("c-8", 8, 16_384, 100, 6.0, 168.0, 0.25, "CPU-Optimized", &["nyc2"]),
    size("g-2vcpu-8gb", 2, 8_192, 25, 4.0, 63.0, 0.09375, "General Purpose", &["nyc2", "syd1"]),
    size("g-4vcpu-16gb", 4, 16_384, 50, 5.0, 126.0, 0.1875, "General Purpose", &["nyc2", "syd1"]),
    size("g-8vcpu-32gb", 8, 32_768, 100, 6.0, 252.0, 0.375, "General Purpose", &["nyc2", "syd1"]),
    size("m-2vcpu-16gb", 2, 16_384, 50, 4.0, 84.0, 0.125, "Memory-Optimized", &["nyc2"]),
];

#[rustfmt::skip]
pub(super) const IMAGES: &[Image] = &[
    image(195_932_981, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", "2025-07-30T06:21:57Z", 10, 0.68),
    image(194_478_223, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", "2025-07-10T05:54:06Z", 10, 0.66),
    image(199_324_120, "debian-13-x64", "13 x64", "Debian", "2025-08-21T09:12:31Z", 10, 0.47),
    image(195_412_640, "debian-12-x64", "12 x64", "Debian", "2025-07-23T10:35:42Z", 10, 0.45),
    image(194_109_001, "rockylinux-9-x64", "9 x64", "Rocky Linux", "2025-07-04T11:02:13Z", 15, 0.83),
    image(194_109_377, "almalinux-9-x64", "9 x64", "AlmaLinux", "2025-07-04T11:40:50Z", 15, 0.81),
    image(193_740_516, "centos-stream-9-x64", "9 Stream x64", "CentOS", "2025-06-30T08:47:25Z", 15, 0.79),
];

#[allow(clippy::too_many_arguments, reason = "one line of the table above")]
const fn size(
    slug: &'static str,
    vcpus: u32,
    memory: u32,
    disk: u32,
    transfer: f64,
    monthly: f64,
    hourly: f64,
    description: &'static str,
    missing_in: &'static [&'static str],
) -> Size {
    Size { slug, vcpus, memory, disk, transfer, monthly, hourly, description, missing_in }
}

const fn image(
    id: u64,
    slug: &'static str,
    name: &'static str,
    distribution: &'static str,
    created_at: &'static str,
    min_disk: u32,
    gigabytes: f64,
) -> Image {
    Image { id, slug, name, distribution, created_at, min_disk, gigabytes }
}

impl Region {
    /// The region of this slug, or the first open one of a prefix such as `nyc`.
    pub(super) fn find(wanted: &str) -> Option<&'static Self> {
        let numbered = |r: &&Self| {
            let number = r.slug.strip_prefix(wanted);
            !wanted.is_empty() && number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        };
        let exact = REGIONS.iter().find(|r| r.slug == wanted);
        exact.or_else(|| REGIONS.iter().filter(numbered).find(|r| r.available))
    }

    /// The regions that take droplets.
    pub(super) fn open_slugs() -> Vec<&'static str> {
        slugs(|r| r.available)
    }

    pub(super) fn body(&self) -> Value {
        let sizes: Vec<_> = SIZES.iter().filter(|s| s.is_in(self)).map(|s| s.slug).collect();
        json!({
            "name": self.name,
            "slug": self.slug,
            "features": ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"],
            "available": self.available,
            "sizes": sizes,
        })
    }
}

impl Size {
    pub(super) fn find(slug: &str) -> Option<&'static Self> {
        SIZES.iter().find(|s| s.slug == slug)
    }

    pub(super) fn is_in(&self, region: &Region) -> bool {
        region.available && !self.missing_in.contains(&region.slug)
    }

    /// The disks of a droplet with this many GB.
    pub(super) fn disk_info(gigabytes: u32) -> Value {
        json!([{ "type": "local", "size": { "amount": gigabytes, "unit": "gib" } }])
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "slug": self.slug,
            "memory": self.memory,
            "vcpus": self.vcpus,
            "disk": self.disk,
            "transfer": self.transfer,
            "price_monthly": self.monthly,
            "price_hourly": self.hourly,
            "regions": slugs(|r| self.is_in(r)),
            "available": true,
            "description": self.description,
            "disk_info": Self::disk_info(self.disk),
        })
    }
}

impl Image {
    /// The image of a slug or of an id.
    pub(super) fn find(wanted: &str) -> Option<&'static Self> {
        IMAGES.iter().find(|i| i.slug == wanted || i.id.to_string() == wanted)
    }
}

fn slugs(wanted: impl Fn(&Region) -> bool) -> Vec<&'static str> {
    REGIONS.iter().filter(|r| wanted(r)).map(|r| r.slug).collect()
}

pub(super) async fn list_regions(listing: Listing) -> Json<Value> {
    Json(listing.answer("regions", REGIONS.iter().map(Region::body)))
}

pub(super) async fn list_sizes(listing: Listing) -> Json<Value> {
    Json(listing.answer("sizes", SIZES.iter().map(Size::body)))
}
