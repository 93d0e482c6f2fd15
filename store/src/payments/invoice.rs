//! Paying an invoice that belongs to no order: a further term of a server, or what staff billed by hand.

use domain::{
    Rupiah,
    billing::{Bank, InvoiceStatus, PaymentMethod, PaymentOutcome},
    event::{InvoicePaid, InvoicePaymentCredited},
    ids::{InvoiceId, PaymentId, UserId},
    ledger::Movement,
    payment_limits::Way,
};
use sqlx::PgConnection;

use super::{
    NewPayment, Opened, PayableUntil, Pays, Settlement, insert, mark_paid, new_payment::next_attempt,
};
use crate::{
    Object, Result, Store, StoreError, boxed,
    events::Entry,
    idempotency::{self, Claim, Idempotency},
    invoices, ledger,
    locks::{LockedInvoice, LockedPayment, lock_invoice, lock_invoice_of, lock_payment},
    new_id, server_resizes,
    server_terms::{self, Wakes},
    unpaid::{self, Beginning},
};

/// A further attempt to pay an invoice that belongs to no order.
#[derive(Debug, Clone)]
pub struct NewInvoiceAttempt {
    /// The customer.
    pub user: UserId,
    /// The invoice.
    pub invoice: InvoiceId,
    /// How it will be paid: by a gateway or from the balance.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged; `None` with the balance.
    pub gateway: Option<&'static str>,
    /// How long it can be paid, in milliseconds.
    pub pay_within_ms: u64,
}

impl NewInvoiceAttempt {
    /// How it will be paid.
    #[must_use]
    pub const fn way(&self) -> Way {
        Way { method: self.method, bank: self.bank }
    }
}

impl Store {
    /// Begins a further attempt to pay an open invoice that belongs to no order. Earlier attempts stay as they are:
    /// whichever is paid first counts. One from the balance is paid at once. The same `request` again answers with the
    /// same attempt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such invoice, [`StoreError::Conflict`] naming its status when
    /// it does not wait for money (or why it would be paid for nothing), [`StoreError::IdempotencyMismatch`] when the key
    /// was used for another request, [`StoreError::InsufficientBalance`] when the balance was to pay it and does not
    /// suffice, [`StoreError::PaymentLimit`] when so much can't be paid in this way.
    #[boxed]
    pub async fn open_invoice_payment(
        &self,
        new: &NewInvoiceAttempt,
        request: &Idempotency,
    ) -> Result<Opened> {
        let payment_id: PaymentId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, payment_id.0).await? {
            return Ok(Opened { payment_id: earlier.into(), is_new: false });
        }
        let invoice = lock_invoice_of(&mut tx, new.user, new.invoice).await?;
        self.check_payment_limits(new.gateway, new.way(), invoice.total)?;
        if new.method != PaymentMethod::Wallet {
            let attempt = Beginning::InvoiceAttempt(invoice.id);
            unpaid::allow(&mut tx, &self.unpaid_limits, new.user, attempt).await?;
        }
        begin(&mut tx, &invoice, payment_id, new, Wakes::Workflow).await?;
        tx.commit().await?;
        Ok(Opened { payment_id, is_new: true })
    }
}

impl Store {
    /// Begins the first attempt to pay an invoice that was written for a server just now, if so much can be paid in this way.
    pub(crate) async fn begin_paying(
        &self,
        tx: &mut PgConnection,
        payment: PaymentId,
        attempt: &NewInvoiceAttempt,
    ) -> Result<()> {
        let invoice = lock_invoice(tx, attempt.invoice).await?;
        self.check_payment_limits(attempt.gateway, attempt.way(), invoice.total)?;
        begin(tx, &invoice, payment, attempt, Wakes::Workflow).await
    }
}

