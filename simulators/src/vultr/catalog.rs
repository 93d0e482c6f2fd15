//! What the vendor offers: regions, plans, operating systems and applications under the vendor's own ids. Regions
//! near Indonesia first.

use axum::{Json, extract::Path, http::StatusCode};
use serde_json::{Value, json};

use super::{Answer, error::Error, paging::Listing};

/// A region.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) id: &'static str,
    city: &'static str,
    country: &'static str,
    continent: &'static str,
}

/// A size of instances.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: &'static str,
    pub(super) vcpus: u32,
    /// MiB.
    pub(super) ram: u32,
    /// GB.
    pub(super) disk: u32,
    /// GB a month.
    pub(super) bandwidth: u32,
    pub(super) monthly: f64,
    pub(super) hourly: f64,
    places: Places,
}

/// Regions that have a plan.
#[derive(Debug)]
enum Places {
    All,
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

/// An operating system.
#[derive(Debug)]
pub(super) struct Os {
    pub(super) id: u64,
    pub(super) name: &'static str,
    arch: &'static str,
    family: &'static str,
}

/// An application that comes installed, named by `id` or by `image_id`.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) id: u64,
    pub(super) image_id: &'static str,
    name: &'static str,
    short_name: &'static str,
    pub(super) deploy_name: &'static str,
    r#type: &'static str,
    vendor: &'static str,
}

const fn region(
    id: &'static str,
    city: &'static str,
    country: &'static str,
    continent: &'static str,
) -> Region {
    Region { id, city, country, continent }
}

pub(super) const REGIONS: &[Region] = &[
    region("sgp", "Singapore", "SG", "Asia"),
    region("blr", "Bangalore", "IN", "Asia"),
    region("bom", "Mumbai", "IN", "Asia"),
    region("del", "Delhi NCR", "IN", "Asia"),
    region("icn", "Seoul", "KR", "Asia"),
    region("itm", "Osaka", "JP", "Asia"),
    region("nrt", "Tokyo", "JP", "Asia"),
    region("tlv", "Tel Aviv", "IL", "Asia"),
    region("syd", "Sydney", "AU", "Australia"),
    region("mel", "Melbourne", "AU", "Australia"),
    region("jnb", "Johannesburg", "ZA", "Africa"),
    region("ams", "Amsterdam", "NL", "Europe"),
    region("cdg", "Paris", "FR", "Europe"),
    region("fra", "Frankfurt", "DE", "Europe"),
    region("lhr", "London", "GB", "Europe"),
    region("mad", "Madrid", "ES", "Europe"),
    region("man", "Manchester", "GB", "Europe"),
    region("sto", "Stockholm", "SE", "Europe"),
    region("waw", "Warsaw", "PL", "Europe"),
    region("atl", "Atlanta", "US", "North America"),
    region("dfw", "Dallas", "US", "North America"),
    region("ewr", "New Jersey", "US", "North America"),
    region("hnl", "Honolulu", "US", "North America"),
    region("lax", "Los Angeles", "US", "North America"),
    region("mex", "Mexico City", "MX", "North America"),
    region("mia", "Miami", "US", "North America"),
    region("ord", "Chicago", "US", "North America"),
    region("sea", "Seattle", "US", "North America"),
    region("sjc", "Silicon Valley", "US", "North America"),
    region("yto", "Toronto", "CA", "North America"),
    region("sao", "São Paulo", "BR", "South America"),
    region("scl", "Santiago", "CL", "South America"),
];

const SMALLEST: Places = Places::Only(&["ewr", "mia", "atl", "fra"]);
const NO_HIGH_FREQUENCY: Places = Places::AllBut(&["blr", "bom", "del", "jnb", "hnl", "tlv", "man", "scl"]);
const NO_OPTIMIZED: Places = Places::AllBut(&["hnl", "tlv", "man"]);

