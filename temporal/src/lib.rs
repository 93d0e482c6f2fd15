//! The engine's side: connecting, namespace and search attributes, the dispatcher that turns outbox rows into
//! workflow starts and signals, the workers that run `workflows` and `activities`, and the dev server. Nothing here
//! knows HTTP routes or SQL; business decisions belong to `workflows`, their effects to `activities`.

pub mod bootstrap;
mod call;
mod canary;
mod connect;
pub mod dev_server;
pub mod dispatcher;
mod messages;
mod meter;
mod pause;
pub mod roles;
mod running;
pub mod schedules;
pub mod security;
pub mod worker;

pub use connect::{ConnectError, TemporalConfig, connect, is_reachable};
