//! A small shop as a state machine: what happens to its customers' money, in any order and any number of times, turned
//! into movements by the ledger's rules. The tests of `store` drive the real ledger with it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Rupiah,
    billing::PaymentMethod,
    ids::{OrderId, PaymentId, RefundId, UserId},
    ledger::{
        AccountKind, Books, FromWallet, Incoming, LedgerError, MoneySource, Movement, MovementKind as K,
        Parties, Position, Price, Service,
    },
    refund::RefundDestination,
};
use proptest::prelude::*;
use uuid::Uuid;

pub const CUSTOMERS: usize = 2;
pub const ORDERS: usize = 2;
pub const PAYMENTS: usize = 3;
pub const REFUNDS: usize = 3;

/// Something that happens. Indices are of the customer, the customer's order, and the order's or customer's payment.
#[derive(Debug, Clone)]
pub enum Event {
    /// A gateway (or an administrator) reports the money of a payment for an order; may be reported again.
    OrderPaid { customer: usize, order: usize, payment: usize, by_bank: bool },
    /// A gateway reports the money of a deposit; may be reported again.
    DepositPaid { customer: usize, payment: usize, amount: i64 },
    /// A transfer that is too small.
    PartPaid { customer: usize, order: usize, amount: i64 },
    /// A transfer that is too large: the surplus of a payment.
    Surplus { customer: usize, order: usize, payment: usize, amount: i64 },
    /// The customer pays an order from the balance.
    WalletPaid { customer: usize, order: usize },
    /// The server runs.
    Activated { customer: usize, order: usize },
    /// The deadline passed.
    Expired { customer: usize, order: usize },
    /// Called off, by the customer or by staff.
    Cancelled { customer: usize, order: usize },
    /// A part of an order's money, or all of it, is given back; may be asked for again under the same number.
    Refunded { customer: usize, order: usize, number: usize, amount: i64, by_gateway: bool },
    /// A gateway gave money back, or certainly will not; may be told again, and the other way round.
    RefundEnded { customer: usize, order: usize, number: usize, settled: bool },
    /// A part of the term was served.
    Served { customer: usize, order: usize, period: usize, share: i64 },
    /// An administrator corrects the balance.
    Adjusted { customer: usize, number: usize, amount: i64 },
    /// The gateway pays out.
    PaidOut { number: usize, gross: i64, fee: i64 },
    /// A bonus on a deposit.
    Bonus { customer: usize, payment: usize, amount: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Paid,
    Active,
    Closed,
}

/// Ids of the people and things, and what they cost.
#[derive(Debug, Clone)]
pub struct Cast {
    pub customers: [Uuid; CUSTOMERS],
    pub orders: [[Uuid; ORDERS]; CUSTOMERS],
    /// Per order: payments through a gateway or bank, then the one from the balance.
    pub order_payments: [[[Uuid; PAYMENTS + 1]; ORDERS]; CUSTOMERS],
    pub deposit_payments: [[Uuid; PAYMENTS]; CUSTOMERS],
    /// Makes the causes of adjustments and payouts this cast's own.
    pub series: Uuid,
}

impl Cast {
    pub fn new(mut id: impl FnMut() -> Uuid) -> Self {
        Self {
            customers: std::array::from_fn(|_| id()),
            orders: std::array::from_fn(|_| std::array::from_fn(|_| id())),
            order_payments: std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| id()))),
            deposit_payments: std::array::from_fn(|_| std::array::from_fn(|_| id())),
            series: id(),
        }
    }

    /// The price of a customer's order.
    pub fn price(order: usize) -> Price {
        let (total, tax) = [(133_200, 13_200), (408_092, 40_442)][order];
        Price { total: Rupiah::new(total), tax: Rupiah::new(tax) }
    }

    pub fn parties(&self, customer: usize, order: usize) -> Parties {
        Parties {
            customer: UserId(self.customers[customer]),
            service: Service::Order(OrderId(self.orders[customer][order])),
        }
    }

    fn money(&self, customer: usize, order: usize, payment: usize, by_bank: bool) -> Incoming {
        let method = if by_bank { PaymentMethod::ManualTransfer } else { PaymentMethod::Qris };
        incoming(self.order_payments[customer][order][payment], method)
    }

    fn deposited(&self, customer: usize, payment: usize) -> Incoming {
        incoming(self.deposit_payments[customer][payment], PaymentMethod::Qris)
    }

    fn own(&self, customer: usize, order: usize) -> FromWallet {
        from_wallet(self.order_payments[customer][order][PAYMENTS])
    }

    fn refund(&self, customer: usize, order: usize, number: usize) -> RefundId {
        RefundId(self.numbered(1_000 + (customer * ORDERS + order) * REFUNDS + number))
    }

    fn numbered(&self, number: usize) -> Uuid {
        Uuid::from_u128(self.series.as_u128() ^ number as u128)
    }
}

