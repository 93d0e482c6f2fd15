//! What every endpoint shares, and identity.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod api_tokens;
mod browser_sessions;
mod calls;
mod changing;
mod document;
mod identity;
mod layers;
mod limits;
mod mailed_links;
mod notifying;
mod openapi;
mod problems;
mod strictness;
mod two_factor;
