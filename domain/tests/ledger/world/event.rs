//! What can happen in the shop.

use proptest::prelude::*;

use super::cast::{Attempt, Bill, CUSTOMERS, DISPUTES, ORDERS, PAYMENTS, REFUNDS, TERMS, TRANSFERS};

/// Something that happens. Indices are of the customer, the customer's order or term, and its payment.
#[derive(Debug, Clone)]
pub enum Event {
    /// A gateway reports the money of an attempt; may be reported again. The amount is a deposit's.
    Paid { attempt: Attempt, amount: i64 },
    /// Staff approve what arrived with a transfer: a part, the rest, or more; or for the balance, whatever its order could do.
    Approved { customer: usize, order: usize, transfer: usize, amount: i64, credit: bool },
    /// The customer pays an order from the balance.
    WalletPaid { customer: usize, order: usize },
    /// The customer pays a further term from the balance.
    TermPaidFromWallet { customer: usize, term: usize },
    /// The customer's server ends, and with it what was wished for it.
    ServerEnded { customer: usize },
    /// The order's server runs.
    Activated { customer: usize, order: usize },
    /// The deadline passed.
    Expired { customer: usize, order: usize },
    /// Called off, by the customer or by staff.
    Cancelled { customer: usize, order: usize },
    /// A part of an order's money, or all of it, is given back; may be asked for again under the same number.
    Refunded { customer: usize, order: usize, number: usize, amount: i64, by_gateway: bool },
    /// A gateway gave money back, or certainly will not; may be told again, and the other way round.
    RefundEnded { customer: usize, order: usize, number: usize, settled: bool },
    /// A gateway took money of one of the paid attempts back; may be told again.
    Reversed { which: usize, number: usize, amount: i64 },
    /// Staff accept that it did in one of the disputes, or dismiss it; what is dismissed can be accepted later.
    Decided { which: usize, accepted: bool },
    /// A part of the term was served.
    Served { customer: usize, order: usize, period: usize, share: i64 },
    /// An administrator corrects the balance.
    Adjusted { customer: usize, number: usize, amount: i64 },
    /// The gateway pays out.
    PaidOut { number: usize, gross: i64, fee: i64 },
    /// A bonus on a deposit.
    Bonus { customer: usize, payment: usize, amount: i64 },
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let bill = prop_oneof![
        3 => (0..ORDERS).prop_map(Bill::Order),
        2 => (0..TERMS).prop_map(Bill::Term),
        3 => Just(Bill::Deposit),
    ];
    (0..CUSTOMERS, bill, 0..PAYMENTS).prop_map(|(customer, bill, number)| Attempt { customer, bill, number })
}

/// Any event.
pub fn event() -> impl Strategy<Value = Event> {
    let customer = 0..CUSTOMERS;
    let order = (customer.clone(), 0..ORDERS);
    let amount = 1_i64..600_000;
    prop_oneof![
        8 => (attempt(), amount.clone()).prop_map(|(attempt, amount)| Event::Paid { attempt, amount }),
        6 => (order.clone(), 0..TRANSFERS, prop_oneof![2 => 1_i64..150_000, 1 => amount.clone()], any::<u8>()).prop_map(
            |((customer, order), transfer, amount, dice)| {
                Event::Approved { customer, order, transfer, amount, credit: dice < 40 }
            }
        ),
        4 => order.clone().prop_map(|(customer, order)| Event::WalletPaid { customer, order }),
        2 => (customer.clone(), 0..TERMS).prop_map(|(customer, term)| Event::TermPaidFromWallet { customer, term }),
        1 => customer.clone().prop_map(|customer| Event::ServerEnded { customer }),
        3 => order.clone().prop_map(|(customer, order)| Event::Activated { customer, order }),
        2 => order.clone().prop_map(|(customer, order)| Event::Expired { customer, order }),
        2 => order.clone().prop_map(|(customer, order)| Event::Cancelled { customer, order }),
        4 => (order.clone(), 0..REFUNDS, 1_i64..200_000, any::<bool>()).prop_map(
            |((customer, order), number, amount, by_gateway)| {
                Event::Refunded { customer, order, number, amount, by_gateway }
            }
        ),
        3 => (order.clone(), 0..REFUNDS, any::<bool>()).prop_map(|((customer, order), number, settled)| {
            Event::RefundEnded { customer, order, number, settled }
        }),
        4 => (any::<usize>(), 0..DISPUTES, amount.clone())
            .prop_map(|(which, number, amount)| Event::Reversed { which, number, amount }),
        4 => (any::<usize>(), any::<u8>())
            .prop_map(|(which, dice)| Event::Decided { which, accepted: dice < 200 }),
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
