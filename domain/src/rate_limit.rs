//! A vendor's limits on calls, in the vendor's own terms.

use std::time::Duration;

/// No more than `calls` in any `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many calls.
    pub calls: u32,
    /// In how long.
    pub period: Duration,
}

/// A group of calls that the vendor counts together, such as all of them, or the creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Name of the group: `all`, `create`, `list`.
    pub name: &'static str,
    /// Its limits; all of them hold at once.
    pub windows: &'static [Window],
}
