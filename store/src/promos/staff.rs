//! Codes as administrators make, change and delete them.

use chrono::{DateTime, Utc};
use domain::{
    ids::{PromoId, UserId},
    money::Rupiah,
    promo::{PromoCode, PromoKind, PromoTerms, TermsFault},
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::read::{PromoDetail, by_id};
use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id,
    versions::{IfMatch, Thing},
};

/// A code to be made.
#[derive(Debug, Clone)]
pub struct NewPromo {
    /// The code.
    pub code: PromoCode,
    /// What it gives, to whom, when and how often.
    pub terms: PromoTerms,
}

/// What to change about a code. `None` leaves it as it is; `Some(None)` lifts the restriction.
#[derive(Debug, Clone, Default)]
pub struct ChangePromo {
    /// Only before the first use.
    pub code: Option<PromoCode>,
    /// Only before the first use.
    pub kind: Option<PromoKind>,
    /// Only before the first use.
    pub value: Option<i64>,
    /// Least amount it is given for.
    pub min_amount: Option<Option<Rupiah>>,
    /// Most that it takes off or gives.
    pub max_amount: Option<Option<Rupiah>>,
    /// How often one customer may use it; those who used it more often already keep that.
    pub per_user_limit: Option<Option<i64>>,
    /// How often it may be used in all; not less than it is used.
    pub global_limit: Option<Option<i64>>,
    /// From then on.
    pub starts_at: Option<Option<DateTime<Utc>>>,
    /// Only before then.
    pub ends_at: Option<Option<DateTime<Utc>>>,
    /// Whether it is switched on.
    pub is_active: Option<bool>,
}

/// A failed act on a code. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PromoError {
    /// The terms make no sense.
    #[error(transparent)]
    Terms(#[from] TermsFault),
    /// Another one has that code.
    #[error("there is a promo with this code already")]
    CodeTaken,
    /// It was used: code, kind and value say for ever what was given.
    #[error("this promo was used already; its code, kind and value stay. Deactivate it and make another one")]
    Used,
    /// It was used, so it stays.
    #[error("this promo was used already and can't be deleted; deactivate it instead")]
    Undeletable,
    /// It is used more often already.
    #[error("this promo is used {uses} times already; the limit can't be less")]
    LimitBelowUses {
        /// How many uses count.
        uses: i64,
    },
    /// There is no such promo, or the database was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for PromoError {
    fn from(error: sqlx::Error) -> Self {
        match StoreError::from(error) {
            StoreError::Taken { constraint } if constraint == "promos_code_key" => Self::CodeTaken,
            error => Self::Store(error),
        }
    }
}

impl PromoDetail {
    /// What the audit log remembers.
    fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "kind": self.terms.kind,
            "value": self.terms.value,
            "min_amount": self.terms.min_amount,
            "max_amount": self.terms.max_amount,
            "per_user_limit": self.terms.per_user_limit,
            "global_limit": self.terms.global_limit,
            "starts_at": self.terms.starts_at,
            "ends_at": self.terms.ends_at,
            "is_active": self.is_active,
        })
    }

    fn changed(&self, change: &ChangePromo) -> Self {
        let mut after = self.clone();
        let terms = &mut after.terms;
        terms.kind = change.kind.unwrap_or(terms.kind);
        terms.value = change.value.unwrap_or(terms.value);
        terms.min_amount = change.min_amount.unwrap_or(terms.min_amount);
        terms.max_amount = change.max_amount.unwrap_or(terms.max_amount);
        terms.per_user_limit = change.per_user_limit.unwrap_or(terms.per_user_limit);
        terms.global_limit = change.global_limit.unwrap_or(terms.global_limit);
        terms.starts_at = change.starts_at.unwrap_or(terms.starts_at);
        terms.ends_at = change.ends_at.unwrap_or(terms.ends_at);
        after.is_active = change.is_active.unwrap_or(after.is_active);
        if let Some(code) = &change.code {
            code.as_str().clone_into(&mut after.code);
        }
        after
    }

    /// What is written on invoices and in the books with every use.
    fn says_the_same_as(&self, other: &Self) -> bool {
        (&self.code, self.terms.kind, self.terms.value) == (&other.code, other.terms.kind, other.terms.value)
    }

    fn uses(&self) -> i64 {
        self.reserved + self.redeemed
    }
}

