//! DigitalOcean API v2. `descriptor` says what the vendor is, `adapter` speaks HTTP, `types` is the wire, `mapper` translates
//! between it and our words and sorts the vendor's errors.

mod adapter;
mod descriptor;
mod mapper;
mod networks;
mod types;

pub use adapter::DigitalOcean;
pub use descriptor::DESCRIPTOR;
