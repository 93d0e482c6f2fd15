//! Between the wire and our words.

mod action;
mod catalog;
mod error;
mod metrics;
mod server;

pub(super) use action::{
    check_password_reset, main_disk, snapshot_path, snapshot_tag, to_image_request, to_progress, to_rebuild,
    to_snapshot, to_snapshot_progress, unsupported, why_not,
};
pub(super) use catalog::{to_image, to_region, to_sizes};
pub(super) use error::{is_too_young, success};
pub(super) use metrics::{Months, to_series};
pub(super) use server::{to_create, to_id, to_server};