#[rustfmt::skip]
pub(super) const PLANS: &[Plan] = &[
    plan("vc2-1c-0.5gb", 1, 512, 10, 512, 3.5, 0.005, SMALLEST),
    plan("vc2-1c-1gb", 1, 1_024, 25, 1_024, 5.0, 0.007, Places::All),
    plan("vc2-1c-2gb", 1, 2_048, 55, 2_048, 10.0, 0.014, Places::All),
    plan("vc2-2c-2gb", 2, 2_048, 65, 3_072, 15.0, 0.021, Places::All),
    plan("vc2-2c-4gb", 2, 4_096, 80, 3_072, 20.0, 0.027, Places::All),
    plan("vc2-4c-8gb", 4, 8_192, 160, 4_096, 40.0, 0.055, Places::All),
    plan("vc2-6c-16gb", 6, 16_384, 320, 5_120, 80.0, 0.11, Places::All),
    plan("vc2-8c-32gb", 8, 32_768, 640, 6_144, 160.0, 0.219, Places::All),
    plan("vc2-16c-64gb", 16, 65_536, 1_280, 10_240, 320.0, 0.438, Places::AllBut(&["hnl", "jnb"])),
    plan("vc2-24c-97gb", 24, 98_304, 1_600, 15_360, 640.0, 0.877, Places::AllBut(&["hnl", "jnb"])),
    plan("vhf-1c-1gb", 1, 1_024, 32, 1_024, 6.0, 0.008, NO_HIGH_FREQUENCY),
    plan("vhf-1c-2gb", 1, 2_048, 64, 2_048, 12.0, 0.016, NO_HIGH_FREQUENCY),
    plan("vhf-2c-2gb", 2, 2_048, 80, 3_072, 18.0, 0.025, NO_HIGH_FREQUENCY),
    plan("vhf-2c-4gb", 2, 4_096, 128, 3_072, 24.0, 0.033, NO_HIGH_FREQUENCY),
    plan("vhf-3c-8gb", 3, 8_192, 256, 4_096, 48.0, 0.066, NO_HIGH_FREQUENCY),
    plan("vhf-4c-16gb", 4, 16_384, 384, 5_120, 96.0, 0.132, NO_HIGH_FREQUENCY),
    plan("vhp-1c-1gb-amd", 1, 1_024, 25, 2_048, 6.0, 0.008, Places::All),
    plan("vhp-1c-2gb-amd", 1, 2_048, 50, 3_072, 12.0, 0.016, Places::All),
    plan("vhp-2c-2gb-amd", 2, 2_048, 60, 4_096, 18.0, 0.025, Places::All),
    plan("vhp-2c-4gb-amd", 2, 4_096, 100, 5_120, 24.0, 0.033, Places::All),
    plan("vhp-4c-8gb-amd", 4, 8_192, 180, 6_144, 48.0, 0.066, Places::All),
    plan("vhp-4c-12gb-amd", 4, 12_288, 260, 7_168, 72.0, 0.099, Places::All),
    plan("vhp-8c-16gb-amd", 8, 16_384, 350, 8_192, 96.0, 0.132, Places::All),
    plan("voc-g-1c-4gb-30s-amd", 1, 4_096, 30, 4_096, 30.0, 0.041, NO_OPTIMIZED),
    plan("voc-g-2c-8gb-50s-amd", 2, 8_192, 50, 5_120, 60.0, 0.082, NO_OPTIMIZED),
    plan("voc-c-2c-4gb-50s-amd", 2, 4_096, 50, 5_120, 60.0, 0.082, NO_OPTIMIZED),
];

#[rustfmt::skip]
pub(super) const SYSTEMS: &[Os] = &[
    os(2284, "Ubuntu 24.04 LTS x64", "ubuntu"),
    os(1743, "Ubuntu 22.04 LTS x64", "ubuntu"),
    os(387, "Ubuntu 20.04 LTS x64", "ubuntu"),
    os(2625, "Debian 13 x64 (trixie)", "debian"),
    os(2136, "Debian 12 x64 (bookworm)", "debian"),
    os(477, "Debian 11 x64 (bullseye)", "debian"),
    os(1869, "Rocky Linux 9 x64", "rockylinux"),
    os(448, "Rocky Linux x64", "rockylinux"),
    os(1868, "AlmaLinux 9 x64", "almalinux"),
    os(452, "AlmaLinux x64", "almalinux"),
    os(542, "CentOS 9 Stream x64", "centos"),
    os(2076, "Alpine Linux x64", "alpinelinux"),
    os(CUSTOM_OS, "Custom", "iso"),
    os(SNAPSHOT_OS, "Snapshot", "snapshot"),
    os(180, "Backup", "backup"),
    os(APPLICATION_OS, "Application", "application"),
];

/// What the vendor shows for instances that were not made from an operating system.
pub(super) const CUSTOM_OS: u64 = 159;
pub(super) const SNAPSHOT_OS: u64 = 164;
pub(super) const APPLICATION_OS: u64 = 186;

pub(super) const APPLICATIONS: &[Application] = &[
    Application {
        id: 37,
        image_id: "",
        name: "Docker",
        short_name: "docker",
        deploy_name: "Docker on Ubuntu 22.04 x64",
        r#type: "one-click",
        vendor: "vultr",
    },
    Application {
        id: 1028,
        image_id: "openlitespeed-wordpress",
        name: "OpenLiteSpeed WordPress",
        short_name: "openlitespeedwordpress",
        deploy_name: "OpenLiteSpeed WordPress on Ubuntu 22.04 x64",
        r#type: "marketplace",
        vendor: "LiteSpeed_Technologies",
    },
];

#[allow(clippy::too_many_arguments, reason = "one line of the table above")]
const fn plan(
    id: &'static str,
    vcpus: u32,
    ram: u32,
    disk: u32,
    bandwidth: u32,
    monthly: f64,
    hourly: f64,
    places: Places,
) -> Plan {
    Plan { id, vcpus, ram, disk, bandwidth, monthly, hourly, places }
}

const fn os(id: u64, name: &'static str, family: &'static str) -> Os {
    Os { id, name, arch: "x64", family }
}

