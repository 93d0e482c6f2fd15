//! DigitalOcean API v2. `adapter` speaks HTTP, `types` is the wire, `mapper` translates between it and our words and
//! sorts the vendor's errors.

mod adapter;
mod mapper;
mod networks;
mod types;

pub use adapter::{DigitalOcean, DigitalOceanConfig, SLUG};
