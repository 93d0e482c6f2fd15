//! Money takes effect: here and nowhere else (deposits aside: [`crate::wallet`]).

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome},
    event::{PaymentConfirmed, PaymentCredited, PaymentIncomplete},
    ids::UserId,
    ledger::{Incoming, Movement, Service},
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::release_hold;
use crate::{
    Object, Result, StoreError, catalog,
    crash_point::crash_point,
    events::Entry,
    invoices, ledger,
    locks::{LockedOrder, LockedPayment},
    outbox, promos, transition,
};

/// How it is known that the money is ours, and how much it is.
#[derive(Debug, Default)]
pub(crate) struct Settlement<'a> {
    /// The gateway's id of the transaction.
    pub transaction_id: Option<&'a str>,
    /// The administrator who saw the money.
    pub approved_by: Option<UserId>,
    /// What the administrator remarked.
    pub note: Option<&'a str>,
    /// Bank transfers: what arrived just now; `None` is what was still due.
    pub arrived: Option<Rupiah>,
    /// What the gateway made the payer pay on top, and holds for us too.
    pub payer_fee: Rupiah,
}

/// Lets the money of an attempt do what it can: pay an order that waits, or bring an expired one back if it can still
/// be had. A transfer that is too small is set aside, and the attempt stays open (`None`); what is too much, and what
/// an order beyond all that can't take, goes to the customer's balance. Each is booked here. Order and attempt are
/// locked by the caller, and the attempt is not paid yet.
///
/// The money comes from outside. An attempt from the balance is refused: it is paid by [`settle_from_wallet`] when it is
/// begun, or never.
pub(crate) async fn settle(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
) -> Result<Option<PaymentOutcome>> {
    let money = Money::count(tx, order, payment, settlement).await?;
    let suffices = money.arrived >= money.due;
    let outcome = match order.status {
        OrderStatus::PendingPayment if !suffices => {
            set_aside(tx, order, payment, &money, settlement).await?;
            return Ok(None);
        }
        OrderStatus::PendingPayment => PaymentOutcome::Applied,
        OrderStatus::Expired
            if suffices
                && catalog::in_stock(tx, order.plan_id).await?
                && catalog::still_offered(tx, order.id).await? =>
        {
            PaymentOutcome::Revived
        }
        _ => return credit(tx, order, payment, settlement, &money).await.map(Some),
    };
    mark_paid(tx, payment, outcome, settlement, money.received_in_all(payment)?).await?;
    if outcome == PaymentOutcome::Revived {
        promos::take_again(tx, order.id).await?;
    }
    book_price(tx, order, &money).await?;
    pay_order(tx, order, payment).await?;
    let surplus = money.surplus()?;
    let is_told = payment.method == PaymentMethod::ManualTransfer && surplus > Rupiah::ZERO;
    let paid = Paid { outcome, arrived: money.arrived, surplus: is_told.then_some(surplus) };
    confirm(tx, order, payment, paid).await?;
    Ok(Some(outcome))
}

/// Puts the money of an attempt on the balance, whatever its order could do with it: for an attempt that was closed, on
/// an administrator's word.
pub(super) async fn settle_to_wallet(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
) -> Result<PaymentOutcome> {
    let money = Money::count(tx, order, payment, settlement).await?;
    credit(tx, order, payment, settlement, &money).await
}

/// Pays an order that waits with money of the balance, which is set aside until its server runs.
/// [`StoreError::InsufficientBalance`] when there is not enough, [`StoreError::Conflict`] when the order does not wait:
/// then nothing moves, since nothing arrives.
pub(super) async fn settle_from_wallet(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
) -> Result<()> {
    let from_wallet = payment.drawn()?;
    if order.status != OrderStatus::PendingPayment {
        return Err(StoreError::Conflict { object: Object::Order, state: order.status.to_string() });
    }
    let set_aside = ledger::position(tx, Service::Order(order.id)).await?.held;
    let price = order.claim(set_aside).price_by(payment.method)?;
    mark_paid(tx, payment, PaymentOutcome::Applied, &Settlement::default(), None).await?;
    let hold = Movement::hold(order.parties(), from_wallet, price)?;
    ledger::post(tx, &hold, None).await?;
    pay_order(tx, order, payment).await?;
    let paid = Paid { outcome: PaymentOutcome::Applied, arrived: price, surplus: None };
    confirm(tx, order, payment, paid).await
}

/// What there is to be told of an order that is paid.
#[derive(Debug, Clone, Copy)]
struct Paid {
    outcome: PaymentOutcome,
    arrived: Rupiah,
    surplus: Option<Rupiah>,
}

async fn confirm(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    paid: Paid,
) -> Result<()> {
    let confirmed = PaymentConfirmed {
        order_id: order.id,
        payment_id: payment.id,
        hostname: order.hostname.clone(),
        method: payment.method,
        bank: payment.bank,
        arrived: paid.arrived,
        late: paid.outcome == PaymentOutcome::Revived,
        surplus: paid.surplus,
    };
    let detail = json!({
        "payment_id": payment.id,
        "gateway": payment.gateway,
        "gateway_order_id": payment.gateway_order_id,
        "outcome": paid.outcome,
        "arrived": paid.arrived,
    });
    Entry::of(confirmed).detail(detail).tell(tx, order.user_id).await?;
    crash_point("settle.event_recorded");
    Ok(())
}

/// What came from outside, against what was waited for.
#[derive(Debug, Clone, Copy)]
struct Money {
    /// Where it is.
    incoming: Incoming,
    /// What earlier part payments set aside and this attempt completes.
    set_aside: Rupiah,
    /// What this attempt still has to bring.
    due: Rupiah,
    /// What it brings.
    arrived: Rupiah,
}

