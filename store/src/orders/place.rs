//! Taking an order: one transaction, few statements, the invoice's number last.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    billing::{Bank, PaymentMethod},
    hostname::Hostname,
    ids::{InvoiceId, NotificationId, OrderId, OutboxId, PaymentId, TaskId, UserId},
    notification::NotificationKind,
    outbox::{Message, OrderStart},
    policy::OrderPolicy,
    pricing::PriceLine,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    OrderError, Refusal, Selection,
    offer::{Offer, in_stock, resolve},
};
use crate::{
    Store, StoreError,
    idempotency::{self, Claim, Idempotency},
    new_id,
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
    /// customer's notification and the message that starts its workflow commit together, or not at all. The same
    /// `request` again answers with the same order.
    ///
    /// # Errors
    /// [`OrderError::Refused`] when the selection can't be had; [`StoreError::IdempotencyMismatch`] when the key was
    /// used for another request.
    pub async fn place_order(&self, new: &NewOrder, request: &Idempotency) -> Result<Placed, OrderError> {
        let order_id: OrderId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, order_id.0).await? {
            return Ok(Placed { order_id: earlier.into(), to_charge: None });
        }
        let offer = resolve(&mut tx, &new.selection).await?;
        if offer.is_limited && !in_stock(&mut tx, offer.plan_id).await? {
            return Err(Refusal::OutOfStock.into());
        }
        let expires_at = deadline(offer.at, &new.policy);
        insert_order(&mut tx, order_id, new, &offer, expires_at).await?;
        let payment_id = insert_invoice_and_payment(&mut tx, order_id, new, &offer, expires_at).await?;
        tx.commit().await?;
        Ok(Placed { order_id, to_charge: Some(payment_id) })
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

/// Everything but the money, in one statement: it saves four round trips on the path that customers wait for.
async fn insert_order(
    tx: &mut PgConnection,
    order_id: OrderId,
    new: &NewOrder,
    offer: &Offer,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let total = offer.quote.total;
    let start = Message::StartOrder(OrderStart {
        order_id,
        customer_id: new.user,
        provider: offer.provider.clone(),
        plan_slug: offer.plan.clone(),
        placed_at_ms: u64::try_from(offer.at.timestamp_millis()).unwrap_or_default(),
        policy: new.policy,
    });
    sqlx::query!(
        "WITH the_order AS (
             INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months,
                                 auto_renew, total, policy, placed_at, expires_at)
             VALUES ($1, $2, 'PENDING_PAYMENT', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)),
         task AS (
             INSERT INTO provisioning_tasks (id, order_id, provider_type) VALUES ($14, $1, $15)),
         step AS (
             INSERT INTO order_timeline (order_id, key, step, status, message)
             VALUES ($1, 'order_placed', 'order_placed', 'done', $16)),
         notice AS (
             INSERT INTO in_app_notifications (id, user_id, title, message, type, action_url, metadata, dedupe_key)
             VALUES ($17, $2, 'Order received', $18, $19, $20, $21, $22))
         INSERT INTO outbox (id, workflow_id, kind, payload) VALUES ($23, $24, $25, $26)",
        order_id.0,
        new.user.0,
        offer.provider_id.0,
        offer.plan_id.0,
        offer.region_id,
        offer.image_id,
        new.hostname.as_str(),
        i32::try_from(new.selection.term_months).unwrap_or(i32::MAX),
        new.auto_renew,
        total.get(),
        serde_json::to_value(new.policy)?,
        offer.at,
        expires_at,
        new_id::<TaskId>().0,
        offer.provider,
        format!("Your order was placed. It is waiting for your payment of {total}."),
        new_id::<NotificationId>().0,
        format!("We have your order of {} ({}). Please pay {total}.", offer.plan_name, new.hostname.as_str()),
        NotificationKind::OrderCreated.as_str(),
        format!("/orders/{order_id}"),
        json!({ "order_id": order_id }),
        format!("order/{order_id}/order_created"),
        new_id::<OutboxId>().0,
        start.workflow_id(),
        start.kind(),
        serde_json::to_value(&start)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The invoice with its lines, and the first attempt to pay it. Taking the number locks the year's counter until the
/// commit, so every order of the moment waits here: nothing may come after it.
async fn insert_invoice_and_payment(
    tx: &mut PgConnection,
    order_id: OrderId,
    new: &NewOrder,
    offer: &Offer,
    expires_at: DateTime<Utc>,
) -> Result<PaymentId, StoreError> {
    let payment_id: PaymentId = new_id();
    let lines = Lines::from(offer.quote.lines.as_slice());
    sqlx::query!(
        "WITH counter AS (
             INSERT INTO invoice_counters AS c (year, last)
             VALUES (extract(year FROM $12::timestamptz AT TIME ZONE 'Asia/Jakarta')::integer, 1)
             ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last),
         invoice AS (
             INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax, tax_bp, total,
                                   issued_at, due_at)
             SELECT $1, 'INV/' || year || '/' || lpad(last, greatest(6, length(last)), '0'), $2, $3, 'OPEN',
                    $4, $5, $6, $7, $8, $12, $13
             FROM counter),
         line AS (
             INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_price, total)
             SELECT $1, l.position, l.description, l.quantity, l.unit_price, l.total
             FROM unnest($14::text[], $15::integer[], $16::bigint[], $17::bigint[])
                  WITH ORDINALITY AS l (description, quantity, unit_price, total, position))
         INSERT INTO payments (id, invoice_id, order_id, user_id, gateway, gateway_order_id, method, bank, amount,
                               status, expires_at)
         VALUES ($9, $1, $3, $2, $10, $11, $18, $19, $8, 'PENDING', $13)",
        new_id::<InvoiceId>().0,
        new.user.0,
        order_id.0,
        offer.quote.subtotal.get(),
        offer.quote.discount.get(),
        offer.quote.tax.get(),
        i32::try_from(offer.tax_bp).unwrap_or(i32::MAX),
        offer.quote.total.get(),
        payment_id.0,
        new.gateway,
        gateway_order_id(order_id, 1),
        offer.at,
        expires_at,
        &lines.descriptions,
        &lines.quantities,
        &lines.unit_prices,
        &lines.totals,
        new.method.as_str(),
        new.bank.map(Bank::as_str),
    )
    .execute(tx)
    .await?;
    Ok(payment_id)
}

