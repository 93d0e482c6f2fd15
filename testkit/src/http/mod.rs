//! HTTP as tests call it: [`Caller`]s that fail a test where an answer fails to come, the control APIs of simulators, and (feature
//! `http`) the shop's own API, [`TestApi`].

#[cfg(feature = "http")]
mod api;
mod caller;
mod control;
#[cfg(feature = "http")]
mod in_process;
mod redacted;
#[cfg(feature = "http")]
mod setup;
#[cfg(feature = "http")]
mod user;

#[cfg(feature = "http")]
pub use self::{
    api::TestApi,
    setup::Setup,
    user::{PASSWORD, User},
};
pub use caller::{Caller, Expect, Request};
pub use client::{Answer, HeaderMap, Method, Reply, StatusCode};
pub use control::control;
pub use redacted::redacted;
