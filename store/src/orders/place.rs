//! Taking an order: one transaction, the invoice's number last.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    event::{Event, OrderPlaced},
    hostname::Hostname,
    ids::{InvoiceId, NotificationId, OrderId, OutboxId, PaymentId, RedemptionId, SshKeyId, TaskId, UserId},
    notification::NotificationKind,
    outbox::{Message, OrderStart},
    payment_limits::Way,
    policy::OrderPolicy,
    pricing::{PriceLine, StoredDescription},
    promo::PromoCode,
};
use sqlx::PgConnection;

use super::{
    OrderError, Refusal, Selection,
    offer::{Offer, resolve},
    ssh_keys::public_keys,
};
use crate::{
    Store, StoreError, boxed,
    catalog::in_stock,
    idempotency::{self, Idempotency},
    ledger,
    locks::lock_account,
    new_id, numbers, payments,
    promos::{self, PromoUse},
    unpaid::{self, Beginning},
};

/// An order to be placed.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The customer.
    pub user: UserId,
    /// What they picked.
    pub selection: Selection,
    /// Host name of the machine.
    pub hostname: Hostname,
    /// The customer's own SSH keys that are to be on the machine; without any it gets a root password.
    pub ssh_key_ids: Vec<SshKeyId>,
    /// Whether the server's term is to be renewed by itself.
    pub auto_renew: bool,
    /// The rules it is placed under.
    pub policy: OrderPolicy,
    /// How the customer will pay.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged; `None` when an admin checks the payment.
    pub gateway: Option<&'static str>,
    /// A code for a discount.
    pub promo: Option<PromoCode>,
}

/// What came of placing an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// The payment to be charged; `None` when the order was placed by an earlier request with the same key.
    pub to_charge: Option<PaymentId>,
}

impl Store {
    /// Places an order: the order, its invoice, its first payment, its provisioning task, its timeline, the
    /// customer's notification, the use of its promo code and the message that starts its workflow commit together, or
    /// not at all. The same `request` again answers with the same order, also when its code is used up by then.
    ///
    /// # Errors
    /// [`OrderError::Refused`] when the selection can't be had or its price not be paid in this way;
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request; [`StoreError::TooMuchUnpaid`] when the account has as many unpaid orders as it may;
    /// [`StoreError::InsufficientBalance`] when the balance was to pay and does not suffice.
    #[boxed]
    pub async fn place_order(&self, new: &NewOrder, request: &Idempotency) -> Result<Placed, OrderError> {
        loop {
            let refused = match self.try_place(new, request).await {
                Ok(Some(placed)) => return Ok(placed),
                Ok(None) => None,
                Err(error @ (OrderError::Refused(_) | OrderError::Store(StoreError::TooMuchUnpaid(_)))) => {
                    Some(error)
                }
                Err(error) => return Err(error),
            };
            // What was placed once stays the answer, also when it can't be had again.
            let earlier = idempotency::earlier(&mut *self.pool.acquire().await?, new.user, request).await?;
            match (earlier, refused) {
                (Some(order), _) => return Ok(Placed { order_id: order.into(), to_charge: None }),
                (None, Some(refused)) => return Err(refused),
                // The key was in the way a moment ago and is forgotten by now: it is as good as new.
                (None, None) => {}
            }
        }
    }

