//! What the account holds, by UUID. Nothing here ticks: see [`super::instance`].

use std::{collections::BTreeMap, io, path::Path};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{error::Error, instance::Instance, settings::Settings};
use crate::journal::Journal;

/// Everything in the account.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) instances: BTreeMap<Uuid, Instance>,
    pub(super) snapshots: BTreeMap<Uuid, Snapshot>,
    pub(super) keys: BTreeMap<Uuid, Key>,
    pub(super) scripts: BTreeMap<Uuid, Script>,
    next_rank: u64,
    journal: Journal,
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

/// One kind of thing that is remembered, and under which prefix.
pub(super) trait Kept: Serialize + Sized {
    /// Its name in paths and in the state file.
    const NAME: &'static str;
    fn id(&self) -> Uuid;
    /// Its place in lists: what was made later is greater.
    fn rank(&self) -> u64;
    fn shelf(state: &State) -> &BTreeMap<Uuid, Self>;
    fn shelf_mut(state: &mut State) -> &mut BTreeMap<Uuid, Self>;
}

macro_rules! kept {
    ($type:ty, $name:literal, $shelf:ident) => {
        impl Kept for $type {
            const NAME: &'static str = $name;
            fn id(&self) -> Uuid {
                self.id
            }
            fn rank(&self) -> u64 {
                self.rank
            }
            fn shelf(state: &State) -> &BTreeMap<Uuid, Self> {
                &state.$shelf
            }
            fn shelf_mut(state: &mut State) -> &mut BTreeMap<Uuid, Self> {
                &mut state.$shelf
            }
        }
    };
}
kept!(Instance, "instance", instances);
kept!(Snapshot, "snapshot", snapshots);
kept!(Key, "ssh key", keys);
kept!(Script, "startup script", scripts);

const NEXT_RANK: &str = "next_rank";

impl State {
    /// What the file remembers, or nothing.
    pub(super) fn open(settings: Settings, path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let mut state = Self {
            settings,
            instances: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            keys: BTreeMap::new(),
            scripts: BTreeMap::new(),
            next_rank: 1,
            journal,
        };
        for (key, value) in remembered {
            match key.split_once('/').map_or(key.as_str(), |(prefix, _)| prefix) {
                Instance::NAME => shelve::<Instance>(&mut state, value)?,
                Snapshot::NAME => shelve::<Snapshot>(&mut state, value)?,
                Key::NAME => shelve::<Key>(&mut state, value)?,
                Script::NAME => shelve::<Script>(&mut state, value)?,
                NEXT_RANK => state.next_rank = serde_json::from_value(value)?,
                _ => return Err(io::Error::other(format!("the state file has an unknown key `{key}`"))),
            }
        }
        Ok(state)
    }

    /// Adds or replaces a thing, and remembers it.
    pub(super) fn keep<K: Kept>(&mut self, thing: K) {
        self.journal.put(&format!("{}/{}", K::NAME, thing.id()), &thing);
        K::shelf_mut(self).insert(thing.id(), thing);
    }

    /// Removes a thing; `None` when there is no such.
    pub(super) fn remove<K: Kept>(&mut self, id: Uuid) -> Option<K> {
        let thing = K::shelf_mut(self).remove(&id)?;
        self.journal.remove(&format!("{}/{id}", K::NAME));
        Some(thing)
    }

    /// The thing an id in a path or a body means.
    pub(super) fn find<K: Kept>(&self, id: &str) -> Result<&K, Error> {
        let found = id.parse().ok().and_then(|id| K::shelf(self).get(&id));
        found.ok_or_else(|| Error::not_found(K::NAME))
    }

    /// The instance an id means, unless it is still too young to be found.
    pub(super) fn instance(&self, id: &str, now: DateTime<Utc>) -> Result<&Instance, Error> {
        let instance: &Instance = self.find(id)?;
        if instance.readable_at <= now { Ok(instance) } else { Err(Error::instance_not_found()) }
    }

    /// All things of a kind that `wanted` accepts, oldest first.
    pub(super) fn all<K: Kept>(&self, wanted: impl Fn(&K) -> bool) -> Vec<&K> {
        let mut all: Vec<_> = K::shelf(self).values().filter(|thing| wanted(thing)).collect();
        all.sort_by_key(|thing| thing.rank());
        all
    }

    /// A rank never given before, also not before a restart or a reset.
    pub(super) fn new_rank(&mut self) -> u64 {
        let rank = self.next_rank;
        self.next_rank += 1;
        self.journal.put(NEXT_RANK, &self.next_rank);
        rank
    }

    pub(super) fn reset(&mut self, settings: Settings) {
        self.settings = settings;
        self.instances.clear();
        self.snapshots.clear();
        self.keys.clear();
        self.scripts.clear();
        self.journal.clear();
        self.journal.put(NEXT_RANK, &self.next_rank);
    }
}

fn shelve<K: Kept + serde::de::DeserializeOwned>(state: &mut State, value: Value) -> io::Result<()> {
    let thing: K = serde_json::from_value(value)?;
    K::shelf_mut(state).insert(thing.id(), thing);
    Ok(())
}

/// `now` and `seconds` more.
pub(super) fn after(now: DateTime<Utc>, seconds: f64) -> DateTime<Utc> {
    #[allow(clippy::cast_possible_truncation, reason = "seconds are checked to be at most a day")]
    let milliseconds = (seconds * 1000.0) as i64;
    now + TimeDelta::milliseconds(milliseconds)
}

/// A moment as the vendor writes it.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}
