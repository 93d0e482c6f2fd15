//! The engine's side: connecting, namespace and search attributes, the dispatcher that turns outbox rows into
//! workflow starts and signals, the workers that run `workflows` and `activities`, and the dev server. Nothing here
//! knows HTTP routes or SQL; business decisions belong to `workflows`, their effects to `activities`.

pub mod bootstrap;
mod connect;
pub mod dev_server;
pub mod dispatcher;
mod messages;
pub mod schedules;
pub mod worker;

pub use connect::{ConnectError, TemporalConfig, connect, is_reachable};
