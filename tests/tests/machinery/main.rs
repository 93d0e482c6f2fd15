//! What keeps the system going, through the real engine: the way to the engine, the outbox, workers, and scheduled upkeep.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod engine;
mod outbox;
mod queues;
mod upgrade;
mod upkeep;
mod workers;
