//! What payment gateways pay out to our bank account of what they took in for us, less their fees.

use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::MovementId, ledger::Movement, sorting::PayoutSort};
use serde_json::json;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry},
    boxed,
    idempotency::Claim,
    ledger,
    money_act::MoneyAct,
    page::{Page, SortCursor, SortedRequest},
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

/// Payouts in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_payouts {
    ($on:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Payout,
            r#"SELECT m.id AS "id: MovementId", m.cause, m.at,
                      coalesce(-sum(e.amount) FILTER (WHERE a.kind <> 'GATEWAY_CLEARING'), 0)::bigint AS "gross!: Rupiah",
                      coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'GATEWAY_FEES'), 0)::bigint AS "fee!: Rupiah"
               FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
               JOIN ledger_accounts a ON a.id = e.account_id
               WHERE m.kind = 'GATEWAY_PAYOUT' AND ($1::uuid IS NULL OR m.id = $1)
                 AND ($2::text IS NULL OR "# + $after + ") GROUP BY m.id ORDER BY " + $order + " LIMIT $4",
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Books a payout, once per gateway and reference: it moves from what the gateway holds for us to the bank, its fee
    /// to the fees. The same request again answers with the same payout.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was booked before, [`StoreError::Ledger`] when the fee is more than the whole or
    /// nothing is paid out, [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn book_payout(&self, new: &NewPayout<'_>, act: &MoneyAct) -> Result<Payout> {
        let movement = Movement::gateway_payout(new.gateway, new.reference, new.gross, new.fee)?;
        let mut tx = self.pool.begin().await?;
        // A booking of the same payout is waited for here, be it by the same request or by another one.
        let is_new = ledger::post(&mut tx, &movement, None).await?;
        if let Some(earlier) = act.earlier(&mut tx).await? {
            return self.payout(earlier.into()).await;
        }
        if !is_new {
            return Err(StoreError::Conflict { object: Object::Payout, state: "booked already".to_owned() });
        }
        let made = sqlx::query!(
            r#"SELECT id AS "id: MovementId", at FROM ledger_movements WHERE cause = $1"#,
            movement.cause()
        )
        .fetch_one(&mut *tx)
        .await?;
        if let Claim::Done(_) = act.claim(&mut tx, made.id.0).await? {
            return Err(StoreError::IdempotencyMismatch);
        }
        let entry = AuditEntry {
            action: "payout.book",
            object_kind: "ledger_movement",
            object_id: Some(made.id.0),
            before: None,
            after: Some(json!({
                "gateway": new.gateway, "reference": new.reference, "gross": new.gross, "fee": new.fee,
            })),
        };
        audit::record(&mut tx, &act.origin, &entry).await?;
        tx.commit().await?;
        let cause = movement.cause().to_owned();
        Ok(Payout { id: made.id, cause, gross: new.gross, fee: new.fee, at: made.at })
    }

    async fn payout(&self, payout: MovementId) -> Result<Payout> {
        let one = SortedRequest::first(1);
        let found = select_payouts!(&self.pool, Some(payout.0), one, "m.id < $3", "m.id DESC").pop();
        found.ok_or(StoreError::NotFound("payout"))
    }

    /// The booked payouts.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn payouts(&self, sort: PayoutSort, page: &SortedRequest) -> Result<Page<Payout, SortCursor>> {
        let (on, all) = (&self.pool, None::<uuid::Uuid>);
        let rows = match sort {
            PayoutSort::Newest => select_payouts!(on, all, page, "m.id < $3", "m.id DESC"),
            PayoutSort::Oldest => select_payouts!(on, all, page, "m.id > $3", "m.id"),
        };
        Ok(page.cut_by_age(rows, |payout| payout.id.0))
    }
}
