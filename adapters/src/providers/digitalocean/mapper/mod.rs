//! Between the wire and our words.

mod action;
mod catalog;
mod error;
mod metrics;
mod server;

pub(super) use action::{action_id, to_action, to_progress, to_receipt, unsupported, why_not};
pub(super) use catalog::{to_image, to_region, to_size};
pub(super) use error::success;
pub(super) use metrics::{bytes_per_second, percent_busy, percent_used};
pub(super) use server::{to_create, to_id, to_server, to_snapshot, to_uuid, user_data};
