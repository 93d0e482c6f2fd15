//! What the account holds, by UUID. Nothing here ticks: see [`super::instance`].

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{error::Error, instance::Instance};
pub(super) use crate::kit::provider::after;
use crate::kit::provider::{self, Kept, kept, put_back};

/// Everything in the account.
#[derive(Default)]
pub(super) struct Holdings {
    pub(super) instances: BTreeMap<Uuid, Instance>,
    pub(super) snapshots: BTreeMap<Uuid, Snapshot>,
    pub(super) keys: BTreeMap<Uuid, Key>,
    pub(super) scripts: BTreeMap<Uuid, Script>,
}

/// A copy of an instance's disk. It belongs to the account, and outlives the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: Uuid,
    pub(super) rank: u64,
    pub(super) description: String,
    pub(super) os_id: u64,
    pub(super) app_id: u64,
    /// Size of the copied disk in GB.
    pub(super) disk: u32,
    pub(super) created_at: DateTime<Utc>,
    /// Turns from `pending` to `complete`.
    pub(super) complete_at: DateTime<Utc>,
}

/// An SSH key of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: Uuid,
    pub(super) rank: u64,
    pub(super) name: String,
    pub(super) ssh_key: String,
    pub(super) created_at: DateTime<Utc>,
}

/// A script run at an instance's first boot, base64 as it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Script {
    pub(super) id: Uuid,
    pub(super) rank: u64,
    pub(super) name: String,
    pub(super) r#type: String,
    pub(super) script: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
}

/// What has a place in lists.
pub(super) trait Ranked: Kept<Id = Uuid, Holdings = Holdings> {
    /// What was made later is greater.
    fn rank(&self) -> u64;
}

macro_rules! ranked {
    ($type:ty as $kind:literal in $shelf:ident) => {
        kept!(Holdings: $type as $kind in $shelf by Uuid);

        impl Ranked for $type {
            fn rank(&self) -> u64 {
                self.rank
            }
        }
    };
}
ranked!(Instance as "instance" in instances);
ranked!(Snapshot as "snapshot" in snapshots);
ranked!(Key as "ssh key" in keys);
ranked!(Script as "startup script" in scripts);

impl provider::Holdings for Holdings {
    const NEXT: &'static str = "next_rank";
    const FIRST: u64 = 1;

    fn take_back(&mut self, kind: &str, _name: &str, value: Value) -> serde_json::Result<bool> {
        match kind {
            Instance::KIND => put_back::<Instance>(self, value),
            Snapshot::KIND => put_back::<Snapshot>(self, value),
            Key::KIND => put_back::<Key>(self, value),
            Script::KIND => put_back::<Script>(self, value),
            _ => Ok(false),
        }
    }
}

/// All that changes of the account.
pub(super) type State = provider::State<Holdings>;

impl State {
    /// The thing an id in a path or a body means.
    pub(super) fn find<K: Ranked>(&self, id: &str) -> Result<&K, Error> {
        let found = id.parse().ok().and_then(|id| K::shelf(self).get(&id));
        found.ok_or_else(|| Error::not_found(K::KIND))
    }

    /// The instance an id means, unless it is still too young to be found.
    pub(super) fn instance(&self, id: &str, now: DateTime<Utc>) -> Result<&Instance, Error> {
        let instance: &Instance = self.find(id)?;
        if instance.readable_at <= now { Ok(instance) } else { Err(Error::instance_not_found()) }
    }

    /// All things of a kind that `wanted` accepts, oldest first.
    pub(super) fn all<K: Ranked>(&self, wanted: impl Fn(&K) -> bool) -> Vec<&K> {
        let mut all: Vec<_> = K::shelf(self).values().filter(|thing| wanted(thing)).collect();
        all.sort_by_key(|thing| thing.rank());
        all
    }
}

/// A moment as the vendor writes it.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}
