//! Money that is set aside for an order: taken when the order runs, given back when it never will.

use domain::{
    Rupiah,
    event::MoneyReleased,
    ids::{OrderId, PaymentId},
    ledger::{Movement, Service},
};
use sqlx::PgConnection;

use super::settle::settle_from_wallet;
use crate::{
    Result,
    events::Entry,
    ledger,
    locks::{lock_order, lock_payment},
};

/// Pays an order that waits for money from the customer's balance, by an attempt that was written for that.
/// [`crate::StoreError::InsufficientBalance`] when there is not enough, [`crate::StoreError::Conflict`] when it does not
/// wait.
pub(crate) async fn pay_from_wallet(tx: &mut PgConnection, order: OrderId, payment: PaymentId) -> Result<()> {
    let order = lock_order(tx, order).await?;
    let payment = lock_payment(tx, payment).await?;
    settle_from_wallet(tx, &order, &payment).await
}

/// Takes what is set aside for an order that runs now: its price, less what of it was given back. The order is locked by the caller.
pub(crate) async fn capture_hold(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    let position = ledger::position(tx, Service::Order(order)).await?;
    if position.held == Rupiah::ZERO {
        return Ok(());
    }
    let order = lock_order(tx, order).await?;
    let price = position.held_price(order.price())?;
    if let Some(capture) = Movement::capture(order.parties(), &position, price)? {
        ledger::post(tx, &capture, None).await?;
    }
    Ok(())
}

/// Gives back what is set aside for an unpaid order, because of `event`; answers how much. The order is locked by the
/// caller.
pub(crate) async fn release_hold(tx: &mut PgConnection, order: OrderId, event: &str) -> Result<Rupiah> {
    let position = ledger::position(tx, Service::Order(order)).await?;
    if position.held == Rupiah::ZERO {
        return Ok(Rupiah::ZERO);
    }
    let order = lock_order(tx, order).await?;
    if let Some(release) = Movement::release(order.parties(), event, &position)? {
        ledger::post(tx, &release, None).await?;
        let released = MoneyReleased {
            order_id: order.id,
            hostname: order.hostname,
            amount: position.held,
            cause: event.to_owned(),
        };
        Entry::of(released).tell(tx, order.user_id).await?;
    }
    Ok(position.held)
}
