//! Deposits that wait for their money, the barest thing the database can do, and what the books say in the end. Prepared
//! and read straight through `store`: neither is what is measured.

use std::time::Duration;

use anyhow::{Result, ensure};
use domain::{
    billing::{PaymentMethod, WebhookOutcome},
    ids::UserId,
    ledger::AccountKind,
    money::Rupiah,
    role::Role,
    unpaid::UnpaidLimits,
};
use store::{
    PoolSettings, Store, audit::Origin, idempotency::Idempotency, users::NewUser, wallet::NewDeposit,
};
use uuid::Uuid;

use super::timed;
use crate::bench::load::closed_loop;

/// Connections, as many as the API has by default.
const CONNECTIONS: u32 = 20;
/// Deposits of one customer. Those of one customer queue at the customer's account, as they would at a real one.
const DEPOSITS_EACH: usize = 10;
/// Longer than any run.
const PAY_WITHIN_MS: u64 = 24 * 3_600_000;
/// What a bare insert writes: as much as a notification has.
const BODY: [u8; 800] = [b'x'; 800];

/// A deposit that waits for its money.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Our name for its payment at the gateway.
    pub gateway_order_id: String,
    /// The gateway's id of it, the same in every repetition.
    pub transaction_id: Uuid,
    /// How much.
    pub amount: Rupiah,
}

/// What the books hold.
#[derive(Debug, Clone, Copy)]
pub struct Credited {
    /// How many movements there are.
    pub movements: i64,
    /// What is on all balances.
    pub amount: Rupiah,
}

impl Credited {
    /// What came since an earlier look.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            movements: self.movements - earlier.movements,
            amount: Rupiah::new(self.amount.get() - earlier.amount.get()),
        }
    }
}

/// What all deposits come to.
pub fn total(deposits: &[Waiting]) -> Rupiah {
    deposits.iter().map(|deposit| deposit.amount).sum()
}

/// The stack's database, and the customers who deposit.
pub struct Till {
    store: Store,
    customers: Vec<UserId>,
    wanted: usize,
}

impl Till {
    /// Connects, and makes as many customers as `wanted` deposits need.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(database: &str, wanted: usize) -> Result<Self> {
        let store = Store::connect(database, &PoolSettings::of(CONNECTIONS))
            .await?
            .with_unpaid_limits(UnpaidLimits::NONE);
        let customers = closed_loop(wanted.div_ceil(DEPOSITS_EACH), 8, |_| customer(&store)).await?.outcomes;
        Ok(Self { store, customers, wanted })
    }

    /// Begins the deposits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deposits(&self, concurrency: usize) -> Result<Vec<Waiting>> {
        Ok(closed_loop(self.wanted, concurrency, |number| self.deposit(number)).await?.outcomes)
    }

    async fn deposit(&self, number: usize) -> Result<Waiting> {
        let user = self.customers[number % self.customers.len()];
        let amount = Rupiah::new(10_000 + i64::try_from(number)?);
        let new = NewDeposit {
            user,
            amount,
            method: PaymentMethod::Qris,
            bank: None,
            gateway: "midtrans",
            pay_within_ms: PAY_WITHIN_MS,
            promo: None,
        };
        let promise = Idempotency::new("bench", &Uuid::now_v7().to_string(), &number)?;
        let opened = self.store.open_deposit(&new, &promise).await?;
        let payment = self.store.deposit(opened.deposit_id, user).await?.payment;
        Ok(Waiting { gateway_order_id: payment.gateway_order_id, transaction_id: Uuid::now_v7(), amount })
    }

    /// One row in a transaction of its own, committed: the same table as a notification's, and nothing else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bare_insert(&self) -> Result<Duration> {
        let kept = self.store.keep_unbelieved("bench", WebhookOutcome::Ignored, "a floor", &BODY);
        let (took, kept) = timed(async { Ok(kept.await?) }).await?;
        ensure!(kept, "a bare insert wrote nothing");
        Ok(took)
    }

    /// What the books hold now.
    ///
    /// # Errors
    /// When they are not sound.
    pub async fn credited(&self) -> Result<Credited> {
        let report = self.store.check_ledger().await?;
        ensure!(report.sound, "the books are not sound: {:?}", report.findings);
        let wallets = report.accounts.iter().find(|total| total.account == AccountKind::CustomerWallet);
        let amount = wallets.map_or(Rupiah::ZERO, |wallets| wallets.balance);
        Ok(Credited { movements: report.movements, amount })
    }
}

/// Somebody who never logs in.
async fn customer(store: &Store) -> Result<UserId> {
    let new = NewUser {
        email: format!("{}@bench.invalid", Uuid::now_v7().simple()),
        full_name: "Bench".to_owned(),
        password_hash: "none".to_owned(),
        role: Role::Customer,
        email_verified: true,
    };
    let origin = Origin::system();
    Ok(store.create_user(&new, &origin).await?.id)
}
