//! Anchor days as they are kept. The counting of terms is [`domain::term`]'s: the database adds no months, since it would
//! do so in the time zone of its session.

use chrono::{DateTime, Utc};
use domain::term::AnchorDay;

/// The anchor of a term that begins at `start`. A server that was made by a version without anchors has none: then the
/// day on which the term begins is it.
pub(crate) fn anchor(kept: Option<i16>, start: DateTime<Utc>) -> AnchorDay {
    kept.and_then(AnchorDay::kept).unwrap_or_else(|| AnchorDay::of(start)).at(start)
}
