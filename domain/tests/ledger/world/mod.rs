//! A small shop as a state machine: what happens to its customers' money, in any order and any number of times, turned
//! into movements by the ledger's rules. The tests of `store` drive the real ledger with it.

pub mod cast;
mod event;
mod outside;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Rupiah,
    ids::{DisputeId, PaymentId, RefundId},
    ledger::{
        AccountKind, Books, LedgerError, Movement, MovementKind as K, Parties, Position, Price, TakenBack,
    },
    refund::RefundDestination,
};

use cast::{Attempt, Bill, TRANSFERS};
pub use cast::{CUSTOMERS, Cast, ORDERS, TERMS};
pub use event::{Event, event};
use outside::Outside;

type Planned = Result<Vec<Movement>, LedgerError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Expired,
    Paid,
    Active,
    Closed,
}

/// A paid attempt through a gateway.
#[derive(Debug, Clone)]
struct Settled {
    attempt: Attempt,
    charged: Rupiah,
    /// Whether it paid what it was for, or went to the balance.
    is_applied: bool,
    bonus: Rupiah,
}

/// What of an attempt a gateway took back.
#[derive(Debug, Clone)]
struct Dispute {
    payment: PaymentId,
    of_charged: Rupiah,
    of_fee: Rupiah,
    standing: Option<bool>,
}

/// The shop: the model's books, and where everything stands.
#[derive(Debug, Clone)]
pub struct World {
    pub cast: Cast,
    pub books: Books,
    /// What really happened to money outside, and whose it was.
    outside: Outside,
    stages: [[Stage; ORDERS]; CUSTOMERS],
    terms_paid: [[bool; TERMS]; CUSTOMERS],
    servers_ended: [bool; CUSTOMERS],
    received: BTreeSet<Option<PaymentId>>,
    settled: BTreeMap<PaymentId, Settled>,
    /// What each transfer has brought, while it is open; nothing afterwards.
    transfers: BTreeMap<PaymentId, Option<Rupiah>>,
    disputes: BTreeMap<DisputeId, Dispute>,
    /// What was to go back through a gateway, how much of it, and whether it still is.
    owed: BTreeMap<RefundId, (PaymentId, Rupiah, Option<bool>)>,
}

impl World {
    pub fn new(cast: Cast) -> Self {
        Self {
            cast,
            books: Books::default(),
            outside: Outside::default(),
            stages: [[Stage::Waiting; ORDERS]; CUSTOMERS],
            terms_paid: [[false; TERMS]; CUSTOMERS],
            servers_ended: [false; CUSTOMERS],
            received: BTreeSet::new(),
            settled: BTreeMap::new(),
            transfers: BTreeMap::new(),
            disputes: BTreeMap::new(),
            owed: BTreeMap::new(),
        }
    }

    /// The movements an event brings about now.
    pub fn plan(&self, event: &Event) -> Planned {
        let one = |movement: Result<Movement, LedgerError>| movement.map(|movement| vec![movement]);
        match *event {
            Event::Paid { attempt, amount } => self.paid(attempt, Rupiah::new(amount)),
            Event::Approved { customer, order, transfer, amount, credit } => {
                self.approved(customer, order, transfer, Rupiah::new(amount), credit)
            }
            Event::WalletPaid { customer, order } => self.wallet_paid(customer, order),
            Event::TermPaidFromWallet { customer, term } => self.term_paid_from_wallet(customer, term),
            Event::ServerEnded { .. } | Event::Reversed { .. } => Ok(Vec::new()),
            Event::Activated { customer, order } => self.activated(customer, order),
            Event::Expired { customer, order } => self.expired(customer, order),
            Event::Cancelled { customer, order } => self.cancelled(customer, order),
            Event::Refunded { customer, order, number, amount, by_gateway } => {
                self.refunded(customer, order, number, Rupiah::new(amount), by_gateway)
            }
            Event::RefundEnded { customer, order, number, settled } => {
                self.refund_ended(customer, order, number, settled)
            }
            Event::Decided { which, accepted } => self.decided(which, accepted),
            Event::Served { customer, order, period, share } => self.served(customer, order, period, share),
            Event::Adjusted { customer, number, amount } => one(Movement::adjustment(
                self.cast.customer(customer),
                self.cast.numbered(number),
                Rupiah::new(amount),
            )),
            Event::PaidOut { number, gross, fee } => one(Movement::gateway_payout(
                "midtrans",
                &self.cast.numbered(number).to_string(),
                Rupiah::new(gross),
                Rupiah::new(fee),
            )),
            Event::Bonus { customer, payment, amount } => {
                let attempt = Attempt { customer, bill: Bill::Deposit, number: payment };
                one(Movement::promo_bonus(
                    self.cast.customer(customer),
                    self.cast.money(attempt),
                    Rupiah::new(amount),
                ))
            }
        }
    }

