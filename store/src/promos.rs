//! Promo codes: what staff make of them ([`staff`]) and read of them ([`read`]), what a customer is told of one
//! ([`check`]), and every use that is made of one ([`redeem`]). What a code gives and why it does not is decided by
//! [`domain::promo`].
//!
//! # When a use counts
//! A use is a row of `promo_redemptions`. It is made by the transaction that places the order or opens the deposit, as
//! `RESERVED`, so an order that a used-up code refuses is not there at all. The amount is kept with it: what staff change
//! about a code later changes no invoice and no promised bonus.
//!
//! | what happens | to the use |
//! |---|---|
//! | the order is `ACTIVE` | `REDEEMED`, for ever: a refund afterwards does not give the code back |
//! | the order expires, is cancelled, or is refunded before | `RELEASED`: the customer can use the code again |
//! | money that came late revives the order | `RESERVED` again if the limits still allow; else `HONOURED`: the price on the issued invoice stands, and the use does not count |
//! | the deposit is paid | `REDEEMED`, and the bonus is credited in the same transaction |
//! | the deposit's payment expires, is denied or cancelled, or is not heard of until an hour after its end | `RELEASED` |
//! | money that came late pays the deposit nevertheless | `REDEEMED` with the bonus if the code is active and the limits still allow; else it stays `RELEASED`, and the customer is told that the deposit came without it |
//!
//! Whether the code's time is over is asked once, when the order is placed or the deposit opened: what comes later rests
//! on that answer. Switching a code off takes no bonus from who opened a deposit before and pays it in time.
//!
//! # What makes it race-free
//! Whoever changes how often a code is used locks the code's row first, at its place in the order of [`crate::locks`], and
//! counts then. Behind that the database counts by itself: `promos.uses` follows the
//! redemptions by a trigger, a CHECK holds it to the limit, and the trigger holds each customer to theirs.

mod check;
mod read;
mod redeem;
mod staff;

use chrono::{DateTime, Utc};
use domain::{
    ids::{PromoId, UserId},
    money::Rupiah,
    promo::{Promo, PromoCode, PromoKind, PromoRefusal, PromoTerms, Purpose, Uses},
};
use sqlx::PgConnection;

pub(crate) use check::would_give;
pub use check::{PlanAndTerm, PromoCheck};
pub use read::{PromoDetail, PromoFilter, PromoRedemption};
pub(crate) use redeem::{
    Bonus, bonus_of, follow_order, release_deposit, reserve_for_deposit, reserve_for_order, take_again,
};
pub use staff::{ChangePromo, NewPromo, PromoError};

use crate::{Result, StoreError};

/// Whose code it is to be.
#[derive(Debug, Clone)]
pub struct PromoUse {
    /// The customer.
    pub user: UserId,
    /// The code.
    pub code: PromoCode,
}

/// A code as it is at one moment, for one customer.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub id: PromoId,
    pub promo: Promo,
    pub uses: Uses,
    at: DateTime<Utc>,
}

impl Found {
    /// What the code gives for `amount`, or why it does not.
    pub(crate) fn decide(&self, purpose: Purpose, amount: Rupiah) -> Result<Result<Rupiah, PromoRefusal>> {
        Ok(self.promo.decide(purpose, amount, self.at, self.uses)?)
    }
}

/// Looks a code up for a customer. Deposits that nobody heard of until an hour after their end count no more.
pub(crate) async fn find(
    connection: &mut PgConnection,
    code: &str,
    customer: UserId,
) -> Result<Option<Found>> {
    let row = sqlx::query!(
        r#"SELECT p.id AS "id: PromoId", p.code, p.kind AS "kind: PromoKind", p.value,
                  p.min_amount AS "min_amount: Rupiah", p.max_amount AS "max_amount: Rupiah", p.per_user_limit,
                  p.global_limit, p.starts_at, p.ends_at, p.is_active, now() AS "at!",
                  p.uses - lapsed.in_all AS "in_all!",
                  (SELECT count(*) FROM promo_redemptions r WHERE r.promo_id = p.id AND r.user_id = $2
                   AND r.state IN ('RESERVED', 'REDEEMED')) - lapsed.by_customer AS "by_customer!"
           FROM promos p
           CROSS JOIN LATERAL (
               SELECT count(*) AS in_all, count(*) FILTER (WHERE r.user_id = $2) AS by_customer
               FROM promo_redemptions r JOIN payments y ON y.deposit_id = r.deposit_id
               WHERE r.promo_id = p.id AND r.state = 'RESERVED' AND y.status <> 'PAID'
                 AND y.expires_at < now() - interval '1 hour') lapsed
           WHERE p.code = $1"#,
        code,
        customer.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Found {
        id: row.id,
        promo: Promo {
            code: row.code,
            terms: PromoTerms {
                kind: row.kind,
                value: row.value,
                min_amount: row.min_amount,
                max_amount: row.max_amount,
                per_user_limit: row.per_user_limit,
                global_limit: row.global_limit,
                starts_at: row.starts_at,
                ends_at: row.ends_at,
            },
            is_active: row.is_active,
        },
        uses: Uses { in_all: row.in_all, by_customer: row.by_customer },
        at: row.at,
    }))
}

/// The same with the code's row locked until the caller's transaction ends, so that what is counted stays so.
pub(crate) async fn find_to_use(tx: &mut PgConnection, wanted: &PromoUse) -> Result<Option<Found>> {
    let code = wanted.code.as_str();
    let locked = sqlx::query_scalar!(
        r#"SELECT id AS "id: PromoId" FROM promos WHERE code = $1 FOR NO KEY UPDATE"#,
        code
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(promo) = locked else { return Ok(None) };
    release_lapsed(tx, promo).await?;
    find(tx, code, wanted.user).await
}

/// Lets go of deposits whose gateways never told of their end. The code's row is locked by the caller.
async fn release_lapsed(tx: &mut PgConnection, promo: PromoId) -> Result<()> {
    sqlx::query!(
        "UPDATE promo_redemptions r SET state = 'RELEASED', updated_at = now()
         FROM payments y
         WHERE y.deposit_id = r.deposit_id AND r.promo_id = $1 AND r.state = 'RESERVED' AND y.status <> 'PAID'
           AND y.expires_at < now() - interval '1 hour'",
        promo.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

impl From<PromoRefusal> for StoreError {
    fn from(refusal: PromoRefusal) -> Self {
        Self::Promo(refusal)
    }
}
