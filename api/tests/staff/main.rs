//! What staff find, see and decide about everybody's things.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod announcements;
mod catalog;
mod exports;
mod figures;
mod finding;
mod impersonation;
mod lists;
mod payments;
mod queues;
mod users;
