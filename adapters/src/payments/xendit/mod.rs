//! Xendit Payments API v3.

mod adapter;
mod mapper;
mod types;

pub use adapter::{Xendit, XenditConfig};
