//! Accounts, sessions and keys on a real Postgres, and the back-off of who guesses passwords. Each test has a database of
//! its own.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod api_tokens;
mod deliveries;
mod guards;
mod identity;
mod live;
mod mailed_links;
mod notices;
mod second_factor;
mod throttles;
