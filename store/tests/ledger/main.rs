//! The ledger on a real Postgres: what the tables refuse, and that it does what the model does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod checks;
mod guards;
mod model;
#[path = "../../../domain/tests/ledger/world/mod.rs"]
mod world;
