//! The books: what the accounts sum up to, and the checks that prove them.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{LedgerCheckId, UserId},
    ledger::AccountKind,
    sorting::AgeSort,
};
use serde::{Deserialize, Serialize};
use store::ledger::{AccountTotal, Finding, LedgerCheck};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which checks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CheckQuery {
    /// Only those that found the books sound, or only those that did not.
    #[param(example = false)]
    sound: Option<bool>,
}

/// One check of the books.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLedgerCheck {
    id: LedgerCheckId,
    /// Who asked; null when it was due.
    requested_by: Option<UserId>,
    /// Whether every rule held; null until it is done, as all that follows.
    #[schema(example = true)]
    sound: Option<bool>,
    /// The rules that did not hold.
    #[schema(example = json!([]))]
    broken: Vec<String>,
    /// How many movements there were.
    #[schema(example = 12_480)]
    movements: Option<i64>,
    /// How many entries they had.
    #[schema(example = 31_200)]
    entries: Option<i64>,
    /// How many movements of earned revenue were written just before; null when that could not be finished.
    #[schema(example = 310)]
    recognised: Option<i64>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// A check with all that it found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLedgerCheckDetail {
    #[serde(flatten)]
    check: AdminLedgerCheck,
    /// Each rule, with the cases where it did not hold.
    findings: Vec<AdminLedgerFinding>,
    /// The trial balance at that moment.
    accounts: Vec<AdminAccountTotal>,
}

/// One rule of the books.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLedgerFinding {
    /// The rule.
    #[schema(example = "every movement sums to zero")]
    rule: String,
    /// How many cases there are where it does not hold.
    #[schema(example = 0)]
    count: usize,
    /// The first of them, in words.
    #[schema(example = json!([]))]
    cases: Vec<String>,
}

/// The sums of the books.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminTrialBalance {
    accounts: Vec<AdminAccountTotal>,
}

/// All accounts of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminAccountTotal {
    account: AccountKind,
    /// How many there are.
    #[schema(example = 1)]
    accounts: i64,
    /// Sum of the debits, as a positive number of whole rupiah.
    #[schema(example = 133_200)]
    debits: Rupiah,
    /// Sum of the credits.
    #[schema(example = 0)]
    credits: Rupiah,
    /// Credits less debits.
    #[schema(example = -133_200)]
    balance: Rupiah,
}

impl From<&LedgerCheck> for AdminLedgerCheck {
    fn from(check: &LedgerCheck) -> Self {
        let result = check.result.as_ref();
        Self {
            id: check.id,
            requested_by: check.requested_by,
            sound: result.map(|done| done.sound),
            broken: result.map(|done| done.broken().map(str::to_owned).collect()).unwrap_or_default(),
            movements: result.map(|done| done.movements),
            entries: result.map(|done| done.entries),
            recognised: result.and_then(|done| done.recognised),
            created_at: check.created_at,
            finished_at: result.map(|done| done.finished_at),
        }
    }
}

impl From<Finding> for AdminLedgerFinding {
    fn from(finding: Finding) -> Self {
        Self { rule: finding.rule.into_owned(), count: finding.count, cases: finding.cases }
    }
}

impl From<AccountTotal> for AdminAccountTotal {
    fn from(total: AccountTotal) -> Self {
        Self {
            account: total.account,
            accounts: total.accounts,
            debits: total.debits,
            credits: total.credits,
            balance: total.balance,
        }
    }
}

/// List checks of the books, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/ledger/checks", tag = "admin", operation_id = "admin_list_ledger_checks",
    security(("bearer" = [])), params(SortedPaging<AgeSort>, CheckQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminLedgerCheck>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AgeSort>,
    Params(query): Params<CheckQuery>,
) -> Result<Paged<AdminLedgerCheck>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.ledger_checks(query.sound, sort, request).await?;
    Ok(Paged::sorted(page, sort, |check| AdminLedgerCheck::from(&check)))
}

/// Read one check of the books with every rule and the trial balance.
#[utoipa::path(
    get, path = "/admin/ledger/checks/{id}", tag = "admin", operation_id = "admin_get_ledger_check",
    security(("bearer" = [])), params(("id" = LedgerCheckId, Path, description = "The check.")),
    responses((status = 200, description = "The check; without findings until it is done.", body = AdminLedgerCheckDetail))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<LedgerCheckId>,
) -> Result<Json<AdminLedgerCheckDetail>, Problem> {
    let check = state.store.ledger_check(id).await?;
    let shown = AdminLedgerCheck::from(&check);
    let (findings, accounts) = check.result.map(|done| (done.findings, done.accounts)).unwrap_or_default();
    Ok(Json(AdminLedgerCheckDetail {
        check: shown,
        findings: findings.into_iter().map(AdminLedgerFinding::from).collect(),
        accounts: accounts.into_iter().map(AdminAccountTotal::from).collect(),
    }))
}

/// Recognise revenue and check the books now, instead of when it is due. The worker of `upkeep` does it; watch the check.
#[utoipa::path(
    post, path = "/admin/ledger/checks", tag = "admin", operation_id = "admin_request_ledger_check",
    security(("bearer" = [])),
    responses((status = 202, description = "The check, which is about to begin.", body = AdminLedgerCheck))
)]
pub(super) async fn request(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<AdminLedgerCheck>), Problem> {
    let check = state.store.request_ledger_check(admin.id, &client.origin(admin.actor())).await?;
    Ok((StatusCode::ACCEPTED, Json(AdminLedgerCheck::from(&check))))
}

/// Read what each kind of account sums up to now. It adds up every entry there is.
#[utoipa::path(
    get, path = "/admin/ledger/trial-balance", tag = "admin", operation_id = "admin_get_trial_balance",
    security(("bearer" = [])),
    responses((status = 200, description = "The sums; the balances of all accounts sum to zero.", body = AdminTrialBalance))
)]
pub(super) async fn trial_balance(
    _: Staff,
    State(state): State<AppState>,
) -> Result<Json<AdminTrialBalance>, Problem> {
    let accounts = state.store.trial_balance().await?;
    Ok(Json(AdminTrialBalance { accounts: accounts.into_iter().map(AdminAccountTotal::from).collect() }))
}