/// Money of a payment from outside.
pub fn incoming(payment: Uuid, method: PaymentMethod) -> Incoming {
    MoneySource::of(PaymentId(payment), method).incoming().unwrap()
}

/// Money of a payment from the balance.
pub fn from_wallet(payment: Uuid) -> FromWallet {
    MoneySource::of(PaymentId(payment), PaymentMethod::Wallet).from_wallet().unwrap()
}

/// The shop: the model's books, and where each order stands.
#[derive(Debug, Clone)]
pub struct World {
    pub cast: Cast,
    pub books: Books,
    stages: [[Stage; ORDERS]; CUSTOMERS],
    /// What came in from outside, was corrected or given, per customer.
    brought: [i64; CUSTOMERS],
    received: BTreeSet<Option<PaymentId>>,
    paid_by_gateway: BTreeSet<(usize, usize)>,
    /// What was to go back through a gateway, by the refund's cause.
    owed: BTreeMap<RefundId, Rupiah>,
    /// What of it is neither back nor on the balance, per customer.
    on_its_way: [i64; CUSTOMERS],
}

impl World {
    pub fn new(cast: Cast) -> Self {
        let stages = [[Stage::Waiting; ORDERS]; CUSTOMERS];
        Self {
            cast,
            books: Books::default(),
            stages,
            brought: [0; CUSTOMERS],
            received: BTreeSet::new(),
            paid_by_gateway: BTreeSet::new(),
            owed: BTreeMap::new(),
            on_its_way: [0; CUSTOMERS],
        }
    }

    /// The movements an event brings about now.
    pub fn plan(&self, event: &Event) -> Result<Vec<Movement>, LedgerError> {
        let one = |movement: Result<Movement, LedgerError>| movement.map(|movement| vec![movement]);
        match *event {
            Event::OrderPaid { customer, order, payment, by_bank } => {
                self.order_paid(customer, order, payment, by_bank)
            }
            Event::DepositPaid { customer, payment, amount } => one(Movement::deposit(
                UserId(self.cast.customers[customer]),
                self.cast.deposited(customer, payment),
                Rupiah::new(amount),
            )),
            Event::PartPaid { customer, order, amount } => self.part_paid(customer, order, amount),
            Event::Surplus { customer, order, payment, amount } => one(Movement::surplus(
                self.cast.parties(customer, order),
                self.cast.money(customer, order, payment, true),
                Rupiah::new(amount),
            )),
            Event::WalletPaid { customer, order } => self.wallet_paid(customer, order),
            Event::Activated { customer, order } => self.activated(customer, order),
            Event::Expired { customer, order } => self.expired(customer, order),
            Event::Cancelled { customer, order } => self.cancelled(customer, order),
            Event::Refunded { customer, order, number, amount, by_gateway } => {
                self.refunded(customer, order, number, Rupiah::new(amount), by_gateway)
            }
            Event::RefundEnded { customer, order, number, settled } => {
                self.refund_ended(customer, order, number, settled)
            }
            Event::Served { customer, order, period, share } => self.served(customer, order, period, share),
            Event::Adjusted { customer, number, amount } => one(Movement::adjustment(
                UserId(self.cast.customers[customer]),
                self.cast.numbered(number),
                Rupiah::new(amount),
            )),
            Event::PaidOut { number, gross, fee } => one(Movement::gateway_payout(
                "midtrans",
                &self.cast.numbered(number).to_string(),
                Rupiah::new(gross),
                Rupiah::new(fee),
            )),
            Event::Bonus { customer, payment, amount } => one(Movement::promo_bonus(
                UserId(self.cast.customers[customer]),
                self.cast.deposited(customer, payment),
                Rupiah::new(amount),
            )),
        }
    }

    fn order_paid(
        &self,
        customer: usize,
        order: usize,
        payment: usize,
        by_bank: bool,
    ) -> Result<Vec<Movement>, LedgerError> {
        let parties = self.cast.parties(customer, order);
        let money = self.cast.money(customer, order, payment, by_bank);
        let price = Cast::price(order);
        let position = self.books.position(parties.service);
        if self.stages[customer][order] != Stage::Waiting {
            return Ok(vec![Movement::late_payment(parties, money, price.total)?]);
        }
        // A transfer completes what is set aside; a gateway charges the whole price, so that becomes free.
        if by_bank {
            return Ok(vec![Movement::payment_received(parties, money, price, position.held)?]);
        }
        let paid = Movement::payment_received(parties, money, price, Rupiah::ZERO)?;
        Ok(std::iter::once(paid).chain(Movement::release(parties, "paid", &position)?).collect())
    }

