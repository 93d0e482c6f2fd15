//! What the account holds, kept in memory and in a journal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    catalog::Image,
    error::Error,
    model::{Action, Droplet, Key, Snapshot, Source, Target},
    vpcs::{Vpc, Vpcs},
};
pub(super) use crate::kit::provider::after;
use crate::kit::provider::{self, Kept, kept, put_back};

/// Everything in the account.
#[derive(Default)]
pub(super) struct Holdings {
    pub(super) droplets: BTreeMap<u64, Droplet>,
    pub(super) actions: BTreeMap<u64, Action>,
    pub(super) keys: BTreeMap<u64, Key>,
    pub(super) snapshots: BTreeMap<u64, Snapshot>,
    /// The tags there are, also those that nothing carries any more.
    pub(super) tags: BTreeSet<String>,
    pub(super) vpcs: Vpcs,
}

kept!(Holdings: Droplet as "droplet" in droplets by u64);
kept!(Holdings: Action as "action" in actions by u64);
kept!(Holdings: Key as "key" in keys by u64);
kept!(Holdings: Snapshot as "snapshot" in snapshots by u64);

const TAG: &str = "tag";
const VPC: &str = "vpc";

impl provider::Holdings for Holdings {
    const NEXT: &'static str = "next_id";
    const FIRST: u64 = 3_164_444;

    fn take_back(&mut self, kind: &str, name: &str, value: Value) -> serde_json::Result<bool> {
        match kind {
            Droplet::KIND => put_back::<Droplet>(self, value),
            Action::KIND => put_back::<Action>(self, value),
            Key::KIND => put_back::<Key>(self, value),
            Snapshot::KIND => put_back::<Snapshot>(self, value),
            TAG => {
                self.tags.insert(name.to_owned());
                Ok(true)
            }
            VPC => {
                let vpc: Vpc = serde_json::from_value(value)?;
                self.vpcs.insert(vpc.id, vpc);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// All that changes of the account.
pub(super) type State = provider::State<Holdings>;

impl State {
    /// Removes a droplet and the backups of it; its snapshots stay. False when there is no such droplet.
    pub(super) fn destroy(&mut self, id: u64) -> bool {
        for backup in self.backups(id).map(|backup| backup.id).collect::<Vec<_>>() {
            self.remove::<Snapshot>(backup);
        }
        self.remove::<Droplet>(id).is_some()
    }

    pub(super) fn add_tag(&mut self, name: &str) {
        if self.tags.insert(name.to_owned()) {
            self.remember(TAG, name, &true);
        }
    }

    /// Forgets a tag; false when there is no such.
    pub(super) fn remove_tag(&mut self, name: &str) -> bool {
        self.forget(TAG, name);
        self.tags.remove(name)
    }

    /// Adds or replaces a network.
    pub(super) fn keep_vpc(&mut self, vpc: Vpc) {
        self.remember(VPC, vpc.id, &vpc);
        self.vpcs.insert(vpc.id, vpc);
    }

    /// Forgets a network.
    pub(super) fn remove_vpc(&mut self, id: Uuid) {
        self.forget(VPC, id);
        self.vpcs.remove(&id);
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
            id: self.new_number(),
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
