//! What a logged-in customer can do: order, pay, read. Every object is looked up together with its owner, so that
//! somebody else's is simply not there (404).

pub mod credentials;
pub mod credit_notes;
pub mod documents;
pub mod instances;
pub mod invoices;
pub(crate) mod live;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod promos;
pub mod proofs;
pub mod refunds;
pub mod wallet;
