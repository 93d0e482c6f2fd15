//! Further terms of servers: asked for with an invoice, had when it is paid. A term begins where the one before ends,
//! however early or late it is paid.

use chrono::{DateTime, Utc};
use domain::{
    billing::{Bank, InvoiceStatus, PaymentMethod},
    ids::{InstanceId, InvoiceId, PaymentId, RenewalId, UserId},
    instance::InstanceStatus,
    money::Rupiah,
    pricing::{PriceInput, Quote, quote},
    tax::TaxRule,
};
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError, boxed,
    idempotency::{self, Claim, Idempotency},
    invoices::{self, Draft},
    new_id, numbers,
    orders::{InvoiceSummary, OrderError, Refusal},
    page::{Page, PageRequest},
    payments::{NewInvoiceAttempt, Payment},
    server_terms, tax,
};

/// A further term to be bought.
#[derive(Debug, Clone)]
pub struct NewRenewal {
    /// The customer.
    pub user: UserId,
    /// The server.
    pub instance: InstanceId,
    /// Months.
    pub term_months: u32,
    /// How it will be paid: by a gateway or from the balance.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged; `None` with the balance.
    pub gateway: Option<&'static str>,
    /// How long it can be paid, in milliseconds.
    pub pay_within_ms: u64,
}

/// What came of asking for a further term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedRenewal {
    /// The renewal.
    pub renewal_id: RenewalId,
    /// The payment to be charged; `None` when an earlier request with the same key asked for it.
    pub to_charge: Option<PaymentId>,
}

/// A further term, with its invoice and the latest attempt to pay it.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Its id.
    pub id: RenewalId,
    /// The server.
    pub instance_id: InstanceId,
    /// Months.
    pub term_months: i32,
    /// When the term begins; none until it is paid.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the term ends; none until it is paid.
    pub ends_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Its bill.
    pub invoice: InvoiceSummary,
    /// The latest attempt to pay it; none when it was billed by itself and nobody has tried yet.
    pub payment: Option<Payment>,
}

/// A further term that is to be billed.
struct Wanted {
    id: RenewalId,
    user: UserId,
    instance: InstanceId,
    months: u32,
}

/// A server and what a term of it costs.
struct Renewable {
    name: String,
    status: InstanceStatus,
    being_deleted: bool,
    cancels_at_period_end: bool,
    being_resized: bool,
    expires_at: Option<DateTime<Utc>>,
    /// When a further term is to be paid: at the present one's end, or at once when that is past.
    due_at: DateTime<Utc>,
    plan_name: String,
    price_monthly: Rupiah,
    discount_bp: Option<i32>,
}

