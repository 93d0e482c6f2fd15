//! What the tests of several rooms need: a shop on a database of its own that is audited when a test is over
//! ([`TestApp`], feature `app`), with its API (`http::TestApi`, feature `http`), and accounts at simulated vendors, by the vendor's
//! slug (feature `vendors`). For development only; no program is built with it. Everything here panics where it fails, as a test does.

#![allow(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

#[cfg(feature = "app")]
mod accounts;
#[cfg(feature = "app")]
mod alerts;
#[cfg(feature = "app")]
mod app;
#[cfg(feature = "app")]
mod audit;
#[cfg(feature = "app")]
mod billing;
#[cfg(feature = "app")]
pub mod bulk;
#[cfg(feature = "vendors")]
mod cloud;
#[cfg(feature = "vendors")]
mod gateway;
#[cfg(feature = "vendors")]
pub mod http;
#[cfg(feature = "app")]
pub mod leftovers;
#[cfg(feature = "app")]
mod orders;
#[cfg(feature = "app")]
mod outbox;
#[cfg(feature = "app")]
mod progress;
#[cfg(feature = "app")]
mod reading;
#[cfg(feature = "app")]
mod requests;

#[cfg(feature = "app")]
pub use accounts::NewAccount;
#[cfg(feature = "app")]
pub use app::TestApp;
#[cfg(feature = "app")]
pub use billing::{PromoBuilder, new_promo};
#[cfg(feature = "vendors")]
pub use cloud::{SimulatedCloud, at_once};
#[cfg(feature = "vendors")]
pub use gateway::SimulatedGateway;
#[cfg(feature = "app")]
pub use orders::{OrderBuilder, Ordered};
#[cfg(feature = "app")]
pub use reading::step_words;
#[cfg(feature = "app")]
pub use requests::{any_request, by_user, money_act, new_money_act, request, webhook_event};

/// Slug of the gateway that payments go through where a test does not say.
#[cfg(feature = "app")]
pub const GATEWAY: &str = "midtrans";
/// Slug of the plan that is ordered where a test does not say: the smallest, at DigitalOcean.
#[cfg(feature = "app")]
pub const PLAN: &str = "do-basic-1gb";
