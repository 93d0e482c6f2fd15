//! The wire: what we send and the fields we read.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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

#[derive(Debug, Deserialize)]
pub(super) struct OneDroplet {
    pub(super) droplet: Droplet,
}

#[derive(Debug, Deserialize)]
pub(super) struct DropletPage {
    pub(super) droplets: Vec<Droplet>,
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
