//! Giving money back: whole or in part, to the customer's balance or back through the gateway it was paid through
//! ([`request`]), the saga's steps at the gateway ([`steps`]), and the papers for it ([`paper`]).
//!
//! A refund is booked by the transaction that decides on it. Through a gateway it then has a way to go: the money is
//! owed (`REFUNDS_PAYABLE`) until the gateway certainly gave it back, or certainly did not.

mod credit_notes;
mod notes;
mod read;
mod request;
mod steps;
mod unserved;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    event::{Event, RefundOf},
    ids::{CreditNoteId, InvoiceId, OrderId, PaymentId, RefundId, UserId},
    ledger::{Parties, Price, Service},
    order::OrderStatus,
    refund::{RefundDestination, RefundPolicy, RefundStatus},
};
use serde_json::json;
use sqlx::PgConnection;

pub(crate) use credit_notes::{credit, give_back};
pub use notes::OwnCreditNote;
pub use read::{CreditNote, RefundFilter};
pub(crate) use request::end_instance;
pub use steps::{RefundCall, RefundJob};
pub(crate) use unserved::{give_back_invoice, give_back_unserved, unserved};

use crate::{
    Object, Result, StoreError,
    events::Entry,
    locks::{LockedInvoice, LockedOrder},
};

/// Money to be given back.
#[derive(Debug, Clone, Copy)]
pub struct NewRefund<'a> {
    /// How much.
    pub part: Part,
    /// Where to.
    pub destination: RefundDestination,
    /// Why; it goes on the credit note.
    pub reason: &'a str,
    /// Slugs of the gateways that are set up in this installation.
    pub gateways: &'a [&'a str],
    /// How patiently a gateway is asked.
    pub policy: RefundPolicy,
}

/// How much is to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All that is there.
    Whole,
    /// What of a running server's term is not served yet.
    Unserved,
    /// So much.
    Amount(Rupiah),
}

/// Why money is not given back. Nothing moved.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// Nothing leads back the way it was paid.
    #[error("{0}")]
    ChannelUnavailable(String),
    /// There is less than that to be given back.
    #[error("no more than {available} can be given back")]
    TooMuch {
        /// How much there is.
        available: Rupiah,
    },
    /// The state of things, the request's idempotency key or the database was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for RefundError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<domain::money::AmountOverflow> for RefundError {
    fn from(error: domain::money::AmountOverflow) -> Self {
        Self::Store(error.into())
    }
}

impl From<domain::ledger::LedgerError> for RefundError {
    fn from(error: domain::ledger::LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// Money that is given back.
#[derive(Debug, Clone)]
pub struct Refund {
    /// Its id, also its name at the gateway and the cursor of lists.
    pub id: RefundId,
    /// Whose money.
    pub customer_id: UserId,
    /// The order it was paid for, if it was an order.
    pub order_id: Option<OrderId>,
    /// The invoice it was paid for: the order's, or one without an order.
    pub invoice_id: InvoiceId,
    /// The payment that goes back through its gateway.
    pub payment_id: Option<PaymentId>,
    /// Slug of that gateway.
    pub gateway: Option<String>,
    /// Where it goes.
    pub destination: RefundDestination,
    /// Where it stands.
    pub status: RefundStatus,
    /// How much.
    pub amount: Rupiah,
    /// Of it, without tax.
    pub net: Rupiah,
    /// PPN in it.
    pub tax: Rupiah,
    /// Why.
    pub reason: String,
    /// The credit note; `None` where the invoice was never paid in full.
    pub credit_note_id: Option<CreditNoteId>,
    /// The credit note's number.
    pub credit_note: Option<String>,
    /// The administrator.
    pub requested_by: Option<UserId>,
    /// The gateway's name for it.
    pub gateway_refund_id: Option<String>,
    /// How often the gateway was asked.
    pub attempts: i32,
    /// Since when a call may have taken effect whose answer is not known.
    pub in_doubt_since: Option<DateTime<Utc>>,
    /// What went wrong last, for staff.
    pub last_error: Option<String>,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When the gateway was first asked.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the money was with the customer or on the balance.
    pub ended_at: Option<DateTime<Utc>>,
}

/// An order whose money is given back.
#[derive(Debug, Clone)]
pub struct RefundedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now.
    pub status: OrderStatus,
    /// Whether a server may exist at the provider: it was seen, or a create was sent and never refused for certain.
    pub server_may_exist: bool,
    /// What is given back.
    pub refund: Refund,
}

/// What was billed and paid, held until the transaction ends.
pub(crate) struct Billed {
    pub(crate) service: Service,
    customer: UserId,
    invoice: InvoiceId,
    pub(crate) price: Price,
}

impl Billed {
    pub(crate) fn of_order(order: &LockedOrder) -> Self {
        Self {
            service: Service::Order(order.id),
            customer: order.user_id,
            invoice: order.invoice_id,
            price: order.price(),
        }
    }

    pub(crate) fn of_invoice(invoice: &LockedInvoice) -> Self {
        Self {
            service: Service::Invoice(invoice.id),
            customer: invoice.user_id,
            invoice: invoice.id,
            price: invoice.price(),
        }
    }

    pub(crate) const fn parties(&self) -> Parties {
        Parties { customer: self.customer, service: self.service }
    }

    pub(crate) const fn order(&self) -> Option<OrderId> {
        match self.service {
            Service::Order(order) => Some(order),
            Service::Invoice(_) => None,
        }
    }
}

/// Locks a paid invoice that belongs to no order.
async fn lock_invoice(tx: &mut PgConnection, invoice: InvoiceId) -> Result<Billed> {
    let row = sqlx::query!(
        r#"SELECT user_id, order_id, status, total AS "total: Rupiah", tax AS "tax: Rupiah"
           FROM invoices WHERE id = $1 FOR NO KEY UPDATE"#,
        invoice.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("invoice"))?;
    let in_the_way = |state: String| StoreError::Conflict { object: Object::Invoice, state };
    if row.order_id.is_some() {
        return Err(in_the_way("an order's: refund the order".to_owned()));
    }
    if row.status != "PAID" {
        return Err(in_the_way(row.status));
    }
    Ok(Billed {
        service: Service::Invoice(invoice),
        customer: row.user_id.into(),
        invoice,
        price: Price { total: row.total, tax: row.tax },
    })
}

/// Tells the customer what became of a refund.
async fn tell(
    tx: &mut PgConnection,
    refund: &Refund,
    news: impl FnOnce(RefundOf) -> Event + Send,
) -> Result<()> {
    let billed = sqlx::query!(
        r#"SELECT o.hostname AS "hostname?", i.number AS "number!"
           FROM invoices i LEFT JOIN orders o ON o.id = i.order_id WHERE i.id = $1"#,
        refund.invoice_id.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let of = RefundOf {
        refund_id: refund.id,
        order_id: refund.order_id,
        invoice_id: refund.invoice_id,
        hostname: billed.hostname,
        number: billed.number,
        amount: refund.amount,
        credit_note: refund.credit_note.clone(),
    };
    let detail = json!({
        "refund_id": refund.id,
        "amount": refund.amount,
        "credit_note": refund.credit_note,
        "gateway_refund_id": refund.gateway_refund_id,
    });
    Entry::of(news(of)).detail(detail).tell(tx, refund.customer_id).await
}
