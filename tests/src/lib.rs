//! The whole system under test: an API, a dispatcher, workers and simulators in this process, on a database of its own
//! in the Postgres and on task queues of its own in the Temporal that `cargo verify` starts once per run. Tests reach
//! the product by its REST API only; what lives here is the way there, not a second way in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

pub mod api_process;
pub mod audit;
pub mod cloud;
pub mod customer;
pub mod database_proxy;
pub mod engine_proxy;
pub mod extent;
pub mod gateway;
pub mod messengers;
pub mod owner;
pub mod report;
pub mod skewed_clock;
pub mod stack;
pub mod steps;
pub mod wait_until;
pub mod watched;
pub mod worker_process;
