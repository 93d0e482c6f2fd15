//! Another plan for a server within its paid term. A dearer one is begun when the difference for what is left of the term is
//! paid ([`crate::server_resizes`]); of a cheaper one the difference goes to the balance when the server has it.

mod end;
mod read;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    ids::{InstanceId, InvoiceId, PaymentId, PlanId, ResizeId, UserId},
    instance::InstanceStatus,
    pricing::{BilledItem, LineDescription, Quote, bill},
    resize::{PaidTime, ResizeDirection, for_rest, given_back},
    tax::TaxRule,
};
use sqlx::PgConnection;

pub(crate) use end::{applied, failed};
pub use read::Resize;

use crate::{
    Object, Result, Store, StoreError, boxed,
    idempotency::{self, Claim, Idempotency},
    invoices::{self, Draft},
    new_id, numbers,
    orders::OrderError,
    payments::NewInvoiceAttempt,
    refunds, server_resizes, server_terms, tax, term,
};

/// Another plan that is wanted for a server.
#[derive(Debug, Clone)]
pub struct NewResize {
    /// Its owner.
    pub user: UserId,
    /// The server.
    pub instance: InstanceId,
    /// The plan.
    pub plan: PlanId,
    /// How the difference will be paid, if there is one to be paid: by a gateway or from the balance.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged; `None` with the balance.
    pub gateway: Option<&'static str>,
    /// How long it can be paid, in milliseconds.
    pub pay_within_ms: u64,
    /// Whether the provider resizes only what is off.
    pub stops_server: bool,
}

/// What came of asking for another plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedResize {
    /// The change of plans.
    pub resize_id: ResizeId,
    /// The payment to be charged; `None` when nothing is to be paid, or an earlier request with the same key asked for it.
    pub to_charge: Option<PaymentId>,
}

/// What another plan for a server would mean.
#[derive(Debug, Clone)]
pub struct ResizeQuote {
    /// The plan.
    pub plan_id: PlanId,
    /// Its slug.
    pub plan: String,
    /// Its name.
    pub plan_name: String,
    /// Name of the present one.
    pub from_plan_name: String,
    /// Whether it costs more or less.
    pub direction: ResizeDirection,
    /// What is to be paid now; nothing unless it costs more.
    pub price: Quote,
    /// By which its tax is computed.
    pub tax: TaxRule,
    /// What goes to the balance once the server has it, as of now; nothing unless it costs less.
    pub credit: Rupiah,
    /// Until when the difference is reckoned: the end of the paid term.
    pub until: DateTime<Utc>,
    /// What a month costs from then on, before tax.
    pub price_monthly: Rupiah,
    /// PPN on it.
    pub price_monthly_tax: Rupiah,
    /// Whether the disk grows, which is not to be undone: no plan with a smaller disk can be had afterwards.
    pub grows_disk: bool,
}

/// A server and the plan that is wanted for it.
struct Wanted {
    name: String,
    status: InstanceStatus,
    starts_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    anchor_day: Option<i16>,
    now: DateTime<Utc>,
    from_plan_id: PlanId,
    from_plan: String,
    from_price: Rupiah,
    to_slug: String,
    to_plan: String,
    to_price: Rupiah,
    can_be_had: bool,
    grows_disk: bool,
    cancels_at_period_end: bool,
    being_deleted: bool,
    held: bool,
    busy: i64,
    being_resized: bool,
}

impl Store {
    /// What another plan would mean for a server. Writes nothing.
    ///
    /// # Errors
    /// As [`Store::open_resize`], but for what is about paying.
    #[boxed]
    pub async fn quote_resize(
        &self,
        user: UserId,
        instance: InstanceId,
        plan: PlanId,
    ) -> Result<ResizeQuote> {
        // Rolled back: what is earned until now is recognised to see what is not served.
        let mut tx = self.pool.begin().await?;
        let wanted = lock(&mut tx, user, instance, plan).await?;
        let paid = refuse_if_impossible(&wanted)?;
        let (price, tax) = price(&mut tx, &wanted, &paid).await?;
        let direction = ResizeDirection::between(wanted.from_price, wanted.to_price);
        let credit = match direction {
            ResizeDirection::Down => {
                let (from, to) = (wanted.from_price, wanted.to_price);
                refunds::unserved(&mut tx, instance, |unserved| Ok(given_back(unserved, from, to)?)).await?
            }
            ResizeDirection::Up | ResizeDirection::Same => Rupiah::ZERO,
        };
        Ok(ResizeQuote {
            plan_id: plan,
            plan: wanted.to_slug,
            plan_name: wanted.to_plan,
            from_plan_name: wanted.from_plan,
            direction,
            price,
            tax,
            credit,
            until: paid.ends_at,
            price_monthly: wanted.to_price,
            price_monthly_tax: tax.on(wanted.to_price)?,
            grows_disk: wanted.grows_disk,
        })
    }

