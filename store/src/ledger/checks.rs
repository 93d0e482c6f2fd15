//! Checks of the books that were done or asked for. What they found stays as it was found.

use chrono::{DateTime, Utc};
use domain::{
    event::LedgerUnsound,
    ids::{LedgerCheckId, UserId},
    outbox::Message,
    sorting::AgeSort,
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{AccountTotal, Finding, LedgerReport};
use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    new_id, outbox,
    page::{Page, SortCursor, SortedRequest},
};

/// One check of the books.
#[derive(Debug, Clone)]
pub struct LedgerCheck {
    /// Its id, also the cursor of lists.
    pub id: LedgerCheckId,
    /// Who asked; `None` when it was due.
    pub requested_by: Option<UserId>,
    /// When it was asked for or began.
    pub created_at: DateTime<Utc>,
    /// What it came to, once it is done.
    pub result: Option<LedgerCheckResult>,
}

/// What a check of the books came to.
#[derive(Debug, Clone)]
pub struct LedgerCheckResult {
    /// Whether every rule holds.
    pub sound: bool,
    /// How many movements there were.
    pub movements: i64,
    /// How many entries they had.
    pub entries: i64,
    /// How many movements of revenue were written before; `None` when that could not be finished.
    pub recognised: Option<i64>,
    /// Each rule, with the cases where it did not hold.
    pub findings: Vec<Finding>,
    /// The trial balance.
    pub accounts: Vec<AccountTotal>,
    /// When it was done.
    pub finished_at: DateTime<Utc>,
}

impl LedgerCheckResult {
    /// The rules that did not hold.
    pub fn broken(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().filter(|finding| finding.count > 0).map(|finding| finding.rule.as_ref())
    }
}

/// Checks in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_checks {
    ($on:expr, $sound:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.requested_by, c.created_at, r.sound AS "sound?", r.movements AS "movements?",
                      r.entries AS "entries?", r.recognised, r.findings AS "findings?: Json<Vec<Finding>>",
                      r.accounts AS "accounts?: Json<Vec<AccountTotal>>", r.finished_at AS "finished_at?"
               FROM ledger_checks c LEFT JOIN ledger_check_results r ON r.check_id = c.id
               WHERE ($1::boolean IS NULL OR r.sound = $1)
                 AND ($2::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $4",
            $sound,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Asks for a check of the books, which the worker of `upkeep` does after it has recognised revenue.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn request_ledger_check(&self, user: UserId, origin: &Origin) -> Result<LedgerCheck> {
        let mut tx = self.pool.begin().await?;
        let id: LedgerCheckId = new_id();
        sqlx::query!("INSERT INTO ledger_checks (id, requested_by) VALUES ($1, $2)", id.0, user.0)
            .execute(&mut *tx)
            .await?;
        outbox::enqueue(&mut tx, &Message::CheckLedger { check_id: id }).await?;
        let act = AuditEntry {
            action: "ledger.check",
            object_kind: "ledger_check",
            object_id: Some(id.0),
            before: None,
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.ledger_check(id).await
    }

    /// Begins a check: the one that was asked for, or one that was due, which `run_key` names. Beginning the same one
    /// again answers with the same id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when nobody asked for the check that is named.
    #[boxed]
    pub async fn begin_ledger_check(
        &self,
        asked_for: Option<LedgerCheckId>,
        run_key: &str,
    ) -> Result<LedgerCheckId> {
        if let Some(id) = asked_for {
            return Ok(self.ledger_check(id).await?.id);
        }
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO ledger_checks (id, run_key) VALUES ($1, $2) ON CONFLICT (run_key) DO NOTHING",
            new_id::<Uuid>(),
            run_key,
        )
        .execute(&mut *tx)
        .await?;
        let id = sqlx::query_scalar!("SELECT id FROM ledger_checks WHERE run_key = $1", run_key)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(id.into())
    }

    /// Keeps what a check found, and tells administrators when the books are not sound. A check has one result: the
    /// first is kept and answered with.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such check.
    #[boxed]
    pub async fn keep_ledger_check(
        &self,
        check: LedgerCheckId,
        recognised: Option<u64>,
        report: &LedgerReport,
    ) -> Result<LedgerCheckResult> {
        let mut tx = self.pool.begin().await?;
        let written = sqlx::query!(
            "INSERT INTO ledger_check_results (check_id, sound, movements, entries, recognised, findings, accounts)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (check_id) DO NOTHING",
            check.0,
            report.sound,
            report.movements,
            report.entries,
            recognised.map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
            serde_json::to_value(&report.findings)?,
            serde_json::to_value(&report.accounts)?,
        )
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() > 0 && !report.sound {
            tell_administrators(&mut tx, check, report).await?;
        }
        tx.commit().await?;
        self.ledger_check(check).await?.result.ok_or(StoreError::NotFound("ledger check"))
    }

    /// A check of the books.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such check.
    #[boxed]
    pub async fn ledger_check(&self, id: LedgerCheckId) -> Result<LedgerCheck> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.requested_by, c.created_at, r.sound AS "sound?", r.movements AS "movements?",
                      r.entries AS "entries?", r.recognised, r.findings AS "findings?: Json<Vec<Finding>>",
                      r.accounts AS "accounts?: Json<Vec<AccountTotal>>", r.finished_at AS "finished_at?"
               FROM ledger_checks c LEFT JOIN ledger_check_results r ON r.check_id = c.id WHERE c.id = $1"#,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Row::check).ok_or(StoreError::NotFound("ledger check"))
    }

    /// Checks of the books, on request only those that found them sound or not.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn ledger_checks(
        &self,
        sound: Option<bool>,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<LedgerCheck, SortCursor>> {
        let rows = match sort {
            AgeSort::Newest => select_checks!(&self.pool, sound, page, "c.id < $3", "c.id DESC"),
            AgeSort::Oldest => select_checks!(&self.pool, sound, page, "c.id > $3", "c.id"),
        };
        Ok(page.cut_by_age(rows.into_iter().map(Row::check).collect(), |check: &LedgerCheck| check.id.0))
    }
}

/// A check with its result's columns, which are there together or not at all.
struct Row {
    id: Uuid,
    requested_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    sound: Option<bool>,
    movements: Option<i64>,
    entries: Option<i64>,
    recognised: Option<i64>,
    findings: Option<Json<Vec<Finding>>>,
    accounts: Option<Json<Vec<AccountTotal>>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn check(self) -> LedgerCheck {
        let result = (|| {
            Some(LedgerCheckResult {
                sound: self.sound?,
                movements: self.movements?,
                entries: self.entries?,
                recognised: self.recognised,
                findings: self.findings?.0,
                accounts: self.accounts?.0,
                finished_at: self.finished_at?,
            })
        })();
        LedgerCheck {
            id: self.id.into(),
            requested_by: self.requested_by.map(UserId),
            created_at: self.created_at,
            result,
        }
    }
}

async fn tell_administrators(
    tx: &mut PgConnection,
    check: LedgerCheckId,
    report: &LedgerReport,
) -> Result<()> {
    let broken = report.findings.iter().filter(|finding| finding.count > 0);
    let broken = broken.map(|finding| finding.rule.to_string()).collect();
    Entry::of(LedgerUnsound { ledger_check_id: check, broken }).tell_administrators(tx).await
}
