//! The wire: what we send and the fields we read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /v2/droplets`.
#[derive(Debug, Serialize)]
pub(super) struct CreateDroplet<'a> {
    pub(super) name: &'a str,
    pub(super) region: &'a str,
    pub(super) size: &'a str,
    pub(super) image: ImageRef<'a>,
    pub(super) tags: [&'a str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_data: Option<String>,
    /// Without, the account's default network of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vpc_uuid: Option<&'a str>,
    pub(super) ipv6: bool,
    pub(super) monitoring: bool,
}

/// Public images go by slug, snapshots by number.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ImageRef<'a> {
    Slug(&'a str),
    Id(u64),
}

impl<'a> ImageRef<'a> {
    pub(super) fn of(image: &'a str) -> Self {
        image.parse().map_or(Self::Slug(image), Self::Id)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OneVpc {
    pub(super) vpc: Vpc,
}

/// A private network.
#[derive(Debug, Deserialize)]
pub(super) struct Vpc {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) default: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct OneDroplet {
    pub(super) droplet: Droplet,
}

/// One page of a list, whose key is the list's own.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    #[serde(
        alias = "droplets",
        alias = "snapshots",
        alias = "regions",
        alias = "sizes",
        alias = "images",
        alias = "vpcs"
    )]
    pub(super) items: Vec<T>,
    #[serde(default)]
    pub(super) links: Links,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Links {
    #[serde(default)]
    pub(super) pages: Pages,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Pages {
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Droplet {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) size_slug: String,
    pub(super) region: RegionRef,
    pub(super) status: String,
    #[serde(default)]
    pub(super) locked: bool,
    pub(super) created_at: DateTime<Utc>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) networks: Networks,
}

#[derive(Debug, Deserialize)]
pub(super) struct RegionRef {
    pub(super) slug: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Networks {
    #[serde(default)]
    pub(super) v4: Vec<Network>,
    #[serde(default)]
    pub(super) v6: Vec<Network>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Network {
    pub(super) ip_address: String,
    pub(super) r#type: String,
}

/// The envelope of every error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) id: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OneAction {
    pub(super) action: Action,
}

#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) id: u64,
    pub(super) status: String,
    pub(super) started_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DropletSnapshot {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) size_gigabytes: f64,
    pub(super) created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Region {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) available: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Size {
    pub(super) slug: String,
    pub(super) vcpus: u32,
    /// MiB.
    pub(super) memory: u32,
    /// GiB.
    pub(super) disk: u32,
    /// Terabytes a month.
    pub(super) transfer: f64,
    /// US dollars; a JSON number, kept as it is written.
    pub(super) price_monthly: serde_json::Number,
    pub(super) regions: Vec<String>,
    pub(super) available: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) slug: Option<String>,
    pub(super) name: String,
    pub(super) distribution: String,
    pub(super) public: bool,
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metrics {
    pub(super) data: Matrix,
}

#[derive(Debug, Deserialize)]
pub(super) struct Matrix {
    pub(super) result: Vec<Line>,
}

/// A series of moments in seconds since 1970 and numbers written as text.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) metric: BTreeMap<String, String>,
    pub(super) values: Vec<(f64, String)>,
}
