//! Money that customers put into their balance.

use chrono::{DateTime, Utc};
use domain::{
    billing::{Bank, PaymentMethod, PaymentOutcome},
    event::{self, DepositReceived},
    ids::{DepositId, PaymentId, UserId},
    ledger::Movement,
    money::Rupiah,
    payment_limits::Way,
    promo::{PromoCode, RedemptionState},
};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError, boxed,
    crash_point::crash_point,
    events::Entry,
    idempotency::{self, Claim, Idempotency},
    ledger,
    locks::{LockedDeposit, LockedPayment, lock_account},
    new_id,
    page::{Page, PageRequest},
    payments::{self, NewPayment, PayableUntil, Payment, Pays, Settlement, mark_paid},
    promos::{self, Bonus},
    unpaid::{self, Beginning},
};

/// A deposit to be begun.
#[derive(Debug, Clone)]
pub struct NewDeposit {
    /// The customer.
    pub user: UserId,
    /// How much.
    pub amount: Rupiah,
    /// How it will be paid.
    pub method: PaymentMethod,
    /// The virtual account's bank.
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged.
    pub gateway: &'static str,
    /// How long it can be paid, in milliseconds.
    pub pay_within_ms: u64,
    /// A code for something on top.
    pub promo: Option<PromoCode>,
}

/// What came of beginning a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedDeposit {
    /// The deposit.
    pub deposit_id: DepositId,
    /// The payment to be charged; `None` when an earlier request with the same key began it.
    pub to_charge: Option<PaymentId>,
}

/// Money on its way to a balance, with the attempt to pay it.
#[derive(Debug, Clone)]
pub struct Deposit {
    /// Its id, also the cursor of lists.
    pub id: DepositId,
    /// How much.
    pub amount: Rupiah,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it was on the balance.
    pub credited_at: Option<DateTime<Utc>>,
    /// What its promo code gives on top.
    pub bonus: Option<DepositBonus>,
    /// The attempt to pay it.
    pub payment: Payment,
}

/// What a promo code gives on top of a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositBonus {
    /// The code.
    pub code: String,
    /// How much.
    pub amount: Rupiah,
    /// `RESERVED` is promised, `REDEEMED` is on the balance, `RELEASED` is not to be had (any more).
    pub state: RedemptionState,
}

struct Row {
    id: DepositId,
    amount: Rupiah,
    created_at: DateTime<Utc>,
    credited_at: Option<DateTime<Utc>>,
    promo_code: Option<String>,
    bonus: Option<Rupiah>,
    bonus_state: Option<RedemptionState>,
}

impl Row {
    fn bonus(&self) -> Option<DepositBonus> {
        let ((code, amount), state) = self.promo_code.clone().zip(self.bonus).zip(self.bonus_state)?;
        Some(DepositBonus { code, amount, state })
    }
}

