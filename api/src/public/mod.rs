//! What anybody may ask for without logging in.

mod cached;
pub(crate) mod catalog;
pub mod health;
pub(crate) mod payment_methods;
pub(crate) mod previews;
pub(crate) mod unsubscribe;
