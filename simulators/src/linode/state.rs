//! What the account holds, and its memory across restarts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    error::Error,
    model::{Event, Image, Key, Linode},
};
use crate::kit::provider::{self, Kept, kept, put_back};

/// Everything in the account.
#[derive(Default)]
pub(super) struct Holdings {
    pub(super) linodes: BTreeMap<u64, Linode>,
    pub(super) images: BTreeMap<u64, Image>,
    pub(super) events: BTreeMap<u64, Event>,
    pub(super) keys: BTreeMap<u64, Key>,
}

kept!(Holdings: Linode as "linode" in linodes by u64);
kept!(Holdings: Image as "image" in images by u64);
kept!(Holdings: Event as "event" in events by u64);
kept!(Holdings: Key as "key" in keys by u64);

impl provider::Holdings for Holdings {
    const NEXT: &'static str = "next_id";
    const FIRST: u64 = 52_557_263;

    fn take_back(&mut self, kind: &str, _name: &str, value: Value) -> serde_json::Result<bool> {
        match kind {
            Linode::KIND => put_back::<Linode>(self, value),
            Image::KIND => put_back::<Image>(self, value),
            Event::KIND => put_back::<Event>(self, value),
            Key::KIND => put_back::<Key>(self, value),
            _ => Ok(false),
        }
    }
}

/// All that changes of the account.
pub(super) type State = provider::State<Holdings>;

impl State {
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
            id: self.new_number(),
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
