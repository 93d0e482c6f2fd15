//! HTTP as tests call it: [`Caller`]s that fail a test where an answer fails to come, the control APIs of simulators, and (feature
//! `http`) the shop's own API, [`TestApi`].

mod caller;
mod control;
mod redacted;
#[cfg(feature = "http")]
mod shop;

pub use caller::{Caller, Expect, Request};
pub use client::{Answer, HeaderMap, Method, Reply, StatusCode};
pub use control::control;
pub(crate) use control::control_at;
pub use redacted::redacted;
#[cfg(feature = "http")]
pub use shop::{PASSWORD, Setup, TestApi, User};
