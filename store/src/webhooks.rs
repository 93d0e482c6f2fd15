//! What gateways tell us: every webhook event is kept as it came, and takes effect in the same transaction, once. What
//! they say when they are asked takes effect in the same way ([`requery`]).

mod archive;
mod events;
mod requery;

use domain::{
    Rupiah,
    billing::{Consequence, Evidence, PaymentMethod, PaymentStatus},
    dispute::Reversal,
    event::PaymentClosed,
    gateway::{GatewayReport, Outcome, WebhookEvent},
    ids::{DepositId, InvoiceId, OrderId, PaymentId},
    order::OrderStatus,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use archive::{KeptWebhook, WebhookDetail, WebhookFilter};
pub use requery::DuePayment;

use crate::{
    Result, Store, boxed,
    crash_point::crash_point,
    disputes::{self, Claim},
    events::Entry,
    locks::{
        LockedDeposit, LockedInvoice, LockedOrder, LockedPayment, lock_deposit, lock_invoice, lock_order,
        lock_payment,
    },
    payments::{Settlement, settle, settle_invoice, tell_of_refusal},
    promos, wallet,
};

impl Store {
    /// Keeps an event and does what it says, in one transaction. Idempotent by the event's identity, safe in any order
    /// of arrival and with any number at once. One that names a wrong amount or an unknown attempt is kept too, under a
    /// key of its own: it must not stand in the way of the right one.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; nothing was kept then.
    #[boxed]
    pub async fn apply_webhook_event(&self, event: &WebhookEvent) -> Result<Outcome> {
        let mut connection = self.pool.acquire().await?;
        let Some(found) = find(&mut connection, event).await? else {
            let mut tx = connection.begin().await?;
            events::unknown_payment(&mut tx, event).await?;
            tx.commit().await?;
            return Ok(Outcome::UnknownPayment);
        };
        crash_point("webhook_event.found");
        // What is visible was committed with all that it brought about: a repetition need not wait for a lock.
        if found.is_handled {
            return Ok(Outcome::AlreadyHandled);
        }
        let Some(evidence) = event.evidence.filter(|_| !event.must_be_asked_about()) else {
            return Ok(Outcome::AskFirst);
        };
        let mut tx = connection.begin().await?;
        crash_point("webhook_event.begun");
        let bill = found.bill.lock(&mut tx).await?;
        crash_point("webhook_event.invoice_locked");
        let payment = lock_payment(&mut tx, found.payment_id).await?;
        crash_point("webhook_event.payment_locked");
        if event.report.charged() != Some(payment.amount) {
            events::mismatch(&mut tx, event, &payment).await?;
            tx.commit().await?;
            return Ok(Outcome::Mismatch { payment_id: payment.id, expected: payment.amount });
        }
        let statement = Statement { report: &event.report, evidence };
        let effect = statement.effect_on(&mut tx, &payment).await?;
        if effect == Effect::AskFirst {
            return Ok(Outcome::AskFirst);
        }
        if !events::handled(&mut tx, event, &payment, &effect).await? {
            return Ok(Outcome::AlreadyHandled);
        }
        crash_point("webhook_event.kept");
        let outcome = statement.apply(&mut tx, &bill, &payment, effect).await?;
        if evidence == Evidence::Asked {
            requery::note_answer(&mut tx, payment.id, event.report.status, None).await?;
        }
        crash_point("webhook_event.applied");
        tx.commit().await?;
        crash_point("webhook_event.committed");
        Ok(outcome)
    }
}

/// What an attempt pays.
#[derive(Debug, Clone, Copy)]
enum BillId {
    Order(OrderId),
    Invoice(InvoiceId),
    Deposit(DepositId),
}

/// The same, held until the transaction ends.
enum Bill {
    Order(LockedOrder),
    Invoice(LockedInvoice),
    Deposit(LockedDeposit),
}

impl BillId {
    /// An order's attempt names its invoice too.
    fn new(order: Option<Uuid>, invoice: Option<Uuid>, deposit: Option<Uuid>) -> Option<Self> {
        order
            .map(|id| Self::Order(id.into()))
            .or(invoice.map(|id| Self::Invoice(id.into())))
            .or(deposit.map(|id| Self::Deposit(id.into())))
    }

    /// Locks it. Its attempt is locked after it, as everybody does.
    async fn lock(self, tx: &mut PgConnection) -> Result<Bill> {
        Ok(match self {
            Self::Order(order) => Bill::Order(lock_order(tx, order).await?),
            Self::Invoice(invoice) => Bill::Invoice(lock_invoice(tx, invoice).await?),
            Self::Deposit(deposit) => Bill::Deposit(lock_deposit(tx, deposit).await?),
        })
    }
}

/// The attempt that an event is about.
struct Found {
    payment_id: PaymentId,
    bill: BillId,
    /// The same event over the right amount was handled before.
    is_handled: bool,
}

/// Looks up what an event is about, and whether it is a repetition. Nothing is locked.
async fn find(connection: &mut PgConnection, event: &WebhookEvent) -> Result<Option<Found>> {
    let identity = event.identity();
    // `IS TRUE`: an event that names no amount of ours compares with NULL, and is no repetition.
    let row = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, invoice_id, deposit_id,
                  (amount = $3 AND EXISTS (SELECT FROM webhook_events WHERE gateway = $1 AND dedupe_key = $4))
                      IS TRUE AS "is_handled!"
           FROM payments WHERE gateway = $1 AND gateway_order_id = $2"#,
        event.gateway,
        event.about.name(),
        event.report.charged().map(Rupiah::get),
        identity,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        let bill = BillId::new(row.order_id, row.invoice_id, row.deposit_id)?;
        Some(Found { payment_id: row.id, bill, is_handled: row.is_handled })
    }))
}

