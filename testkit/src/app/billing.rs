//! Bills, balances, promo codes and SSH keys.

use std::{future::IntoFuture, pin::Pin};

use domain::{
    billing::PaymentMethod,
    ids::{InvoiceId, PaymentId, PromoId, SshKeyId, UserId},
    money::Rupiah,
    pricing::{BilledItem, LineDescription},
    promo::{PromoCode, PromoKind, PromoTerms},
};
use store::{
    invoices::NewDraft,
    promos::NewPromo,
    ssh_keys::NewSshKey,
    wallet::{NewAdjustment, NewDeposit},
};

use crate::{GATEWAY, TestApp, any_request, by_user, new_money_act};

/// How long deposits can be paid, in milliseconds.
const PAY_WITHIN_MS: u64 = 3_600_000;

/// A deposit to be begun, by QRIS.
fn new_deposit(user: UserId, amount: Rupiah) -> NewDeposit {
    NewDeposit {
        user,
        amount,
        method: PaymentMethod::Qris,
        bank: None,
        gateway: GATEWAY,
        pay_within_ms: PAY_WITHIN_MS,
        promo: None,
    }
}

impl TestApp {
    /// Begins a deposit. Answers with its payment.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open_deposit(&self, customer: UserId, amount: Rupiah) -> PaymentId {
        let opened = self.store.open_deposit(&new_deposit(customer, amount), &any_request()).await;
        opened.expect("a deposit").to_charge.expect("its payment")
    }

    /// Puts money on a balance that the customer pays in.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn deposit(&self, customer: UserId, amount: Rupiah) {
        let payment = self.open_deposit(customer, amount).await;
        self.pay(payment).await;
    }

    /// Corrects a balance on [`TestApp::staff`]'s word, up or down.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn adjust(&self, customer: UserId, amount: Rupiah) {
        let new = NewAdjustment { customer, amount, reason: "a gift" };
        let act = new_money_act(self.staff().await);
        self.store.adjust_wallet(&new, &act).await.expect("an adjustment");
    }

    /// What is on a customer's balance, in rupiah.
    ///
    /// # Panics
    /// When there is no such account.
    pub async fn balance(&self, customer: UserId) -> i64 {
        self.store.wallet(customer).await.expect("a balance").wallet.get()
    }

    /// A bill that [`TestApp::staff`] wrote by hand: one line of so much before tax, issued, to be paid in a week.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn invoice(&self, customer: UserId, unit_price: Rupiah) -> InvoiceId {
        let draft = self.draft(customer, unit_price).await;
        let origin = by_user(self.staff().await);
        self.store.issue_invoice(draft, 7, &origin).await.expect("an issued invoice").id
    }

    /// The same, not issued yet.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn draft(&self, customer: UserId, unit_price: Rupiah) -> InvoiceId {
        let by = self.staff().await;
        let description = LineDescription::Written("Moving house".to_owned());
        let items = [BilledItem { description, quantity: 1, unit_price }];
        let new = NewDraft { by, customer, items: &items, note: None };
        self.store.draft_invoice(&new, &by_user(by), &any_request()).await.expect("a draft").id
    }

    /// A promo code to be made by [`TestApp::staff`]; awaiting it makes it.
    ///
    /// # Panics
    /// When it is no promo code.
    pub fn promo(&self, code: &str, kind: PromoKind, value: i64) -> PromoBuilder<'_> {
        PromoBuilder { app: self, new: new_promo(code, kind, value) }
    }

    /// An SSH key of a customer's, like no other.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn ssh_key(&self, customer: UserId, name: &str) -> SshKeyId {
        let number = self.next_number();
        let new = NewSshKey {
            name: name.to_owned(),
            public_key: format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{number:A>43} {name}"),
            fingerprint: format!("SHA256:{number}"),
        };
        self.store.add_ssh_key(customer, &new, &by_user(customer)).await.expect("an SSH key").id
    }
}

/// A promo code without any bounds.
///
/// # Panics
/// When it is no promo code.
#[must_use]
pub fn new_promo(code: &str, kind: PromoKind, value: i64) -> NewPromo {
    let terms = PromoTerms {
        kind,
        value,
        min_amount: None,
        max_amount: None,
        per_user_limit: None,
        global_limit: None,
        starts_at: None,
        ends_at: None,
    };
    NewPromo { code: PromoCode::parse(code).expect("a promo code"), terms }
}

/// A promo code to be made; awaiting it makes it.
#[derive(Debug)]
#[must_use = "nothing is made before it is awaited"]
pub struct PromoBuilder<'a> {
    app: &'a TestApp,
    new: NewPromo,
}

impl PromoBuilder<'_> {
    /// With other terms.
    pub fn terms(mut self, change: impl FnOnce(&mut PromoTerms)) -> Self {
        change(&mut self.new.terms);
        self
    }

    async fn make(self) -> PromoId {
        let by = self.app.staff().await;
        self.app.store.create_promo(&self.new, by, &by_user(by)).await.expect("a promo code").id
    }
}

impl<'a> IntoFuture for PromoBuilder<'a> {
    type Output = PromoId;
    type IntoFuture = Pin<Box<dyn Future<Output = PromoId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}
