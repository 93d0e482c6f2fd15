//! The API as tests call it.

mod caller;
mod control;

pub use caller::{Caller, Expect, Request};
pub use client::{Answer, Method, Reply, StatusCode};
pub use control::control;
