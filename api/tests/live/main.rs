//! Open connections, over real sockets: what people are told as it happens, and when they are not any more.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod bounds;
mod ended;
mod resumed;
mod tab;
mod told;