/// Writes an attempt to pay an open invoice; one from the balance is paid at once. The invoice is locked by the caller.
/// [`StoreError::Conflict`] when nobody would have anything from paying it, however it is to be paid.
pub(crate) async fn begin(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: PaymentId,
    new: &NewInvoiceAttempt,
    wakes: Wakes,
) -> Result<()> {
    refuse_if_pointless(tx, invoice).await?;
    let attempt = NewPayment {
        id: payment,
        pays: Pays::Invoice(invoice.id),
        attempt: next_attempt(tx, invoice.id).await?,
        customer: invoice.user_id,
        method: new.method,
        bank: new.bank,
        gateway: new.gateway,
        amount: invoice.total,
        until: PayableUntil::Within(new.pay_within_ms),
    };
    insert(tx, &attempt).await?;
    if new.method == PaymentMethod::Wallet {
        let payment = lock_payment(tx, payment).await?;
        settle_from_wallet(tx, invoice, &payment, wakes).await?;
    }
    Ok(())
}

async fn refuse_if_pointless(tx: &mut PgConnection, invoice: &LockedInvoice) -> Result<()> {
    let in_the_way = |state: String| Err(StoreError::Conflict { object: Object::Invoice, state });
    if invoice.status != InvoiceStatus::Open {
        return in_the_way(invoice.status.to_string());
    }
    if server_terms::is_pointless(tx, invoice.id).await? {
        return in_the_way("over what its server can't have any more".to_owned());
    }
    Ok(())
}

/// Lets the money of an attempt pay its invoice if it still waits, and bring about what it was for; else it goes to the
/// balance. The money comes from outside: an attempt from the balance is refused. Invoice and attempt are locked by the
/// caller, and the attempt is not paid yet.
pub(crate) async fn settle_invoice(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
) -> Result<PaymentOutcome> {
    let incoming = payment.incoming()?;
    if invoice.status != InvoiceStatus::Open || server_terms::is_pointless(tx, invoice.id).await? {
        mark_paid(tx, payment, PaymentOutcome::Credited, settlement, None).await?;
        let late = Movement::late_payment(invoice.parties(), incoming, payment.amount)?;
        // One that is pointless may have been left open by another version.
        invoices::void(tx, invoice.id).await?;
        ledger::post(tx, &late, None).await?;
        let credited = InvoicePaymentCredited {
            invoice_id: invoice.id,
            payment_id: payment.id,
            number: invoice.number.clone(),
            amount: payment.amount,
        };
        Entry::of(credited).tell(tx, invoice.user_id).await?;
        return Ok(PaymentOutcome::Credited);
    }
    apply(tx, invoice, payment, settlement, Wakes::Workflow).await?;
    let paid = Movement::payment_received(invoice.parties(), incoming, invoice.price(), Rupiah::ZERO)?;
    ledger::post(tx, &paid, None).await?;
    Ok(PaymentOutcome::Applied)
}

/// Pays an open invoice with money of the balance. What is billed by such an invoice is had at once, so the money is set
/// aside and taken in one go.
async fn settle_from_wallet(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: &LockedPayment,
    wakes: Wakes,
) -> Result<()> {
    let from_wallet = payment.drawn()?;
    refuse_if_pointless(tx, invoice).await?;
    apply(tx, invoice, payment, &Settlement::default(), wakes).await?;
    let (parties, price) = (invoice.parties(), invoice.price());
    let held = domain::ledger::Position { held: price.total, ..Default::default() };
    let hold = Movement::hold(parties, from_wallet, price.total)?;
    for movement in std::iter::once(hold).chain(Movement::capture(parties, &held, price)?) {
        ledger::post(tx, &movement, None).await?;
    }
    Ok(())
}

/// The attempt pays the invoice, and what that was for comes about.
async fn apply(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
    wakes: Wakes,
) -> Result<()> {
    mark_paid(tx, payment, PaymentOutcome::Applied, settlement, None).await?;
    invoices::pay(tx, invoice.id, payment.id).await?;
    if !server_terms::extend(tx, invoice.id, wakes).await? {
        server_resizes::begin_paid(tx, invoice.id).await?;
        let paid = InvoicePaid {
            invoice_id: invoice.id,
            payment_id: payment.id,
            number: invoice.number.clone(),
            amount: payment.amount,
        };
        Entry::of(paid).tell(tx, invoice.user_id).await?;
    }
    Ok(())
}
