//! Xendit Payments API v3.

mod adapter;
mod descriptor;
mod mapper;
mod types;

pub use adapter::{Xendit, XenditConfig};
pub use descriptor::DESCRIPTOR;
use descriptor::SLUG;