    fn part_paid(&self, customer: usize, order: usize, amount: i64) -> Result<Vec<Movement>, LedgerError> {
        let parties = self.cast.parties(customer, order);
        let held = self.books.position(parties.service).held;
        if self.stages[customer][order] != Stage::Waiting
            || held.get() + amount >= Cast::price(order).total.get()
        {
            return Ok(Vec::new());
        }
        let money = self.cast.money(customer, order, 0, true);
        Ok(vec![Movement::part_payment(parties, money, held, Rupiah::new(amount))?])
    }

    fn wallet_paid(&self, customer: usize, order: usize) -> Result<Vec<Movement>, LedgerError> {
        let parties = self.cast.parties(customer, order);
        let held = self.books.position(parties.service).held;
        if self.stages[customer][order] != Stage::Waiting || held != Rupiah::ZERO {
            return Ok(Vec::new());
        }
        Ok(vec![Movement::hold(parties, self.cast.own(customer, order), Cast::price(order).total)?])
    }

    fn activated(&self, customer: usize, order: usize) -> Result<Vec<Movement>, LedgerError> {
        if self.stages[customer][order] != Stage::Paid {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        let price = position.held_price(Cast::price(order))?;
        Ok(Movement::capture(parties, &position, price)?.into_iter().collect())
    }

    fn expired(&self, customer: usize, order: usize) -> Result<Vec<Movement>, LedgerError> {
        if self.stages[customer][order] != Stage::Waiting {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        Ok(Movement::release(parties, "expired", &position)?.into_iter().collect())
    }

    fn cancelled(&self, customer: usize, order: usize) -> Result<Vec<Movement>, LedgerError> {
        if matches!(self.stages[customer][order], Stage::Active | Stage::Closed) {
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
    ) -> Result<Vec<Movement>, LedgerError> {
        let impossible = by_gateway && !self.paid_by_gateway.contains(&(customer, order));
        if self.stages[customer][order] == Stage::Waiting || impossible {
            return Ok(Vec::new());
        }
        let parties = self.cast.parties(customer, order);
        let position = self.books.position(parties.service);
        let share = position.share(amount.min(position.total()?), Cast::price(order))?;
        let destination = if by_gateway { RefundDestination::Gateway } else { RefundDestination::Wallet };
        let refund = self.cast.refund(customer, order, number);
        Ok(vec![Movement::given_back(parties, refund, destination, &share)?])
    }

    fn refund_ended(
        &self,
        customer: usize,
        order: usize,
        number: usize,
        settled: bool,
    ) -> Result<Vec<Movement>, LedgerError> {
        let refund = self.cast.refund(customer, order, number);
        let Some(amount) = self.owed.get(&refund).copied() else { return Ok(Vec::new()) };
        let parties = self.cast.parties(customer, order);
        let end = if settled { Movement::refund_settled } else { Movement::refund_returned };
        Ok(vec![end(parties, refund, amount)?])
    }

    fn served(
        &self,
        customer: usize,
        order: usize,
        period: usize,
        share: i64,
    ) -> Result<Vec<Movement>, LedgerError> {
        let parties = self.cast.parties(customer, order);
        let earned = self.books.position(parties.service).deferred.get() * share / 100;
        if self.stages[customer][order] != Stage::Active || earned == 0 {
            return Ok(Vec::new());
        }
        let period = format!("2026-{period:02}");
        Ok(vec![Movement::revenue_recognised(parties, &period, Rupiah::new(earned))?])
    }

    /// Notes what a movement that took place means for the order, and what it brought in.
    pub fn took_place(&mut self, event: &Event, movement: &Movement) {
        for customer in 0..CUSTOMERS {
            if movement.customer() != Some(UserId(self.cast.customers[customer])) {
                continue;
            }
            let from = [
                AccountKind::Bank,
                AccountKind::GatewayClearing,
                AccountKind::PromoExpense,
                AccountKind::Adjustments,
            ];
            self.brought[customer] -=
                from.iter().map(|account| movement.amount_on(*account).get()).sum::<i64>();
            self.on_its_way[customer] += movement.amount_on(AccountKind::RefundsPayable).get();
        }
        if matches!(movement.kind(), K::Deposit | K::Payment | K::LatePayment) {
            assert!(self.received.insert(movement.payment()), "a payment's money came in twice");
        }
        if let Event::OrderPaid { customer, order, .. } | Event::WalletPaid { customer, order } = *event
            && matches!(movement.kind(), K::Payment | K::Hold)
        {
            self.stages[customer][order] = Stage::Paid;
            if movement.amount_on(AccountKind::GatewayClearing) != Rupiah::ZERO {
                self.paid_by_gateway.insert((customer, order));
            }
        }
        if let Event::Refunded { customer, order, number, .. } = *event
            && movement.kind() == K::RefundOwed
        {
            let owed = movement.amount_on(AccountKind::RefundsPayable);
            self.owed.insert(self.cast.refund(customer, order, number), owed);
        }
    }

    /// Moves an order along when all that belongs to an event took place (or nothing had to).
    pub fn happened(&mut self, event: &Event) {
        match *event {
            Event::Activated { customer, order } if self.stages[customer][order] == Stage::Paid => {
                self.stages[customer][order] = Stage::Active;
            }
            Event::Cancelled { customer, order } if self.stages[customer][order] != Stage::Active => {
                self.stages[customer][order] = Stage::Closed;
            }
            Event::Refunded { customer, order, .. } if self.stages[customer][order] == Stage::Paid => {
                let left = self.books.position(self.cast.parties(customer, order).service);
                if left == Position::default() {
                    self.stages[customer][order] = Stage::Closed;
                }
            }
            _ => {}
        }
    }

    /// What must always be true.
    pub fn check(&self) {
        let total: i64 = self.books.balances().map(|(_, _, balance)| balance.get()).sum();
        assert_eq!(total, 0, "the books are not balanced");
        for customer in 0..CUSTOMERS {
            let id = UserId(self.cast.customers[customer]);
            let wallet = self.books.balance(AccountKind::CustomerWallet, Some(id)).get();
            let holds = self.books.balance(AccountKind::CustomerHolds, Some(id)).get();
            assert!(wallet >= 0 && holds >= 0, "a customer's account is below nothing");
            let services = self.cast.orders[customer].iter().map(|order| Service::Order(OrderId(*order)));
            let positions: Vec<_> = services.map(|service| self.books.position(service)).collect();
            assert!(positions.iter().all(Position::is_sound), "{positions:?}");
            assert_eq!(holds, positions.iter().map(|p| p.held.get()).sum::<i64>(), "holds without an order");
            let in_orders: i64 = positions.iter().map(|p| p.total().unwrap().get()).sum();
            let on_its_way = self.on_its_way[customer];
            assert!(on_its_way >= 0, "a refund ended twice");
            assert_eq!(wallet + in_orders + on_its_way, self.brought[customer], "money was made up or lost");
        }
        let payable = self.books.balance(AccountKind::RefundsPayable, None).get();
        assert_eq!(payable, self.on_its_way.iter().sum::<i64>(), "owed to nobody");
    }
}

/// Any event.
pub fn event() -> impl Strategy<Value = Event> {
    let customer = 0..CUSTOMERS;
    let order = (0..CUSTOMERS, 0..ORDERS);
    let amount = 1_i64..600_000;
    prop_oneof![
        4 => (order.clone(), 0..PAYMENTS, any::<bool>()).prop_map(|((customer, order), payment, by_bank)| {
            Event::OrderPaid { customer, order, payment, by_bank }
        }),
        4 => (customer.clone(), 0..PAYMENTS, amount.clone())
            .prop_map(|(customer, payment, amount)| Event::DepositPaid { customer, payment, amount }),
        2 => (order.clone(), 1_i64..150_000)
            .prop_map(|((customer, order), amount)| Event::PartPaid { customer, order, amount }),
        1 => (order.clone(), 0..PAYMENTS, amount.clone()).prop_map(|((customer, order), payment, amount)| {
            Event::Surplus { customer, order, payment, amount }
        }),
        4 => order.clone().prop_map(|(customer, order)| Event::WalletPaid { customer, order }),
        3 => order.clone().prop_map(|(customer, order)| Event::Activated { customer, order }),
        1 => order.clone().prop_map(|(customer, order)| Event::Expired { customer, order }),
        3 => order.clone().prop_map(|(customer, order)| Event::Cancelled { customer, order }),
        5 => (order.clone(), 0..REFUNDS, 1_i64..200_000, any::<bool>()).prop_map(
            |((customer, order), number, amount, by_gateway)| {
                Event::Refunded { customer, order, number, amount, by_gateway }
            }
        ),
        3 => (order.clone(), 0..REFUNDS, any::<bool>()).prop_map(|((customer, order), number, settled)| {
            Event::RefundEnded { customer, order, number, settled }
        }),
        2 => (order, 1_usize..13, 1_i64..=100).prop_map(|((customer, order), period, share)| {
            Event::Served { customer, order, period, share }
        }),
        2 => (customer.clone(), 1_usize..5, prop_oneof![-500_000_i64..0, 1_i64..500_000])
            .prop_map(|(customer, number, amount)| Event::Adjusted { customer, number, amount }),
        1 => (5_usize..9, 10_000_i64..500_000, 0_i64..10_000)
            .prop_map(|(number, gross, fee)| Event::PaidOut { number, gross, fee }),
        1 => (customer, 0..PAYMENTS, amount)
            .prop_map(|(customer, payment, amount)| Event::Bonus { customer, payment, amount }),
    ]
}
