//! The ledger's rules, one by one and in any interleaving.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![allow(dead_code, reason = "the tests of `store` use other parts of the world")]

mod world;

use domain::{
    Rupiah,
    billing::PaymentMethod,
    ids::{OrderId, PaymentId, UserId},
    ledger::{
        AccountKind as A, Books, FromWallet, Incoming, LedgerError, MoneySource, Movement, Parties, Position,
        Price, Service,
    },
};
use proptest::prelude::*;
use uuid::Uuid;
use world::{
    Cast, World,
    cast::{from_wallet, incoming},
    event,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_money_is_lost_doubled_or_made_up(
        events in prop::collection::vec(event(), 1..25)
    ) {
        let mut next = 0;
        let mut world = World::new(Cast::new(|| { next += 1; Uuid::from_u128(next << 16) }));
        for event in &events {
            let Ok(movements) = world.plan(event) else { continue };
            let mut all = true;
            for movement in &movements {
                match world.books.post(movement) {
                    Ok(true) => world.took_place(event, movement),
                    Ok(false) => {}
                    Err(error) => {
                        assert_eq!(error, LedgerError::Insufficient);
                        all = false;
                        break;
                    }
                }
            }
            if all {
                world.happened(event);
            }
            world.check();
        }
    }
}

const PRICE: Price = Price { total: Rupiah::new(133_200), tax: Rupiah::new(13_200) };

fn parties() -> Parties {
    Parties { customer: UserId(Uuid::from_u128(1)), service: Service::Order(OrderId(Uuid::from_u128(2))) }
}

const PAYMENT: Uuid = Uuid::from_u128(3);

fn by_gateway() -> Incoming {
    incoming(PAYMENT, PaymentMethod::VirtualAccount)
}

fn by_bank() -> Incoming {
    incoming(PAYMENT, PaymentMethod::ManualTransfer)
}

fn own() -> FromWallet {
    from_wallet(PAYMENT)
}

fn rupiah(amount: i64) -> Rupiah {
    Rupiah::new(amount)
}

#[test]
fn a_payment_is_owed_as_service_and_as_tax() {
    let made = Movement::payment_received(parties(), by_gateway(), PRICE, Rupiah::ZERO).unwrap();
    assert_eq!(made.amount_on(A::GatewayClearing), rupiah(-133_200));
    assert_eq!(made.amount_on(A::DeferredRevenue), rupiah(120_000));
    assert_eq!(made.amount_on(A::TaxPayable), rupiah(13_200));
    assert_eq!(made.entries().len(), 3);
}

#[test]
fn the_way_of_an_order_paid_from_the_balance() {
    let mut books = Books::default();
    let customer = Some(parties().customer);
    let deposit = Movement::deposit(parties().customer, by_gateway(), rupiah(200_000));
    books.post(&deposit.unwrap()).unwrap();
    books.post(&Movement::hold(parties(), own(), PRICE.total).unwrap()).unwrap();
    assert_eq!(books.balance(A::CustomerWallet, customer), rupiah(66_800));
    assert_eq!(books.balance(A::CustomerHolds, customer), rupiah(133_200));

    let capture = Movement::capture(parties(), &books.position(parties().service), PRICE).unwrap().unwrap();
    books.post(&capture).unwrap();
    assert_eq!(books.balance(A::CustomerHolds, customer), Rupiah::ZERO);
    assert_eq!(books.balance(A::DeferredRevenue, None), rupiah(120_000));
    assert_eq!(Movement::capture(parties(), &books.position(parties().service), PRICE), Ok(None));

    books.post(&Movement::revenue_recognised(parties(), "2026-11", rupiah(40_000)).unwrap()).unwrap();
    for movement in books.position(parties().service).give_back(parties(), "refunded").unwrap() {
        books.post(&movement).unwrap();
    }
    assert_eq!(books.balance(A::CustomerWallet, customer), rupiah(200_000));
    assert_eq!(books.balance(A::Refunds, None), rupiah(-40_000));
    assert_eq!(books.position(parties().service), Position::default());
}

#[test]
fn money_of_the_balance_is_no_money_from_outside() {
    let payment = PaymentId(PAYMENT);
    for method in PaymentMethod::ALL {
        let source = MoneySource::of(payment, *method);
        let comes_in = source.incoming().map(|money| (money.payment(), money.is_at_gateway()));
        let expected = match method {
            PaymentMethod::Qris | PaymentMethod::VirtualAccount => Some((payment, true)),
            PaymentMethod::ManualTransfer => Some((payment, false)),
            PaymentMethod::Wallet => None,
        };
        assert_eq!(comes_in, expected, "{method}");
        assert_eq!(source.from_wallet().is_some(), *method == PaymentMethod::Wallet, "{method}");
    }
    let hold = Movement::hold(parties(), own(), PRICE.total).unwrap();
    assert!(hold.entries().iter().all(|entry| entry.account.is_customers()), "{hold:?}");
}

#[test]
fn a_part_payment_counts_towards_the_price() {
    let made = Movement::payment_received(parties(), by_bank(), PRICE, rupiah(100_000)).unwrap();
    assert_eq!(made.amount_on(A::Bank), rupiah(-33_200));
    assert_eq!(made.amount_on(A::CustomerHolds), rupiah(-100_000));
}

#[test]
fn the_same_cause_moves_money_once() {
    let mut books = Books::default();
    let deposit = Movement::deposit(parties().customer, by_gateway(), rupiah(50_000)).unwrap();
    assert_eq!(books.post(&deposit), Ok(true));
    assert_eq!(books.post(&deposit), Ok(false));
    // The same payment's money can't be taken for something else either.
    let late = Movement::late_payment(parties(), by_gateway(), rupiah(50_000)).unwrap();
    assert_eq!(books.post(&late), Ok(false));
    assert_eq!(books.balance(A::CustomerWallet, Some(parties().customer)), rupiah(50_000));
}

#[test]
fn nothing_and_less_are_not_amounts() {
    let customer = parties().customer;
    for amount in [0, -1, i64::MIN] {
        let amount = rupiah(amount);
        assert!(Movement::deposit(customer, by_bank(), amount).is_err());
        assert!(Movement::hold(parties(), own(), amount).is_err());
        assert!(Movement::promo_bonus(customer, by_gateway(), amount).is_err());
        assert!(Movement::surplus(parties(), by_bank(), amount).is_err());
    }
    assert_eq!(Movement::adjustment(customer, Uuid::nil(), Rupiah::ZERO), Err(LedgerError::NotPositive));
    assert!(matches!(
        Movement::adjustment(customer, Uuid::nil(), rupiah(i64::MIN)),
        Err(LedgerError::Overflow(_))
    ));
    let paid_by_parts = Movement::payment_received(parties(), by_bank(), PRICE, PRICE.total);
    assert_eq!(paid_by_parts, Err(LedgerError::NotPositive));
    let fee_above_all = Movement::gateway_payout("midtrans", "1", rupiah(100), rupiah(101));
    assert_eq!(fee_above_all, Err(LedgerError::NotPositive));
}

#[test]
fn a_customer_cannot_spend_what_is_not_there() {
    let mut books = Books::default();
    let hold = Movement::hold(parties(), own(), rupiah(1)).unwrap();
    assert_eq!(books.post(&hold), Err(LedgerError::Insufficient));
    let taken = Movement::adjustment(parties().customer, Uuid::nil(), rupiah(-1)).unwrap();
    assert_eq!(books.post(&taken), Err(LedgerError::Insufficient));
    assert_eq!(books.balances().count(), 0);
}
