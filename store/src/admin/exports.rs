//! Taking everything of a kind out of the database: a thousand rows at a time, all from one state of it, by the same queries
//! as the lists. What is taken out, by whom, is in the audit log before the first row is read.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InstanceId, InvoiceId, MovementId, OrderId, PaymentId, UserId},
    ledger::{AccountKind, MovementKind},
    sorting::{AuditSort, InstanceSort, InvoiceSort, OrderSort, PaymentSort, UserSort},
};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    AuditEntry, AuditFilter, InstanceFilter, InstanceSummary, InvoiceDetail, InvoiceFilter, OrderFilter,
    OrderSummary, PaymentDetail, PaymentFilter, UserFilter, UserSummary, audit_log, instances, invoices,
    orders, payments, users,
};
use crate::{
    Result, Store, StoreError,
    audit::{self, Origin},
    boxed, new_id,
    page::{SortCursor, SortKey, SortedRequest},
    pool::Transaction,
};

/// Rows that are read at a time.
const BATCH: i64 = 1_000;

/// Longest time that a snapshot waits to be asked for more rows: after that the server ends it.
pub const EXPORT_PATIENCE: Duration = Duration::from_secs(60);

/// One state of the database, to be read through. It is given up when it is dropped.
///
/// While one is there, Postgres keeps what was deleted since, so there are two at a time at most, and who has one reads on or
/// drops it.
pub struct Snapshot {
    tx: Transaction,
    at: DateTime<Utc>,
    _place: OwnedSemaphorePermit,
}

/// Which entries of the books are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// Only movements from then on.
    pub since: Option<DateTime<Utc>>,
    /// Only movements before then.
    pub before: Option<DateTime<Utc>>,
    /// Only movements of this kind.
    pub kind: Option<MovementKind>,
    /// Only entries in accounts of this kind.
    pub account: Option<AccountKind>,
    /// Only movements of this customer's money.
    pub customer: Option<UserId>,
}

/// An entry of the books with its movement.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    /// Its number, in the order in which entries were written.
    pub id: i64,
    /// The movement it belongs to: its entries sum to zero.
    pub movement_id: MovementId,
    /// When the money moved.
    pub at: DateTime<Utc>,
    /// Why.
    pub kind: MovementKind,
    /// What brought it about; no two movements have the same.
    pub cause: String,
    /// The account's kind.
    pub account: AccountKind,
    /// Whose account it is; `None` for the house's.
    pub owner_id: Option<UserId>,
    /// A positive amount is a credit, a negative one a debit.
    pub amount: Rupiah,
    /// A customer's account after it; `None` for the house's.
    pub balance_after: Option<Rupiah>,
    /// Whose money moved.
    pub customer_id: Option<UserId>,
    /// The order it is about.
    pub order_id: Option<OrderId>,
    /// The invoice it is about, where it belongs to no order.
    pub invoice_id: Option<InvoiceId>,
    /// The payment that brought it.
    pub payment_id: Option<PaymentId>,
    /// A remark.
    pub memo: Option<String>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Snapshot").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Store {
    /// Begins to take out everything of a kind that `filters` leave, with an audit row that stays whatever becomes of it.
    ///
    /// # Errors
    /// [`StoreError::TooManyExports`] when as many are under way in this process as may be.
    #[boxed]
    pub async fn begin_export(&self, kind: &str, filters: Value, origin: &Origin) -> Result<Snapshot> {
        let place = Arc::clone(&self.exports).try_acquire_owned().map_err(|_| StoreError::TooManyExports)?;
        let id: Uuid = new_id();
        let act = audit::AuditEntry {
            action: "export.started",
            object_kind: "export",
            object_id: Some(id),
            before: None,
            after: Some(json!({ "kind": kind, "filters": filters })),
        };
        let mut tx = self.pool.begin().await?;
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.snapshot(place).await
    }

    async fn snapshot(&self, place: OwnedSemaphorePermit) -> Result<Snapshot> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        // The reader may take its time for a batch. A plan made for any cursor at all would read each batch from the table's
        // beginning.
        sqlx::query(
            "SELECT set_config('idle_in_transaction_session_timeout', $1, true),
                    set_config('plan_cache_mode', 'force_custom_plan', true)",
        )
        .bind(format!("{}ms", EXPORT_PATIENCE.as_millis()))
        .execute(&mut *tx)
        .await?;
        let at = sqlx::query_scalar!(r#"SELECT now() AS "at!""#).fetch_one(&mut *tx).await?;
        Ok(Snapshot { tx, at, _place: place })
    }
}

