//! The books in the database. [`domain::ledger`] makes the movements; the tables refuse what does not balance, what
//! was booked before, what takes more than a customer has, and every change of what is written.
//!
//! Within a transaction the accounts of a customer are locked after all rows ([`crate::locks`]), and always both of them in the
//! order of their ids.

mod check;
mod checks;
mod revenue;

use domain::{
    ids::{InvoiceId, MovementId, OrderId, UserId},
    ledger::{AccountKind, Entry, Movement, Position, Service},
    money::Rupiah,
};
use sqlx::PgConnection;

pub(crate) use revenue::recognise;

pub use check::{AccountTotal, Finding, LedgerReport};
pub use checks::{LedgerCheck, LedgerCheckResult};
pub use revenue::Recognised;

use crate::{Result, Store, awaited_money, boxed, crash_point::crash_point, new_id};

/// What a customer has with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balances {
    /// Can be spent.
    pub wallet: Rupiah,
    /// Is set aside for orders.
    pub holds: Rupiah,
}

impl Store {
    /// Books one movement by itself, such as a gateway's payout. `false` when its cause was booked before.
    ///
    /// # Errors
    /// [`crate::StoreError::InsufficientBalance`] when the customer has less than that.
    #[boxed]
    pub async fn book(&self, movement: &Movement) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let booked = post(&mut tx, movement, None).await?;
        tx.commit().await?;
        Ok(booked)
    }

    /// Where the money of a service is.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn position(&self, service: Service) -> Result<Position> {
        position(&mut *self.pool.acquire().await?, service).await
    }
}

/// Books a movement within the caller's transaction: all of it or nothing. `false` when its cause was booked before;
/// [`crate::StoreError::InsufficientBalance`] when the customer has less than that.
pub(crate) async fn post(tx: &mut PgConnection, movement: &Movement, memo: Option<&str>) -> Result<bool> {
    if let Some(customer) = movement.customer().filter(|_| movement.entries().iter().any(is_customers)) {
        lock_accounts(tx, customer).await?;
        crash_point("ledger.accounts_locked");
    }
    let (order, invoice) = movement.service().map_or((None, None), columns);
    let kinds: Vec<String> = movement.entries().iter().map(|e| e.account.as_str().to_owned()).collect();
    let amounts: Vec<i64> = movement.entries().iter().map(|e| e.amount.get()).collect();
    let written = sqlx::query!(
        "WITH movement AS (
             INSERT INTO ledger_movements (id, kind, cause, customer_id, order_id, payment_id, memo, invoice_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $10) ON CONFLICT (cause) DO NOTHING RETURNING id)
         INSERT INTO ledger_entries (movement_id, account_id, amount)
         SELECT movement.id, a.id, e.amount
         FROM movement, unnest($8::text[], $9::bigint[]) AS e (kind, amount)
         JOIN ledger_accounts a ON a.kind = e.kind AND (a.owner_id IS NULL OR a.owner_id = $4)
         ORDER BY a.id",
        new_id::<MovementId>().0,
        movement.kind().as_str(),
        movement.cause(),
        movement.customer().map(|id| id.0),
        order.map(|id| id.0),
        movement.payment().map(|id| id.0),
        memo,
        &kinds,
        &amounts,
        invoice.map(|id| id.0),
    )
    .execute(&mut *tx)
    .await?;
    crash_point("ledger.posted");
    let is_new = written.rows_affected() > 0;
    if let Some(customer) =
        movement.customer().filter(|_| is_new && movement.entries().iter().any(adds_to_wallet))
    {
        awaited_money::arrived(tx, customer).await?;
    }
    Ok(is_new)
}

/// The columns that name a service, of which one is null.
const fn columns(service: Service) -> (Option<OrderId>, Option<InvoiceId>) {
    match service {
        Service::Order(order) => (Some(order), None),
        Service::Invoice(invoice) => (None, Some(invoice)),
    }
}

const fn is_customers(entry: &Entry) -> bool {
    entry.account.is_customers()
}

fn adds_to_wallet(entry: &Entry) -> bool {
    entry.account == AccountKind::CustomerWallet && entry.amount > Rupiah::ZERO
}

/// What a customer has, as of now.
pub(crate) async fn balances(connection: &mut PgConnection, customer: UserId) -> Result<Balances> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(balance) FILTER (WHERE kind = 'CUSTOMER_WALLET'), 0)::bigint AS "wallet!: Rupiah",
                  coalesce(sum(balance) FILTER (WHERE kind = 'CUSTOMER_HOLDS'), 0)::bigint AS "holds!: Rupiah"
           FROM ledger_accounts WHERE owner_id = $1"#,
        customer.0,
    )
    .fetch_one(connection)
    .await?;
    Ok(Balances { wallet: row.wallet, holds: row.holds })
}

/// Locks a customer's accounts until the caller's transaction ends, making them first if need be. Answers with what is
/// on them.
pub(crate) async fn lock_accounts(tx: &mut PgConnection, customer: UserId) -> Result<Balances> {
    if let Some(balances) = try_lock(tx, customer).await? {
        return Ok(balances);
    }
    sqlx::query!(
        "INSERT INTO ledger_accounts (kind, owner_id, balance)
         VALUES ('CUSTOMER_WALLET', $1, 0), ('CUSTOMER_HOLDS', $1, 0) ON CONFLICT (kind, owner_id) DO NOTHING",
        customer.0,
    )
    .execute(&mut *tx)
    .await?;
    Ok(try_lock(tx, customer).await?.unwrap_or_default())
}

async fn try_lock(tx: &mut PgConnection, customer: UserId) -> Result<Option<Balances>> {
    let rows = sqlx::query!(
        r#"SELECT kind AS "kind: AccountKind", balance AS "balance!: Rupiah" FROM ledger_accounts
           WHERE owner_id = $1 ORDER BY id FOR NO KEY UPDATE"#,
        customer.0,
    )
    .fetch_all(tx)
    .await?;
    let on = |kind| rows.iter().find(|row| row.kind == kind).map(|row| row.balance);
    Ok(on(AccountKind::CustomerWallet)
        .zip(on(AccountKind::CustomerHolds))
        .map(|(wallet, holds)| Balances { wallet, holds }))
}

/// Where the money of a service is. Its order or invoice must be locked when something is to be done with it.
pub(crate) async fn position(connection: &mut PgConnection, service: Service) -> Result<Position> {
    let (order, invoice) = columns(service);
    let sums = sqlx::query!(
        r#"SELECT a.kind AS "kind: AccountKind", sum(e.amount)::bigint AS "amount!: Rupiah"
           FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
           JOIN ledger_accounts a ON a.id = e.account_id
           WHERE m.order_id = $1 OR m.invoice_id = $2 GROUP BY a.kind"#,
        order.map(|id| id.0),
        invoice.map(|id| id.0),
    )
    .fetch_all(connection)
    .await?;
    let mut position = Position::default();
    for sum in sums {
        position.add(Entry { account: sum.kind, amount: sum.amount })?;
    }
    Ok(position)
}
