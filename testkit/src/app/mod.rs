//! A shop on a database of its own: what makes things there, what looks at them, and what is asked of it at the end.

mod accounts;
mod alerts;
mod audit;
mod authenticator;
mod billing;
pub mod bulk;
pub mod leftovers;
mod mailbox;
mod orders;
mod outbox;
mod progress;
mod reading;
mod requests;
mod test_app;

pub use accounts::NewAccount;
pub use alerts::{ExpectedAlerts, RaisedAlerts};
pub use authenticator::app_code;
pub use billing::{PromoBuilder, new_promo};
pub use mailbox::MailedLink;
pub use orders::{OrderBuilder, Ordered};
pub use reading::step_words;
pub use requests::{any_request, by_user, money_act, new_money_act, request, webhook_event};
pub use test_app::TestApp;

/// Slug of the gateway that payments go through where a test does not say.
pub const GATEWAY: &str = "midtrans";
/// Slug of the plan that is ordered where a test does not say: the smallest, at DigitalOcean.
pub const PLAN: &str = "do-basic-1gb";