/// What a gateway says of an attempt, whichever way it came to us, with what stands behind it.
#[derive(Clone, Copy)]
struct Statement<'a> {
    report: &'a GatewayReport,
    evidence: Evidence,
}

/// What follows from it.
#[derive(Debug, PartialEq)]
enum Effect {
    Nothing,
    AskFirst,
    /// The attempt moves. Then what was taken back of its money is in dispute.
    Moves(PaymentStatus, Vec<Claim>),
    /// Money of the paid attempt was taken back.
    Disputed(Vec<Claim>),
}

impl Statement<'_> {
    /// What it comes to for an attempt, which is locked. Nothing is written.
    async fn effect_on(&self, tx: &mut PgConnection, payment: &LockedPayment) -> Result<Effect> {
        let consequence = payment.status.after_report(self.report.status, self.evidence);
        let withdrawn;
        let reversals = if consequence == Consequence::TakesBack {
            withdrawn = [Reversal::withdrawn(self.report.status)];
            &withdrawn[..]
        } else {
            &self.report.reversals[..]
        };
        // What is paid already has the fee it was paid with.
        let fee = if payment.status == PaymentStatus::Paid {
            payment.payer_fee
        } else {
            self.report.payer_fee.unwrap_or_default()
        };
        let claims = disputes::claims(tx, payment, fee, reversals).await?;
        let contradicts = !claims.is_empty() || consequence == Consequence::AskFirst;
        if contradicts && self.evidence == Evidence::Signed {
            return Ok(Effect::AskFirst);
        }
        Ok(match consequence {
            // It came and went before we heard of it.
            Consequence::Moves(PaymentStatus::Paid) if disputes::is_all(payment, fee, &claims) => {
                if payment.status.is_open() {
                    Effect::Moves(PaymentStatus::Cancelled, Vec::new())
                } else {
                    Effect::Nothing
                }
            }
            Consequence::Moves(PaymentStatus::Paid) => Effect::Moves(PaymentStatus::Paid, claims),
            Consequence::Moves(status) => Effect::Moves(status, Vec::new()),
            _ if claims.is_empty() || payment.status != PaymentStatus::Paid => Effect::Nothing,
            _ => Effect::Disputed(claims),
        })
    }

    /// Lets it take effect, once.
    async fn apply(
        self,
        tx: &mut PgConnection,
        bill: &Bill,
        payment: &LockedPayment,
        effect: Effect,
    ) -> Result<Outcome> {
        match effect {
            Effect::AskFirst => Ok(Outcome::AskFirst),
            Effect::Nothing => Ok(Outcome::Ignored),
            Effect::Moves(status, claims) => {
                let moved = advance(tx, bill, payment, status, self.report).await?;
                disputes::open(tx, payment, &claims).await?;
                Ok(moved)
            }
            Effect::Disputed(claims) => {
                let opened = disputes::open(tx, payment, &claims).await?;
                let disputed = |dispute_id| Outcome::Disputed { payment_id: payment.id, dispute_id };
                Ok(opened.map_or(Outcome::Ignored, disputed))
            }
        }
    }
}

