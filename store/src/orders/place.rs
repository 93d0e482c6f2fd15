//! Taking an order: one transaction, the invoice's number last.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    billing::{Bank, PaymentMethod},
    event::OrderPlaced,
    hostname::Hostname,
    ids::{InvoiceId, OrderId, PaymentId, SshKeyId, TaskId, UserId},
    outbox::{Message, OrderStart},
    payment_limits::Way,
    policy::OrderPolicy,
    promo::PromoCode,
    user_data::UserData,
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
    events::Entry,
    idempotency::{self, Claim, Idempotency},
    invoices::{self, Draft},
    ledger,
    locks::lock_account,
    new_id, numbers, outbox,
    payments::{self, NewPayment, PayableUntil, Pays},
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
    /// What the machine is to be told at its first boot, beside what we tell it.
    pub user_data: Option<UserData>,
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
        let (order_id, payment_id): (OrderId, PaymentId) = (new_id(), new_id());
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, order_id.0).await? {
            return Ok(Placed { order_id: earlier.into(), to_charge: None });
        }
        let offer = resolve(&mut tx, &new.selection).await?;
        let ssh_keys = public_keys(&mut tx, new.user, &new.ssh_key_ids).await?;
        self.check_first_boot(&ssh_keys, new.user_data.as_ref(), &offer.provider)?;
        let offer = self.hold(&mut tx, new, offer).await?;
        let expires_at = deadline(offer.at, &new.policy);
        insert(&mut tx, order_id, new, &offer, &ssh_keys, expires_at).await?;
        if let Some(data) = &new.user_data {
            self.keep_user_data(&mut tx, order_id, data).await?;
        }
        if let Some(promo) = offer.promo {
            promos::reserve_for_order(&mut tx, new.user, order_id, promo.id, promo.amount).await?;
        }
        Entry::of(placed(order_id, new, &offer)).tell(&mut tx, new.user).await?;
        outbox::enqueue(&mut tx, &Message::StartOrder(start(order_id, new, &offer))).await?;
        let invoice = draft_invoice(&mut tx, order_id, new.user, &offer).await?;
        let payment = NewPayment {
            id: payment_id,
            pays: Pays::Order { order: order_id, invoice },
            attempt: 1,
            customer: new.user,
            method: new.method,
            bank: new.bank,
            gateway: new.gateway,
            amount: offer.quote.total,
            until: PayableUntil::At(expires_at),
        };
        payments::insert(&mut tx, &payment).await?;
        // Takes the number, for which every order of the moment waits: what must be locked is, and little is left to do.
        numbers::issue_invoice(&mut tx, invoice, expires_at).await?;
        if new.method == PaymentMethod::Wallet {
            payments::pay_from_wallet(&mut tx, order_id, payment_id).await?;
        }
        tx.commit().await?;
        Ok(Placed { order_id, to_charge: Some(payment_id) })
    }

    /// Whether the offer is there for this customer and can be paid in this way; answers with it, its promo code in the
    /// price. What that depends on is locked, in the order of [`crate::locks`].
    async fn hold(
        &self,
        tx: &mut PgConnection,
        new: &NewOrder,
        mut offer: Offer,
    ) -> Result<Offer, OrderError> {
        if new.promo.is_none() {
            self.refuse_outside_limits(new, &offer)?;
        }
        let is_unpaid = new.method != PaymentMethod::Wallet;
        if is_unpaid {
            lock_account(tx, new.user).await?;
        }
        if offer.is_limited && !in_stock(tx, offer.plan_id).await? {
            return Err(Refusal::OutOfStock.into());
        }
        if let Some(code) = &new.promo {
            let wanted = PromoUse { user: new.user, code: code.clone() };
            offer = offer.with_promo(promos::find_to_use(tx, &wanted).await?.as_ref())?;
            self.refuse_outside_limits(new, &offer)?;
        }
        if is_unpaid {
            let plan = offer.is_limited.then_some(offer.plan_id);
            let order = Beginning::Order { plan, code: new.promo.as_ref() };
            unpaid::allow(tx, &self.unpaid_limits, new.user, order).await?;
        } else {
            // The invoice's number is taken before it is paid, and nobody may wait for us then.
            ledger::lock_accounts(tx, new.user).await?;
        }
        Ok(offer)
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

/// Writes the order with the task to get its server.
async fn insert(
    tx: &mut PgConnection,
    id: OrderId,
    new: &NewOrder,
    offer: &Offer,
    ssh_keys: &[String],
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH placed AS (
             INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months,
                                 auto_renew, total, policy, placed_at, expires_at, ssh_keys)
             VALUES ($1, $2, 'PENDING_PAYMENT', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             RETURNING id)
         INSERT INTO provisioning_tasks (id, order_id, provider_type) SELECT $15, id, $16 FROM placed",
        id.0,
        new.user.0,
        offer.provider_id.0,
        offer.plan_id.0,
        offer.region_id,
        offer.image_id,
        new.hostname.as_str(),
        i32::try_from(new.selection.term_months).unwrap_or(i32::MAX),
        new.auto_renew,
        offer.quote.total.get(),
        serde_json::to_value(new.policy)?,
        offer.at,
        expires_at,
        ssh_keys,
        new_id::<TaskId>().0,
        offer.provider,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn placed(order_id: OrderId, new: &NewOrder, offer: &Offer) -> OrderPlaced {
    OrderPlaced {
        order_id,
        hostname: new.hostname.as_str().to_owned(),
        plan: offer.plan_name.clone(),
        total: offer.quote.total,
    }
}

fn start(order_id: OrderId, new: &NewOrder, offer: &Offer) -> OrderStart {
    OrderStart {
        order_id,
        customer_id: new.user,
        provider: offer.provider.clone(),
        plan_slug: offer.plan.clone(),
        placed_at_ms: u64::try_from(offer.at.timestamp_millis()).unwrap_or_default(),
        policy: new.policy,
    }
}

async fn draft_invoice(
    tx: &mut PgConnection,
    order: OrderId,
    user: UserId,
    offer: &Offer,
) -> Result<InvoiceId, StoreError> {
    let id = new_id();
    let draft = Draft { id, user, order: Some(order), quote: &offer.quote, tax: offer.tax, note: None };
    invoices::write_draft(tx, &draft).await?;
    Ok(id)
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
