//! The DigitalOcean simulator, asked over HTTP as a client of the vendor would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod actions;
mod control;
mod droplets;
mod images;
mod metrics;
mod sim;
mod tags;
mod vpcs;
