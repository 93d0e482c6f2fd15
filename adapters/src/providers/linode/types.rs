//! The wire: what we send and the fields we read.

use std::fmt;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

/// Body of `POST /v4/linode/instances`. Not `Debug`: it holds root's password.
#[derive(Serialize)]
pub(super) struct CreateLinode<'a> {
    pub(super) label: &'a str,
    pub(super) region: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) tags: [&'a str; 3],
    #[serde(flatten)]
    pub(super) deploy: Deploy<'a>,
    pub(super) metadata: Metadata,
    pub(super) booted: bool,
}

/// What creating and rebuilding have in common, and the body of `POST /v4/linode/instances/{id}/rebuild`. Not `Debug`
/// either.
#[derive(Serialize)]
pub(super) struct Deploy<'a> {
    pub(super) image: &'a str,
    pub(super) root_pass: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) authorized_keys: &'a [String],
}

#[derive(Debug, Serialize)]
pub(super) struct Metadata {
    /// Base64.
    pub(super) user_data: String,
}

/// Body of `POST /v4/linode/instances/{id}/resize`.
#[derive(Debug, Serialize)]
pub(super) struct Resize<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) allow_auto_disk_resize: bool,
}

/// Body of `POST /v4/images`.
#[derive(Debug, Serialize)]
pub(super) struct CreateImage {
    pub(super) disk_id: u64,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) tags: [String; 2],
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) page: u32,
    pub(super) pages: u32,
}

/// A Linode. Dates have no zone and mean UTC.
#[derive(Debug, Deserialize)]
pub(super) struct Instance {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) status: String,
    pub(super) created: NaiveDateTime,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) region: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Public and private ones.
    #[serde(default)]
    pub(super) ipv4: Vec<String>,
    /// With its prefix length.
    pub(super) ipv6: Option<String>,
    #[serde(default)]
    pub(super) specs: Specs,
    #[serde(default)]
    pub(super) backups: Backups,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Specs {
    #[serde(default)]
    pub(super) vcpus: u32,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Backups {
    #[serde(default)]
    pub(super) enabled: bool,
}

/// A disk; its size is in MiB.
#[derive(Debug, Deserialize)]
pub(super) struct Disk {
    pub(super) id: u64,
    pub(super) size: u64,
    pub(super) filesystem: String,
}

/// An image, public or private; its size is in MiB.
#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) description: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) created: NaiveDateTime,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) is_public: bool,
    #[serde(default)]
    pub(super) deprecated: bool,
    pub(super) status: String,
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Region {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) country: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
}

/// A type; memory and disk are in MiB, transfer in GB.
#[derive(Debug, Deserialize)]
pub(super) struct Type {
    pub(super) id: String,
    pub(super) vcpus: u32,
    pub(super) memory: u32,
    pub(super) disk: u32,
    pub(super) transfer: u32,
    pub(super) price: Price,
}

#[derive(Debug, Deserialize)]
pub(super) struct Price {
    /// Dollars; kept as written, not as a float.
    pub(super) monthly: serde_json::Number,
}

/// Whether a region has a type.
#[derive(Debug, Deserialize)]
pub(super) struct Availability {
    pub(super) region: String,
    pub(super) plan: String,
    pub(super) available: bool,
}

/// Milliseconds since 1970 and what was measured then.
pub(super) type Point = (f64, Option<f64>);

/// What the vendor answers about statistics: its document has the series at the top, its own clients read them in
/// `data`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum AnyStats {
    Inside { data: Stats },
    Bare(Stats),
}

impl From<AnyStats> for Stats {
    fn from(answer: AnyStats) -> Self {
        match answer {
            AnyStats::Inside { data } | AnyStats::Bare(data) => data,
        }
    }
}

/// Statistics; a Linode that is too young has none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    /// Percent of one processor.
    pub(super) cpu: Vec<Point>,
    pub(super) io: Io,
    pub(super) netv4: Traffic,
    pub(super) netv6: Traffic,
}

/// Blocks a second, read and written together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Io {
    pub(super) io: Vec<Point>,
}

/// Bits a second.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Traffic {
    pub(super) r#in: Vec<Point>,
    pub(super) out: Vec<Point>,
}

/// The envelope of every error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    pub(super) errors: Vec<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    pub(super) reason: String,
    pub(super) field: Option<String>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}
