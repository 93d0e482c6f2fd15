//! An administrator corrects a balance.

use domain::{
    event::BalanceCorrected,
    ids::{MovementId, UserId},
    ledger::Movement,
    money::Rupiah,
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry},
    boxed,
    events::Entry,
    idempotency::Claim,
    ledger,
    money_act::MoneyAct,
    new_id,
};

/// A correction to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewAdjustment<'a> {
    /// Whose balance.
    pub customer: UserId,
    /// Up or, when negative, down.
    pub amount: Rupiah,
    /// Why; the customer reads it.
    pub reason: &'a str,
}

/// A correction that was made.
#[derive(Debug, Clone)]
pub struct Adjustment {
    /// The movement.
    pub id: MovementId,
    /// Up or down.
    pub amount: Rupiah,
    /// The balance afterwards.
    pub balance: Rupiah,
}

impl Store {
    /// Corrects a balance, with an audit row and a notification. The same `request` again answers with the same
    /// correction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account, [`StoreError::InsufficientBalance`] when more is to be
    /// taken than is there, [`StoreError::Ledger`] when nothing is, [`StoreError::OwnMoney`] when the balance is the
    /// administrator's, [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn adjust_wallet(&self, new: &NewAdjustment<'_>, act: &MoneyAct) -> Result<Adjustment> {
        let id: Uuid = new_id();
        act.refuse_own(new.customer)?;
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = act.claim(&mut tx, id).await? {
            return read(&mut tx, earlier).await;
        }
        let known = sqlx::query_scalar!("SELECT id FROM users WHERE id = $1", new.customer.0);
        known.fetch_optional(&mut *tx).await?.ok_or(StoreError::NotFound("user"))?;
        let movement = Movement::adjustment(new.customer, id, new.amount)?;
        let before = ledger::lock_accounts(&mut tx, new.customer).await?.wallet;
        ledger::post(&mut tx, &movement, Some(new.reason)).await?;
        let adjustment = read(&mut tx, id).await?;
        let entry = AuditEntry {
            action: "wallet.adjust",
            object_kind: "user",
            object_id: Some(new.customer.0),
            before: Some(json!({ "balance": before })),
            after: Some(json!({
                "balance": adjustment.balance,
                "amount": new.amount,
                "reason": new.reason,
                "movement_id": adjustment.id,
            })),
        };
        audit::record(&mut tx, &act.origin, &entry).await?;
        tell(&mut tx, new, &adjustment).await?;
        tx.commit().await?;
        Ok(adjustment)
    }
}

async fn read(tx: &mut PgConnection, adjustment: Uuid) -> Result<Adjustment> {
    sqlx::query_as!(
        Adjustment,
        r#"SELECT m.id AS "id: MovementId", e.amount AS "amount: Rupiah", e.balance_after AS "balance!: Rupiah"
           FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
           WHERE m.cause = $1 AND e.balance_after IS NOT NULL"#,
        format!("adjustment/{adjustment}"),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("adjustment"))
}

async fn tell(tx: &mut PgConnection, new: &NewAdjustment<'_>, made: &Adjustment) -> Result<()> {
    let corrected =
        BalanceCorrected { movement_id: made.id, amount: new.amount, reason: new.reason.to_owned() };
    Entry::of(corrected).tell(tx, new.customer).await
}