    /// `None` when the key was used before.
    async fn try_place(&self, new: &NewOrder, request: &Idempotency) -> Result<Option<Placed>, OrderError> {
        let mut tx = self.pool.begin().await?;
        let mut offer = resolve(&mut tx, &new.selection).await?;
        let keys = public_keys(&mut tx, new.user, &new.ssh_key_ids).await?;
        if new.promo.is_none() {
            self.refuse_outside_limits(new, &offer)?;
        }
        let is_unpaid = new.method != PaymentMethod::Wallet;
        if is_unpaid {
            lock_account(&mut tx, new.user).await?;
        }
        if offer.is_limited && !in_stock(&mut tx, offer.plan_id).await? {
            return Err(Refusal::OutOfStock.into());
        }
        if let Some(code) = &new.promo {
            let wanted = PromoUse { user: new.user, code: code.clone() };
            offer = offer.with_promo(promos::find_to_use(&mut tx, &wanted).await?.as_ref())?;
            self.refuse_outside_limits(new, &offer)?;
        }
        if is_unpaid {
            let plan = offer.is_limited.then_some(offer.plan_id);
            let order = Beginning::Order { plan, code: new.promo.as_ref() };
            unpaid::allow(&mut tx, &self.unpaid_limits, new.user, order).await?;
        } else {
            // The invoice's number is taken before it is paid, and nobody may wait for us then.
            ledger::lock_accounts(&mut tx, new.user).await?;
        }
        let placed = insert(&mut tx, new, request, &offer, &keys).await?;
        if let (PaymentMethod::Wallet, Some(Placed { order_id, to_charge: Some(payment) })) =
            (new.method, placed)
        {
            payments::pay_from_wallet(&mut tx, order_id, payment).await?;
        }
        tx.commit().await?;
        Ok(placed)
    }

    fn refuse_outside_limits(&self, new: &NewOrder, offer: &Offer) -> Result<(), Refusal> {
        let way = Way { method: new.method, bank: new.bank };
        Ok(self.check_payment_limits(new.gateway, way, offer.quote.total)?)
    }
}

