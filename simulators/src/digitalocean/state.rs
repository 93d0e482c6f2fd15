//! What the account holds, kept in memory and in a journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{
    catalog::Image,
    error::Error,
    model::{Action, Droplet, Key, Snapshot, Source, Target},
    settings::Settings,
    vpcs::{Vpc, Vpcs},
};
use crate::journal::Journal;

const FIRST_ID: u64 = 3_164_444;

/// Everything in the account.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) droplets: BTreeMap<u64, Droplet>,
    pub(super) actions: BTreeMap<u64, Action>,
    pub(super) keys: BTreeMap<u64, Key>,
    pub(super) snapshots: BTreeMap<u64, Snapshot>,
    /// The tags there are, also those that nothing carries any more.
    pub(super) tags: BTreeSet<String>,
    pub(super) vpcs: Vpcs,
    next_id: u64,
    journal: Journal,
}

/// One kind of thing that is remembered, and under which prefix.
pub(super) trait Kept: Serialize {
    const PREFIX: &'static str;
    fn id(&self) -> u64;
    fn shelf(state: &mut State) -> &mut BTreeMap<u64, Self>
    where
        Self: Sized;
}

macro_rules! kept {
    ($type:ty, $prefix:literal, $shelf:ident) => {
        impl Kept for $type {
            const PREFIX: &'static str = $prefix;
            fn id(&self) -> u64 {
                self.id
            }
            fn shelf(state: &mut State) -> &mut BTreeMap<u64, Self> {
                &mut state.$shelf
            }
        }
    };
}
kept!(Droplet, "droplet", droplets);
kept!(Action, "action", actions);
kept!(Key, "key", keys);
kept!(Snapshot, "snapshot", snapshots);

const TAG: &str = "tag";
const VPC: &str = "vpc";
const NEXT_ID: &str = "next_id";

impl State {
    /// What the file remembers, or nothing.
    pub(super) fn open(settings: Settings, path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let mut state = Self {
            settings,
            droplets: BTreeMap::new(),
            actions: BTreeMap::new(),
            keys: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            tags: BTreeSet::new(),
            vpcs: Vpcs::new(),
            next_id: FIRST_ID,
            journal,
        };
        for (key, value) in remembered {
            match key.split_once('/').unwrap_or((&key, "")) {
                (Droplet::PREFIX, _) => shelve::<Droplet>(&mut state, value)?,
                (Action::PREFIX, _) => shelve::<Action>(&mut state, value)?,
                (Key::PREFIX, _) => shelve::<Key>(&mut state, value)?,
                (Snapshot::PREFIX, _) => shelve::<Snapshot>(&mut state, value)?,
                (TAG, name) => drop(state.tags.insert(name.to_owned())),
                (VPC, _) => {
                    let vpc: Vpc = serde_json::from_value(value)?;
                    state.vpcs.insert(vpc.id, vpc);
                }
                (NEXT_ID, _) => state.next_id = serde_json::from_value(value)?,
                _ => return Err(io::Error::other(format!("the state file has an unknown key `{key}`"))),
            }
        }
        Ok(state)
    }

    /// Adds or replaces a thing, and remembers it.
    pub(super) fn keep<K: Kept>(&mut self, thing: K) {
        self.journal.put(&format!("{}/{}", K::PREFIX, thing.id()), &thing);
        K::shelf(self).insert(thing.id(), thing);
    }

    /// Removes a thing; `None` when there is no such.
    pub(super) fn remove<K: Kept>(&mut self, id: u64) -> Option<K> {
        let thing = K::shelf(self).remove(&id)?;
        self.journal.remove(&format!("{}/{id}", K::PREFIX));
        Some(thing)
    }

    /// Removes a droplet and the backups of it; its snapshots stay. False when there is no such droplet.
    pub(super) fn destroy(&mut self, id: u64) -> bool {
        for backup in self.backups(id).map(|backup| backup.id).collect::<Vec<_>>() {
            self.remove::<Snapshot>(backup);
        }
        self.remove::<Droplet>(id).is_some()
    }

    pub(super) fn add_tag(&mut self, name: &str) {
        if self.tags.insert(name.to_owned()) {
            self.journal.put(&format!("{TAG}/{name}"), &true);
        }
    }

    /// Forgets a tag; false when there is no such.
    pub(super) fn remove_tag(&mut self, name: &str) -> bool {
        self.journal.remove(&format!("{TAG}/{name}"));
        self.tags.remove(name)
    }

    /// Adds or replaces a network.
    pub(super) fn keep_vpc(&mut self, vpc: Vpc) {
        self.journal.put(&format!("{VPC}/{}", vpc.id), &vpc);
        self.vpcs.insert(vpc.id, vpc);
    }

    /// Forgets a network.
    pub(super) fn remove_vpc(&mut self, id: Uuid) {
        self.journal.remove(&format!("{VPC}/{id}"));
        self.vpcs.remove(&id);
    }

    /// An id never given before, also not before a restart or a reset.
    pub(super) fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.journal.put(NEXT_ID, &self.next_id);
        id
    }

    pub(super) fn reset(&mut self, settings: Settings) {
        self.settings = settings;
        self.droplets.clear();
        self.actions.clear();
        self.keys.clear();
        self.snapshots.clear();
        self.tags.clear();
        self.vpcs.clear();
        self.journal.clear();
        self.journal.put(NEXT_ID, &self.next_id);
    }

    /// Notes an action on a droplet that is done at `done_at`.
    pub(super) fn act(
        &mut self,
        kind: &str,
        droplet: &Droplet,
        done_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Action {
        let action = Action {
            id: self.new_id(),
            kind: kind.to_owned(),
            resource: droplet.id,
            on: Target::Droplet,
            region: droplet.region.clone(),
            started_at: now,
            done_at,
        };
        self.keep(action.clone());
        action
    }

    /// The droplet an id in a path means.
    pub(super) fn droplet(&self, id: &str, now: DateTime<Utc>) -> Result<&Droplet, Error> {
        let found = id.parse().ok().and_then(|id: u64| self.droplets.get(&id));
        found.filter(|d| d.readable_at <= now).ok_or_else(Error::not_found)
    }

    /// The private images there are at `now`, oldest first.
    pub(super) fn snapshots(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.values().filter(move |s| s.available_at <= now)
    }

    /// The image of a slug or of an id.
    pub(super) fn image(&self, wanted: &str, now: DateTime<Utc>) -> Option<Source<'_>> {
        let private = || wanted.parse().ok().and_then(|id: u64| self.snapshots.get(&id));
        match Image::find(wanted) {
            Some(image) => Some(Source::Public(image)),
            None => private().filter(|s| s.available_at <= now).map(Source::Private),
        }
    }
}

fn shelve<K: Kept + DeserializeOwned>(state: &mut State, value: Value) -> io::Result<()> {
    let thing: K = serde_json::from_value(value)?;
    K::shelf(state).insert(thing.id(), thing);
    Ok(())
}

/// `now` and `seconds` more.
pub(super) fn after(now: DateTime<Utc>, seconds: f64) -> DateTime<Utc> {
    #[allow(clippy::cast_possible_truncation, reason = "seconds are checked to be at most a day")]
    let milliseconds = (seconds * 1000.0) as i64;
    now + TimeDelta::milliseconds(milliseconds)
}
