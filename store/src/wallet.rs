//! Customers' balances: reading them, putting money in, correcting them by hand. What orders take from them and give
//! back is in [`crate::payments`] and [`crate::refunds`]; all of it moves by [`crate::ledger`].

mod adjustment;
mod deposits;
mod statement;

use domain::ids::UserId;

pub use adjustment::{Adjustment, NewAdjustment};
pub(crate) use deposits::settle_deposit;
pub use deposits::{Deposit, NewDeposit, OpenedDeposit};
pub use statement::{StatementFilter, Transaction};

use crate::{Result, Store, boxed, ledger::Balances};

impl Store {
    /// What a customer can spend, and what is set aside. Nothing for somebody who never had any.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn wallet(&self, owner: UserId) -> Result<Balances> {
        Ok(sqlx::query_as!(
            Balances,
            r#"SELECT coalesce(sum(balance) FILTER (WHERE kind = 'CUSTOMER_WALLET'), 0)::bigint AS "wallet!: _",
                      coalesce(sum(balance) FILTER (WHERE kind = 'CUSTOMER_HOLDS'), 0)::bigint AS "holds!: _"
               FROM ledger_accounts WHERE owner_id = $1"#,
            owner.0,
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