impl Money {
    async fn count(
        tx: &mut PgConnection,
        order: &LockedOrder,
        payment: &LockedPayment,
        settlement: &Settlement<'_>,
    ) -> Result<Self> {
        let incoming = payment.incoming()?;
        let held = ledger::position(tx, Service::Order(order.id)).await?.held;
        let due = order.claim(held).price_by(payment.method)?;
        let set_aside = order.total.minus(due)?;
        let arrived =
            if incoming.is_at_gateway() { payment.amount } else { settlement.arrived.unwrap_or(due) };
        Ok(Self { incoming, set_aside, due, arrived })
    }

    /// What came too much.
    fn surplus(&self) -> Result<Rupiah> {
        Ok(self.arrived.minus(self.due)?)
    }

    /// What a bank transfer has brought until now.
    fn received_in_all(&self, payment: &LockedPayment) -> Result<Option<Rupiah>> {
        if payment.method != PaymentMethod::ManualTransfer {
            return Ok(None);
        }
        Ok(Some(payment.amount_received.unwrap_or_default().plus(self.arrived)?))
    }
}

async fn credit(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
    money: &Money,
) -> Result<PaymentOutcome> {
    let outcome = PaymentOutcome::Credited;
    mark_paid(tx, payment, outcome, settlement, money.received_in_all(payment)?).await?;
    let late = Movement::late_payment(order.parties(), money.incoming, money.arrived)?;
    ledger::post(tx, &late, None).await?;
    crash_point("settle.credit_booked");
    let credited = PaymentCredited {
        order_id: order.id,
        payment_id: payment.id,
        hostname: order.hostname.clone(),
        arrived: money.arrived,
    };
    let detail = json!({ "payment_id": payment.id, "order_status": order.status });
    Entry::of(credited).detail(detail).tell(tx, order.user_id).await?;
    crash_point("settle.event_recorded");
    Ok(outcome)
}

/// Keeps a transfer that is too small for when the rest arrives.
async fn set_aside(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    money: &Money,
    settlement: &Settlement<'_>,
) -> Result<()> {
    let before = payment.amount_received.unwrap_or_default();
    let part = Movement::part_payment(order.parties(), money.incoming, before, money.arrived)?;
    ledger::post(tx, &part, settlement.note).await?;
    let received = before.plus(money.arrived)?;
    sqlx::query!(
        "UPDATE payments SET amount_received = $2, note = coalesce($3, note), updated_at = now() WHERE id = $1",
        payment.id.0,
        received.get(),
        settlement.note,
    )
    .execute(&mut *tx)
    .await?;
    let missing = money.due.minus(money.arrived)?;
    let incomplete = PaymentIncomplete {
        order_id: order.id,
        payment_id: payment.id,
        hostname: order.hostname.clone(),
        arrived: money.arrived,
        received,
        missing,
    };
    let detail = json!({ "payment_id": payment.id, "arrived": money.arrived, "missing": missing });
    Entry::of(incomplete).detail(detail).tell(tx, order.user_id).await
}

/// Books what pays an order.
async fn book_price(tx: &mut PgConnection, order: &LockedOrder, money: &Money) -> Result<()> {
    let (parties, price) = (order.parties(), order.price());
    let paid = Movement::payment_received(parties, money.incoming, price, money.set_aside)?;
    ledger::post(tx, &paid, None).await?;
    crash_point("settle.price_booked");
    if money.surplus()? > Rupiah::ZERO {
        let surplus = Movement::surplus(parties, money.incoming, money.surplus()?)?;
        ledger::post(tx, &surplus, None).await?;
    }
    if money.incoming.is_at_gateway() {
        release_hold(tx, order.id, "paid").await?;
        crash_point("settle.hold_released");
    }
    Ok(())
}

/// Notes that an attempt is paid, and books the fee that its gateway made the payer pay, which is nobody's but ours. What the
/// money does is the caller's to book.
pub(crate) async fn mark_paid(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    outcome: PaymentOutcome,
    settlement: &Settlement<'_>,
    received: Option<Rupiah>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET status = 'PAID', outcome = $2, paid_at = now(), updated_at = now(),
                gateway_transaction_id = coalesce($3, gateway_transaction_id), approved_by = $4,
                note = coalesce($5, note), amount_received = $6, payer_fee = $7
         WHERE id = $1",
        payment.id.0,
        outcome.as_str(),
        settlement.transaction_id,
        settlement.approved_by.map(|id| id.0),
        settlement.note,
        received.map(Rupiah::get),
        settlement.payer_fee.get(),
    )
    .execute(&mut *tx)
    .await?;
    crash_point("settle.payment_paid");
    if settlement.payer_fee > Rupiah::ZERO {
        ledger::post(tx, &Movement::payer_fee(payment.incoming()?, settlement.payer_fee)?, None).await?;
    }
    Ok(())
}

async fn pay_order(tx: &mut PgConnection, order: &LockedOrder, payment: &LockedPayment) -> Result<()> {
    if !transition::apply(tx, order.id, Transition::Pay).await? {
        return Err(StoreError::Conflict { object: Object::Order, state: order.status.to_string() });
    }
    crash_point("settle.order_paid");
    invoices::pay(tx, order.invoice_id, payment.id).await?;
    let start = outbox::order_start(tx, order.id).await?;
    outbox::enqueue(tx, &Message::PaymentConfirmed(start)).await?;
    crash_point("settle.message_written");
    Ok(())
}
