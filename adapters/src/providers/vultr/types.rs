//! The wire: what we send and the fields we read.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Number;

/// Body of `POST /v2/instances`.
#[derive(Debug, Serialize)]
pub(super) struct CreateRequest<'a> {
    pub(super) region: &'a str,
    pub(super) plan: &'a str,
    #[serde(flatten)]
    pub(super) source: Source<'a>,
    pub(super) label: &'a str,
    pub(super) hostname: &'a str,
    pub(super) tags: [&'a str; 3],
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_data: Option<String>,
    pub(super) enable_ipv6: bool,
    pub(super) backups: &'static str,
    pub(super) activation_email: bool,
}

/// What is installed: exactly one of these may be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) enum Source<'a> {
    #[serde(rename = "os_id")]
    System(u64),
    #[serde(rename = "snapshot_id")]
    Snapshot(String),
    #[serde(rename = "image_id")]
    Application(&'a str),
}

/// Body of `PATCH /v2/instances/{id}`: what is absent stays.
#[derive(Debug, Default, Serialize)]
pub(super) struct Change<'a> {
    #[serde(flatten)]
    pub(super) source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<&'a str>,
    /// `enabled` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backups: Option<&'static str>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_data: Option<String>,
}

/// Body of `POST /v2/snapshots`.
#[derive(Debug, Serialize)]
pub(super) struct CreateSnapshot<'a> {
    pub(super) instance_id: &'a str,
    pub(super) description: String,
}

/// Body of `POST /v2/instances/{id}/restore`.
#[derive(Debug, Serialize)]
pub(super) struct Restore<'a> {
    pub(super) snapshot_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct OneServer {
    pub(super) instance: Server,
}

#[derive(Debug, Deserialize)]
pub(super) struct Server {
    pub(super) id: String,
    #[serde(default)]
    pub(super) label: String,
    pub(super) plan: String,
    pub(super) region: String,
    #[serde(default)]
    pub(super) os_id: u64,
    /// `pending`, `active`, `suspended` or `resizing`.
    pub(super) status: String,
    /// `running` or `stopped`.
    pub(super) power_status: String,
    /// `none`, `locked`, `installingbooting` or `ok`.
    pub(super) server_status: String,
    /// `0.0.0.0` until there is one.
    #[serde(default)]
    pub(super) main_ip: String,
    /// Empty until there is one.
    #[serde(default)]
    pub(super) v6_main_ip: String,
    /// A link to its screen; empty until there is one.
    #[serde(default)]
    pub(super) kvm: String,
    pub(super) date_created: DateTime<Utc>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) features: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OneSnapshot {
    pub(super) snapshot: Snapshot,
}

#[derive(Debug, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: String,
    #[serde(default)]
    pub(super) description: String,
    /// Bytes; 0 while it is being made.
    #[serde(default)]
    pub(super) size: u64,
    /// `pending`, `complete` or `deleted`.
    pub(super) status: String,
    pub(super) date_created: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Region {
    pub(super) id: String,
    pub(super) city: String,
    pub(super) country: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) vcpu_count: u32,
    /// MiB.
    pub(super) ram: u32,
    /// GB.
    pub(super) disk: u32,
    /// GB a month.
    pub(super) bandwidth: u32,
    /// US dollars.
    pub(super) monthly_cost: Number,
    /// Regions that have it now.
    #[serde(default)]
    pub(super) locations: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Os {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) arch: String,
    pub(super) family: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bandwidth {
    pub(super) bandwidth: BTreeMap<NaiveDate, Traffic>,
}

/// A day's traffic, in UTC.
#[derive(Debug, Deserialize)]
pub(super) struct Traffic {
    pub(super) incoming_bytes: u64,
    pub(super) outgoing_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub(super) links: Links,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Links {
    /// Cursor of the next page; empty on the last.
    #[serde(default)]
    pub(super) next: String,
}

/// One page of a list. The vendor gives each list a key of its own.
pub(super) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;
    /// The items, and the cursor of the next page.
    fn open(self) -> (Vec<Self::Item>, Option<String>);
}

macro_rules! page {
    ($name:ident, $key:ident, $item:ty) => {
        #[derive(Debug, Deserialize)]
        pub(super) struct $name {
            $key: Vec<$item>,
            #[serde(default)]
            meta: Meta,
        }

        impl Page for $name {
            type Item = $item;
            fn open(self) -> (Vec<$item>, Option<String>) {
                (self.$key, Some(self.meta.links.next).filter(|cursor| !cursor.is_empty()))
            }
        }
    };
}
page!(ServerList, instances, Server);
page!(SnapshotPage, snapshots, Snapshot);
page!(RegionPage, regions, Region);
page!(PlanPage, plans, Plan);
page!(OsPage, os, Os);

/// The envelope of every error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: Option<String>,
    /// The answer's own, once more.
    pub(super) status: Option<u16>,
}
