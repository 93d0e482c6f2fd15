//! Beginning to pay: further attempts, and what the gateway answered to a charge.

use domain::{
    billing::{Bank, PaymentMethod},
    gateway::Instructions,
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
    order::OrderStatus,
    payment_limits::Way,
};
use sqlx::PgConnection;

use super::{
    NewPayment, PayableUntil, Payment, Pays, insert, new_payment::next_attempt, pay_from_wallet,
    tell_of_refusal,
};
use crate::{
    Object, Result, Store, StoreError, boxed,
    idempotency::{self, Claim, Idempotency},
    locks::{LockedOrder, lock_deposit, lock_invoice, lock_order, lock_order_of},
    new_id, promos,
    unpaid::{self, Beginning},
};

/// A further attempt to pay an order.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// The customer.
    pub user: UserId,
    /// The order.
    pub order: OrderId,
    /// How it will be paid.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged; `None` when an administrator checks the payment.
    pub gateway: Option<&'static str>,
}

/// What came of beginning an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The attempt.
    pub payment_id: PaymentId,
    /// False when an earlier request with the same key began it.
    pub is_new: bool,
}

/// How a gateway answered to a charge.
#[derive(Debug, Clone)]
pub enum ChargeResult {
    /// The customer can pay.
    Ready(Instructions),
    /// Nothing was charged, for certain; with the reason.
    Refused(String),
    /// It is not known whether the attempt exists; with what happened.
    Unknown(String),
}

impl Store {
    /// Begins a further attempt to pay an order that waits for money. Earlier attempts stay as they are: whichever is
    /// paid first counts. One from the balance is paid at once. The same `request` again answers with the same attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such order, [`StoreError::Conflict`] when it does not wait
    /// for money, [`StoreError::IdempotencyMismatch`] when the key was used for another request,
    /// [`StoreError::InsufficientBalance`] when the balance was to pay it and does not suffice,
    /// [`StoreError::PaymentLimit`] when so much can't be paid in this way,
    /// [`StoreError::TooMuchUnpaid`] when there were as many attempts as there may be within a day.
    #[boxed]
    pub async fn open_payment(&self, new: &NewAttempt, request: &Idempotency) -> Result<Opened> {
        let payment_id: PaymentId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, payment_id.0).await? {
            return Ok(Opened { payment_id: earlier.into(), is_new: false });
        }
        let order = lock_order_of(&mut tx, new.user, new.order).await?;
        if order.status != OrderStatus::PendingPayment {
            return Err(StoreError::Conflict { object: Object::Order, state: order.status.to_string() });
        }
        let way = Way { method: new.method, bank: new.bank };
        self.check_payment_limits(new.gateway, way, order.total)?;
        if new.method != PaymentMethod::Wallet {
            let attempt = Beginning::OrderAttempt(order.id);
            unpaid::allow(&mut tx, &self.unpaid_limits, new.user, attempt).await?;
        }
        insert_attempt(&mut tx, payment_id, &order, new.method, new.bank, new.gateway).await?;
        if new.method == PaymentMethod::Wallet {
            pay_from_wallet(&mut tx, order.id, payment_id).await?;
        }
        tx.commit().await?;
        Ok(Opened { payment_id, is_new: true })
    }

    /// Keeps what a gateway answered to a charge. A webhook event that was quicker wins: only an attempt that is still
    /// open changes its status.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such payment.
    #[boxed]
    pub async fn record_charge(&self, payment: PaymentId, result: &ChargeResult) -> Result<Payment> {
        match result {
            ChargeResult::Ready(instructions) => self.keep_instructions(payment, instructions).await?,
            ChargeResult::Refused(reason) => self.close_refused(payment, reason).await?,
            ChargeResult::Unknown(reason) => {
                sqlx::query!(
                    "UPDATE payments SET status = 'UNKNOWN', note = $2, updated_at = now()
                     WHERE id = $1 AND status = 'PENDING'",
                    payment.0,
                    reason,
                )
                .execute(&self.pool)
                .await?;
            }
        }
        self.any_payment(payment).await
    }

    /// Closes an attempt that its gateway refused, and has its customer choose another method.
    async fn close_refused(&self, payment: PaymentId, reason: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        lock_what_it_pays(&mut tx, payment).await?;
        let closed = sqlx::query_scalar!(
            r#"UPDATE payments SET status = 'DENIED', note = $2, updated_at = now()
               WHERE id = $1 AND status IN ('PENDING', 'UNKNOWN') RETURNING deposit_id AS "deposit_id: DepositId""#,
            payment.0,
            reason,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(deposit) = closed else { return Ok(()) };
        if let Some(deposit) = deposit {
            promos::release_deposit(&mut tx, deposit).await?;
        }
        tell_of_refusal(&mut tx, payment).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn keep_instructions(&self, payment: PaymentId, instructions: &Instructions) -> Result<()> {
        sqlx::query!(
            "UPDATE payments SET gateway_transaction_id = $2, qr_string = $3, va_number = $4, bill_key = $5,
                    biller_code = $6, expires_at = coalesce($7, expires_at), updated_at = now(),
                    status = CASE status WHEN 'UNKNOWN' THEN 'PENDING' ELSE status END
             WHERE id = $1",
            payment.0,
            instructions.transaction_id,
            instructions.qr_string,
            instructions.va_number,
            instructions.bill_key,
            instructions.biller_code,
            instructions.expires_at,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Locks the order, invoice or deposit that an attempt pays, as everybody does before the attempt.
async fn lock_what_it_pays(tx: &mut PgConnection, payment: PaymentId) -> Result<()> {
    let pays = sqlx::query!(
        r#"SELECT order_id AS "order_id: OrderId", invoice_id AS "invoice_id: InvoiceId",
                  deposit_id AS "deposit_id: DepositId" FROM payments WHERE id = $1"#,
        payment.0,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound("payment"))?;
    if let Some(order) = pays.order_id {
        lock_order(tx, order).await?;
    } else if let Some(invoice) = pays.invoice_id {
        lock_invoice(tx, invoice).await?;
    } else if let Some(deposit) = pays.deposit_id {
        lock_deposit(tx, deposit).await?;
    }
    Ok(())
}

/// Writes the next attempt of a locked order, for all of its total.
pub(super) async fn insert_attempt(
    tx: &mut PgConnection,
    payment: PaymentId,
    order: &LockedOrder,
    method: PaymentMethod,
    bank: Option<Bank>,
    gateway: Option<&str>,
) -> Result<()> {
    let new = NewPayment {
        id: payment,
        pays: Pays::Order { order: order.id, invoice: order.invoice_id },
        attempt: next_attempt(tx, order.invoice_id).await?,
        customer: order.user_id,
        method,
        bank,
        gateway,
        amount: order.total,
        until: PayableUntil::At(order.expires_at),
    };
    insert(tx, &new).await
}
