//! What moved a balance, entry by entry.

use chrono::{DateTime, Utc};
use domain::{
    ids::{MovementId, OrderId, PaymentId, UserId},
    ledger::MovementKind,
    money::Rupiah,
};
use uuid::Uuid;

use crate::{
    Result, Store, boxed,
    page::{Page, PageRequest},
};

/// One line of a statement.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The movement.
    pub id: MovementId,
    /// Its place among all entries: later ones are higher.
    pub number: i64,
    /// What it was.
    pub kind: MovementKind,
    /// What it did to the balance.
    pub amount: Rupiah,
    /// The balance afterwards.
    pub balance: Rupiah,
    /// The order it is about.
    pub order_id: Option<OrderId>,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// Why, when somebody said why.
    pub memo: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which lines are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatementFilter {
    /// Only this kind.
    pub kind: Option<MovementKind>,
    /// Only from then on.
    pub from: Option<DateTime<Utc>>,
    /// Only before then.
    pub until: Option<DateTime<Utc>>,
}

impl Store {
    /// What moved a customer's balance, newest first, with the balance after each. The cursor is a line's number in
    /// the shape of an id.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn wallet_statement(
        &self,
        owner: UserId,
        filter: &StatementFilter,
        page: PageRequest,
    ) -> Result<Page<Transaction>> {
        let before = page.before.map(|cursor| i64::try_from(cursor.as_u128()).unwrap_or(i64::MAX));
        let rows = sqlx::query_as!(
            Transaction,
            r#"SELECT m.id AS "id: MovementId", e.id AS number, m.kind AS "kind: MovementKind", e.amount AS "amount: Rupiah",
                      e.balance_after AS "balance!: Rupiah", m.order_id AS "order_id: OrderId",
                      m.payment_id AS "payment_id: PaymentId", m.memo, m.at
               FROM ledger_accounts a
               JOIN ledger_entries e ON e.account_id = a.id
               JOIN ledger_movements m ON m.id = e.movement_id
               WHERE a.owner_id = $1 AND a.kind = 'CUSTOMER_WALLET' AND ($2::bigint IS NULL OR e.id < $2)
                 AND ($3::text IS NULL OR m.kind = $3) AND ($4::timestamptz IS NULL OR m.at >= $4)
                 AND ($5::timestamptz IS NULL OR m.at < $5)
               ORDER BY e.id DESC LIMIT $6"#,
            owner.0,
            before,
            filter.kind.map(MovementKind::as_str),
            filter.from,
            filter.until,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |row| Uuid::from_u128(u128::from(row.number.unsigned_abs()))))
    }
}
