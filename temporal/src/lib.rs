//! The engine's side: namespace and search attributes, the dispatcher that turns outbox rows into
//! workflow starts and signals, the workers that run `workflows` and `activities`, and the dev server. Nothing here
//! knows HTTP routes or SQL; business decisions belong to `workflows`, their effects to `activities`.

pub mod bootstrap;
mod canary;
pub mod dev_server;
pub mod dispatcher;
mod messages;
mod meter;
mod pause;
pub mod queue_watch;
pub mod roles;
mod running;
pub mod schedules;
pub mod versions;
pub mod worker;

/// Puts an `async fn`'s future on the heap: what is behind a pointer is compiled here, once, and not in each crate that
/// awaits it (ADR 51).
use async_recursion::async_recursion as boxed;
