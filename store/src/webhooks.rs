//! What gateways tell us: every notification is kept as it came, and takes effect in the same transaction, once. What
//! they say when they are asked takes effect in the same way ([`requery`]).

mod archive;
mod events;
mod requery;

use domain::{
    Rupiah,
    billing::{Consequence, Evidence, PaymentMethod, PaymentOutcome, PaymentStatus, charged},
    dispute::Reversal,
    event::PaymentClosed,
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId},
    order::OrderStatus,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use archive::{KeptWebhook, WebhookDetail, WebhookFilter};
pub use requery::{DuePayment, GatewayReport};

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

/// A notification whose origin is proven.
#[derive(Debug, Clone)]
pub struct VerifiedNotification<'a> {
    /// Slug of the gateway.
    pub gateway: &'a str,
    /// The gateway's identity of the event.
    pub dedupe_key: &'a str,
    /// Our name for the attempt.
    pub gateway_order_id: &'a str,
    /// The gateway's id of the transaction.
    pub transaction_id: Option<&'a str>,
    /// Where the gateway says the attempt stands.
    pub status: PaymentStatus,
    /// The amount it names, if it is whole rupiah. A payer's fee is in it.
    pub amount: Option<Rupiah>,
    /// What it says the gateway made the payer pay on top of what we charged.
    pub payer_fee: Option<Rupiah>,
    /// Amount and currency in the gateway's own words.
    pub amount_as_received: &'a str,
    /// What it says was taken back of the money.
    pub reversals: &'a [Reversal],
    /// What stands behind it.
    pub evidence: Evidence,
    /// The notification as it came. It is kept without its proofs.
    pub body: &'a [u8],
}

impl VerifiedNotification<'_> {
    /// What the event is kept under: with it the effect that it has, so that one which had none never stands in the way of
    /// one that has.
    fn identity(&self) -> String {
        format!("{}:{}:{}", self.gateway_order_id, self.dedupe_key, self.status)
    }

    /// What was charged, by what it says.
    fn charged(&self) -> Option<Rupiah> {
        charged(self.amount, self.payer_fee)
    }

    /// Whether the gateway has to be asked before anything of it can be weighed: nothing stands behind the fee.
    fn must_be_asked_about(&self) -> bool {
        self.payer_fee.is_some() && !self.evidence.covers_payer_fee()
    }
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// It moved the attempt.
    Applied {
        /// The attempt.
        payment_id: PaymentId,
        /// Its order, if it pays one.
        order_id: Option<OrderId>,
        /// Where the attempt stands now.
        status: PaymentStatus,
        /// What the money did, if it was money.
        outcome: Option<PaymentOutcome>,
    },
    /// It told nothing new: it was overtaken by another one.
    Ignored,
    /// It contradicts what we were told before, or tells of a payer's fee, and a signature is not enough for that: nothing
    /// moved, and nothing was kept.
    /// The gateway is to be asked, and what it says to be taken in.
    AskFirst,
    /// Money of a paid attempt was taken back: somebody has to decide what follows. Nothing moved.
    Disputed {
        /// The attempt.
        payment_id: PaymentId,
        /// The dispute about it, the first one of several.
        dispute_id: DisputeId,
    },
    /// The same event was handled before.
    AlreadyHandled,
    /// It names another amount than the attempt's. Nothing moved.
    Mismatch {
        /// The attempt.
        payment_id: PaymentId,
        /// What the attempt is about.
        expected: Rupiah,
    },
    /// No attempt has that name. Nothing moved.
    UnknownPayment,
}

