//! Attacks, after OWASP's Top 10 and API Security Top 10: on the whole system, from outside, every operation of the API's own document
//! asked where the attack is not about one. What a single room defends by itself is tested there: signatures of webhooks and uploads
//! in `api/tests/payments`, guessing and rotation of tokens in `api/tests/platform`, slow clients in `api/src/serve`, who may call what in
//! `api/tests/authorization.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod document;
mod foreign;
mod forged_tokens;
mod injection;
mod leaks;
