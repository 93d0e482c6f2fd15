//! Midtrans Core API v2.

mod adapter;
mod descriptor;
mod mapper;
mod types;

pub use adapter::{Midtrans, MidtransConfig};
pub use descriptor::DESCRIPTOR;
use descriptor::SLUG;