/// Moves the attempt to `status`.
async fn advance(
    tx: &mut PgConnection,
    bill: &Bill,
    payment: &LockedPayment,
    status: PaymentStatus,
    report: &GatewayReport,
) -> Result<Outcome> {
    let transaction_id = report.transaction_id.as_deref();
    let payer_fee = report.payer_fee.unwrap_or_default();
    let settlement = Settlement { transaction_id, payer_fee, ..Settlement::default() };
    let outcome = match bill {
        Bill::Order(order) if status == PaymentStatus::Paid => {
            settle(tx, order, payment, &settlement).await?
        }
        Bill::Invoice(invoice) if status == PaymentStatus::Paid => {
            Some(settle_invoice(tx, invoice, payment, &settlement).await?)
        }
        Bill::Deposit(deposit) if status == PaymentStatus::Paid => {
            Some(wallet::settle_deposit(tx, deposit, payment, &settlement).await?)
        }
        bill => {
            set_status(tx, payment.id, status, transaction_id).await?;
            match bill {
                Bill::Order(order) => tell_of_closed_attempt(tx, order, payment, status).await?,
                Bill::Deposit(deposit) if !status.is_open() => {
                    promos::release_deposit(tx, deposit.id).await?
                }
                Bill::Invoice(_) | Bill::Deposit(_) => {}
            }
            if status == PaymentStatus::Denied {
                tell_of_refusal(tx, payment.id).await?;
            }
            None
        }
    };
    let order_id = match bill {
        Bill::Order(order) => Some(order.id),
        Bill::Invoice(_) | Bill::Deposit(_) => None,
    };
    Ok(Outcome::Applied { payment_id: payment.id, order_id, status, outcome })
}

async fn set_status(
    tx: &mut PgConnection,
    payment: PaymentId,
    status: PaymentStatus,
    transaction_id: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET status = $2, gateway_transaction_id = coalesce($3, gateway_transaction_id),
                updated_at = now()
         WHERE id = $1",
        payment.0,
        status.as_str(),
        transaction_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The customer of an order that still waits for money learns that this attempt won't bring any. A refused one is told of
/// by [`tell_of_refusal`].
async fn tell_of_closed_attempt(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    status: PaymentStatus,
) -> Result<()> {
    let is_over = matches!(status, PaymentStatus::Expired | PaymentStatus::Cancelled);
    let is_awaited = order.status == OrderStatus::PendingPayment;
    if !is_over || !is_awaited || payment.method == PaymentMethod::ManualTransfer {
        return Ok(());
    }
    let closed = PaymentClosed {
        order_id: order.id,
        payment_id: payment.id,
        method: payment.method,
        bank: payment.bank,
        status,
    };
    let detail = json!({ "payment_id": payment.id, "status": status });
    Entry::of(closed).detail(detail).record(tx).await
}
