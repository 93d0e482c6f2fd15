//! What gateways tell us: every notification is kept as it came, and takes effect in the same transaction, once. What
//! they say when they are asked takes effect in the same way ([`requery`]).

mod archive;
mod requery;

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome, PaymentStatus, WebhookOutcome},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, WebhookEventId},
    notification::NotificationKind,
    order::OrderStatus,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use archive::{KeptWebhook, WebhookDetail, WebhookFilter};
pub use requery::{DuePayment, GatewayReport};

use crate::{
    Result, Store,
    catalog_sync::administrators,
    crash_point::crash_point,
    new_id,
    notifications::{self, Notice},
    payments::{
        LockedInvoice, LockedOrder, LockedPayment, Settlement, lock_invoice, lock_order, lock_payment,
        method_words, settle, settle_invoice,
    },
    promos,
    timeline::{self, Step, StepStatus},
    wallet::{self, LockedDeposit},
};

/// Notifications that are not believed and kept all the same, per hour and outcome. Anybody can send them; the log
/// tells of all.
const UNBELIEVED_PER_HOUR: i64 = 100;

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
    /// The amount it names, if it is whole rupiah.
    pub amount: Option<Rupiah>,
    /// Amount and currency in the gateway's own words.
    pub amount_as_received: &'a str,
    /// The notification as it came.
    pub body: &'a [u8],
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

/// A row of `webhook_events`.
struct Event<'a> {
    gateway: &'a str,
    dedupe_key: Option<&'a str>,
    payment_id: Option<PaymentId>,
    outcome: WebhookOutcome,
    reason: Option<&'a str>,
    body: &'a [u8],
}

impl Store {
    /// Takes a notification in: keeps it, and does what it says, in one transaction. Idempotent by the event's
    /// identity, safe in any order of arrival and with any number at once. One that names a wrong amount or an
    /// unknown attempt is kept too, under a key of its own: it must not stand in the way of the right one.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; nothing was kept then.
    pub async fn apply_notification(&self, told: &VerifiedNotification<'_>) -> Result<Intake> {
        let mut connection = self.pool.acquire().await?;
        let Some(found) = find(&mut connection, told).await? else {
            let mut tx = connection.begin().await?;
            alert(&mut tx, told, &unknown(told, &format!("{}#unknown", told.dedupe_key))).await?;
            tx.commit().await?;
            return Ok(Intake::UnknownPayment);
        };
        crash_point("notification.found");
        // What is visible was committed with all that it brought about: a repetition need not wait for a lock.
        if found.is_handled {
            return Ok(Intake::AlreadyHandled);
        }
        let mut tx = connection.begin().await?;
        crash_point("notification.begun");
        let bill = found.bill.lock(&mut tx).await?;
        crash_point("notification.bill_locked");
        let payment = lock_payment(&mut tx, found.payment_id).await?;
        crash_point("notification.payment_locked");
        if told.amount != Some(payment.amount) {
            let key = format!("{}#mismatch:{}", told.dedupe_key, told.amount_as_received);
            let reason = format!("says {}, not {}", told.amount_as_received, payment.amount);
            alert(&mut tx, told, &mismatch(told, &payment, &key, &reason)).await?;
            tx.commit().await?;
            return Ok(Intake::Mismatch { payment_id: payment.id, expected: payment.amount });
        }
        let next = payment.status.after_report(told.status);
        if !insert(&mut tx, &handled(told, &payment, next.is_some())).await? {
            return Ok(Intake::AlreadyHandled);
        }
        crash_point("notification.kept");
        let intake = match next {
            None => Intake::Ignored,
            Some(status) => advance(&mut tx, &bill, &payment, status, told.transaction_id).await?,
        };
        crash_point("notification.applied");
        tx.commit().await?;
        crash_point("notification.committed");
        Ok(intake)
    }

    /// Keeps a notification that is not believed or moves no payment, for those who look into it: what anybody can send
    /// within bounds. `false` when there were enough of late.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn keep_unbelieved(
        &self,
        gateway: &str,
        outcome: WebhookOutcome,
        reason: &str,
        body: &[u8],
    ) -> Result<bool> {
        let id: WebhookEventId = new_id();
        let kept = sqlx::query!(
            "INSERT INTO webhook_events (id, gateway, outcome, reason, body)
             SELECT $1, $2, $3::text, $4, $5
             WHERE $3::text NOT IN ('BAD_SIGNATURE', 'UNCONFIRMED')
                OR (SELECT count(*) FROM webhook_events
                    WHERE outcome IN ('BAD_SIGNATURE', 'UNCONFIRMED') AND outcome = $3::text
                      AND received_at > now() - interval '1 hour') < $6",
            id.0,
            gateway,
            outcome.as_str(),
            reason,
            body,
            UNBELIEVED_PER_HOUR,
        )
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() == 1)
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
            Self::Order(order) => Bill::Order(lock_order(tx, order, None).await?),
            Self::Invoice(invoice) => Bill::Invoice(lock_invoice(tx, invoice, None).await?),
            Self::Deposit(deposit) => Bill::Deposit(wallet::lock_deposit(tx, deposit).await?),
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
    let row = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, invoice_id, deposit_id,
                  (amount = $3 AND EXISTS (SELECT FROM webhook_events WHERE gateway = $1 AND dedupe_key = $4))
                      IS TRUE AS "is_handled!"
           FROM payments WHERE gateway = $1 AND gateway_order_id = $2"#,
        told.gateway,
        told.gateway_order_id,
        told.amount.map(Rupiah::get),
        told.dedupe_key,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        let bill = BillId::new(row.order_id, row.invoice_id, row.deposit_id)?;
        Some(Found { payment_id: row.id, bill, is_handled: row.is_handled })
    }))
}