impl Store {
    /// Asks for a further term: renewal, invoice and the attempt to pay it commit together. From the balance it is
    /// paid, and the server's term longer, at once. A wish for the same server that was not paid yet is replaced: its
    /// invoice is void. The same `request` again answers with the same renewal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server, [`StoreError::Conflict`] when its state forbids
    /// it, [`OrderError::Refused`] when the term is not on offer or its price not be paid in this way,
    /// [`StoreError::TooMuchUnpaid`] when one was asked for as often as it may be within a day,
    /// [`StoreError::InsufficientBalance`] when the balance was to pay and does not suffice, [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn open_renewal(
        &self,
        new: &NewRenewal,
        request: &Idempotency,
    ) -> Result<OpenedRenewal, OrderError> {
        let (renewal_id, payment_id): (RenewalId, PaymentId) = (new_id(), new_id());
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, renewal_id.0).await? {
            return Ok(OpenedRenewal { renewal_id: earlier.into(), to_charge: None });
        }
        let server = lock(&mut tx, new.instance, new.user, new.term_months).await?;
        refuse_if_impossible(&server)?;
        server_terms::make_way(&mut tx, &self.unpaid_limits, new.user, new.instance, new.method).await?;
        let wanted =
            Wanted { id: renewal_id, user: new.user, instance: new.instance, months: new.term_months };
        let invoice = write(&mut tx, &wanted, &server).await?;
        let attempt = NewInvoiceAttempt {
            user: new.user,
            invoice,
            method: new.method,
            bank: new.bank,
            gateway: new.gateway,
            pay_within_ms: new.pay_within_ms,
        };
        self.begin_paying(&mut tx, payment_id, &attempt).await?;
        tx.commit().await?;
        Ok(OpenedRenewal { renewal_id, to_charge: Some(payment_id) })
    }

    /// One renewal of `owner`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such renewal.
    #[boxed]
    pub async fn renewal(&self, renewal: RenewalId, owner: UserId) -> Result<Renewal> {
        let page = PageRequest { before: None, limit: 1 };
        let mut found = self.select_renewals(owner, Some(renewal), None, &page).await?;
        found.data.pop().ok_or(StoreError::NotFound("renewal"))
    }

    /// The renewals of one of `owner`'s servers, newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such server.
    #[boxed]
    pub async fn renewals_of(
        &self,
        instance: InstanceId,
        owner: UserId,
        page: &PageRequest,
    ) -> Result<Page<Renewal>> {
        self.server_ref_of(owner, instance).await?;
        self.select_renewals(owner, None, Some(instance), page).await
    }

    async fn select_renewals(
        &self,
        owner: UserId,
        renewal: Option<RenewalId>,
        instance: Option<InstanceId>,
        page: &PageRequest,
    ) -> Result<Page<Renewal>> {
        let rows = sqlx::query!(
            r#"SELECT r.id AS "id: RenewalId", r.instance_id AS "instance_id: InstanceId", r.term_months, r.starts_at,
                      r.ends_at, r.created_at, v.id AS "invoice_id: InvoiceId", v.number AS "number!",
                      v.status AS "status: InvoiceStatus", v.total AS "total: Rupiah"
               FROM renewals r JOIN invoices v ON v.id = r.invoice_id
               WHERE r.user_id = $1 AND ($2::uuid IS NULL OR r.id = $2) AND ($3::uuid IS NULL OR r.instance_id = $3)
                 AND ($4::uuid IS NULL OR r.id < $4)
               ORDER BY r.id DESC LIMIT $5"#,
            owner.0,
            renewal.map(|id| id.0),
            instance.map(|id| id.0),
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        let Page { data: rows, next } = page.cut(rows, |row| row.id.0);
        let invoices: Vec<InvoiceId> = rows.iter().map(|row| row.invoice_id).collect();
        let payments = self.payments_of_invoices(&invoices).await?;
        let data = rows
            .into_iter()
            .map(|row| {
                let payment = payments.iter().find(|payment| payment.invoice_id == Some(row.invoice_id));
                Renewal {
                    id: row.id,
                    instance_id: row.instance_id,
                    term_months: row.term_months,
                    starts_at: row.starts_at,
                    ends_at: row.ends_at,
                    created_at: row.created_at,
                    invoice: InvoiceSummary {
                        id: row.invoice_id,
                        number: row.number,
                        status: row.status,
                        total: row.total,
                    },
                    payment: payment.cloned(),
                }
            })
            .collect();
        Ok(Page { data, next })
    }
}

fn column(months: u32) -> i32 {
    i32::try_from(months).unwrap_or(i32::MAX)
}

async fn lock(tx: &mut PgConnection, instance: InstanceId, owner: UserId, months: u32) -> Result<Renewable> {
    sqlx::query_as!(
        Renewable,
        r#"SELECT s.name, s.status AS "status: InstanceStatus", s.expires_at,
                  greatest(s.expires_at, now()) AS "due_at!", l.name AS plan_name,
                  l.price_monthly AS "price_monthly: Rupiah", t.discount_bp AS "discount_bp?", s.cancels_at_period_end,
                  EXISTS (SELECT FROM resizes z WHERE z.instance_id = s.id AND z.status = 'APPLYING') AS "being_resized!",
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "being_deleted!"
           FROM instances s JOIN plans l ON l.id = s.plan_id
           LEFT JOIN terms t ON t.months = $3 AND t.is_active
           WHERE s.id = $1 AND s.user_id = $2 FOR NO KEY UPDATE OF s"#,
        instance.0,
        owner.0,
        column(months),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))
}

