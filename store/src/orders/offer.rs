//! From what a customer picked to what it costs.

use chrono::{DateTime, Utc};
use domain::{
    ids::{PlanId, PromoId, ProviderId},
    money::Rupiah,
    pricing::{PriceInput, Quote, quote},
    promo::{PromoRefusal, Purpose},
    tax::TaxRule,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{OrderError, Refusal};
use crate::{
    Store, StoreError, boxed,
    promos::{self, Found, PromoUse},
    tax,
};

/// What a customer picked, as it came: whether it exists is found out here.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The plan.
    pub plan_id: PlanId,
    /// Slug of the region.
    pub region: String,
    /// Slug of the image.
    pub image: String,
    /// Months bought.
    pub term_months: u32,
    /// Slugs of the providers that are set up in this installation: nothing of others is sold.
    pub configured: Vec<String>,
}

/// A selection that can be had, with its price now.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The plan.
    pub plan_id: PlanId,
    /// The plan's slug.
    pub plan: String,
    /// The plan's name for people.
    pub plan_name: String,
    /// The plan's provider.
    pub provider_id: ProviderId,
    /// The provider's slug.
    pub provider: String,
    /// The region.
    pub region_id: Uuid,
    /// The image.
    pub image_id: Uuid,
    /// Whether only so many may be sold.
    pub is_limited: bool,
    /// PPN as it is on the day.
    pub tax: TaxRule,
    /// What it costs.
    pub quote: Quote,
    /// When this was found out, by the database's clock.
    pub at: DateTime<Utc>,
    /// The promo code that is in the price.
    pub(super) promo: Option<AppliedPromo>,
    price: PriceInput,
}

/// A promo code that is in an offer's price.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppliedPromo {
    pub id: PromoId,
    /// What it takes off.
    pub amount: Rupiah,
}

impl Offer {
    /// The same with a promo code in the price.
    pub(super) fn with_promo(mut self, found: Option<&Found>) -> Result<Self, OrderError> {
        let found = found.ok_or(Refusal::Promo(PromoRefusal::Unknown))?;
        let net = self.quote.subtotal.minus(self.quote.discount).map_err(StoreError::from)?;
        let amount = found.decide(Purpose::Order, net)?.map_err(Refusal::Promo)?;
        self.price.promo = Some(found.promo.discount());
        self.quote = quote(&self.price).map_err(StoreError::from)?;
        self.promo = Some(AppliedPromo { id: found.id, amount });
        Ok(self)
    }
}

impl Store {
    /// The price of a selection.
    ///
    /// # Errors
    /// [`OrderError::Refused`] when it can't be had, [`OrderError::Store`] when the database does not answer.
    #[boxed]
    pub async fn quote_order(&self, selection: &Selection) -> Result<Offer, OrderError> {
        resolve(&mut *self.pool.acquire().await?, selection).await
    }

    /// The price of a selection with a promo code, which is not taken by that.
    ///
    /// # Errors
    /// As [`Store::quote_order`], and [`Refusal::Promo`] when the code does not apply.
    #[boxed]
    pub async fn quote_order_with_promo(
        &self,
        selection: &Selection,
        promo: &PromoUse,
    ) -> Result<Offer, OrderError> {
        let mut connection = self.pool.acquire().await?;
        let offer = resolve(&mut connection, selection).await?;
        let found = promos::find(&mut connection, promo.code.as_str(), promo.user).await?;
        offer.with_promo(found.as_ref())
    }
}

