//! What the payment gateways' stand-ins share: being told that a customer paid (`POST /__sim/pay`), and notifying the
//! merchant of it as stubbornly as the vendor does, in copies, late, out of order or tampered with.

mod courier;
mod pay;
pub(crate) mod qris;
mod settings;
mod take_back;

use serde::{Deserialize, Serialize};

pub use self::settings::Settings;
pub(crate) use self::{
    courier::{Courier, Letter},
    pay::{Amount, Gateway, Pay, Tamper, control_routes},
    take_back::How,
};

/// What becomes of a charge; also what a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    #[default]
    Settlement,
    Pending,
    Deny,
    Expire,
    Cancel,
}
