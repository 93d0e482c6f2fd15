//! What is known of providers, and how often they are called, on a real Postgres. Each test has a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod budgets;
mod catalog_sync;
mod reads;