/// Looks a selection up in one query and prices it. Rate and base of the tax are those of the day in Jakarta; before
/// the first there is no tax.
pub(super) async fn resolve(
    connection: &mut PgConnection,
    selection: &Selection,
) -> Result<Offer, OrderError> {
    let months = i32::try_from(selection.term_months).map_err(|_| Refusal::TermNotOffered)?;
    let row = sqlx::query!(
        r#"SELECT l.slug AS plan, l.name AS plan_name, l.price_monthly AS "price_monthly: Rupiah",
                  p.id AS "provider_id: ProviderId", p.slug AS provider,
                  (p.is_active AND p.slug = ANY($5)) AS "provider_on_sale!", l.is_active AS on_sale,
                  l.unavailable_since IS NOT NULL AS "unavailable!",
                  l.stock_limit IS NOT NULL AS "is_limited!",
                  r.id AS "region_id?", pr.region_id IS NOT NULL AS "region_offers!",
                  i.id AS "image_id?", s.image_id IS NOT NULL AS "provider_has_image!",
                  t.discount_bp AS "discount_bp?", now() AS "now!",
                  x.rate_bp AS "tax_rate?", x.base_numerator AS "tax_numerator?",
                  x.base_denominator AS "tax_denominator?"
           FROM plans l
           JOIN providers p ON p.id = l.provider_id
           LEFT JOIN regions r ON r.slug = $2 AND r.is_active
           LEFT JOIN plan_regions pr
                  ON pr.plan_id = l.id AND pr.region_id = r.id AND pr.unavailable_since IS NULL
           LEFT JOIN images i ON i.slug = $3 AND i.is_active
           LEFT JOIN image_sources s
                  ON s.image_id = i.id AND s.provider_id = p.id AND s.unavailable_since IS NULL
           LEFT JOIN terms t ON t.months = $4 AND t.is_active
           LEFT JOIN LATERAL (SELECT * FROM tax_rates
                              WHERE valid_from <= (now() AT TIME ZONE 'Asia/Jakarta')::date
                              ORDER BY valid_from DESC LIMIT 1) x ON true
           WHERE l.id = $1"#,
        selection.plan_id.0,
        selection.region,
        selection.image,
        months,
        &selection.configured,
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Refusal::UnknownPlan)?;
    require(row.provider_on_sale, Refusal::ProviderDisabled)?;
    require(row.on_sale, Refusal::PlanInactive)?;
    require(!row.unavailable, Refusal::PlanUnavailable)?;
    let region_id = row.region_id.ok_or(Refusal::RegionUnknown)?;
    require(row.region_offers, Refusal::RegionWithoutPlan)?;
    let image_id = row.image_id.ok_or(Refusal::ImageUnknown)?;
    require(row.provider_has_image, Refusal::ImageNotForProvider)?;
    let discount = row.discount_bp.ok_or(Refusal::TermNotOffered)?;
    let rule = row.tax_rate.zip(row.tax_numerator).zip(row.tax_denominator);
    let tax = rule
        .map_or(TaxRule::NONE, |((rate, numerator), denominator)| tax::rule(rate, numerator, denominator));
    let price = PriceInput {
        plan_name: row.plan_name.clone(),
        renewed: None,
        price_monthly: row.price_monthly,
        term_months: selection.term_months,
        term_discount: discount.unsigned_abs(),
        promo: None,
        tax,
    };
    let quote = quote(&price).map_err(StoreError::from)?;
    Ok(Offer {
        plan_id: selection.plan_id,
        plan: row.plan,
        plan_name: row.plan_name,
        provider_id: row.provider_id,
        provider: row.provider,
        region_id,
        image_id,
        is_limited: row.is_limited,
        tax,
        quote,
        at: row.now,
        promo: None,
        price,
    })
}

/// What a plan costs for a term, wherever and with whatever image.
pub(crate) async fn price_of(
    connection: &mut PgConnection,
    plan: PlanId,
    term_months: u32,
    configured: &[String],
) -> Result<PriceInput, OrderError> {
    let months = i32::try_from(term_months).map_err(|_| Refusal::TermNotOffered)?;
    let row = sqlx::query!(
        r#"SELECT l.name, l.price_monthly AS "price_monthly: Rupiah",
                  (p.is_active AND p.slug = ANY($3)) AS "provider_on_sale!", l.is_active AS on_sale,
                  t.discount_bp AS "discount_bp?"
           FROM plans l
           JOIN providers p ON p.id = l.provider_id
           LEFT JOIN terms t ON t.months = $2 AND t.is_active
           WHERE l.id = $1"#,
        plan.0,
        months,
        configured,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(Refusal::UnknownPlan)?;
    require(row.provider_on_sale, Refusal::ProviderDisabled)?;
    require(row.on_sale, Refusal::PlanInactive)?;
    let discount = row.discount_bp.ok_or(Refusal::TermNotOffered)?;
    Ok(PriceInput {
        plan_name: row.name,
        renewed: None,
        price_monthly: row.price_monthly,
        term_months,
        term_discount: discount.unsigned_abs(),
        promo: None,
        tax: tax::rule_of_today(connection).await?,
    })
}

fn require(condition: bool, refusal: Refusal) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(refusal) }
}
