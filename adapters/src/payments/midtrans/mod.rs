//! Midtrans Core API v2.

mod adapter;
mod mapper;
mod types;

pub use adapter::{Midtrans, MidtransConfig};
