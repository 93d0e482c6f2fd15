//! What the tests of several rooms need: accounts at simulated vendors, by the vendor's slug. For development only; no
//! program is built with it. Everything here panics where it fails, as a test does.

#![allow(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod cloud;
mod gateway;
#[cfg(feature = "http")]
pub mod http;

pub use cloud::{SimulatedCloud, at_once};
pub use gateway::SimulatedGateway;
