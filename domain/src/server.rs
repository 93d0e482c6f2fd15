//! Servers as their providers report them. Our record of one is an instance: [`crate::instance`].

use std::net::{Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Utc};

use crate::instance::PowerState;

/// A server as its provider reports it, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderServer {
    /// The provider's own id, as text.
    pub id: String,
    /// Its name or label at the provider.
    pub name: String,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// The provider's slug of its size.
    pub size: String,
    /// The provider's slug of its region.
    pub region: String,
    /// Public IPv4, once assigned.
    pub ipv4: Option<Ipv4Addr>,
    /// Public IPv6, once assigned.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it is on.
    pub power: PowerState,
    /// True when it boots no longer, is not locked and has an address: a customer can log in.
    pub ready: bool,
    /// When the provider made it.
    pub created_at: DateTime<Utc>,
}

impl ProviderServer {
    /// What our record of it follows.
    #[must_use]
    pub const fn state(&self) -> ServerState {
        ServerState { power: self.power, ipv4: self.ipv4, ipv6: self.ipv6 }
    }
}

/// What changes about a server by itself or by an action, and what our record of it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerState {
    /// Whether it is on.
    pub power: PowerState,
    /// Public IPv4; none keeps what we know.
    pub ipv4: Option<Ipv4Addr>,
    /// Public IPv6; none keeps what we know.
    pub ipv6: Option<Ipv6Addr>,
}

impl ServerState {
    /// A server of which nothing is known but whether it is on.
    #[must_use]
    pub const fn powered(power: PowerState) -> Self {
        Self { power, ipv4: None, ipv6: None }
    }
}
