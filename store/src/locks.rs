//! Rows that a transaction holds until it ends, and the one ORDER in which everybody locks.
//!
//! Whoever wants a row that another transaction holds waits for that one's end. Two that each hold what the other wants next
//! would wait for ever, and the database would have to fail one of them. So there is one order:
//!
//! 1. the account of who begins something unpaid ([`lock_account`]), under which what is unpaid is counted
//!    ([`crate::unpaid`]);
//! 2. the server, for an action or a further term: the term's invoice is withdrawn or paid under it;
//! 3. what is paid: the order ([`lock_order`]), the invoice that belongs to none ([`lock_invoice`]), or the deposit
//!    ([`lock_deposit`]). Whoever holds it decides alone what becomes of its money;
//! 4. its attempts to pay ([`lock_payment`]), or its provisioning task and its server's record
//!    (`placements::is_settled`): they are found by way of the row above them;
//! 5. the plan, if only so many of it are sold (`catalog::in_stock`), then the promo code (`promos::find_to_use`): many
//!    customers want the same one, so they come after what is one customer's own, and are held for less long;
//! 6. the customer's accounts in the ledger (`ledger::lock_accounts`), both and in the order of their ids: what is booked is
//!    decided before;
//! 7. the counter of a series of numbers ([`crate::numbers`]), last of all: every order of the moment waits there, so whoever
//!    holds it waits for nobody.
//!
//! An idempotency key ([`crate::idempotency::claim`]) is wanted by repetitions of one request only, which all claim it at the
//! same step: mostly the first, so that a repetition waits there and does nothing else.
//!
//! What the rows below say is read under their locks, so it stays so until the commit. All are locked `FOR NO KEY UPDATE`:
//! what refers to them can still be written.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, Claim, InvoiceStatus, PaymentMethod, PaymentStatus},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, PlanId, UserId},
    ledger::{FromWallet, Incoming, MoneySource, Parties, Price, Service},
    order::OrderStatus,
};
use sqlx::PgConnection;

use crate::{Object, Result, StoreError};

/// Locks an account until the caller's transaction ends, so that what it has begun is counted by one request after the
/// other. To be called before anything else is locked.
pub(crate) async fn lock_account(tx: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0).fetch_optional(tx).await?;
    Ok(())
}

/// An order held until the transaction ends, with what paying it depends on.
#[derive(Debug)]
pub(crate) struct LockedOrder {
    pub id: OrderId,
    pub user_id: UserId,
    pub plan_id: PlanId,
    pub invoice_id: InvoiceId,
    pub status: OrderStatus,
    pub hostname: String,
    pub total: Rupiah,
    pub tax: Rupiah,
    pub expires_at: DateTime<Utc>,
}

impl LockedOrder {
    pub(crate) const fn parties(&self) -> Parties {
        Parties { customer: self.user_id, service: Service::Order(self.id) }
    }

    pub(crate) const fn price(&self) -> Price {
        Price { total: self.total, tax: self.tax }
    }

    /// What it claims, with what is set aside for it.
    pub(crate) fn claim(&self, set_aside: Rupiah) -> Claim {
        Claim { waits: self.status == OrderStatus::PendingPayment, total: self.total, set_aside }
    }
}

/// Locks a customer's order.
pub(crate) async fn lock_order_of(
    tx: &mut PgConnection,
    owner: UserId,
    order: OrderId,
) -> Result<LockedOrder> {
    find_and_lock_order(tx, order, Some(owner)).await
}

/// Locks anybody's order.
pub(crate) async fn lock_order(tx: &mut PgConnection, order: OrderId) -> Result<LockedOrder> {
    find_and_lock_order(tx, order, None).await
}

async fn find_and_lock_order(
    tx: &mut PgConnection,
    order: OrderId,
    owner: Option<UserId>,
) -> Result<LockedOrder> {
    sqlx::query_as!(
        LockedOrder,
        r#"SELECT o.id AS "id: OrderId", o.user_id AS "user_id: UserId", o.plan_id AS "plan_id: PlanId",
                  i.id AS "invoice_id: InvoiceId", o.status AS "status: OrderStatus", o.hostname,
                  o.total AS "total: Rupiah", i.tax AS "tax: Rupiah", o.expires_at
           FROM orders o JOIN invoices i ON i.order_id = o.id
           WHERE o.id = $1 AND ($2::uuid IS NULL OR o.user_id = $2) FOR NO KEY UPDATE OF o"#,
        order.0,
        owner.map(|id| id.0),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("order"))
}

/// An invoice that belongs to no order, held until the transaction ends.
#[derive(Debug)]
pub(crate) struct LockedInvoice {
    pub id: InvoiceId,
    pub user_id: UserId,
    pub status: InvoiceStatus,
    pub number: String,
    pub total: Rupiah,
    pub tax: Rupiah,
}