    fn paid(&self, attempt: Attempt, amount: Rupiah) -> Planned {
        let (customer, money) = (attempt.customer, self.cast.money(attempt));
        let mut movements = match (attempt.bill, self.cast.billed(attempt)) {
            (Bill::Order(order), Some((parties, price))) => match self.stages[customer][order] {
                // A gateway charges the whole price, so what is set aside becomes free.
                Stage::Waiting | Stage::Expired => {
                    let held = self.books.position(parties.service);
                    let paid = Movement::payment_received(parties, money, price, Rupiah::ZERO)?;
                    std::iter::once(paid).chain(Movement::release(parties, "paid", &held)?).collect()
                }
                _ => vec![Movement::late_payment(parties, money, price.total)?],
            },
            (Bill::Term(term), Some((parties, price))) => {
                vec![if self.terms_paid[customer][term] || self.servers_ended[customer] {
                    Movement::late_payment(parties, money, price.total)?
                } else {
                    Movement::payment_received(parties, money, price, Rupiah::ZERO)?
                }]
            }
            _ => vec![Movement::deposit(self.cast.customer(customer), money, amount)?],
        };
        let fee = Cast::payer_fee(attempt);
        if fee > Rupiah::ZERO {
            movements.push(Movement::payer_fee(money, fee)?);
        }
        Ok(movements)
    }

    fn approved(
        &self,
        customer: usize,
        order: usize,
        transfer: usize,
        amount: Rupiah,
        credit: bool,
    ) -> Planned {
        let (parties, price) = (self.cast.parties(customer, order), Cast::price(order));
        let money = self.cast.transfer(customer, order, transfer);
        let before = match self.transfers.get(&money.payment()) {
            Some(None) => return Ok(Vec::new()),
            Some(Some(before)) => *before,
            None => Rupiah::ZERO,
        };
        let held = self.books.position(parties.service).held;
        let due = price.total.minus(held)?;
        match self.stages[customer][order] {
            Stage::Waiting if amount < due && !credit => {
                Ok(vec![Movement::part_payment(parties, money, before, amount)?])
            }
            Stage::Waiting | Stage::Expired if amount >= due && !credit => {
                let mut movements = vec![Movement::payment_received(parties, money, price, held)?];
                if amount > due {
                    movements.push(Movement::surplus(parties, money, amount.minus(due)?)?);
                }
                Ok(movements)
            }
            _ => Ok(vec![Movement::late_payment(parties, money, amount)?]),
        }
    }

    fn wallet_paid(&self, customer: usize, order: usize) -> Planned {
        let parties = self.cast.parties(customer, order);
        let held = self.books.position(parties.service).held;
        if self.stages[customer][order] != Stage::Waiting {
            return Ok(Vec::new());
        }
        let missing = Cast::price(order).total.minus(held)?;
        Ok(vec![Movement::hold(parties, self.cast.own(customer, order), missing)?])
    }

    fn term_paid_from_wallet(&self, customer: usize, term: usize) -> Planned {
        if self.terms_paid[customer][term] || self.servers_ended[customer] {
            return Ok(Vec::new());
        }
        let (parties, price) = (self.cast.parties_of_term(customer, term), Cast::price_of_term(term));
        let hold = Movement::hold(parties, self.cast.own_for_term(customer, term), price.total)?;
        let held = Position { held: price.total, ..Position::default() };
        Ok(std::iter::once(hold).chain(Movement::capture(parties, &held, price)?).collect())
    }