impl Store {
    /// Makes a code, switched on.
    ///
    /// # Errors
    /// [`PromoError::Terms`] when they make no sense, [`PromoError::CodeTaken`] when the code is there already.
    #[boxed]
    pub async fn create_promo(
        &self,
        new: &NewPromo,
        by: UserId,
        origin: &Origin,
    ) -> Result<PromoDetail, PromoError> {
        new.terms.check()?;
        let id: PromoId = new_id();
        let mut tx = self.pool.begin().await?;
        let terms = &new.terms;
        sqlx::query!(
            "INSERT INTO promos (id, code, kind, value, min_amount, max_amount, per_user_limit, global_limit, starts_at,
                                 ends_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id.0,
            new.code.as_str(),
            terms.kind.as_str(),
            terms.value,
            terms.min_amount.map(Rupiah::get),
            terms.max_amount.map(Rupiah::get),
            terms.per_user_limit,
            terms.global_limit,
            terms.starts_at,
            terms.ends_at,
            by.0,
        )
        .execute(&mut *tx)
        .await?;
        let made = by_id(&mut tx, id).await?;
        record(&mut tx, origin, "promo.create", id, None, Some(made.to_json())).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes a code from now on: what was placed or opened with it stays as it is. Code, kind and value of one that was
    /// used stay. Saying what is so already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such promo; [`PromoError`] when the change makes no sense, takes
    /// another one's code, would rewrite what was used, or has a limit below what is used.
    #[boxed]
    pub async fn change_promo(
        &self,
        promo: PromoId,
        change: &ChangePromo,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<PromoDetail, PromoError> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, promo).await?;
        condition.require(&mut tx, Thing::Promo(promo)).await?;
        let after = before.changed(change);
        if after.to_json() == before.to_json() {
            return Ok(before);
        }
        after.terms.check()?;
        if before.was_used && !after.says_the_same_as(&before) {
            return Err(PromoError::Used);
        }
        if after.terms.global_limit.is_some_and(|limit| limit < before.uses()) {
            return Err(PromoError::LimitBelowUses { uses: before.uses() });
        }
        update(&mut tx, &after).await?;
        let after = by_id(&mut tx, promo).await?;
        let (was, is) = (Some(before.to_json()), Some(after.to_json()));
        record(&mut tx, origin, "promo.change", promo, was, is).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes a code that was never used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such promo, [`PromoError::Undeletable`] when it was used.
    #[boxed]
    pub async fn delete_promo(&self, promo: PromoId, origin: &Origin) -> Result<(), PromoError> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, promo).await?;
        if before.was_used {
            return Err(PromoError::Undeletable);
        }
        sqlx::query!("DELETE FROM promos WHERE id = $1", promo.0).execute(&mut *tx).await?;
        record(&mut tx, origin, "promo.delete", promo, Some(before.to_json()), None).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Locks a code against uses and other changes, and reads it as it is then.
async fn lock(tx: &mut PgConnection, promo: PromoId) -> Result<PromoDetail> {
    // The strongest lock: the row may be deleted or get another code, and a use that points at it (FOR KEY SHARE) must be
    // seen before or wait.
    sqlx::query!("SELECT id FROM promos WHERE id = $1 FOR UPDATE", promo.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("promo"))?;
    by_id(tx, promo).await
}

async fn update(tx: &mut PgConnection, after: &PromoDetail) -> Result<(), PromoError> {
    let terms = &after.terms;
    sqlx::query!(
        "UPDATE promos SET code = $2, kind = $3, value = $4, min_amount = $5, max_amount = $6, per_user_limit = $7,
                global_limit = $8, starts_at = $9, ends_at = $10, is_active = $11, updated_at = now()
         WHERE id = $1",
        after.id.0,
        after.code,
        terms.kind.as_str(),
        terms.value,
        terms.min_amount.map(Rupiah::get),
        terms.max_amount.map(Rupiah::get),
        terms.per_user_limit,
        terms.global_limit,
        terms.starts_at,
        terms.ends_at,
        after.is_active,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    action: &str,
    promo: PromoId,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<()> {
    let act = AuditEntry { action, object_kind: "promo", object_id: Some(promo.0), before, after };
    audit::record(tx, origin, &act).await
}