impl Store {
    /// Takes a notification in: keeps it, and does what it says, in one transaction. Idempotent by the event's
    /// identity, safe in any order of arrival and with any number at once. One that names a wrong amount or an
    /// unknown attempt is kept too, under a key of its own: it must not stand in the way of the right one.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; nothing was kept then.
    #[boxed]
    pub async fn apply_notification(&self, told: &VerifiedNotification<'_>) -> Result<Intake> {
        let mut connection = self.pool.acquire().await?;
        let Some(found) = find(&mut connection, told).await? else {
            let mut tx = connection.begin().await?;
            events::unknown_payment(&mut tx, told).await?;
            tx.commit().await?;
            return Ok(Intake::UnknownPayment);
        };
        crash_point("notification.found");
        // What is visible was committed with all that it brought about: a repetition need not wait for a lock.
        if found.is_handled {
            return Ok(Intake::AlreadyHandled);
        }
        if told.must_be_asked_about() {
            return Ok(Intake::AskFirst);
        }
        let mut tx = connection.begin().await?;
        crash_point("notification.begun");
        let bill = found.bill.lock(&mut tx).await?;
        crash_point("notification.bill_locked");
        let payment = lock_payment(&mut tx, found.payment_id).await?;
        crash_point("notification.payment_locked");
        if told.charged() != Some(payment.amount) {
            events::mismatch(&mut tx, told, &payment).await?;
            tx.commit().await?;
            return Ok(Intake::Mismatch { payment_id: payment.id, expected: payment.amount });
        }
        let said = Said {
            status: told.status,
            transaction_id: told.transaction_id,
            payer_fee: told.payer_fee.unwrap_or_default(),
            reversals: told.reversals,
            evidence: told.evidence,
        };
        let effect = said.effect_on(&mut tx, &payment).await?;
        if effect == Effect::AskFirst {
            return Ok(Intake::AskFirst);
        }
        if !events::handled(&mut tx, told, &payment, &effect).await? {
            return Ok(Intake::AlreadyHandled);
        }
        crash_point("notification.kept");
        let intake = said.take(&mut tx, &bill, &payment, effect).await?;
        if told.evidence == Evidence::Asked {
            requery::note_answer(&mut tx, payment.id, told.status, None).await?;
        }
        crash_point("notification.applied");
        tx.commit().await?;
        crash_point("notification.committed");
        Ok(intake)
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

/// The attempt that a notification is about.
struct Found {
    payment_id: PaymentId,
    bill: BillId,
    /// The same event over the right amount was handled before.
    is_handled: bool,
}

/// Looks up what a notification is about, and whether it is a repetition. Nothing is locked.
async fn find(connection: &mut PgConnection, told: &VerifiedNotification<'_>) -> Result<Option<Found>> {
    let identity = told.identity();
    let row = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, invoice_id, deposit_id,
                  (amount = $3 AND EXISTS (SELECT FROM webhook_events WHERE gateway = $1 AND dedupe_key = $4))
                      IS TRUE AS "is_handled!"
           FROM payments WHERE gateway = $1 AND gateway_order_id = $2"#,
        told.gateway,
        told.gateway_order_id,
        told.charged().map(Rupiah::get),
        identity,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        let bill = BillId::new(row.order_id, row.invoice_id, row.deposit_id)?;
        Some(Found { payment_id: row.id, bill, is_handled: row.is_handled })
    }))
}

/// What a gateway says of an attempt, whichever way it came to us.
struct Said<'a> {
    status: PaymentStatus,
    transaction_id: Option<&'a str>,
    payer_fee: Rupiah,
    reversals: &'a [Reversal],
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

impl Said<'_> {
    /// What it comes to for an attempt, which is locked. Nothing is written.
    async fn effect_on(&self, tx: &mut PgConnection, payment: &LockedPayment) -> Result<Effect> {
        let consequence = payment.status.after_report(self.status, self.evidence);
        let withdrawn;
        let reversals = if consequence == Consequence::TakesBack {
            withdrawn = [Reversal::withdrawn(self.status)];
            &withdrawn[..]
        } else {
            self.reversals
        };
        // What is paid already has the fee it was paid with.
        let fee = if payment.status == PaymentStatus::Paid { payment.payer_fee } else { self.payer_fee };
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
    async fn take(
        &self,
        tx: &mut PgConnection,
        bill: &Bill,
        payment: &LockedPayment,
        effect: Effect,
    ) -> Result<Intake> {
        match effect {
            Effect::AskFirst => Ok(Intake::AskFirst),
            Effect::Nothing => Ok(Intake::Ignored),
            Effect::Moves(status, claims) => {
                let moved = advance(tx, bill, payment, status, self).await?;
                disputes::open(tx, payment, &claims).await?;
                Ok(moved)
            }
            Effect::Disputed(claims) => {
                let opened = disputes::open(tx, payment, &claims).await?;
                let disputed = |dispute_id| Intake::Disputed { payment_id: payment.id, dispute_id };
                Ok(opened.map_or(Intake::Ignored, disputed))
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
    said: &Said<'_>,
) -> Result<Intake> {
    let Said { transaction_id, payer_fee, .. } = *said;
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
    Ok(Intake::Applied { payment_id: payment.id, order_id, status, outcome })
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
