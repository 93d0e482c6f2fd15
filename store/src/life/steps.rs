//! Recording what is due.

use domain::{
    Rupiah,
    billing::PaymentMethod,
    event::{Event, RenewalLacksMoney, ServerDeletionNear, ServerExpiring, ServerInGrace, ServerSuspended},
    ids::{InvoiceId, PaymentId},
    instance::InstanceAction,
    life::{Facts, LifePolicy, Notice, Step},
};
use sqlx::PgConnection;

use super::{deadline, facts::Subject};
use crate::{
    Result, StoreError,
    events::Entry,
    ledger,
    locks::lock_invoice,
    new_id, own_actions,
    payments::{self, NewInvoiceAttempt},
    renewals,
    server_terms::{self, Wakes},
};

/// Records one step. The server is locked by the caller.
pub(super) async fn record(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    policy: &LifePolicy,
    step: Step,
) -> Result<()> {
    match step {
        Step::Tell(notice) => tell(tx, subject, facts, policy, notice).await,
        Step::OpenInvoice => bill(tx, subject).await.map(drop),
        Step::Renew => renew(tx, subject).await,
        Step::Suspend => suspend(tx, subject, facts, policy).await,
        Step::Resume => server_terms::resume_if_paid(tx, subject.instance).await,
        Step::Terminate => {
            server_terms::withdraw_open(tx, subject.instance).await?;
            own_actions::request(tx, subject.instance, &InstanceAction::Delete).await
        }
    }
}

async fn bill(tx: &mut PgConnection, subject: &Subject) -> Result<InvoiceId> {
    renewals::bill_next_term(tx, subject.instance, subject.owner, subject.months).await
}

/// Pays the open invoice over a further term from the balance, or one that is written for it. What is on the balance was
/// read without a lock, so it may have become less: then nothing is renewed, and the next look sees it.
async fn renew(tx: &mut PgConnection, subject: &Subject) -> Result<()> {
    let invoice = match subject.invoice {
        Some(invoice) => lock_invoice(tx, invoice).await?,
        None => {
            // An invoice's number is taken last of all, and nobody may wait for us then.
            ledger::lock_accounts(tx, subject.owner).await?;
            let invoice = bill(tx, subject).await?;
            lock_invoice(tx, invoice).await?
        }
    };
    if ledger::lock_accounts(tx, subject.owner).await?.wallet < invoice.total {
        return Ok(());
    }
    let attempt = NewInvoiceAttempt {
        user: subject.owner,
        invoice: invoice.id,
        method: PaymentMethod::Wallet,
        bank: None,
        gateway: None,
        pay_within_ms: 0,
    };
    payments::begin_invoice_payment(tx, &invoice, new_id::<PaymentId>(), &attempt, Wakes::Nobody).await
}

/// Tells the owner once, and keeps that they were told.
async fn tell(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    policy: &LifePolicy,
    notice: Notice,
) -> Result<()> {
    let told = sqlx::query!(
        "INSERT INTO life_notices (instance_id, term_ends_at, notice) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        subject.instance.0,
        facts.expires_at,
        notice.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if told.rows_affected() == 0 {
        return Ok(());
    }
    if notice == Notice::Grace {
        sqlx::query!(
            "UPDATE instances SET term_ended_at = coalesce(term_ended_at, now()) WHERE id = $1",
            subject.instance.0,
        )
        .execute(&mut *tx)
        .await?;
    }
    let event = event(tx, subject, facts, policy, notice).await?;
    Entry::of(event).tell(tx, subject.owner).await
}

async fn event(
    tx: &mut PgConnection,
    subject: &Subject,
    facts: &Facts,
    policy: &LifePolicy,
    notice: Notice,
) -> Result<Event> {
    let (instance_id, name) = (subject.instance, subject.name.clone());
    let deadline = deadline(facts, policy, notice);
    Ok(match notice {
        Notice::Remind7 | Notice::Remind3 | Notice::Remind1 => {
            ServerExpiring { instance_id, name, expires_at: facts.expires_at, notice }.into()
        }
        Notice::LacksMoney => {
            let invoice = subject.invoice.ok_or(StoreError::NotFound("invoice"))?;
            let total = facts.renewal.price.unwrap_or_default();
            RenewalLacksMoney {
                instance_id,
                name,
                invoice_id: invoice,
                number: number(tx, invoice).await?,
                total,
                missing: total.minus(facts.renewal.available)?.max(Rupiah::ZERO),
                expires_at: facts.expires_at,
            }
            .into()
        }
        Notice::Grace => {
            ServerInGrace { instance_id, name, expired_at: facts.expires_at, suspends_at: deadline }.into()
        }
        Notice::Suspended => {
            let deletes_at = deletion(facts, policy);
            ServerSuspended { instance_id, name, expired_at: facts.expires_at, deletes_at }.into()
        }
        Notice::Termination | Notice::Cancellation => {
            let deletes_at = if facts.cancels_at_period_end { Some(facts.expires_at) } else { deadline };
            ServerDeletionNear { instance_id, name, expired_at: facts.expires_at, notice, deletes_at }.into()
        }
    })
}

async fn number(tx: &mut PgConnection, invoice: InvoiceId) -> Result<String> {
    Ok(sqlx::query_scalar!(r#"SELECT number AS "number!" FROM invoices WHERE id = $1"#, invoice.0)
        .fetch_one(tx)
        .await?)
}

/// When a server that is suspended now will be deleted, if nobody pays: the warning is on the way there.
fn deletion(facts: &Facts, policy: &LifePolicy) -> Option<chrono::DateTime<chrono::Utc>> {
    let mut warned = facts.clone();
    warned.told.extend([
        domain::life::Told { notice: Notice::Suspended, at: facts.now },
        domain::life::Told { notice: Notice::Termination, at: facts.now },
    ]);
    warned.suspended_at = Some(facts.now);
    warned.status = domain::instance::InstanceStatus::Suspended;
    // Whether the balance would suffice says nothing of when.
    warned.auto_renew = false;
    domain::life::decide(&warned, policy).next_due
}

async fn suspend(tx: &mut PgConnection, subject: &Subject, facts: &Facts, policy: &LifePolicy) -> Result<()> {
    sqlx::query!(
        "UPDATE instances SET status = 'SUSPENDED', suspended_at = now(), attempts_since = NULL, updated_at = now() WHERE id = $1",
        subject.instance.0,
    )
    .execute(&mut *tx)
    .await?;
    own_actions::request(tx, subject.instance, &InstanceAction::Suspend).await?;
    tell(tx, subject, facts, policy, Notice::Suspended).await
}
