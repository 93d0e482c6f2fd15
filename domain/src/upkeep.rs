//! Work that keeps an installation true to its providers and to its books: what its workflows start with. Ids and
//! settings only.

use rust_decimal::Decimal;

use crate::{
    ids::{CatalogSyncId, LedgerCheckId, ReconciliationId},
    policy::StepPolicy,
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

/// What the upkeep of the books starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerUpkeepStart {
    /// The record of the check, when somebody asked for it; a scheduled run makes its own.
    pub check_id: Option<LedgerCheckId>,
    /// How patient it is.
    pub policy: StepPolicy,
}

/// What a sync of a provider's catalog starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CatalogSyncStart {
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// The record of the run, when somebody asked for it; a scheduled run makes its own.
    pub sync_id: Option<CatalogSyncId>,
    /// How patient it is.
    pub policy: StepPolicy,
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
    pub policy: StepPolicy,
}

/// What a look for servers that surfaced late starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreateWatchStart {
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// How long what is switched off stays before it is deleted, and what it costs.
    pub settings: ReconcileSettings,
    /// How patient it is.
    pub policy: StepPolicy,
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
