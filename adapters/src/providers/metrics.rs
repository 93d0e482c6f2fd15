//! How busy a server was.

use chrono::{DateTime, Utc};
use domain::instance::Capability;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// CPU use in percent of all its processors.
    Cpu,
    /// Memory in use, in percent.
    Memory,
    /// Disk activity, in operations or bytes a second as the provider tells it (see [`Series::unit`]).
    Disk,
    /// Traffic.
    Network,
}

impl MetricKind {
    /// What a provider must be capable of to tell it.
    #[must_use]
    pub const fn capability(self) -> Capability {
        match self {
            Self::Cpu => Capability::MetricsCpu,
            Self::Memory => Capability::MetricsMemory,
            Self::Disk => Capability::MetricsDisk,
            Self::Network => Capability::MetricsNetwork,
        }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsQuery {
    /// What to measure.
    pub kind: MetricKind,
    /// From when.
    pub start: DateTime<Utc>,
    /// Until when.
    pub end: DateTime<Utc>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it shows: `cpu`, `memory`, `read`, `write`, `io` (both together), `inbound`,
    /// `outbound`.
    pub name: String,
    /// Unit of the values: `percent`, `bytes_per_second`, `operations_per_second`, `bytes_per_day`.
    pub unit: &'static str,
    /// The values, oldest first.
    pub points: Vec<(DateTime<Utc>, f64)>,
}
