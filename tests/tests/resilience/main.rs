//! What may go wrong, on purpose: workers and APIs killed at every step, answers and notifications lost, the engine and
//! the database away. Nothing is lost and nothing is done twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod actions;
mod chaos;
mod disasters;
mod fleet;
mod life;
mod outages;
mod payments;
mod refunds;
mod refused;
mod swallowed;
mod telling;
