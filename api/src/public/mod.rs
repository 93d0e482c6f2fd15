//! What anybody may ask for without logging in.

pub(crate) mod catalog;
pub mod health;
