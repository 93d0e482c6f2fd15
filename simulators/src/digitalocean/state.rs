//! What the account holds. Nothing here ticks: a droplet's and an action's state follow from the moments written
//! down when they were made, so a restart needs no catching up.

use std::{collections::BTreeMap, io, path::Path};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    catalog::{Image, Region, Size},
    error::Error,
    settings::Settings,
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
    next_id: u64,
    journal: Journal,
}

/// A droplet, as made and with what is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Droplet {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) size: String,
    pub(super) image: u64,
    pub(super) tags: Vec<String>,
    pub(super) features: Vec<String>,
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
    /// Whether it was on before [`Self::event`].
    pub(super) on: bool,
    pub(super) event: Option<Event>,
}

/// The last action on a droplet: when it is done, and whether the droplet is on then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) done_at: DateTime<Utc>,
    pub(super) on: bool,
}

/// Something done to a droplet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Action {
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) droplet: u64,
    pub(super) region: String,
    pub(super) started_at: DateTime<Utc>,
    pub(super) done_at: DateTime<Utc>,
}

/// An SSH key of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: u64,
    pub(super) fingerprint: String,
    pub(super) public_key: String,
    pub(super) name: String,
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
            next_id: FIRST_ID,
            journal,
        };
        for (key, value) in remembered {
            match key.split_once('/').map_or(key.as_str(), |(prefix, _)| prefix) {
                Droplet::PREFIX => shelve::<Droplet>(&mut state, value)?,
                Action::PREFIX => shelve::<Action>(&mut state, value)?,
                Key::PREFIX => shelve::<Key>(&mut state, value)?,
                NEXT_ID => state.next_id = serde_json::from_value(value)?,
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
            droplet: droplet.id,
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
}

fn shelve<K: Kept + serde::de::DeserializeOwned>(state: &mut State, value: Value) -> io::Result<()> {
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

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Droplet {
    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match (self.is_new(now), self.is_on(now)) {
            (true, _) => "new",
            (false, true) => "active",
            (false, false) => "off",
        }
    }

    fn is_new(&self, now: DateTime<Utc>) -> bool {
        now < self.active_at
    }

    pub(super) fn is_on(&self, now: DateTime<Utc>) -> bool {
        self.event.as_ref().filter(|e| e.done_at <= now).map_or(self.on, |e| e.on)
    }

    /// Whether something is under way that other actions must wait for.
    pub(super) fn is_busy(&self, now: DateTime<Utc>) -> bool {
        self.is_new(now) || self.event.as_ref().is_some_and(|e| e.done_at > now)
    }

    /// The vendor's droplet object at `now`.
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(self.status(now), now >= self.addressed_at)
    }

    /// The same without its addresses.
    pub(super) fn body_without_ip(&self, now: DateTime<Utc>) -> Value {
        self.show(self.status(now), false)
    }

    /// As the answer to its create shows it, however short its boot.
    pub(super) fn body_at_birth(&self) -> Value {
        self.show("new", false)
    }

    fn show(&self, status: &str, addressed: bool) -> Value {
        let size = Size::find(&self.size);
        let image = Image::find(&self.image.to_string());
        json!({
            "id": self.id,
            "name": self.name,
            "memory": size.map(|s| s.memory),
            "vcpus": size.map(|s| s.vcpus),
            "disk": size.map(|s| s.disk),
            "disk_info": size.map(Size::disk_info),
            "locked": status == "new",
            "status": status,
            "kernel": null,
            "created_at": stamp(self.created_at),
            "features": self.features,
            "backup_ids": [],
            "next_backup_window": null,
            "snapshot_ids": [],
            "image": image.map(Image::body),
            "volume_ids": [],
            "size": size.map(Size::body),
            "size_slug": self.size,
            "networks": if addressed { self.networks() } else { json!({ "v4": [], "v6": [] }) },
            "region": Region::find(&self.region).map(Region::body),
            "tags": self.tags,
            "vpc_uuid": self.vpc_uuid,
        })
    }

    /// Addresses that follow from the id, out of ranges that lead nowhere (RFC 2544, RFC 3849).
    fn networks(&self) -> Value {
        let [.., b, c, d] = (self.id % 0x2_0000).to_be_bytes();
        let private = json!({
            "ip_address": format!("10.{}.{c}.{d}", 104 + b),
            "netmask": "255.254.0.0",
            "gateway": "nil",
            "type": "private",
        });
        let public = json!({
            "ip_address": format!("198.{}.{c}.{d}", 18 + b),
            "netmask": "255.254.0.0",
            "gateway": "198.18.0.1",
            "type": "public",
        });
        let v6 = json!({
            "ip_address": format!("2001:db8:{:x}:{:x}::1", self.id >> 16 & 0xffff, self.id & 0xffff),
            "netmask": 64,
            "gateway": format!("2001:db8:{:x}:{:x}::ffff", self.id >> 16 & 0xffff, self.id & 0xffff),
            "type": "public",
        });
        let has_ipv6 = self.features.iter().any(|f| f == "ipv6");
        json!({
            "v4": if self.public { vec![private, public] } else { vec![private] },
            "v6": if has_ipv6 { vec![v6] } else { vec![] },
        })
    }
}

impl Action {
    /// The vendor's action object at `now`.
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(now >= self.done_at)
    }

    /// As the answer that starts it shows it, however short it is.
    pub(super) fn body_at_start(&self) -> Value {
        self.show(false)
    }

    fn show(&self, done: bool) -> Value {
        json!({
            "id": self.id,
            "status": if done { "completed" } else { "in-progress" },
            "type": self.kind,
            "started_at": stamp(self.started_at),
            "completed_at": done.then(|| stamp(self.done_at)),
            "resource_id": self.droplet,
            "resource_type": "droplet",
            "region": Region::find(&self.region).map(Region::body),
            "region_slug": self.region,
        })
    }
}