/// A window beyond the calendar's end is as good as no end.
fn deadline(placed_at: DateTime<Utc>, policy: &OrderPolicy) -> DateTime<Utc> {
    i64::try_from(policy.payment_window_ms)
        .ok()
        .and_then(TimeDelta::try_milliseconds)
        .and_then(|window| placed_at.checked_add_signed(window))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Writes everything in one statement: one round trip on the path that customers wait for.
///
/// Each part reads from the one before it, which makes their order certain: the key is claimed first (waiting for a
/// request with the same key to end; if that one committed, nothing is written), the invoice's number is taken last.
/// Taking it locks the year's counter until the commit, and every order of the moment waits there: as with
/// [`numbers::take`], whatever else is locked was locked before.
async fn insert(
    connection: &mut PgConnection,
    new: &NewOrder,
    request: &Idempotency,
    offer: &Offer,
    ssh_keys: &[String],
) -> Result<Option<Placed>, StoreError> {
    let (order_id, payment_id): (OrderId, PaymentId) = (new_id(), new_id());
    let quote = &offer.quote;
    let lines = quote.lines.iter().map(Line::of).collect::<Result<Vec<_>, _>>()?;
    let start = Message::StartOrder(OrderStart {
        order_id,
        customer_id: new.user,
        provider: offer.provider.clone(),
        plan_slug: offer.plan.clone(),
        placed_at_ms: u64::try_from(offer.at.timestamp_millis()).unwrap_or_default(),
        policy: new.policy,
    });
    let event = Event::from(OrderPlaced {
        order_id,
        hostname: new.hostname.as_str().to_owned(),
        plan: offer.plan_name.clone(),
        total: quote.total,
    });
    let facts = event.facts();
    let claimed = sqlx::query!(
        "WITH claim AS (
             INSERT INTO idempotency_keys (user_id, scope, key, request_hash, object_id)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, scope, key) DO NOTHING RETURNING object_id),
         placed AS (
             INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months,
                                 auto_renew, total, policy, placed_at, expires_at, ssh_keys)
             SELECT $5, $1, 'PENDING_PAYMENT', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $41 FROM claim
             RETURNING id),
         task AS (
             INSERT INTO provisioning_tasks (id, order_id, provider_type) SELECT $17, id, $18 FROM placed),
         event AS (
             INSERT INTO events (kind, data, dedupe_key, order_id, step, status)
             SELECT $19, $21, $22, id, $23, $24 FROM placed RETURNING id),
         notice AS (
             INSERT INTO in_app_notifications (id, user_id, event_id, type) SELECT $20, $1, id, $25 FROM event),
         message AS (
             INSERT INTO outbox (id, workflow_id, kind, payload, class) SELECT $26, $27, $28, $29, $47 FROM placed),
         counter AS (
             INSERT INTO invoice_counters AS c (year, last)
             SELECT extract(year FROM $15::timestamptz AT TIME ZONE 'Asia/Jakarta')::integer, 1 FROM placed
             ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last),
         invoice AS (
             INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax_base, tax, tax_bp,
                                   total, issued_at, due_at)
             SELECT $30, 'INV/' || year || '/' || lpad(last, greatest(6, length(last)), '0'), $1, $5, 'OPEN',
                    $31, $32, $42, $33, $34, $13, $15, $16
             FROM counter RETURNING id),
         line AS (
             INSERT INTO invoice_lines (invoice_id, position, kind, params, description, quantity, unit_price, total)
             SELECT invoice.id, l.position, l.kind, l.params, l.description, l.quantity, l.unit_price, l.total
             FROM invoice, ROWS FROM (jsonb_to_recordset($35) AS (kind text, params jsonb, description text,
                                                                  quantity integer, unit_price bigint, total bigint))
                  WITH ORDINALITY AS l (kind, params, description, quantity, unit_price, total, position)),
         redemption AS (
             INSERT INTO promo_redemptions (id, promo_id, user_id, order_id, amount, state)
             SELECT $43, $44::uuid, $1, id, $45::bigint, 'RESERVED' FROM placed WHERE $44::uuid IS NOT NULL),
         payment AS (
             INSERT INTO payments (id, invoice_id, order_id, user_id, gateway, gateway_order_id, method, bank, amount,
                                   status, expires_at)
             SELECT $36, id, $5, $1, $37, $38, $39, $40, $13, 'PENDING', $16 FROM invoice)
         SELECT object_id, (SELECT set_config('lock_timeout', $46, true) FROM counter) AS held FROM claim",
        new.user.0,
        request.scope,
        request.key,
        request.request_hash.as_slice(),
        order_id.0,
        offer.provider_id.0,
        offer.plan_id.0,
        offer.region_id,
        offer.image_id,
        new.hostname.as_str(),
        i32::try_from(new.selection.term_months).unwrap_or(i32::MAX),
        new.auto_renew,
        quote.total.get(),
        serde_json::to_value(new.policy)?,
        offer.at,
        deadline(offer.at, &new.policy),
        new_id::<TaskId>().0,
        offer.provider,
        event.kind().as_str(),
        new_id::<NotificationId>().0,
        event.data()?,
        facts.dedupe_key,
        facts.step.map(|step| step.name),
        facts.step.map(|step| step.status.as_str()),
        facts.notification.map(NotificationKind::as_str),
        new_id::<OutboxId>().0,
        start.workflow_id(),
        start.kind(),
        serde_json::to_value(&start)?,
        new_id::<InvoiceId>().0,
        quote.subtotal.get(),
        quote.discount.get(),
        quote.tax.get(),
        i32::try_from(offer.tax.rate).unwrap_or(i32::MAX),
        serde_json::to_value(lines)?,
        payment_id.0,
        new.gateway,
        payments::gateway_order_id(order_id, 1),
        new.method.as_str(),
        new.bank.map(Bank::as_str),
        ssh_keys,
        quote.tax_base.get(),
        new_id::<RedemptionId>().0,
        offer.promo.map(|promo| promo.id.0),
        offer.promo.map(|promo| promo.amount.get()),
        numbers::PATIENCE,
        start.class().as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(claimed.map(|_| Placed { order_id, to_charge: Some(payment_id) }))
}

/// An invoice's line by its columns.
#[derive(serde::Serialize)]
struct Line {
    #[serde(flatten)]
    description: StoredDescription,
    quantity: u32,
    unit_price: Rupiah,
    total: Rupiah,
}

impl Line {
    fn of(line: &PriceLine) -> serde_json::Result<Self> {
        let PriceLine { quantity, unit_price, total, .. } = *line;
        Ok(Self { description: line.description.store()?, quantity, unit_price, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_window_does_not_overflow() {
        let policy = OrderPolicy { payment_window_ms: u64::MAX, ..OrderPolicy::default() };
        assert_eq!(deadline(DateTime::UNIX_EPOCH, &policy), DateTime::<Utc>::MAX_UTC);
    }
}
