//! Accounts at simulated vendors.

mod cloud;
mod gateway;
mod messengers;

pub use cloud::{SimulatedCloud, at_once};
pub use gateway::SimulatedGateway;
pub use messengers::{SimulatedMail, SimulatedTelegram};
