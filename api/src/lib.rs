//! The HTTP side: axum routes grouped by audience (`public`, `customer`, `admin`, `internal`, `webhooks`), who is
//! asking (`auth`), one shape for every error (`problem`) and the OpenAPI document. A handler reads in a few lines:
//! extractors in, a call into `store` (and, where the customer waits for it, one to a gateway or provider), a typed answer
//! out. Rules are `domain`'s, SQL is `store`'s; Temporal is never
//! called from here: what a workflow must know leaves through the outbox.
//!
//! Its modules stand on floors, and use what is below them (`verify/src/floors/api.rs`): what went wrong (`problem`); what
//! every handler can reach (`state`); reading requests (`extract`, `client`); who asks (`auth`); what several audiences do
//! and show (`charging`, `instance_actions`, `documents`, `bodies` ...); the audiences, which know nothing of each other but
//! that staff replay `webhooks`; the routes and their document; the layers around them; serving.

mod admin;
mod at_provider;
mod auth;
mod bodies;
mod charging;
mod client;
pub mod crash_point;
mod csv_table;
mod customer;
mod documents;
mod etag;
pub mod extract;
mod headers;
mod in_time;
mod instance_actions;
mod internal;
mod known_query;
mod live;
mod observe;
mod openapi;
mod password;
mod payment_ways;
pub mod problem;
mod provider_reads;
mod provisioning_retry;
mod public;
mod rate_limit;
mod request_id;
mod routes;
pub mod serve;
mod server;
mod state;
mod webhooks;
mod wording;

pub use auth::{Access, access, operations};
pub use live::{Live, LiveSettings};
pub use openapi::{Document, document, internal_document};
pub use password::{
    PasswordCost, PasswordError, Unacceptable, acceptable as acceptable_password, hash as hash_password,
};
pub use server::{internal_router, router};
pub use state::{AppState, AuthConfig, Limits, OrderConfig, PaymentConfig, Probe, Seller};