impl LockedInvoice {
    pub(crate) const fn parties(&self) -> Parties {
        Parties { customer: self.user_id, service: Service::Invoice(self.id) }
    }

    pub(crate) const fn price(&self) -> Price {
        Price { total: self.total, tax: self.tax }
    }
}

/// Locks a customer's issued invoice that belongs to no order, and before it the server that it is over a term of.
pub(crate) async fn lock_invoice_of(
    tx: &mut PgConnection,
    owner: UserId,
    invoice: InvoiceId,
) -> Result<LockedInvoice> {
    find_and_lock_invoice(tx, invoice, Some(owner)).await
}

/// The same for anybody's invoice.
pub(crate) async fn lock_invoice(tx: &mut PgConnection, invoice: InvoiceId) -> Result<LockedInvoice> {
    find_and_lock_invoice(tx, invoice, None).await
}

async fn find_and_lock_invoice(
    tx: &mut PgConnection,
    invoice: InvoiceId,
    owner: Option<UserId>,
) -> Result<LockedInvoice> {
    lock_server(tx, invoice).await?;
    sqlx::query_as!(
        LockedInvoice,
        r#"SELECT id AS "id: InvoiceId", user_id AS "user_id: UserId", status AS "status: InvoiceStatus",
                  number AS "number!", total AS "total: Rupiah", tax AS "tax: Rupiah"
           FROM invoices
           WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) AND order_id IS NULL AND number IS NOT NULL
           FOR NO KEY UPDATE"#,
        invoice.0,
        owner.map(|id| id.0),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("invoice"))
}

/// Locks the server that an invoice is over a term or a plan of, if it is.
async fn lock_server(tx: &mut PgConnection, invoice: InvoiceId) -> Result<()> {
    sqlx::query!(
        "SELECT id FROM instances
         WHERE id = coalesce((SELECT instance_id FROM renewals WHERE invoice_id = $1),
                             (SELECT instance_id FROM resizes WHERE invoice_id = $1))
         FOR NO KEY UPDATE",
        invoice.0
    )
    .fetch_optional(tx)
    .await?;
    Ok(())
}

/// A deposit held until the transaction ends.
#[derive(Debug)]
pub(crate) struct LockedDeposit {
    pub id: DepositId,
    pub user_id: UserId,
}

/// Locks a deposit.
pub(crate) async fn lock_deposit(tx: &mut PgConnection, deposit: DepositId) -> Result<LockedDeposit> {
    sqlx::query_as!(
        LockedDeposit,
        r#"SELECT id AS "id: DepositId", user_id AS "user_id: UserId" FROM deposits WHERE id = $1 FOR NO KEY UPDATE"#,
        deposit.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("deposit"))
}

/// An attempt held until the transaction ends.
#[derive(Debug)]
pub(crate) struct LockedPayment {
    pub id: PaymentId,
    pub gateway: Option<String>,
    pub gateway_order_id: String,
    pub method: PaymentMethod,
    pub bank: Option<Bank>,
    pub amount: Rupiah,
    pub amount_received: Option<Rupiah>,
    /// Paid: what its gateway made the payer pay on top.
    pub payer_fee: Rupiah,
    pub status: PaymentStatus,
}

impl LockedPayment {
    /// Its money, which comes from outside; [`StoreError::Conflict`] when it is paid from the balance, which brings none.
    pub(crate) fn incoming(&self) -> Result<Incoming> {
        MoneySource::of(self.id, self.method).incoming().ok_or_else(|| self.no_such_money())
    }

    /// Its money, which comes from the balance; [`StoreError::Conflict`] when it is paid otherwise.
    pub(crate) fn drawn(&self) -> Result<FromWallet> {
        MoneySource::of(self.id, self.method).from_wallet().ok_or_else(|| self.no_such_money())
    }

    fn no_such_money(&self) -> StoreError {
        StoreError::Conflict { object: Object::Payment, state: format!("one by {}", self.method) }
    }
}

/// Locks an attempt. Its order or deposit must be locked already.
pub(crate) async fn lock_payment(tx: &mut PgConnection, payment: PaymentId) -> Result<LockedPayment> {
    sqlx::query_as!(
        LockedPayment,
        r#"SELECT id AS "id: PaymentId", gateway, gateway_order_id, method AS "method: PaymentMethod",
                  bank AS "bank: Bank", amount AS "amount: Rupiah", amount_received AS "amount_received: Rupiah",
                  payer_fee AS "payer_fee: Rupiah", status AS "status: PaymentStatus"
           FROM payments WHERE id = $1 FOR NO KEY UPDATE"#,
        payment.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("payment"))
}
