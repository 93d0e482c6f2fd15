//! What really happened outside: which attempts a gateway took money for, and gave or took it back; which transfers arrived
//! at the bank; what staff corrected by hand. The books are told of it late, twice, out of order or not at all, and have to
//! agree with it in the end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use domain::{
    Rupiah,
    billing::{Evidence, PaymentStatus as P},
    dispute::{Reversal, ReversalKind},
    gateway::{GatewayReport, WebhookEvent},
    ids::{OrderId, PaymentId, RefundId, UserId},
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use store::payments::Payment;
use tokio::sync::RwLock;

use crate::webhook_event;

/// Everything outside, for all customers.
#[derive(Default)]
pub(super) struct Reality(Mutex<State>);

#[derive(Default)]
struct State {
    attempts: BTreeMap<PaymentId, Attempt>,
    letters: Vec<Letter>,
    transferred: BTreeMap<UserId, i64>,
    corrected: BTreeMap<UserId, i64>,
    desks: BTreeMap<OrderId, Arc<RwLock<()>>>,
}

/// What a gateway knows of an attempt.
struct Attempt {
    payment: Payment,
    standing: Standing,
    payer_fee: i64,
    /// What of its money went back, ours among it.
    reversals: Vec<Reversal>,
    /// Its cancellation was told, and taken in: everybody who saw it can forge a settlement of it.
    cancel_was_told: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Open,
    Paid,
    /// It ended without money.
    Ended(P),
    /// It was paid, and is not any more.
    Withdrawn(P),
}

/// What a gateway says of an attempt, at one moment.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub status: P,
    gross: i64,
    payer_fee: i64,
    reversals: Vec<Reversal>,
    key: String,
}

/// A signed notification on its way to us.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub payment: Payment,
    pub said: Said,
    /// Gateways send it until it is taken in. Of others some get lost.
    pub is_stubborn: bool,
    customer: UserId,
}

impl Attempt {
    fn of(payment: &Payment) -> Self {
        Self {
            payment: payment.clone(),
            standing: Standing::Open,
            payer_fee: 0,
            reversals: Vec::new(),
            cancel_was_told: false,
        }
    }

    fn gross(&self) -> i64 {
        self.payment.amount.get() + self.payer_fee
    }

    fn went_back(&self) -> i64 {
        self.reversals.iter().filter_map(|reversal| reversal.amount).map(Rupiah::get).sum()
    }

    /// What the gateway holds for us of it.
    fn left(&self) -> i64 {
        if self.standing == Standing::Paid { self.gross() - self.went_back() } else { 0 }
    }

    fn says(&self) -> Said {
        let status = match self.standing {
            Standing::Open => P::Pending,
            Standing::Paid => P::Paid,
            Standing::Ended(status) | Standing::Withdrawn(status) => status,
        };
        let reversals = if status == P::Paid { self.reversals.clone() } else { Vec::new() };
        let key = format!("{status}:{}", reversals.len());
        Said { status, gross: self.gross(), payer_fee: self.payer_fee, reversals, key }
    }
}

impl Said {
    pub(super) fn gross(&self) -> Rupiah {
        Rupiah::new(self.gross)
    }

    pub(super) fn payer_fee(&self) -> Option<Rupiah> {
        (self.payer_fee > 0).then(|| Rupiah::new(self.payer_fee))
    }

    pub(super) fn reversals(&self) -> &[Reversal] {
        &self.reversals
    }

    pub(super) fn notification(&self, payment: &Payment, evidence: Evidence) -> WebhookEvent {
        let event = webhook_event(payment, self.status, &self.key);
        WebhookEvent {
            evidence: Some(evidence),
            report: GatewayReport {
                amount: Some(self.gross()),
                payer_fee: self.payer_fee(),
                reversals: self.reversals.to_vec(),
                ..event.report
            },
            ..event
        }
    }
}

impl Reality {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Where staff work on an order: many at once, or one alone who relies on what is shown.
    pub(super) fn desk(&self, order: OrderId) -> Arc<RwLock<()>> {
        Arc::clone(self.state().desks.entry(order).or_default())
    }

    /// Whether it can be paid, or end without money.
    pub(super) fn is_open(&self, payment: &Payment) -> bool {
        self.asked(payment).status == P::Pending
    }

    /// Whether there is money to be taken back.
    pub(super) fn is_paid(&self, payment: &Payment) -> bool {
        self.state().attempts.get(&payment.id).is_some_and(|attempt| attempt.left() > 0)
    }

    /// The customer pays at the gateway, which may have ended the attempt before, and may take a fee for itself.
    pub(super) fn pay(&self, customer: UserId, payment: &Payment, random: &mut StdRng) {
        self.turns(customer, payment, random, |attempt, random| {
            if attempt.standing != Standing::Open {
                return false;
            }
            attempt.standing = Standing::Paid;
            if random.random_bool(0.25) {
                attempt.payer_fee = random.random_range(1..5_000);
            }
            true
        });
    }

    /// The attempt ends without money.
    pub(super) fn end(&self, customer: UserId, payment: &Payment, random: &mut StdRng) {
        self.turns(customer, payment, random, |attempt, random| {
            let was_open = attempt.standing == Standing::Open;
            if was_open {
                let how = *[P::Cancelled, P::Cancelled, P::Expired, P::Denied].choose(random).unwrap();
                attempt.standing = Standing::Ended(how);
            }
            was_open
        });
    }

