//! What is known of a vendor before anybody calls it. Configuration, wiring, the local stack, measurements and tests go
//! over [`super::ALL`] and know no vendor by name.

use std::{sync::Arc, time::Duration};

use domain::{
    instance::Capability,
    rate_limit::{Lane, Window},
};
use secrecy::SecretString;
use url::Url;

use super::{
    CloudProvider, Paced,
    channel::{Channel, Manners},
};
use crate::http::{self, SetupError};

/// A vendor of servers. Each has its own beside its adapter.
#[derive(Debug)]
pub struct Descriptor {
    /// The catalog's name of it, which is also the name of its queue and of its place in settings.
    pub slug: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Where its API is, without the version.
    pub default_url: &'static str,
    /// The variables that its settings are given by.
    pub environment: Environment,
    /// What it can do for a server.
    pub capabilities: &'static [Capability],
    /// Its rate limits, by the groups of calls it counts.
    pub rate_limits: &'static [Lane],
    /// The group of [`Self::rate_limits`] that creates count against.
    pub create_lane: &'static str,
    /// The group of [`Self::rate_limits`] that lists of servers count against.
    pub list_lane: &'static str,
    /// Longest time seen until a new server was in its lists, with room. Settings may say otherwise.
    pub listing_lag: Duration,
    /// Most bytes of text that a new server can be told at its first boot. It has to be text: what the vendors' metadata
    /// services and cloud-init make of it on the way is read as such, so it can't be compressed.
    pub first_boot_bytes: usize,
    /// How far apart one customer's actions on a server have to be for their part of the limits to suffice in the long
    /// run, measured.
    pub between_actions: Duration,
    /// Makes its adapter for an account. Nothing is called yet.
    pub connect: fn(Account) -> Result<Arc<dyn CloudProvider>, SetupError>,
}

/// Names of the variables of a vendor's settings. Flags and keys of the settings' file follow from them.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// Where the API is.
    pub url: &'static str,
    /// The account's token or key.
    pub credential: &'static str,
    /// Whether it is used at all.
    pub enabled: &'static str,
    /// How long a new server may be missing from lists.
    pub listing_lag: &'static str,
}

impl Descriptor {
    /// The shortest window of the limit that creates count against: what a burst of orders meets first.
    #[must_use]
    pub fn create_window(&self) -> Option<Window> {
        let lanes = self.rate_limits.iter().filter(|lane| lane.name == self.create_lane);
        lanes.flat_map(|lane| lane.windows).min_by_key(|window| window.period).copied()
    }

    /// Whether creates have a limit of their own, which lists don't count against.
    #[must_use]
    pub fn limits_creates_apart(&self) -> bool {
        self.create_lane != self.list_lane
    }
}

/// How to reach an account of ours at a vendor.
#[derive(Debug, Clone)]
pub struct Account {
    /// The vendor's address or a simulator's, without the version.
    pub base_url: Url,
    /// The account's token or key.
    pub credential: SecretString,
    /// Longest time one call may take.
    pub request_timeout: Duration,
    /// Longest time until a new server shows up in lists.
    pub listing_lag: Duration,
    /// Decides when a call may be sent, and for whom it is.
    pub pacer: Paced,
}

impl Account {
    /// The way that this account's calls take.
    pub(super) fn channel(&self, manners: Manners) -> Result<Channel, SetupError> {
        let client = http::client(&self.base_url, self.request_timeout)?;
        Ok(Channel::new(client, self.pacer.clone(), manners))
    }

    /// What may be known of it without its credential.
    pub(super) fn terms(&self, descriptor: &'static Descriptor) -> Terms {
        Terms {
            descriptor,
            request_timeout: self.request_timeout,
            listing_lag: self.listing_lag,
            is_limited: self.pacer.is_limited(),
        }
    }
}

/// A vendor and how our account there is set up.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The vendor.
    pub descriptor: &'static Descriptor,
    /// Longest time one call may take.
    pub request_timeout: Duration,
    /// Longest time until a new server shows up in lists.
    pub listing_lag: Duration,
    /// Whether calls wait for turns at all.
    pub is_limited: bool,
}
