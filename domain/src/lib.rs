//! The rules of the business, and nothing else: money, ids, the states of orders, payments and servers,
//! pricing, policies. No async, no IO, no clock and no randomness live here, so that every rule can be tested
//! by calling it. What talks to a database, a provider or Temporal belongs to `store`, `adapters` and `temporal`.

pub mod announcement;
pub mod api_key;
pub mod api_token;
pub mod billing;
pub mod catalog;
pub mod causes;
pub mod circuit;
pub mod delivery;
pub mod dispute;
pub mod email;
pub mod event;
pub mod failover;
pub mod gateway;
pub mod hostname;
pub mod ids;
pub mod in_words;
pub mod installation;
pub mod instance;
pub mod label;
pub mod language;
pub mod ledger;
pub mod life;
pub mod mailed_link;
pub mod money;
pub mod notification;
pub mod order;
pub mod outbox;
pub mod payment_check;
pub mod payment_limits;
pub mod policy;
pub mod pricing;
pub mod promo;
pub mod proof;
pub mod provisioning;
pub mod purge;
pub mod queue_health;
pub mod rate_limit;
pub mod reconciliation;
pub mod refund;
pub mod resize;
pub mod role;
pub mod search;
pub mod server;
pub mod sorting;
pub mod sweep;
pub mod tax;
pub mod term;
pub mod text_enum;
pub mod unpaid;
pub mod upkeep;
pub mod user_data;
pub mod views;

pub use money::Rupiah;
