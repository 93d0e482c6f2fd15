//! What a merchant's side of a gateway remembers.

use std::{collections::BTreeMap, io, path::Path};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};

use crate::kit::journal::Journal;

/// A charge in a vendor's own words.
pub(crate) trait Charge: Clone + Serialize + DeserializeOwned {
    /// What it is kept under in the state file.
    fn key(&self) -> String;

    /// The merchant's name for it, which is used once.
    fn reference(&self) -> &str;

    /// Turns expired if it is open and its time is over; whether it did.
    fn expire(&mut self, now: DateTime<Utc>) -> bool;
}

/// All charges, in memory and in a journal.
#[derive(Debug)]
pub(crate) struct Charges<C> {
    all: BTreeMap<String, C>,
    journal: Journal,
}

impl<C: Charge> Charges<C> {
    /// What the file remembers, or nothing.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let all = remembered
            .into_iter()
            .map(|(key, value)| Ok((key, serde_json::from_value(value)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(Self { all, journal })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &C> {
        self.all.values()
    }

    /// The first that is so; one whose time is over turns expired now.
    pub(crate) fn find(&mut self, is_it: impl Fn(&C) -> bool) -> Option<C> {
        let mut charge = self.all.values().find(|charge| is_it(charge))?.clone();
        if charge.expire(Utc::now()) {
            self.save(charge.clone());
        }
        Some(charge)
    }

    /// By the merchant's name for it.
    pub(crate) fn by_reference(&mut self, reference: &str) -> Option<C> {
        self.find(|charge| charge.reference() == reference)
    }

    /// Adds a charge; `false` when its name is taken.
    pub(crate) fn add(&mut self, charge: C) -> bool {
        if self.all.values().any(|known| known.reference() == charge.reference()) {
            return false;
        }
        self.save(charge);
        true
    }

    pub(crate) fn save(&mut self, charge: C) {
        let key = charge.key();
        self.journal.put(&key, &charge);
        self.all.insert(key, charge);
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.journal.clear();
    }
}
