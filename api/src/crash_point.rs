//! Places where a chaos test may end the process of the API. Without the feature `failpoints` they compile to nothing.
//! Those between the statements of a transaction are in `store`.

/// Crash points around the transaction that takes a notification in.
pub const WHEN_NOTIFIED: &[&str] = &["take_notification.before", "take_notification.after"];

/// Crash points that the charge of a new payment passes, in order.
pub const WHEN_CHARGING: &[&str] = &["charge.before", "charge.answered", "charge.kept"];

/// Ends the process here, at once and without cleaning up, when the fail point `name` is set to `return`.
pub(crate) fn crash_point(name: &str) {
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}
