//! How the task queues are, as the engine described them.

use chrono::{DateTime, Utc};

use crate::text_enum::text_enum;

text_enum! {
    /// What a worker takes from a queue.
    TaskKind {
        /// Decisions of workflows.
        Workflow = "WORKFLOW",
        /// Activities.
        Activity = "ACTIVITY",
    }
}

text_enum! {
    /// Where a version of the workflow code stands.
    VersionStatus {
        /// What begins, begins on it.
        Current = "CURRENT",
        /// It takes a part of what begins.
        Ramping = "RAMPING",
        /// Something that began on it is not over.
        Draining = "DRAINING",
        /// Nothing of it is left.
        Drained = "DRAINED",
        /// It was never current.
        Inactive = "INACTIVE",
    }
}

impl VersionStatus {
    /// Whether what begins, begins on it.
    #[must_use]
    pub const fn is_current(self) -> bool {
        matches!(self, Self::Current)
    }
}

/// A task queue as the engine described it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSeen {
    /// Its name without the installation's prefix, which is the name of the worker's role.
    pub queue: String,
    /// Which of its tasks.
    pub tasks: TaskKind,
    /// Tasks that wait for a worker, about.
    pub backlog: i64,
    /// Age of the oldest of them in seconds; 0 when none waits.
    pub oldest_seconds: f64,
    /// When each process that asked it for tasks lately last did, by the engine's clock.
    pub polled_at: Vec<DateTime<Utc>>,
}

/// A version of the workflow code as the engine described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSeen {
    /// Its name.
    pub build_id: String,
    /// Where it stands.
    pub status: VersionStatus,
    /// Workflows that are pinned to it and not over.
    pub open_runs: i64,
    /// When each process of it that asked for tasks lately last did, by the engine's clock.
    pub polled_at: Vec<DateTime<Utc>>,
}

/// All queues and versions, looked at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueuesSeen {
    /// The queues.
    pub queues: Vec<QueueSeen>,
    /// The versions; none where the engine keeps none apart.
    pub versions: Vec<VersionSeen>,
}