impl Store {
    /// Begins a deposit with its payment, and takes its promo code. The same `request` again answers with the same
    /// deposit, also when the code is used up by then.
    ///
    /// # Errors
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request, [`StoreError::Promo`] when the
    /// code does not apply, [`StoreError::PaymentLimit`] when so much can't be paid in this way,
    /// [`StoreError::TooMuchUnpaid`] when the account has as many unpaid deposits as it may.
    #[boxed]
    pub async fn open_deposit(&self, new: &NewDeposit, request: &Idempotency) -> Result<OpenedDeposit> {
        let (deposit_id, payment_id): (DepositId, PaymentId) = (new_id(), new_id());
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, new.user).await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, deposit_id.0).await? {
            return Ok(OpenedDeposit { deposit_id: earlier.into(), to_charge: None });
        }
        let way = Way { method: new.method, bank: new.bank };
        self.check_payment_limits(Some(new.gateway), way, new.amount)?;
        let beginning = Beginning::Deposit { code: new.promo.as_ref() };
        unpaid::allow(&mut tx, &self.unpaid_limits, new.user, beginning).await?;
        sqlx::query!(
            "INSERT INTO deposits (id, user_id, amount) VALUES ($1, $2, $3)",
            deposit_id.0,
            new.user.0,
            new.amount.get(),
        )
        .execute(&mut *tx)
        .await?;
        let payment = NewPayment {
            id: payment_id,
            pays: Pays::Deposit(deposit_id),
            attempt: 1,
            customer: new.user,
            method: new.method,
            bank: new.bank,
            gateway: Some(new.gateway),
            amount: new.amount,
            until: PayableUntil::Within(new.pay_within_ms),
        };
        payments::insert(&mut tx, &payment).await?;
        if let Some(code) = &new.promo {
            promos::reserve_for_deposit(&mut tx, new.user, deposit_id, new.amount, code).await?;
        }
        tx.commit().await?;
        Ok(OpenedDeposit { deposit_id, to_charge: Some(payment_id) })
    }

    /// One deposit of `owner`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such deposit.
    #[boxed]
    pub async fn deposit(&self, deposit: DepositId, owner: UserId) -> Result<Deposit> {
        let page = PageRequest { before: None, limit: 1 };
        self.select_deposits(owner, Some(deposit), page)
            .await?
            .data
            .pop()
            .ok_or(StoreError::NotFound("deposit"))
    }

    /// A customer's deposits, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn deposits_of(&self, owner: UserId, page: PageRequest) -> Result<Page<Deposit>> {
        self.select_deposits(owner, None, page).await
    }

    async fn select_deposits(
        &self,
        owner: UserId,
        deposit: Option<DepositId>,
        page: PageRequest,
    ) -> Result<Page<Deposit>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT d.id AS "id: DepositId", d.amount AS "amount: Rupiah", d.created_at, d.credited_at,
                      p.code AS "promo_code?", r.amount AS "bonus?: Rupiah", r.state AS "bonus_state?: RedemptionState"
               FROM deposits d
               LEFT JOIN promo_redemptions r ON r.deposit_id = d.id
               LEFT JOIN promos p ON p.id = r.promo_id
               WHERE d.user_id = $1 AND ($2::uuid IS NULL OR d.id = $2) AND ($3::uuid IS NULL OR d.id < $3)
               ORDER BY d.id DESC LIMIT $4"#,
            owner.0,
            deposit.map(|id| id.0),
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        let Page { data: rows, next } = page.cut(rows, |row| row.id.0);
        let ids: Vec<DepositId> = rows.iter().map(|row| row.id).collect();
        let payments = self.payments_of_deposits(&ids).await?;
        let data = rows
            .into_iter()
            .filter_map(|row| {
                let payment = payments.iter().find(|payment| payment.deposit_id == Some(row.id))?.clone();
                let bonus = row.bonus();
                let Row { id, amount, created_at, credited_at, .. } = row;
                Some(Deposit { id, amount, created_at, credited_at, bonus, payment })
            })
            .collect();
        Ok(Page { data, next })
    }
}

/// Puts the money of a deposit's attempt on the balance, with what its promo code gives on top. It comes from outside:
/// an attempt from the balance itself is refused. Deposit and attempt are locked by the caller, and the attempt is not
/// paid yet.
pub(crate) async fn settle_deposit(
    tx: &mut PgConnection,
    deposit: &LockedDeposit,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
) -> Result<PaymentOutcome> {
    let incoming = payment.incoming()?;
    let outcome = PaymentOutcome::Credited;
    mark_paid(tx, payment, outcome, settlement, None).await?;
    sqlx::query!(
        "UPDATE deposits SET status = 'CREDITED', credited_at = now() WHERE id = $1 AND status = 'OPEN'",
        deposit.id.0
    )
    .execute(&mut *tx)
    .await?;
    crash_point("deposit.credited");
    let bonus = promos::bonus_of(tx, deposit.id).await?;
    let movement = Movement::deposit(deposit.user_id, incoming, payment.amount)?;
    ledger::post(tx, &movement, None).await?;
    crash_point("deposit.booked");
    if let Some(bonus) = bonus.as_ref().filter(|bonus| bonus.is_due) {
        let movement = Movement::promo_bonus(deposit.user_id, incoming, bonus.amount)?;
        ledger::post(tx, &movement, Some(&bonus.code)).await?;
    }
    let received = DepositReceived {
        deposit_id: deposit.id,
        payment_id: payment.id,
        amount: payment.amount,
        bonus: bonus.map(|Bonus { code, amount, is_due }| event::DepositBonus {
            code,
            amount,
            given: is_due,
        }),
    };
    Entry::of(received).tell(tx, deposit.user_id).await?;
    crash_point("deposit.event_recorded");
    Ok(outcome)
}