    /// Of what a gateway took in, it gives a part or all back by hand, loses it to a bank, or says that it never had it.
    pub(super) fn take_back(&self, customer: UserId, payment: &Payment, random: &mut StdRng) {
        let mut state = self.state();
        let Some(attempt) = state.attempts.get_mut(&payment.id).filter(|attempt| attempt.left() > 0) else {
            return;
        };
        if random.random_bool(0.3) {
            attempt.standing =
                Standing::Withdrawn(*[P::Denied, P::Cancelled, P::Expired].choose(random).unwrap());
        } else {
            let left = attempt.left();
            let amount = if random.random_bool(0.4) { left } else { random.random_range(1..=left) };
            attempt.reversals.push(Reversal {
                name: format!("reversal-{}", attempt.reversals.len()),
                refund_key: None,
                kind: *[ReversalKind::Refund, ReversalKind::Chargeback].choose(random).unwrap(),
                amount: Some(Rupiah::new(amount)),
                amount_as_received: amount.to_string(),
            });
        }
        let (payment, said) = (attempt.payment.clone(), attempt.says());
        state.letters.push(Letter { payment, said, is_stubborn: true, customer });
    }

    /// A refund of ours: given back once per key, as far as so much is left.
    pub(super) fn give_back(&self, payment: PaymentId, refund: RefundId, amount: Rupiah) -> bool {
        let mut state = self.state();
        let Some(attempt) = state.attempts.get_mut(&payment) else { return false };
        let key = refund.to_string();
        if attempt.reversals.iter().any(|reversal| reversal.name == key) {
            return true;
        }
        if attempt.left() < amount.get() {
            return false;
        }
        attempt.reversals.push(Reversal {
            name: key.clone(),
            refund_key: Some(key),
            kind: ReversalKind::Refund,
            amount: Some(amount),
            amount_as_received: amount.get().to_string(),
        });
        true
    }

    /// What the gateway answers when it is asked.
    pub(super) fn asked(&self, payment: &Payment) -> Said {
        self.state().attempts.entry(payment.id).or_insert_with(|| Attempt::of(payment)).says()
    }

    /// We call an attempt off at its gateway; `false` when that is too late.
    pub(super) fn call_off(&self, payment: PaymentId) -> bool {
        let mut state = self.state();
        let open = state.attempts.get_mut(&payment).filter(|attempt| attempt.standing == Standing::Open);
        open.map(|attempt| attempt.standing = Standing::Ended(P::Cancelled)).is_some()
    }

    /// Nobody pays any more.
    pub(super) fn close(&self) {
        for attempt in self.state().attempts.values_mut().filter(|a| a.standing == Standing::Open) {
            attempt.standing = Standing::Ended(P::Expired);
        }
    }

    /// A notification for the customer's payments that is on its way. It may come once more later.
    pub(super) fn letter(&self, customer: UserId, random: &mut StdRng) -> Option<Letter> {
        let mut state = self.state();
        let own: Vec<usize> =
            (0..state.letters.len()).filter(|n| state.letters[*n].customer == customer).collect();
        let chosen = *own.choose(random)?;
        if random.random_bool(0.2) {
            return Some(state.letters[chosen].clone());
        }
        Some(state.letters.swap_remove(chosen))
    }

    /// It was not taken in, so it comes again.
    pub(super) fn send_again(&self, letter: Letter) {
        self.state().letters.push(letter);
    }

    /// All that is on its way still.
    pub(super) fn last_letters(&self) -> Vec<Letter> {
        std::mem::take(&mut self.state().letters)
    }

    pub(super) fn taken_in(&self, letter: &Letter) {
        if letter.said.status == P::Cancelled
            && let Some(attempt) = self.state().attempts.get_mut(&letter.payment.id)
        {
            attempt.cancel_was_told |= attempt.standing == Standing::Ended(P::Cancelled);
        }
    }

    /// Somebody who saw a signed cancellation makes a settlement of it.
    pub(super) fn forgery(
        &self,
        customer: UserId,
        payments: &[Payment],
        random: &mut StdRng,
    ) -> Option<Letter> {
        let state = self.state();
        let told: Vec<_> = payments
            .iter()
            .filter_map(|payment| state.attempts.get(&payment.id))
            .filter(|attempt| attempt.cancel_was_told)
            .collect();
        let attempt = told.choose(random)?;
        let said = Said { status: P::Paid, key: "forged".to_owned(), ..attempt.says() };
        Some(Letter { payment: attempt.payment.clone(), said, is_stubborn: false, customer })
    }

    pub(super) fn transferred(&self, customer: UserId, amount: i64) {
        *self.state().transferred.entry(customer).or_default() += amount;
    }

    pub(super) fn corrected(&self, customer: UserId, amount: i64) {
        *self.state().corrected.entry(customer).or_default() += amount;
    }

    /// What gateways hold for us, by payment.
    pub(super) fn at_gateways(&self) -> BTreeMap<PaymentId, i64> {
        self.state()
            .attempts
            .iter()
            .map(|(id, attempt)| (*id, attempt.left()))
            .filter(|(_, left)| *left > 0)
            .collect()
    }

    /// What arrived at the bank from a customer, and what staff gave (or took) by hand.
    pub(super) fn of(&self, customer: UserId) -> (i64, i64) {
        let state = self.state();
        let of = |map: &BTreeMap<UserId, i64>| map.get(&customer).copied().unwrap_or_default();
        (of(&state.transferred), of(&state.corrected))
    }

    /// Lets something become of an attempt, of which the gateway tells us if it does; unless that gets lost.
    fn turns(
        &self,
        customer: UserId,
        payment: &Payment,
        random: &mut StdRng,
        turn: impl FnOnce(&mut Attempt, &mut StdRng) -> bool,
    ) {
        let mut state = self.state();
        let attempt = state.attempts.entry(payment.id).or_insert_with(|| Attempt::of(payment));
        if !turn(attempt, random) || random.random_bool(0.2) {
            return;
        }
        let (payment, said) = (attempt.payment.clone(), attempt.says());
        state.letters.push(Letter { payment, said, is_stubborn: false, customer });
    }
}
