//! Attempts to pay an order, another invoice or a deposit: the customer's reads, further attempts, what a gateway answered to a charge,
//! what an administrator decided, and the one place where money takes effect ([`settle`]).

mod attempt;
mod hold;
mod invoice;
mod misfit;
mod new_payment;
mod proofs;
mod refusal;
mod review;
mod settle;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, Claim, PaymentMethod, PaymentStatus},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
};
use sqlx::PgConnection;

pub use attempt::{ChargeResult, NewAttempt, Opened};
pub(crate) use hold::{capture_hold, pay_from_wallet, release_hold};
pub use invoice::NewInvoiceAttempt;
pub(crate) use invoice::{begin as begin_invoice_payment, settle_invoice};
pub(crate) use misfit::{Misfit, tell_of_misfit};
pub(crate) use new_payment::{NewPayment, PayableUntil, Pays, insert};
pub use proofs::{NewProof, Proof, ProofError, ProofFile};
pub(crate) use refusal::tell_of_refusal;
pub use review::{Approval, ApprovalError};
pub(crate) use settle::{Settlement, mark_paid, settle};

use crate::{
    Elapsed, Result, Store, StoreError, boxed,
    page::{Page, PageRequest},
};

/// One attempt to pay, as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The order it pays, if it pays one.
    pub order_id: Option<OrderId>,
    /// The bill it pays, if it pays one.
    pub invoice_id: Option<InvoiceId>,
    /// The deposit it pays, if it pays one.
    pub deposit_id: Option<DepositId>,
    /// Slug of the gateway; `None` when an administrator checks the money.
    pub gateway: Option<String>,
    /// Our name for the attempt at the gateway.
    pub gateway_order_id: String,
    /// How it is paid.
    pub method: PaymentMethod,
    /// Whose virtual account.
    pub bank: Option<Bank>,
    /// How much.
    pub amount: Rupiah,
    /// Bank transfers: what has arrived so far.
    pub amount_received: Option<Rupiah>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// QRIS: the text of the QR code, once the gateway answered.
    pub qr_string: Option<String>,
    /// Virtual account: its number, once the gateway answered.
    pub va_number: Option<String>,
    /// Mandiri: the bill's key, once the gateway answered.
    pub bill_key: Option<String>,
    /// Mandiri: the biller's code, once the gateway answered.
    pub biller_code: Option<String>,
    /// Until when it can be paid.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the money was ours.
    pub paid_at: Option<DateTime<Utc>>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// How long ago that was.
    pub age: Elapsed,
    /// How long it can still be paid; nothing once it can't, `None` when that has no end.
    pub time_left: Option<Elapsed>,
    /// Whether what it is for waits for money.
    pub waits: bool,
    /// What earlier transfers brought for that and is set aside.
    pub set_aside: Rupiah,
}

impl Payment {
    /// What it still has to bring; `None` when nobody waits for it.
    #[must_use]
    pub fn amount_due(&self) -> Option<Rupiah> {
        let claim = Claim { waits: self.waits, total: self.amount, set_aside: self.set_aside };
        claim.due_by(self.method, self.status).ok().flatten()
    }
}

impl Store {
    /// A customer's attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such payment.
    #[boxed]
    pub async fn payment_of(&self, owner: UserId, payment: PaymentId) -> Result<Payment> {
        self.find_payment(payment, Some(owner)).await
    }

    /// Anybody's attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such payment.
    #[boxed]
    pub async fn any_payment(&self, payment: PaymentId) -> Result<Payment> {
        self.find_payment(payment, None).await
    }

    async fn find_payment(&self, payment: PaymentId, owner: Option<UserId>) -> Result<Payment> {
        let filter = Filter { payment: Some(payment), owner, ..Filter::all() };
        self.select_payments(&filter).await?.pop().ok_or(StoreError::NotFound("payment"))
    }

