//! What a customer is told of a code before using it. It changes nothing and tells nothing about others.

use domain::{
    ids::PlanId,
    money::Rupiah,
    pricing::quote,
    promo::{PromoRefusal, Purpose},
};
use sqlx::PgConnection;

use super::{Found, PromoUse, find};
use crate::{Result, Store, StoreError, boxed, orders, orders::OrderError};

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
    /// What a code would take off a plan's price. `None` stands for a text that can't be a code.
    ///
    /// # Errors
    /// [`OrderError::Refused`] when the plan or term itself can't be had, [`OrderError::Store`] when the database does
    /// not answer.
    #[boxed]
    pub async fn check_order_promo(
        &self,
        wanted: Option<&PromoUse>,
        what: &PlanAndTerm,
    ) -> Result<PromoCheck, OrderError> {
        let mut connection = self.pool.acquire().await?;
        let price =
            orders::price_of(&mut connection, what.plan_id, what.term_months, &what.configured).await?;
        let plain = quote(&price).map_err(StoreError::from)?;
        let net = plain.subtotal.minus(plain.discount).map_err(StoreError::from)?;
        Ok(match would_give(&mut connection, wanted, Purpose::Order, net).await? {
            Ok((found, amount)) => {
                let price = domain::pricing::PriceInput { promo: Some(found.promo.discount()), ..price };
                let total = quote(&price).map_err(StoreError::from)?.total;
                PromoCheck { gives: Ok(amount), total }
            }
            Err(refusal) => PromoCheck { gives: Err(refusal), total: plain.total },
        })
    }

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

async fn would_give(
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
