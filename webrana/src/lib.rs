//! The `webrana` program: its command line, its configuration, the local stack, and the wiring that makes one process
//! of all the rooms. Rules, SQL, HTTP handlers and workflow code live in their own rooms; here they only meet.

pub mod admin;
pub mod api_key;
pub mod bench;
pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dev;
pub mod health;
pub mod ledger;
pub mod local;
pub mod progress;
pub mod random;
pub mod serve;
pub mod signals;
pub mod simulate;
pub mod stack;
pub mod tasks;
pub mod telemetry;
pub mod vendors;
pub mod wiring;
pub mod worker;
pub mod worker_health;
pub mod worker_version;
