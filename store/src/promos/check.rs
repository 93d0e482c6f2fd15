//! What a customer is told of a code before using it. It changes nothing and tells nothing about others.

use domain::{
    ids::PlanId,
    money::Rupiah,
    promo::{PromoRefusal, Purpose},
};
use sqlx::PgConnection;

use super::{Found, PromoUse, find};
use crate::{Result, Store, boxed};

/// What a code would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromoCheck {
    /// What it takes off or gives, or why it does not.
    pub gives: Result<Rupiah, PromoRefusal>,
    /// With what the code gives: what the order costs with tax, or what goes to the balance.
    pub total: Rupiah,
}

/// A plan and for how long.
#[derive(Debug, Clone)]
pub struct PlanAndTerm {
    /// The plan.
    pub plan_id: PlanId,
    /// Months bought.
    pub term_months: u32,
    /// Slugs of the providers that are set up in this installation.
    pub configured: Vec<String>,
}

impl Store {
    /// What a code would give on top of a deposit. `None` stands for a text that can't be a code.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn check_deposit_promo(
        &self,
        wanted: Option<&PromoUse>,
        deposit: Rupiah,
    ) -> Result<PromoCheck> {
        let mut connection = self.pool.acquire().await?;
        Ok(match would_give(&mut connection, wanted, Purpose::Deposit, deposit).await? {
            Ok((_, bonus)) => PromoCheck { gives: Ok(bonus), total: deposit.plus(bonus)? },
            Err(refusal) => PromoCheck { gives: Err(refusal), total: deposit },
        })
    }
}

/// What a code would give for `amount`, or why it does not.
pub(crate) async fn would_give(
    connection: &mut PgConnection,
    wanted: Option<&PromoUse>,
    purpose: Purpose,
    amount: Rupiah,
) -> Result<Result<(Found, Rupiah), PromoRefusal>> {
    let Some(wanted) = wanted else { return Ok(Err(PromoRefusal::Unknown)) };
    let Some(found) = find(connection, wanted.code.as_str(), wanted.user).await? else {
        return Ok(Err(PromoRefusal::Unknown));
    };
    Ok(found.decide(purpose, amount)?.map(|gives| (found, gives)))
}