/// What gateways call the `attempt`-th payment of an order: 37 characters and more, within every gateway's 50.
pub(crate) fn gateway_order_id(order: OrderId, attempt: u32) -> String {
    format!("WB-{}-{attempt}", order.0.simple())
}

/// Invoice lines by column, as `unnest` takes them.
struct Lines {
    descriptions: Vec<String>,
    quantities: Vec<i32>,
    unit_prices: Vec<i64>,
    totals: Vec<i64>,
}

impl From<&[PriceLine]> for Lines {
    fn from(lines: &[PriceLine]) -> Self {
        Self {
            descriptions: lines.iter().map(|line| line.description.clone()).collect(),
            quantities: lines.iter().map(|line| i32::try_from(line.quantity).unwrap_or(i32::MAX)).collect(),
            unit_prices: lines.iter().map(|line| line.unit_price.get()).collect(),
            totals: lines.iter().map(|line| line.total.get()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_order_id_fits_midtrans() {
        assert!(gateway_order_id(new_id(), u32::MAX).len() <= 50);
        assert_ne!(gateway_order_id(new_id(), 1), gateway_order_id(new_id(), 1));
    }

    #[test]
    fn an_endless_window_does_not_overflow() {
        let policy = OrderPolicy { payment_window_ms: u64::MAX, ..OrderPolicy::default() };
        assert_eq!(deadline(Utc::now(), &policy), DateTime::<Utc>::MAX_UTC);
    }
}