/// What follows a row of a list from the oldest on: `BATCH` rows, as [`SortedRequest::fetch`] asks for one more.
fn after(last: Option<Uuid>) -> SortedRequest {
    SortedRequest { after: last.map(|id| SortCursor { key: SortKey::Age, id }), limit: BATCH - 1 }
}

/// Each reads the next rows behind the last one that was read, the oldest first; none are left when none come.
///
/// # Errors
/// [`StoreError::Db`] when the database does not answer, or the snapshot was ended for want of a reader.
impl Snapshot {
    /// When it was taken, by the database's clock.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Orders.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn orders(&mut self, filter: &OrderFilter, last: Option<OrderId>) -> Result<Vec<OrderSummary>> {
        orders::rows(&mut *self.tx, filter, OrderSort::Oldest, &after(last.map(|id| id.0))).await
    }

    /// Invoices.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn invoices(
        &mut self,
        filter: &InvoiceFilter,
        last: Option<InvoiceId>,
    ) -> Result<Vec<InvoiceDetail>> {
        invoices::rows(&mut *self.tx, filter, InvoiceSort::Oldest, &after(last.map(|id| id.0))).await
    }

    /// Payments.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn payments(
        &mut self,
        filter: &PaymentFilter,
        last: Option<PaymentId>,
    ) -> Result<Vec<PaymentDetail>> {
        payments::rows(&mut *self.tx, filter, PaymentSort::Oldest, &after(last.map(|id| id.0))).await
    }

    /// Accounts.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn users(&mut self, filter: &UserFilter, last: Option<UserId>) -> Result<Vec<UserSummary>> {
        users::rows(&mut *self.tx, filter, UserSort::Oldest, &after(last.map(|id| id.0))).await
    }

    /// Servers.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn instances(
        &mut self,
        filter: &InstanceFilter,
        last: Option<InstanceId>,
    ) -> Result<Vec<InstanceSummary>> {
        instances::rows(&mut *self.tx, filter, InstanceSort::Oldest, &after(last.map(|id| id.0))).await
    }

    /// The audit log.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn audit_log(&mut self, filter: &AuditFilter, last: Option<Uuid>) -> Result<Vec<AuditEntry>> {
        audit_log::rows(&mut *self.tx, filter, AuditSort::Oldest, &after(last)).await
    }

    /// The books' entries with their movements.
    ///
    /// # Errors
    /// As all of them.
    #[boxed]
    pub async fn ledger_entries(
        &mut self,
        filter: &EntryFilter,
        last: Option<i64>,
    ) -> Result<Vec<LedgerEntry>> {
        Ok(sqlx::query_as!(
            LedgerEntry,
            r#"SELECT e.id, e.movement_id AS "movement_id: MovementId", m.at, m.kind AS "kind: MovementKind", m.cause,
                      a.kind AS "account: AccountKind", a.owner_id AS "owner_id: UserId", e.amount AS "amount: Rupiah",
                      e.balance_after AS "balance_after: Rupiah", m.customer_id AS "customer_id: UserId",
                      m.order_id AS "order_id: OrderId", m.invoice_id AS "invoice_id: InvoiceId",
                      m.payment_id AS "payment_id: PaymentId", m.memo
               FROM ledger_entries e
               JOIN ledger_movements m ON m.id = e.movement_id
               JOIN ledger_accounts a ON a.id = e.account_id
               WHERE ($1::timestamptz IS NULL OR m.at >= $1) AND ($2::timestamptz IS NULL OR m.at < $2)
                 AND ($3::text IS NULL OR m.kind = $3) AND ($4::text IS NULL OR a.kind = $4)
                 AND ($5::uuid IS NULL OR m.customer_id = $5) AND ($6::bigint IS NULL OR e.id > $6)
               ORDER BY e.id LIMIT $7"#,
            filter.since,
            filter.before,
            filter.kind.map(MovementKind::as_str),
            filter.account.map(AccountKind::as_str),
            filter.customer.map(|customer| customer.0),
            last,
            BATCH,
        )
        .fetch_all(&mut *self.tx)
        .await?)
    }
}