    /// Asks for another plan. One that costs more is begun once the difference for what is left of the term is paid:
    /// invoice and the attempt to pay it commit with the wish, and from the balance it is paid at once. One that does not
    /// cost more is begun at once. What was wished for the server before and is not paid is withdrawn. The same `request`
    /// again answers with the same change.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server or there is no such plan, [`StoreError::Conflict`] when
    /// the server's state forbids it or it can't have the plan, [`OrderError::Refused`] when the price can't be paid in this
    /// way, [`StoreError::TooMuchUnpaid`] when terms and plans for it were asked for as often as they may be within a day,
    /// [`StoreError::InsufficientBalance`] when the balance was to pay and does not suffice,
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn open_resize(
        &self,
        new: &NewResize,
        request: &Idempotency,
    ) -> Result<OpenedResize, OrderError> {
        let (resize_id, payment_id): (ResizeId, PaymentId) = (new_id(), new_id());
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, resize_id.0).await? {
            return Ok(OpenedResize { resize_id: earlier.into(), to_charge: None });
        }
        let wanted = lock(&mut tx, new.user, new.instance, new.plan).await?;
        let paid = refuse_if_impossible(&wanted)?;
        let (price, tax) = price(&mut tx, &wanted, &paid).await?;
        let is_paid_for = price.total > Rupiah::ZERO;
        // What was wished before goes: a term is not to be had at the price of the plan before.
        if !is_paid_for {
            server_terms::withdraw_open(&mut tx, new.instance).await?;
            insert(&mut tx, new, resize_id, &wanted, &paid, None).await?;
            server_resizes::begin(&mut tx, resize_id).await?;
            tx.commit().await?;
            return Ok(OpenedResize { resize_id, to_charge: None });
        }
        server_terms::make_way(&mut tx, &self.unpaid_limits, new.user, new.instance, new.method).await?;
        let invoice = new_id();
        let draft = Draft { id: invoice, user: new.user, order: None, quote: &price, tax, note: None };
        invoices::write_draft(&mut tx, &draft).await?;
        insert(&mut tx, new, resize_id, &wanted, &paid, Some(invoice)).await?;
        numbers::issue_invoice(&mut tx, invoice, lapses_at(new, &wanted)).await?;
        let attempt = NewInvoiceAttempt {
            user: new.user,
            invoice,
            method: new.method,
            bank: new.bank,
            gateway: new.gateway,
            pay_within_ms: new.pay_within_ms,
        };
        self.begin_paying(&mut tx, payment_id, &attempt).await?;
        tx.commit().await?;
        Ok(OpenedResize { resize_id, to_charge: Some(payment_id) })
    }
}

impl Store {
    /// What an earlier request with the same key asked for.
    ///
    /// # Errors
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn resize_of_request(
        &self,
        user: UserId,
        request: &Idempotency,
    ) -> Result<Option<OpenedResize>> {
        let earlier = idempotency::earlier(&mut *self.pool.acquire().await?, user, request).await?;
        Ok(earlier.map(|id| OpenedResize { resize_id: id.into(), to_charge: None }))
    }
}

