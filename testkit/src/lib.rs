//! What the tests of several rooms need: a shop on a database of its own that is audited when a test is over
//! ([`TestApp`], feature `app`), with its API (`http::TestApi`, feature `http`), and accounts at simulated vendors, by the vendor's
//! slug (feature `vendors`). For development only; no program is built with it. Everything here panics where it fails, as a test does.

#![allow(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

#[cfg(feature = "app")]
mod app;
#[cfg(feature = "vendors")]
pub mod http;
#[cfg(feature = "vendors")]
mod vendors;

#[cfg(feature = "app")]
pub use app::*;
#[cfg(feature = "vendors")]
pub use vendors::*;
