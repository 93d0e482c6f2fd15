//! The outside world, one trait per kind: cloud providers in `providers`, payment gateways in `payments`, mail in `mail`,
//! Telegram in `telegram`.
//! An adapter translates between a vendor's wire format and the words of `domain`, and sorts the vendor's errors
//! once. It holds no state of ours and knows neither the database nor Temporal.

mod cause;
pub mod http;
pub mod mail;
pub mod payments;
pub mod providers;
pub mod sending;
pub mod telegram;

pub use cause::Cause;