/// Moves the attempt to `status`.
async fn advance(
    tx: &mut PgConnection,
    bill: &Bill,
    payment: &LockedPayment,
    status: PaymentStatus,
    transaction_id: Option<&str>,
) -> Result<Intake> {
    let settlement = Settlement { transaction_id, ..Settlement::default() };
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

/// The customer of an order that still waits for money learns that this attempt won't bring any.
async fn tell_of_closed_attempt(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    status: PaymentStatus,
) -> Result<()> {
    let what_happened = match status {
        PaymentStatus::Denied => "was declined",
        PaymentStatus::Expired => "was not made in time",
        PaymentStatus::Cancelled => "was called off",
        _ => return Ok(()),
    };
    if order.status != OrderStatus::PendingPayment || payment.method == PaymentMethod::ManualTransfer {
        return Ok(());
    }
    let method = method_words(payment.method, payment.bank);
    let step = Step {
        key: &format!("payment/{}/{}", payment.id, status.as_str().to_ascii_lowercase()),
        step: "payment_closed",
        status: StepStatus::Failed,
        message: &format!("Your {method} {what_happened}. You can start another payment."),
        detail: json!({ "payment_id": payment.id, "status": status }),
    };
    timeline::record(tx, order.id, &step).await
}

fn unknown<'a>(told: &VerifiedNotification<'a>, key: &'a str) -> Event<'a> {
    Event {
        gateway: told.gateway,
        dedupe_key: Some(key),
        payment_id: None,
        outcome: WebhookOutcome::UnknownPayment,
        reason: Some("no payment has this order_id"),
        body: told.body,
    }
}

fn mismatch<'a>(
    told: &VerifiedNotification<'a>,
    payment: &LockedPayment,
    key: &'a str,
    reason: &'a str,
) -> Event<'a> {
    Event {
        gateway: told.gateway,
        dedupe_key: Some(key),
        payment_id: Some(payment.id),
        outcome: WebhookOutcome::Mismatch,
        reason: Some(reason),
        body: told.body,
    }
}

fn handled<'a>(told: &VerifiedNotification<'a>, payment: &LockedPayment, moves: bool) -> Event<'a> {
    let (outcome, reason) = if moves {
        (WebhookOutcome::Applied, None)
    } else {
        (WebhookOutcome::Ignored, Some("it changes nothing: the payment is further on"))
    };
    Event {
        gateway: told.gateway,
        dedupe_key: Some(told.dedupe_key),
        payment_id: Some(payment.id),
        outcome,
        reason,
        body: told.body,
    }
}

/// Keeps an event that somebody has to look into, and tells administrators of it, once.
async fn alert(tx: &mut PgConnection, told: &VerifiedNotification<'_>, event: &Event<'_>) -> Result<()> {
    if !insert(tx, event).await? {
        return Ok(());
    }
    let key = format!("webhook/{}/{}", event.gateway, event.dedupe_key.unwrap_or_default());
    let message = format!(
        "{} told of {}: {}. Nothing moved.",
        event.gateway,
        told.gateway_order_id,
        event.reason.unwrap_or_default()
    );
    let notice = Notice {
        kind: NotificationKind::PaymentAlert,
        title: "A gateway tells of money that does not fit",
        message: &message,
        action_url: Some("/admin/webhooks"),
        metadata: json!({ "gateway": event.gateway, "payment_id": event.payment_id, "outcome": event.outcome }),
        dedupe_key: &key,
    };
    for administrator in administrators(tx).await? {
        notifications::notify(tx, administrator, &notice).await?;
    }
    Ok(())
}

/// Keeps an event; `false` when one with its key is there already.
async fn insert(tx: &mut PgConnection, event: &Event<'_>) -> Result<bool> {
    let id: WebhookEventId = new_id();
    let inserted = sqlx::query!(
        "INSERT INTO webhook_events (id, gateway, dedupe_key, payment_id, outcome, reason, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (gateway, dedupe_key) DO NOTHING",
        id.0,
        event.gateway,
        event.dedupe_key,
        event.payment_id.map(|p| p.0),
        event.outcome.as_str(),
        event.reason,
        event.body,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
