//! Faithful stand-ins for the vendors we buy from and sell through: each speaks its vendor's real HTTP API at the
//! vendor's real paths, so that official clients work against it, and adds a control API under `/__sim`
//! ([`control`]) to set its pace, make it fail on request and count what it was asked. Loopback only, no
//! credentials of worth. Nothing of the product may be used here (no `domain`, no `adapters`): a simulator that
//! shared code with what it tests would share its mistakes.

#![expect(clippy::disallowed_methods, reason = "a vendor has a clock of its own")]

pub mod control;
pub mod digitalocean;
pub mod fault;
mod gateway;
pub mod handle;
pub mod journal;
pub mod linode;
pub mod midtrans;
pub mod server;
pub mod vultr;
pub mod xendit;
