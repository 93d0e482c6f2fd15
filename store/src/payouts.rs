//! What payment gateways pay out to our bank account of what they took in for us, less their fees.

use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::MovementId, ledger::Movement};
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, Act, Origin},
    ledger,
    page::{Page, PageRequest},
};

/// A payout to be booked.
#[derive(Debug, Clone, Copy)]
pub struct NewPayout<'a> {
    /// Slug of the gateway.
    pub gateway: &'a str,
    /// The gateway's name for it, as on its statement: the same one again is not booked again.
    pub reference: &'a str,
    /// What it took in for us.
    pub gross: Rupiah,
    /// What it kept of that.
    pub fee: Rupiah,
}

/// A payout that is booked.
#[derive(Debug, Clone)]
pub struct Payout {
    /// The movement, also the cursor of lists.
    pub id: MovementId,
    /// What was booked, such as `payout/midtrans/2026-11-28`.
    pub cause: String,
    /// What the gateway had taken in for us.
    pub gross: Rupiah,
    /// What it kept of that.
    pub fee: Rupiah,
    /// When it was booked.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Books a payout, once per gateway and reference: it moves from what the gateway holds for us to the bank, its fee
    /// to the fees.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was booked before, [`StoreError::Ledger`] when the fee is more than the whole or
    /// nothing is paid out.
    pub async fn book_payout(&self, new: &NewPayout<'_>, origin: &Origin) -> Result<Payout> {
        let movement = Movement::gateway_payout(new.gateway, new.reference, new.gross, new.fee)?;
        let mut tx = self.pool.begin().await?;
        if !ledger::post(&mut tx, &movement, None).await? {
            return Err(StoreError::Conflict { object: "payout", state: "booked already".to_owned() });
        }
        let made = sqlx::query!(
            r#"SELECT id AS "id: MovementId", at FROM ledger_movements WHERE cause = $1"#,
            movement.cause()
        )
        .fetch_one(&mut *tx)
        .await?;
        let act = Act {
            action: "payout.book",
            object_kind: "ledger_movement",
            object_id: Some(made.id.0),
            before: None,
            after: Some(json!({
                "gateway": new.gateway, "reference": new.reference, "gross": new.gross, "fee": new.fee,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        let cause = movement.cause().to_owned();
        Ok(Payout { id: made.id, cause, gross: new.gross, fee: new.fee, at: made.at })
    }

    /// The booked payouts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn payouts(&self, page: &PageRequest) -> Result<Page<Payout>> {
        let rows = sqlx::query_as!(
            Payout,
            r#"SELECT m.id AS "id: MovementId", m.cause, m.at,
                      coalesce(-sum(e.amount) FILTER (WHERE a.kind <> 'GATEWAY_CLEARING'), 0)::bigint AS "gross!: Rupiah",
                      coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'GATEWAY_FEES'), 0)::bigint AS "fee!: Rupiah"
               FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
               JOIN ledger_accounts a ON a.id = e.account_id
               WHERE m.kind = 'GATEWAY_PAYOUT' AND ($1::uuid IS NULL OR m.id < $1)
               GROUP BY m.id ORDER BY m.id DESC LIMIT $2"#,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |payout| payout.id.0))
    }
}
