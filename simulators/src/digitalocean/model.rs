//! The things an account holds. Nothing here ticks: what a thing is at a moment follows from the moments written down
//! when it was made or last acted upon.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    backups::Policy,
    catalog::{Image, Region, Size},
};

/// A droplet, as made and with what is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Droplet {
    pub(super) id: u64,
    /// What it was before [`Self::pending`].
    #[serde(flatten)]
    pub(super) before: Shape,
    pub(super) region: String,
    pub(super) tags: Vec<String>,
    pub(super) user_data: Option<String>,
    pub(super) ssh_keys: Vec<u64>,
    pub(super) vpc_uuid: Uuid,
    pub(super) public: bool,
    pub(super) created_at: DateTime<Utc>,
    /// Turns from `new` to `active`.
    pub(super) active_at: DateTime<Utc>,
    /// Shows its addresses.
    pub(super) addressed_at: DateTime<Utc>,
    /// Shows up in lists.
    pub(super) listed_at: DateTime<Utc>,
    /// Is found by its id.
    pub(super) readable_at: DateTime<Utc>,
    /// The last action on it.
    #[serde(default)]
    pub(super) pending: Option<Pending>,
}

/// What actions change of a droplet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) size: String,
    /// Its disk in GB where that is not its size's: after a resize of processor and memory alone.
    #[serde(default)]
    pub(super) disk: Option<u32>,
    pub(super) image: u64,
    pub(super) features: Vec<String>,
    pub(super) on: bool,
    /// When backups are made; they are off without.
    #[serde(default)]
    pub(super) backups: Option<Policy>,
}

/// An action on a droplet: when it is done, and what the droplet is then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) done_at: DateTime<Utc>,
    pub(super) after: Shape,
}

/// Something done to a droplet or an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Action {
    pub(super) id: u64,
    pub(super) kind: String,
    /// The id of what it is done to.
    #[serde(alias = "droplet")]
    pub(super) resource: u64,
    #[serde(default)]
    pub(super) on: Target,
    pub(super) region: String,
    pub(super) started_at: DateTime<Utc>,
    pub(super) done_at: DateTime<Utc>,
}

/// What kind of thing an action is done to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    #[default]
    Droplet,
    Image,
}

/// An SSH key of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: u64,
    pub(super) fingerprint: String,
    pub(super) public_key: String,
    pub(super) name: String,
}

/// A private image: a snapshot or a backup of a droplet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) kind: SnapshotKind,
    /// The droplet it was taken of.
    pub(super) droplet: u64,
    pub(super) distribution: String,
    pub(super) regions: Vec<String>,
    /// GB of disk a droplet made of it needs at least.
    pub(super) min_disk: u32,
    pub(super) gigabytes: f64,
    pub(super) tags: Vec<String>,
    pub(super) created_at: DateTime<Utc>,
    /// Until then it is being taken, and not to be seen.
    pub(super) available_at: DateTime<Utc>,
}

/// Who had a private image taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SnapshotKind {
    /// The account.
    Snapshot,
    /// The vendor, by the droplet's policy.
    Backup,
}

/// What a droplet can be made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    Public(&'static Image),
    Private(&'a Snapshot),
}

impl Droplet {
    /// What it is at `now`.
    pub(super) fn shape(&self, now: DateTime<Utc>) -> &Shape {
        self.pending.as_ref().filter(|p| p.done_at <= now).map_or(&self.before, |p| &p.after)
    }

    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match (self.is_new(now), self.shape(now).on) {
            (true, _) => "new",
            (false, true) => "active",
            (false, false) => "off",
        }
    }

    /// Whether something is under way that other actions must wait for.
    pub(super) fn is_busy(&self, now: DateTime<Utc>) -> bool {
        self.is_new(now) || self.pending.as_ref().is_some_and(|p| p.done_at > now)
    }

    fn is_new(&self, now: DateTime<Utc>) -> bool {
        now < self.active_at
    }
}

impl Shape {
    /// Its disk in GB.
    pub(super) fn disk_gb(&self) -> u32 {
        self.disk.or_else(|| Size::find(&self.size).map(|s| s.disk)).unwrap_or_default()
    }

    /// Adds a feature it may have already.
    pub(super) fn add_feature(&mut self, feature: &str) {
        if !self.features.iter().any(|f| f == feature) {
            self.features.push(feature.to_owned());
        }
    }
}

impl Source<'_> {
    pub(super) fn id(self) -> u64 {
        match self {
            Self::Public(image) => image.id,
            Self::Private(snapshot) => snapshot.id,
        }
    }

    /// GB of disk a droplet made of it needs at least.
    pub(super) fn min_disk(self) -> u32 {
        match self {
            Self::Public(image) => image.min_disk,
            Self::Private(snapshot) => snapshot.min_disk,
        }
    }

    pub(super) fn is_in(self, region: &Region) -> bool {
        match self {
            Self::Public(_) => true,
            Self::Private(snapshot) => snapshot.regions.iter().any(|slug| slug == region.slug),
        }
    }
}