impl Region {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|region| region.id == id)
    }

    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "city": self.city,
            "country": self.country,
            "continent": self.continent,
            "options": ["ddos_protection", "block_storage_high_perf", "load_balancers", "kubernetes"],
            "connectivity": ["public_ip", "nat_gateway"],
        })
    }
}

impl Plan {
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        PLANS.iter().find(|plan| plan.id == id)
    }

    pub(super) fn is_in(&self, region: &str) -> bool {
        match self.places {
            Places::All => true,
            Places::AllBut(missing) => !missing.contains(&region),
            Places::Only(only) => only.contains(&region),
        }
    }

    /// Plans that an instance of this plan in `region` may be changed to: no smaller disk, and never a cheaper one.
    pub(super) fn upgrades(&'static self, region: &str) -> impl Iterator<Item = &'static Self> {
        PLANS.iter().filter(move |plan| {
            plan.kind() == self.kind()
                && plan.is_in(region)
                && plan.disk >= self.disk
                && plan.monthly > self.monthly
        })
    }

    /// `vc2`, `vhf`, `vhp` or `voc`.
    fn kind(&self) -> &'static str {
        self.id.split('-').next().unwrap_or_default()
    }

    fn is_of(&self, wanted: Option<&str>) -> bool {
        match wanted {
            None | Some("all") => true,
            Some(kind) => self.id.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-')),
        }
    }

    fn body(&self) -> Value {
        let locations: Vec<_> = REGIONS.iter().map(|r| r.id).filter(|region| self.is_in(region)).collect();
        json!({
            "id": self.id,
            "name": self.id,
            "vcpu_count": self.vcpus,
            "ram": self.ram,
            "disk": self.disk,
            "disk_count": 1,
            "bandwidth": self.bandwidth,
            "invoice_type": "hourly",
            "monthly_cost": self.monthly,
            "hourly_cost": self.hourly,
            "monthly_cost_preemptible": self.monthly,
            "hourly_cost_preemptible": self.hourly,
            "type": self.kind(),
            "locations": locations,
            "location_cost": {},
            "gpu_brand": "none",
        })
    }
}

impl Os {
    /// An operating system that can be installed.
    pub(super) fn find(id: u64) -> Option<&'static Self> {
        let special = [CUSTOM_OS, SNAPSHOT_OS, 180, APPLICATION_OS];
        SYSTEMS.iter().find(|os| os.id == id && !special.contains(&id))
    }

    pub(super) fn name_of(id: u64) -> &'static str {
        SYSTEMS.iter().find(|os| os.id == id).map_or("Custom", |os| os.name)
    }

    fn body(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "arch": self.arch, "family": self.family })
    }
}

impl Application {
    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "short_name": self.short_name,
            "deploy_name": self.deploy_name,
            "type": self.r#type,
            "vendor": self.vendor,
            "image_id": self.image_id,
        })
    }
}

pub(super) async fn list_regions(listing: Listing) -> Json<Value> {
    Json(listing.answer_fixed("regions", REGIONS, Region::body))
}

pub(super) async fn availability(Path(id): Path<String>, listing: Listing) -> Answer {
    let region = Region::find(&id).ok_or_else(|| Error::not_found("region"))?;
    let kind = listing.query("type");
    let plans: Vec<_> =
        PLANS.iter().filter(|p| p.is_in(region.id) && p.is_of(kind)).map(|plan| plan.id).collect();
    Ok((StatusCode::OK, Json(json!({ "available_plans": plans, "available_vpc_only_plans": [] }))))
}

pub(super) async fn list_plans(listing: Listing) -> Json<Value> {
    let plans: Vec<_> = PLANS.iter().filter(|plan| plan.is_of(listing.query("type"))).collect();
    Json(listing.answer_fixed("plans", &plans, |plan| plan.body()))
}

pub(super) async fn list_systems(listing: Listing) -> Json<Value> {
    Json(listing.answer_fixed("os", SYSTEMS, Os::body))
}

pub(super) async fn list_applications(listing: Listing) -> Json<Value> {
    let kind = listing.query("type").filter(|kind| *kind != "all");
    let applications: Vec<_> =
        APPLICATIONS.iter().filter(|app| kind.is_none_or(|kind| app.r#type == kind)).collect();
    Json(listing.answer_fixed("applications", &applications, |app| app.body()))
}

/// What an instance of `plan` in `region` with the system `os` may be changed to.
pub(super) fn upgrades(plan: &'static Plan, region: &str, os: u64, kind: &str) -> Value {
    let mut upgrades = json!({});
    if matches!(kind, "all" | "os") {
        let others = SYSTEMS.iter().filter(|o| o.id != os && Os::find(o.id).is_some());
        upgrades["os"] = others.map(Os::body).collect();
    }
    if matches!(kind, "all" | "applications") {
        upgrades["applications"] = APPLICATIONS.iter().map(Application::body).collect();
    }
    if matches!(kind, "all" | "plans") {
        upgrades["plans"] = plan.upgrades(region).map(|plan| plan.id).collect();
    }
    json!({ "upgrades": upgrades })
}
