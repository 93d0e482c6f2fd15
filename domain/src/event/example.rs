//! What examples of events are about.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Host name of the server.
pub(super) const HOST: &str = "web-1.example.com";

/// An id, the `n`-th of its kind.
pub(super) fn id<T: From<Uuid>>(n: u128) -> T {
    Uuid::from_u128(0x0193_e7d0_4362_7709_b262_4de1_0000_0000 + n).into()
}

/// A moment late in the evening in Jakarta.
pub(super) fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_876_200, 0).unwrap_or_default()
}

/// An hour as keys name it.
pub(super) fn hour() -> String {
    "2026112815".to_owned()
}
