//! Work that keeps an installation true to its providers and to its books: what its workflows start with. Ids and
//! settings only.

use rust_decimal::Decimal;

use crate::{
    ids::{CatalogSyncId, LedgerCheckId, ReconciliationId},
    text_enum::text_enum,
};

text_enum! {
    /// Where a run stands.
    RunStatus {
        /// Asked for, not begun.
        Requested = "REQUESTED",
        /// Under way.
        Running = "RUNNING",
        /// Done.
        Completed = "COMPLETED",
        /// The provider or we were in the way; its workflow may be trying again.
        Failed = "FAILED",
    }
}

/// How patient a run is with its provider, or with the database. All durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UpkeepPolicy {
    /// Longest silence of a step before another worker takes over.
    pub heartbeat_timeout_ms: u64,
    /// First wait before a retryable failure is tried again; doubles up to `retry_max_ms`.
    pub retry_initial_ms: u64,
    /// Longest wait between two tries.
    pub retry_max_ms: u64,
    /// Retryable failures are retried this long in all; the next scheduled run begins afresh.
    pub give_up_after_ms: u64,
}

impl Default for UpkeepPolicy {
    /// The production values: half an hour of retries.
    fn default() -> Self {
        Self {
            heartbeat_timeout_ms: 30_000,
            retry_initial_ms: 1_000,
            retry_max_ms: 60_000,
            give_up_after_ms: 30 * 60_000,
        }
    }
}

impl UpkeepPolicy {
    /// The production values for the books, which take long where there are many orders: six hours in all.
    #[must_use]
    pub fn of_the_books() -> Self {
        Self { give_up_after_ms: 6 * 3_600_000, ..Self::default() }
    }
}

/// What the upkeep of the books starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerUpkeepStart {
    /// The record of the check, when somebody asked for it; a scheduled run makes its own.
    pub check_id: Option<LedgerCheckId>,
    /// How patient it is.
    pub policy: UpkeepPolicy,
}

/// What a sync of a provider's catalog starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CatalogSyncStart {
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// The record of the run, when somebody asked for it; a scheduled run makes its own.
    pub sync_id: Option<CatalogSyncId>,
    /// How patient it is.
    pub policy: UpkeepPolicy,
}

/// How a provider is compared with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReconcileSettings {
    /// Rupiah for one US dollar.
    pub usd_idr: Decimal,
    /// How long a server nobody wants stays powered off before it is deleted, in milliseconds.
    pub quarantine_ms: u64,
    /// Whether findings are only reported: nothing changes, neither at the provider nor in the database.
    pub dry_run: bool,
    /// How many newly unwanted servers somebody saw and confirmed. Without that number, exactly, a run that finds more than
    /// [`crate::reconciliation::most_at_once`] leaves them alone.
    #[serde(default)]
    pub confirmed_unwanted: Option<u32>,
}

impl Default for ReconcileSettings {
    /// Reports only; a week of quarantine where it may act.
    fn default() -> Self {
        Self {
            usd_idr: Decimal::new(16_500, 0),
            quarantine_ms: 7 * 24 * 3_600_000,
            dry_run: true,
            confirmed_unwanted: None,
        }
    }
}

/// What a comparison of a provider with the database starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReconcileStart {
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// The record of the run, when somebody asked for it; a scheduled run makes its own.
    pub reconciliation_id: Option<ReconciliationId>,
    /// What it may do.
    pub settings: ReconcileSettings,
    /// How patient it is.
    pub policy: UpkeepPolicy,
}

/// What a look for servers that surfaced late starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreateWatchStart {
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// How long what is switched off stays before it is deleted, and what it costs.
    pub settings: ReconcileSettings,
    /// How patient it is.
    pub policy: UpkeepPolicy,
}

/// Workflow id of a sync of a provider's catalog that somebody asked for.
#[must_use]
pub fn catalog_sync_workflow_id(provider: &str, sync: CatalogSyncId) -> String {
    format!("catalog-sync/{provider}/{sync}")
}

/// Workflow id of a comparison that somebody asked for.
#[must_use]
pub fn reconcile_workflow_id(provider: &str, reconciliation: ReconciliationId) -> String {
    format!("reconcile/{provider}/{reconciliation}")
}

/// Workflow id of an upkeep of the books that somebody asked for.
#[must_use]
pub fn ledger_upkeep_workflow_id(check: LedgerCheckId) -> String {
    format!("ledger-upkeep/{check}")
}
