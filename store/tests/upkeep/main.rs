//! Whose database it is, what is deleted from it in time, and that it takes every event, on a real Postgres. Each test has a
//! database of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod guards;
mod installation;
mod purge;
