//! Faithful stand-ins for the vendors we buy from and sell through: each speaks its vendor's real HTTP API at the
//! vendor's real paths, so that official clients work against it, and adds a control API under `/__sim` to set its pace,
//! make it fail on request and count what it was asked. Loopback only, no credentials of worth. Nothing of the product may
//! be used here (no `domain`, no `adapters`): a simulator that shared code with what it tests would share its mistakes.
//! Among themselves they share the `kit`, which is not the wire.

#![expect(clippy::disallowed_methods, reason = "a vendor has a clock of its own")]

mod kit;

pub mod digitalocean;
pub mod linode;
pub mod mail;
pub mod midtrans;
pub mod telegram;
pub mod vultr;
pub mod xendit;

pub use kit::{Handle, Service, gateway, provider, server};

/// The simulator of every provider.
pub const PROVIDERS: &[&provider::Descriptor] =
    &[&digitalocean::DESCRIPTOR, &vultr::DESCRIPTOR, &linode::DESCRIPTOR];

/// The simulator of every payment gateway.
pub const GATEWAYS: &[&gateway::Descriptor] = &[&midtrans::DESCRIPTOR, &xendit::DESCRIPTOR];

/// The simulator of a provider, by its slug.
#[must_use]
pub fn provider(slug: &str) -> Option<&'static provider::Descriptor> {
    PROVIDERS.iter().copied().find(|simulator| simulator.slug == slug)
}

/// The simulator of a payment gateway, by its slug.
#[must_use]
pub fn gateway(slug: &str) -> Option<&'static gateway::Descriptor> {
    GATEWAYS.iter().copied().find(|simulator| simulator.slug == slug)
}
