//! The people and things of a small shop, and what they cost.

use domain::{
    Rupiah,
    billing::PaymentMethod,
    ids::{DisputeId, InvoiceId, OrderId, PaymentId, RefundId, UserId},
    ledger::{FromWallet, Incoming, MoneySource, Parties, Price, Service},
};
use uuid::Uuid;

pub const CUSTOMERS: usize = 2;
pub const ORDERS: usize = 2;
pub const TERMS: usize = 2;
/// Attempts through a gateway, for each order, term and customer's deposits.
pub const PAYMENTS: usize = 3;
/// Bank transfers for each order.
pub const TRANSFERS: usize = 2;
pub const REFUNDS: usize = 3;
pub const DISPUTES: usize = 2;

/// Ids of the people and things.
#[derive(Debug, Clone)]
pub struct Cast {
    pub customers: [Uuid; CUSTOMERS],
    pub orders: [[Uuid; ORDERS]; CUSTOMERS],
    /// Invoices over further terms of the customer's server.
    pub terms: [[Uuid; TERMS]; CUSTOMERS],
    /// Per order: payments through a gateway, bank transfers, then the one from the balance.
    pub order_payments: [[[Uuid; PAYMENTS + TRANSFERS + 1]; ORDERS]; CUSTOMERS],
    /// Per term: payments through a gateway, then the one from the balance.
    pub term_payments: [[[Uuid; PAYMENTS + 1]; TERMS]; CUSTOMERS],
    pub deposit_payments: [[Uuid; PAYMENTS]; CUSTOMERS],
    /// Makes the causes of adjustments, payouts, refunds and disputes this cast's own.
    pub series: Uuid,
}

/// What an attempt through a gateway pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bill {
    Order(usize),
    Term(usize),
    Deposit,
}

/// An attempt through a gateway: a customer's, for something, which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    pub customer: usize,
    pub bill: Bill,
    pub number: usize,
}

impl Cast {
    pub fn new(mut id: impl FnMut() -> Uuid) -> Self {
        Self {
            customers: std::array::from_fn(|_| id()),
            orders: std::array::from_fn(|_| std::array::from_fn(|_| id())),
            terms: std::array::from_fn(|_| std::array::from_fn(|_| id())),
            order_payments: std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| id()))),
            term_payments: std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| id()))),
            deposit_payments: std::array::from_fn(|_| std::array::from_fn(|_| id())),
            series: id(),
        }
    }

    /// The price of a customer's order.
    pub fn price(order: usize) -> Price {
        let (total, tax) = [(133_200, 13_200), (408_092, 40_442)][order];
        Price { total: Rupiah::new(total), tax: Rupiah::new(tax) }
    }

    /// The price of a further term.
    pub fn price_of_term(term: usize) -> Price {
        let (total, tax) = [(143_190, 14_190), (99_001, 9_811)][term];
        Price { total: Rupiah::new(total), tax: Rupiah::new(tax) }
    }

    /// What the gateway makes the payer pay on top of each attempt.
    pub fn payer_fee(attempt: Attempt) -> Rupiah {
        Rupiah::new([0, 932, 71][attempt.number])
    }

    pub fn customer(&self, customer: usize) -> UserId {
        UserId(self.customers[customer])
    }

    pub fn parties(&self, customer: usize, order: usize) -> Parties {
        Parties {
            customer: self.customer(customer),
            service: Service::Order(OrderId(self.orders[customer][order])),
        }
    }

    pub fn parties_of_term(&self, customer: usize, term: usize) -> Parties {
        Parties {
            customer: self.customer(customer),
            service: Service::Invoice(InvoiceId(self.terms[customer][term])),
        }
    }

    /// What an attempt pays, with its price; a deposit pays for nothing.
    pub fn billed(&self, attempt: Attempt) -> Option<(Parties, Price)> {
        match attempt.bill {
            Bill::Order(order) => Some((self.parties(attempt.customer, order), Self::price(order))),
            Bill::Term(term) => {
                Some((self.parties_of_term(attempt.customer, term), Self::price_of_term(term)))
            }
            Bill::Deposit => None,
        }
    }

    pub fn payment(&self, attempt: Attempt) -> PaymentId {
        PaymentId(match attempt.bill {
            Bill::Order(order) => self.order_payments[attempt.customer][order][attempt.number],
            Bill::Term(term) => self.term_payments[attempt.customer][term][attempt.number],
            Bill::Deposit => self.deposit_payments[attempt.customer][attempt.number],
        })
    }

    pub fn money(&self, attempt: Attempt) -> Incoming {
        incoming(self.payment(attempt).0, PaymentMethod::Qris)
    }

    pub fn transfer(&self, customer: usize, order: usize, transfer: usize) -> Incoming {
        incoming(self.order_payments[customer][order][PAYMENTS + transfer], PaymentMethod::ManualTransfer)
    }

    pub fn own(&self, customer: usize, order: usize) -> FromWallet {
        from_wallet(self.order_payments[customer][order][PAYMENTS + TRANSFERS])
    }

    pub fn own_for_term(&self, customer: usize, term: usize) -> FromWallet {
        from_wallet(self.term_payments[customer][term][PAYMENTS])
    }

    pub fn refund(&self, customer: usize, order: usize, number: usize) -> RefundId {
        RefundId(self.numbered(1_000 + (customer * ORDERS + order) * REFUNDS + number))
    }

    pub fn dispute(&self, attempt: Attempt, number: usize) -> DisputeId {
        let bill = match attempt.bill {
            Bill::Order(order) => order,
            Bill::Term(term) => ORDERS + term,
            Bill::Deposit => ORDERS + TERMS,
        };
        let place = (attempt.customer * (ORDERS + TERMS + 1) + bill) * PAYMENTS + attempt.number;
        DisputeId(self.numbered(2_000 + place * DISPUTES + number))
    }

    pub fn numbered(&self, number: usize) -> Uuid {
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