/// What a further term of so many months costs today; `None` when such a term is not on offer, or the price is another one
/// in a moment, since the server is being resized.
pub(crate) async fn price(
    tx: &mut PgConnection,
    instance: InstanceId,
    owner: UserId,
    months: u32,
) -> Result<Option<Rupiah>> {
    let server = lock(tx, instance, owner, months).await?;
    if server.being_resized {
        return Ok(None);
    }
    Ok(priced(tx, &server, months).await?.map(|(quote, _)| quote.total))
}

/// Bills a further term, for its owner to pay in any way; no attempt to do so is begun. The server is locked by the
/// caller, and no other invoice over a term of it is open.
pub(crate) async fn bill_next_term(
    tx: &mut PgConnection,
    instance: InstanceId,
    owner: UserId,
    months: u32,
) -> Result<InvoiceId> {
    let server = lock(tx, instance, owner, months).await?;
    let wanted = Wanted { id: new_id(), user: owner, instance, months };
    match write(tx, &wanted, &server).await {
        Ok(invoice) => Ok(invoice),
        Err(OrderError::Store(error)) => Err(error),
        Err(OrderError::Refused(_)) => Err(StoreError::NotFound("term on offer")),
    }
}

fn refuse_if_impossible(server: &Renewable) -> Result<(), OrderError> {
    let refuse = |state: String| Err(StoreError::Conflict { object: Object::Instance, state }.into());
    if server.being_deleted {
        return refuse("being deleted".to_owned());
    }
    if server.cancels_at_period_end {
        return refuse("cancelled at the end of its term: revoke that first".to_owned());
    }
    // Its price is another one in a moment.
    if server.being_resized {
        return refuse("being resized".to_owned());
    }
    if !matches!(server.status, InstanceStatus::Active | InstanceStatus::Suspended)
        || server.expires_at.is_none()
    {
        return refuse(server.status.to_string());
    }
    Ok(())
}

/// Writes a further term and the invoice over it, which is issued.
async fn write(tx: &mut PgConnection, wanted: &Wanted, server: &Renewable) -> Result<InvoiceId, OrderError> {
    let (quote, tax) = priced(tx, server, wanted.months).await?.ok_or(Refusal::TermNotOffered)?;
    let id = new_id();
    let draft = Draft { id, user: wanted.user, order: None, quote: &quote, tax, note: None };
    invoices::write_draft(tx, &draft).await?;
    sqlx::query!(
        "INSERT INTO renewals (id, instance_id, invoice_id, user_id, term_months) VALUES ($1, $2, $3, $4, $5)",
        wanted.id.0,
        wanted.instance.0,
        id.0,
        wanted.user.0,
        column(wanted.months),
    )
    .execute(&mut *tx)
    .await?;
    numbers::issue_invoice(tx, id, server.due_at).await?;
    Ok(id)
}

async fn priced(tx: &mut PgConnection, server: &Renewable, months: u32) -> Result<Option<(Quote, TaxRule)>> {
    let Some(discount) = server.discount_bp else { return Ok(None) };
    let tax = tax::rule_of_today(tx).await?;
    let quote = quote(&PriceInput {
        plan_name: server.plan_name.clone(),
        renewed: Some(server.name.clone()),
        price_monthly: server.price_monthly,
        term_months: months,
        term_discount: discount.unsigned_abs(),
        promo: None,
        tax,
    })?;
    Ok(Some((quote, tax)))
}