async fn lock(tx: &mut PgConnection, user: UserId, instance: InstanceId, plan: PlanId) -> Result<Wanted> {
    let owned = sqlx::query_scalar!(
        "SELECT id FROM instances WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE",
        instance.0,
        user.0,
    );
    owned.fetch_optional(&mut *tx).await?.ok_or(StoreError::NotFound("instance"))?;
    sqlx::query_as!(
        Wanted,
        r#"SELECT s.name, s.status AS "status: InstanceStatus", s.starts_at, s.expires_at, s.anchor_day,
                  now() AS "now!", f.id AS "from_plan_id: PlanId", f.name AS from_plan,
                  f.price_monthly AS "from_price: Rupiah", t.slug AS to_slug, t.name AS to_plan,
                  t.price_monthly AS "to_price: Rupiah", s.cancels_at_period_end, t.disk_gb > f.disk_gb AS "grows_disk!",
                  (t.is_active AND t.unavailable_since IS NULL AND t.provider_id = s.provider_id AND t.id <> f.id
                   AND t.disk_gb >= f.disk_gb
                   AND EXISTS (SELECT FROM plan_regions r WHERE r.plan_id = t.id AND r.region_id = s.region_id
                               AND r.unavailable_since IS NULL)) AS "can_be_had!",
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "being_deleted!",
                  EXISTS (SELECT FROM instance_holds h WHERE h.instance_id = s.id AND h.released_at IS NULL
                          AND (h.held_until IS NULL OR h.held_until > now())) AS "held!",
                  (SELECT count(*) FROM instance_actions a WHERE a.instance_id = s.id
                   AND a.status IN ('pending', 'in_progress')) AS "busy!",
                  EXISTS (SELECT FROM resizes z WHERE z.instance_id = s.id AND z.status = 'APPLYING') AS "being_resized!"
           FROM instances s JOIN plans f ON f.id = s.plan_id JOIN plans t ON t.id = $2 WHERE s.id = $1"#,
        instance.0,
        plan.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("plan"))
}

/// The paid time of a server that can have the plan.
fn refuse_if_impossible(wanted: &Wanted) -> Result<PaidTime> {
    let refuse = |state: String| Err(StoreError::Conflict { object: Object::Instance, state });
    if wanted.being_deleted {
        return refuse("being deleted".to_owned());
    }
    let (InstanceStatus::Active, Some(starts_at), Some(ends_at), Some(anchor_day)) =
        (wanted.status, wanted.starts_at, wanted.expires_at, wanted.anchor_day)
    else {
        return refuse(wanted.status.to_string());
    };
    if wanted.held {
        return refuse("held by our team: please ask them".to_owned());
    }
    if wanted.cancels_at_period_end {
        return refuse("cancelled at the end of its term: revoke that first".to_owned());
    }
    if ends_at <= wanted.now {
        return refuse("past the end of its term: renew it first".to_owned());
    }
    if wanted.being_resized {
        return refuse("being resized".to_owned());
    }
    if wanted.busy > 0 {
        return refuse(format!("busy: {} actions are waiting already", wanted.busy));
    }
    if !wanted.can_be_had {
        return refuse("not able to have this plan".to_owned());
    }
    Ok(PaidTime { starts_at, ends_at, anchor: term::anchor(anchor_day, starts_at) })
}

/// What the difference costs for what is left of the term; nothing where the plan does not cost more.
async fn price(tx: &mut PgConnection, wanted: &Wanted, paid: &PaidTime) -> Result<(Quote, TaxRule)> {
    let tax = tax::rule_of_today(tx).await?;
    let more = wanted.to_price.minus(wanted.from_price)?.max(Rupiah::ZERO);
    let difference = for_rest(more, paid, wanted.now)?;
    let item = BilledItem {
        description: LineDescription::Resize {
            server: wanted.name.clone(),
            from: wanted.from_plan.clone(),
            to: wanted.to_plan.clone(),
            until: paid.ends_at,
        },
        quantity: 1,
        unit_price: difference,
    };
    let items: &[BilledItem] = if difference > Rupiah::ZERO { &[item] } else { &[] };
    Ok((bill(items, tax)?, tax))
}

fn lapses_at(new: &NewResize, wanted: &Wanted) -> DateTime<Utc> {
    let window = i64::try_from(new.pay_within_ms).ok().and_then(chrono::TimeDelta::try_milliseconds);
    window.and_then(|window| wanted.now.checked_add_signed(window)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

async fn insert(
    tx: &mut PgConnection,
    new: &NewResize,
    id: ResizeId,
    wanted: &Wanted,
    paid: &PaidTime,
    invoice: Option<InvoiceId>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO resizes (id, instance_id, user_id, status, from_plan_id, to_plan_id, from_price, to_price,
                              stops_server, term_ends_at, invoice_id, lapses_at)
         VALUES ($1, $2, $3, 'OPEN', $4, $5, $6, $7, $8, $9, $10, $11)",
        id.0,
        new.instance.0,
        new.user.0,
        wanted.from_plan_id.0,
        new.plan.0,
        wanted.from_price.get(),
        wanted.to_price.get(),
        new.stops_server,
        paid.ends_at,
        invoice.map(|id| id.0),
        lapses_at(new, wanted),
    )
    .execute(tx)
    .await?;
    Ok(())
}
