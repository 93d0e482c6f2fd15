//! What staff find, see and decide about everybody's things.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod figures;
mod finding;
mod lists;
mod queues;
mod users;
