//! Linode API v4. `adapter` speaks HTTP, `types` is the wire, `mapper` translates between it and our words and sorts
//! the vendor's errors.

mod adapter;
mod mapper;
mod types;

pub use adapter::{Linode, LinodeConfig, SLUG};
