//! What the simulators share that is not the wire: the control API under `/__sim` with its faults and counters, settings
//! that change while one runs, what is kept across restarts, and serving. How a vendor's requests and answers look is
//! written down in the vendor's own module only.

pub(crate) mod control;
pub(crate) mod fault;
pub mod gateway;
pub(crate) mod journal;
pub mod provider;
pub mod server;
mod service;
pub(crate) mod setting;

pub use service::{Handle, Service};
