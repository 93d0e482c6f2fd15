use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    billing::PaymentMethod,
    ids::{OrderId, UserId},
    ledger::{Books, MoneySource, Service},
};

const PRICE: Price = Price { total: Rupiah::new(133_200), tax: Rupiah::new(13_200) };

fn rupiah(amount: i64) -> Rupiah {
    Rupiah::new(amount)
}

fn taken(deferred: i64, revenue: i64, tax: i64) -> Position {
    Position { deferred: rupiah(deferred), revenue: rupiah(revenue), tax: rupiah(tax), ..Position::default() }
}

fn less(position: Position, share: &Share) -> Position {
    Position {
        held: position.held.minus(share.held).unwrap(),
        deferred: position.deferred.minus(share.deferred).unwrap(),
        tax: position.tax.minus(share.tax).unwrap(),
        revenue: position.revenue.minus(share.revenue).unwrap(),
    }
}

#[test]
fn what_is_not_served_goes_back_before_what_was() {
    let position = taken(80_000, 40_000, 13_200);
    let share = position.share(rupiah(66_600), PRICE).unwrap();
    assert_eq!((share.deferred, share.revenue, share.tax), (rupiah(60_000), rupiah(0), rupiah(6_600)));
    let more = position.share(rupiah(111_000), PRICE).unwrap();
    assert_eq!((more.deferred, more.revenue, more.tax), (rupiah(80_000), rupiah(20_000), rupiah(11_000)));
    assert_eq!((more.net(), more.tax_in_all()), (Ok(rupiah(100_000)), Ok(rupiah(11_000))));
    assert_eq!(position.unserved(), Ok(rupiah(88_800)));
}

#[test]
fn a_rupiah_is_net_or_tax_and_the_last_one_takes_the_rest() {
    let mut position = taken(3, 0, 1);
    let mut parts = Vec::new();
    for _ in 0..4 {
        let share = position.share(rupiah(1), PRICE).unwrap();
        parts.push((share.deferred.get(), share.tax.get()));
        position = less(position, &share);
    }
    assert_eq!(position, Position::default());
    assert_eq!(parts.iter().map(|part| part.1).sum::<i64>(), 1);
    assert_eq!(position.share(rupiah(1), PRICE), Err(LedgerError::Insufficient));
}

#[test]
fn nothing_less_and_too_much_are_refused() {
    let position = taken(120_000, 0, 13_200);
    for amount in [0, -1, i64::MIN] {
        assert_eq!(position.share(rupiah(amount), PRICE), Err(LedgerError::NotPositive));
    }
    assert_eq!(position.share(rupiah(133_201), PRICE), Err(LedgerError::Insufficient));
    assert_eq!(Position::default().share(rupiah(1), PRICE), Err(LedgerError::Insufficient));
    assert_eq!(taken(-1, 2, 0).share(rupiah(1), PRICE), Err(LedgerError::NotPositive));
}

#[test]
fn a_refund_ends_one_way_only() {
    let parties = Parties {
        customer: UserId(Uuid::from_u128(1)),
        service: Service::Order(OrderId(Uuid::from_u128(2))),
    };
    let money = MoneySource::of(Uuid::from_u128(3).into(), PaymentMethod::Qris).incoming().unwrap();
    let refund = RefundId(Uuid::from_u128(4));
    let mut books = Books::default();
    let paid = Movement::payment_received(parties, money, PRICE, Rupiah::ZERO);
    books.post(&paid.unwrap()).unwrap();
    let share = books.position(parties.service).share(rupiah(33_300), PRICE).unwrap();
    let given = Movement::given_back(parties, refund, RefundDestination::Gateway, &share).unwrap();
    assert_eq!(books.post(&given), Ok(true));
    assert_eq!(books.balance(AccountKind::RefundsPayable, None), rupiah(33_300));
    let settled = Movement::refund_settled(parties, refund, rupiah(33_300)).unwrap();
    let returned = Movement::refund_returned(parties, refund, rupiah(33_300)).unwrap();
    assert_eq!((books.post(&settled), books.post(&returned)), (Ok(true), Ok(false)));
    assert_eq!(books.balance(AccountKind::RefundsPayable, None), Rupiah::ZERO);
    assert_eq!(books.balance(AccountKind::GatewayClearing, None), rupiah(-99_900));
    assert_eq!(books.balance(AccountKind::CustomerWallet, Some(parties.customer)), Rupiah::ZERO);
}

proptest! {
    #[test]
    fn any_sequence_of_refunds_ends_at_exactly_nothing(
        held in 0_i64..500_000,
        (deferred, revenue, tax) in (0_i64..10_000_000, 0_i64..10_000_000, 0_i64..2_000_000),
        parts in prop::collection::vec(1_i64..3_000_000, 1..20),
    ) {
        let before = Position { held: rupiah(held), ..taken(deferred, revenue, tax) };
        prop_assume!(before.total().unwrap() > Rupiah::ZERO);
        // Whatever is set aside is set aside of a price.
        let price = Price { total: rupiah(held.max(1)), tax: rupiah(held / 10) };
        let (mut position, mut net, mut taxes) = (before, 0, 0);
        for part in parts {
            let left = position.total().unwrap();
            if left == Rupiah::ZERO {
                break;
            }
            let amount = rupiah(part).min(left);
            let share = position.share(amount, price).unwrap();
            prop_assert_eq!(share.amount(), Ok(amount));
            for part in [share.held, share.tax_of_held, share.deferred, share.tax, share.revenue, share.net().unwrap()] {
                prop_assert!(!part.is_negative(), "{:?}", share);
            }
            prop_assert!(share.tax_of_held <= share.held);
            position = less(position, &share);
            prop_assert!(position.is_sound(), "{:?}", position);
            net += share.net().unwrap().get();
            taxes += share.tax_in_all().unwrap().get();
        }
        let left = position.total().unwrap();
        if left > Rupiah::ZERO {
            let rest = position.share(left, price).unwrap();
            net += rest.net().unwrap().get();
            taxes += rest.tax_in_all().unwrap().get();
            position = less(position, &rest);
        }
        prop_assert_eq!(position, Position::default());
        prop_assert_eq!(taxes, tax + before.held_price(price).unwrap().tax.get());
        prop_assert_eq!(net + taxes, before.total().unwrap().get());
    }

    #[test]
    fn what_is_not_served_is_never_more_than_there_is(
        (deferred, revenue, tax) in (0_i64..10_000_000, 0_i64..10_000_000, 0_i64..2_000_000),
    ) {
        let position = taken(deferred, revenue, tax);
        let unserved = position.unserved().unwrap();
        prop_assert!(!unserved.is_negative() && unserved <= position.total().unwrap());
        if unserved > Rupiah::ZERO {
            // A rounded rupiah at most is taken of what was served.
            prop_assert!(position.share(unserved, PRICE).unwrap().revenue <= rupiah(1));
        }
    }
}