    /// The attempts to pay the given invoices, newest first.
    pub(crate) async fn payments_of_invoices(&self, invoices: &[InvoiceId]) -> Result<Vec<Payment>> {
        let ids = invoices.iter().map(|id| id.0).collect();
        self.select_payments(&Filter { invoices: Some(ids), limit: i64::MAX, ..Filter::all() }).await
    }

    /// The latest attempt to pay an order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn latest_payment(&self, order: OrderId) -> Result<Payment> {
        let filter = Filter { order: Some(order), ..Filter::all() };
        self.select_payments(&filter).await?.pop().ok_or(StoreError::NotFound("order"))
    }

    /// A customer's attempts, newest first, of one order or of all.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn payments_of(
        &self,
        owner: UserId,
        order: Option<OrderId>,
        page: &PageRequest,
    ) -> Result<Page<Payment>> {
        let filter =
            Filter { order, owner: Some(owner), before: page.before, limit: page.fetch(), ..Filter::all() };
        Ok(page.cut(self.select_payments(&filter).await?, |payment| payment.id.0))
    }

    /// The attempts to pay the given deposits.
    pub(crate) async fn payments_of_deposits(&self, deposits: &[DepositId]) -> Result<Vec<Payment>> {
        let ids = deposits.iter().map(|id| id.0).collect();
        self.select_payments(&Filter { deposits: Some(ids), limit: i64::MAX, ..Filter::all() }).await
    }

    async fn select_payments(&self, filter: &Filter) -> Result<Vec<Payment>> {
        Ok(sqlx::query_as!(
            Payment,
            r#"SELECT p.id AS "id: PaymentId", p.order_id AS "order_id: OrderId", p.invoice_id AS "invoice_id: InvoiceId",
                      p.deposit_id AS "deposit_id: DepositId", p.gateway, p.gateway_order_id,
                      p.method AS "method: PaymentMethod", p.bank AS "bank: Bank", p.amount AS "amount: Rupiah",
                      p.amount_received AS "amount_received: Rupiah", p.status AS "status: PaymentStatus", p.qr_string,
                      p.va_number, p.bill_key, p.biller_code, p.expires_at, p.paid_at, p.created_at,
                      extract(epoch FROM now() - p.created_at)::float8 AS "age!: Elapsed",
                      extract(epoch FROM p.expires_at - now())::float8 AS "time_left: Elapsed",
                      w.waits AS "waits!", w.set_aside AS "set_aside!: Rupiah"
               FROM payments p CROSS JOIN LATERAL payment_claim(p) w
               WHERE ($1::uuid IS NULL OR p.id = $1) AND ($2::uuid IS NULL OR p.order_id = $2)
                 AND ($3::uuid IS NULL OR p.user_id = $3) AND ($4::uuid IS NULL OR p.id < $4)
                 AND ($5::uuid[] IS NULL OR p.deposit_id = ANY($5))
                 AND ($7::uuid[] IS NULL OR p.invoice_id = ANY($7))
               ORDER BY p.id DESC LIMIT $6"#,
            filter.payment.map(|id| id.0),
            filter.order.map(|id| id.0),
            filter.owner.map(|id| id.0),
            filter.before,
            filter.deposits.as_deref(),
            filter.limit,
            filter.invoices.as_deref(),
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

struct Filter {
    payment: Option<PaymentId>,
    order: Option<OrderId>,
    owner: Option<UserId>,
    before: Option<uuid::Uuid>,
    deposits: Option<Vec<uuid::Uuid>>,
    invoices: Option<Vec<uuid::Uuid>>,
    limit: i64,
}

impl Filter {
    /// The latest one, whoever's it is: to be narrowed.
    const fn all() -> Self {
        Self {
            payment: None,
            order: None,
            owner: None,
            before: None,
            deposits: None,
            invoices: None,
            limit: 1,
        }
    }
}

/// What of a payment neither went back through its gateway nor is in dispute.
pub(crate) async fn undisputed(tx: &mut PgConnection, payment: PaymentId) -> Result<Rupiah> {
    Ok(sqlx::query_scalar!(r#"SELECT undisputed($1) AS "left!: Rupiah""#, payment.0).fetch_one(tx).await?)
}
