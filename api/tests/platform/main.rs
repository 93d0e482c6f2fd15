//! What every endpoint shares, and identity.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod identity;
mod layers;
mod openapi;
mod problems;
mod strictness;
