//! What the account holds, and its memory across restarts.

use std::{collections::BTreeMap, io, path::Path};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    error::Error,
    model::{Event, Image, Key, Linode},
    settings::Settings,
};
use crate::journal::Journal;

const FIRST_ID: u64 = 52_557_263;

/// Everything in the account.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) linodes: BTreeMap<u64, Linode>,
    pub(super) images: BTreeMap<u64, Image>,
    pub(super) events: BTreeMap<u64, Event>,
    pub(super) keys: BTreeMap<u64, Key>,
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
kept!(Linode, "linode", linodes);
kept!(Image, "image", images);
kept!(Event, "event", events);
kept!(Key, "key", keys);

const NEXT_ID: &str = "next_id";

impl State {
    /// What the file remembers, or nothing.
    pub(super) fn open(settings: Settings, path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let mut state = Self {
            settings,
            linodes: BTreeMap::new(),
            images: BTreeMap::new(),
            events: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_id: FIRST_ID,
            journal,
        };
        for (key, value) in remembered {
            match key.split_once('/').map_or(key.as_str(), |(prefix, _)| prefix) {
                Linode::PREFIX => shelve::<Linode>(&mut state, value)?,
                Image::PREFIX => shelve::<Image>(&mut state, value)?,
                Event::PREFIX => shelve::<Event>(&mut state, value)?,
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
        self.linodes.clear();
        self.images.clear();
        self.events.clear();
        self.keys.clear();
        self.journal.clear();
        self.journal.put(NEXT_ID, &self.next_id);
    }

    /// Notes that something happens to a Linode from now until `finished_at`.
    pub(super) fn note(
        &mut self,
        action: &str,
        linode: &Linode,
        secondary: Value,
        now: DateTime<Utc>,
        finished_at: DateTime<Utc>,
    ) {
        let event = Event {
            id: self.new_id(),
            action: action.to_owned(),
            linode: linode.id,
            label: linode.label.clone(),
            created_at: now,
            finished_at,
            secondary,
            seen: false,
            read: false,
        };
        self.keep(event);
    }

    /// The Linode an id in a path means.
    pub(super) fn linode(&self, id: &str, now: DateTime<Utc>) -> Result<&Linode, Error> {
        let found = id.parse().ok().and_then(|id: u64| self.linodes.get(&id));
        found.filter(|linode| linode.readable_at <= now).ok_or_else(Error::not_found)
    }

    /// The same, if nothing is under way with it.
    pub(super) fn idle_linode(&self, id: &str, now: DateTime<Utc>) -> Result<Linode, Error> {
        let linode = self.linode(id, now)?;
        if linode.is_busy(now) { Err(Error::busy()) } else { Ok(linode.clone()) }
    }
}

fn shelve<K: Kept + serde::de::DeserializeOwned>(state: &mut State, value: Value) -> io::Result<()> {
    let thing: K = serde_json::from_value(value)?;
    K::shelf(state).insert(thing.id(), thing);
    Ok(())
}
