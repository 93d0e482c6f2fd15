//! Anchor days as they are kept. The counting of terms is [`domain::term`]'s: the database adds no months, since it would
//! do so in the time zone of its session.

use chrono::{DateTime, Utc};
use domain::term::AnchorDay;

/// The anchor of a term that begins at `start`, of a server whose terms end on that day of the month.
pub(crate) fn anchor(kept: i16, start: DateTime<Utc>) -> AnchorDay {
    // The database keeps days of months only.
    AnchorDay::kept(kept).unwrap_or_else(|| AnchorDay::of(start)).at(start)
}
