//! What a simulated account holds, kept in memory and in a journal.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io,
    ops::{Deref, DerefMut},
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Settings;
use crate::kit::journal::Journal;

/// The things of a vendor's account, by kind.
pub(crate) trait Holdings: Default + Send + 'static {
    /// What the state file calls the number that the next thing gets.
    const NEXT: &'static str;
    /// The first number.
    const FIRST: u64;

    /// Takes what the state file remembers under `kind/name`; false when there is no such kind.
    fn take_back(&mut self, kind: &str, name: &str, value: Value) -> serde_json::Result<bool>;
}

/// One kind of thing that is remembered, and under which prefix.
pub(crate) trait Kept: Serialize + DeserializeOwned {
    /// What it is called by.
    type Id: Copy + Ord + Display;
    /// Where it is held.
    type Holdings: Holdings;
    /// Its prefix in the state file.
    const KIND: &'static str;

    fn id(&self) -> Self::Id;
    fn shelf(holdings: &Self::Holdings) -> &BTreeMap<Self::Id, Self>;
    fn shelf_mut(holdings: &mut Self::Holdings) -> &mut BTreeMap<Self::Id, Self>;
}

/// `kept!(Holdings: Droplet as "droplet" in droplets by u64)`: a thing with a field `id`, held in that field.
macro_rules! kept {
    ($holdings:ty: $type:ty as $kind:literal in $shelf:ident by $id:ty) => {
        impl $crate::kit::provider::Kept for $type {
            type Id = $id;
            type Holdings = $holdings;
            const KIND: &'static str = $kind;

            fn id(&self) -> $id {
                self.id
            }

            fn shelf(holdings: &$holdings) -> &std::collections::BTreeMap<$id, Self> {
                &holdings.$shelf
            }

            fn shelf_mut(holdings: &mut $holdings) -> &mut std::collections::BTreeMap<$id, Self> {
                &mut holdings.$shelf
            }
        }
    };
}
pub(crate) use kept;

/// Puts a remembered thing where it belongs.
pub(crate) fn put_back<K: Kept>(holdings: &mut K::Holdings, value: Value) -> serde_json::Result<bool> {
    let thing: K = serde_json::from_value(value)?;
    K::shelf_mut(holdings).insert(thing.id(), thing);
    Ok(true)
}

/// Everything of an account that changes.
pub(crate) struct State<H> {
    pub(crate) settings: Settings,
    holdings: H,
    next: u64,
    journal: Journal,
}

impl<H> Deref for State<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.holdings
    }
}

impl<H> DerefMut for State<H> {
    fn deref_mut(&mut self) -> &mut H {
        &mut self.holdings
    }
}

impl<H: Holdings> State<H> {
    /// What the file remembers, or nothing.
    pub(super) fn open(settings: Settings, path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let mut state = Self { settings, holdings: H::default(), next: H::FIRST, journal };
        for (key, value) in remembered {
            let (kind, name) = key.split_once('/').unwrap_or((&key, ""));
            if kind == H::NEXT {
                state.next = serde_json::from_value(value)?;
            } else if !state.holdings.take_back(kind, name, value)? {
                return Err(io::Error::other(format!("the state file has an unknown key `{key}`")));
            }
        }
        Ok(state)
    }

    /// Adds or replaces a thing, and remembers it.
    pub(crate) fn keep<K: Kept<Holdings = H>>(&mut self, thing: K) {
        self.remember(K::KIND, thing.id(), &thing);
        K::shelf_mut(&mut self.holdings).insert(thing.id(), thing);
    }

    /// Removes a thing; `None` when there is no such.
    pub(crate) fn remove<K: Kept<Holdings = H>>(&mut self, id: K::Id) -> Option<K> {
        let thing = K::shelf_mut(&mut self.holdings).remove(&id)?;
        self.forget(K::KIND, id);
        Some(thing)
    }

    /// Notes in the state file what is held otherwise than by [`Kept`].
    pub(crate) fn remember(&mut self, kind: &str, name: impl Display, value: &impl Serialize) {
        self.journal.put(&format!("{kind}/{name}"), value);
    }

    /// The contrary of [`Self::remember`].
    pub(crate) fn forget(&mut self, kind: &str, name: impl Display) {
        self.journal.remove(&format!("{kind}/{name}"));
    }

    /// A number never given before, also not before a restart or a reset.
    pub(crate) fn new_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.journal.put(H::NEXT, &self.next);
        number
    }

    /// Back to how it started.
    pub(super) fn reset(&mut self, settings: Settings) {
        self.settings = settings;
        self.holdings = H::default();
        self.journal.clear();
        self.journal.put(H::NEXT, &self.next);
    }
}

/// `now` and `seconds` more.
pub(crate) fn after(now: DateTime<Utc>, seconds: f64) -> DateTime<Utc> {
    #[allow(clippy::cast_possible_truncation, reason = "seconds are checked to be at most a day")]
    let milliseconds = (seconds * 1000.0) as i64;
    now + TimeDelta::milliseconds(milliseconds)
}
