//! The way to the engine (Temporal): where it is, how the two prove who they are, a connection, and the bound on each call.
//! A crate of its own because of what a connection costs to compile: every method of every service of the engine, which no
//! change of ours touches (ADR 51). What is asked of the engine belongs to `temporal`.

mod call;
mod connect;
pub mod security;

pub use call::{is_not_ours, timed};
pub use connect::{ConnectError, TemporalConfig, connect, connect_metered, is_reachable};
