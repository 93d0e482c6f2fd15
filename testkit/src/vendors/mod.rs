//! Accounts at simulated vendors.

mod cloud;
mod gateway;

pub use cloud::{SimulatedCloud, at_once};
pub use gateway::SimulatedGateway;