    fn activated(&self, customer: usize, order: usize) -> Planned {
        if self.stages[customer][order] != Stage::Paid {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        let price = position.held_price(Cast::price(order))?;
        Ok(Movement::capture(parties, &position, price)?.into_iter().collect())
    }

    fn expired(&self, customer: usize, order: usize) -> Planned {
        if self.stages[customer][order] != Stage::Waiting {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        Ok(Movement::release(parties, "expired", &position)?.into_iter().collect())
    }

    fn cancelled(&self, customer: usize, order: usize) -> Planned {
        if !matches!(self.stages[customer][order], Stage::Waiting | Stage::Paid) {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        self.books.position(parties.service).give_back(parties, "cancelled")
    }

    fn refunded(
        &self,
        customer: usize,
        order: usize,
        number: usize,
        amount: Rupiah,
        by_gateway: bool,
    ) -> Planned {
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        let mut most = position.total()?;
        if by_gateway {
            let way_back = self.way_back(customer, order).map(|payment| self.undisputed(payment));
            most = most.min(way_back.unwrap_or_default());
        }
        let is_open = matches!(self.stages[customer][order], Stage::Waiting | Stage::Expired);
        if is_open || most <= Rupiah::ZERO {
            return Ok(Vec::new());
        }
        let share = position.share(amount.min(most), Cast::price(order))?;
        let destination = if by_gateway { RefundDestination::Gateway } else { RefundDestination::Wallet };
        let refund = self.cast.refund(customer, order, number);
        Ok(vec![Movement::given_back(parties, refund, destination, &share)?])
    }

    fn refund_ended(&self, customer: usize, order: usize, number: usize, settled: bool) -> Planned {
        let refund = self.cast.refund(customer, order, number);
        let Some((_, amount, _)) = self.owed.get(&refund).copied() else { return Ok(Vec::new()) };
        let parties = self.cast.parties(customer, order);
        let end = if settled { Movement::refund_settled } else { Movement::refund_returned };
        Ok(vec![end(parties, refund, amount)?])
    }

    fn decided(&self, which: usize, accepted: bool) -> Planned {
        let Some((id, dispute)) = self.undecided(which).filter(|_| accepted) else { return Ok(Vec::new()) };
        // What was dismissed may have gone back otherwise since.
        let gone = dispute.standing == Some(false)
            && (dispute.of_charged > self.undisputed(dispute.payment)
                || dispute.of_fee > self.undisputed_fee(dispute.payment));
        if gone {
            return Ok(Vec::new());
        }
        let settled = &self.settled[&dispute.payment];
        let customer = self.cast.customer(settled.attempt.customer);
        let wallet = self.books.balance(AccountKind::CustomerWallet, Some(customer));
        let billed = self.cast.billed(settled.attempt);
        let paid: Option<(Parties, Price)> = billed.filter(|_| settled.is_applied);
        let position = paid.map(|(parties, _)| self.books.position(parties.service)).unwrap_or_default();
        let bonus = settled.bonus.get() * dispute.of_charged.get() / settled.charged.get();
        let service = paid.map(|(_, price)| (&position, price));
        let taken = TakenBack::split(dispute.of_charged, Rupiah::new(bonus), service, wallet)?;
        let taken = TakenBack { payer_fee: dispute.of_fee, ..taken };
        Ok(vec![Movement::taken_back(customer, billed.map(|(parties, _)| parties.service), id, &taken)?])
    }

    fn served(&self, customer: usize, order: usize, period: usize, share: i64) -> Planned {
        let parties = self.cast.parties(customer, order);
        let earned = self.books.position(parties.service).deferred.get() * share / 100;
        if self.stages[customer][order] != Stage::Active || earned == 0 {
            return Ok(Vec::new());
        }
        let period = format!("2026-{period:02}");
        Ok(vec![Movement::revenue_recognised(parties, &period, Rupiah::new(earned))?])
    }

    /// The attempt through a gateway that paid an order.
    fn way_back(&self, customer: usize, order: usize) -> Option<PaymentId> {
        let paid = self.settled.iter().find(|(_, settled)| {
            let Attempt { customer: whose, bill, .. } = settled.attempt;
            settled.is_applied && whose == customer && bill == Bill::Order(order)
        });
        paid.map(|(payment, _)| *payment)
    }

    /// What of an attempt's charge neither went back by our refunds nor is in dispute.
    fn undisputed(&self, payment: PaymentId) -> Rupiah {
        let disputed = self.disputed(payment).map(|dispute| dispute.of_charged.get()).sum::<i64>();
        let back = self.owed.values().filter(|(of, _, ended)| *of == payment && *ended != Some(false));
        let back = back.map(|(_, amount, _)| amount.get()).sum::<i64>();
        Rupiah::new(self.settled[&payment].charged.get() - disputed - back)
    }

    fn undisputed_fee(&self, payment: PaymentId) -> Rupiah {
        let disputed = self.disputed(payment).map(|dispute| dispute.of_fee.get()).sum::<i64>();
        Rupiah::new(Cast::payer_fee(self.settled[&payment].attempt).get() - disputed)
    }

    fn disputed(&self, payment: PaymentId) -> impl Iterator<Item = &Dispute> {
        self.disputes.values().filter(move |d| d.payment == payment && d.standing != Some(false))
    }

    fn undecided(&self, which: usize) -> Option<(DisputeId, &Dispute)> {
        let open: Vec<_> = self.disputes.iter().filter(|(_, d)| d.standing != Some(true)).collect();
        (!open.is_empty()).then(|| open[which % open.len()]).map(|(id, dispute)| (*id, dispute))
    }
}
