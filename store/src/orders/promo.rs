//! What a promo code comes to for an order, before there is one.

use domain::{
    pricing::{PriceInput, quote},
    promo::Purpose,
};

use super::{OrderError, offer::price_of};
use crate::{
    Store, StoreError, boxed,
    promos::{self, PlanAndTerm, PromoCheck, PromoUse},
};

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
        let price = price_of(&mut connection, what.plan_id, what.term_months, &what.configured).await?;
        let plain = quote(&price).map_err(StoreError::from)?;
        let net = plain.subtotal.minus(plain.discount).map_err(StoreError::from)?;
        Ok(match promos::would_give(&mut connection, wanted, Purpose::Order, net).await? {
            Ok((found, amount)) => {
                let price = PriceInput { promo: Some(found.promo.discount()), ..price };
                let total = quote(&price).map_err(StoreError::from)?.total;
                PromoCheck { gives: Ok(amount), total }
            }
            Err(refusal) => PromoCheck { gives: Err(refusal), total: plain.total },
        })
    }
}
