use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{
    pricing::{PriceInput, SMALLEST_NET, quote},
    tax::TaxRule,
};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn promo(kind: PromoKind, value: i64) -> Promo {
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
    Promo { code: "HEMAT".into(), terms, is_active: true }
}

fn with(kind: PromoKind, value: i64, change: impl FnOnce(&mut PromoTerms)) -> Promo {
    let mut promo = promo(kind, value);
    change(&mut promo.terms);
    promo
}

fn deposit(promo: &Promo, amount: i64) -> Result<i64, PromoRefusal> {
    let decision = promo.decide(Purpose::Deposit, Rupiah::new(amount), NOW, Uses::default()).unwrap();
    decision.map(Rupiah::get)
}

fn order(promo: &Promo, amount: i64) -> Result<i64, PromoRefusal> {
    let decision = promo.decide(Purpose::Order, Rupiah::new(amount), NOW, Uses::default()).unwrap();
    decision.map(Rupiah::get)
}

#[test]
fn codes_are_read_in_any_case() {
    assert_eq!(PromoCode::parse(" hemat-10_x ").unwrap().as_str(), "HEMAT-10_X");
    assert_eq!(PromoCode::parse(&"A".repeat(32)).unwrap().as_str().len(), 32);
    for none in ["", "AB", "HEMAT 10", "HÉMAT", "HEMAT%", "ＨＥＭＡＴ", "A\0BC", &"A".repeat(33)] {
        assert_eq!(PromoCode::parse(none), Err(InvalidPromoCode), "{none:?}");
    }
}

#[test]
fn shares_are_rounded_half_away_from_zero() {
    assert_eq!(deposit(&promo(PromoKind::DepositPercent, 5), 10_010), Ok(501));
    assert_eq!(deposit(&promo(PromoKind::DepositPercent, 5), 10_009), Ok(500));
    assert_eq!(order(&promo(PromoKind::OrderPercent, 5), 10_010), Ok(501));
    assert_eq!(deposit(&promo(PromoKind::DepositPercent, 100), i64::MAX), Ok(i64::MAX));
}

#[test]
fn caps_hold_and_fixed_sums_are_given_whole() {
    let capped = with(PromoKind::DepositPercent, 10, |terms| terms.max_amount = Some(Rupiah::new(25_000)));
    assert_eq!((deposit(&capped, 249_000), deposit(&capped, 1_000_000)), (Ok(24_900), Ok(25_000)));
    assert_eq!(deposit(&promo(PromoKind::DepositFixed, 50_000), 10_000), Ok(50_000));
    // What is left of an order can still be charged.
    assert_eq!(order(&promo(PromoKind::OrderFixed, 500_000), 129_000), Ok(128_000));
    assert_eq!(order(&promo(PromoKind::OrderPercent, 100), 129_000), Ok(128_000));
}

#[test]
fn what_gives_nothing_is_below_the_minimum() {
    let least = Rupiah::new(SMALLEST_NET.get() + 1);
    for amount in [0, 1, 1_000, -5] {
        assert_eq!(order(&promo(PromoKind::OrderFixed, 5), amount), Err(PromoRefusal::Minimum { least }));
    }
    let least = Rupiah::new(1);
    assert_eq!(deposit(&promo(PromoKind::DepositPercent, 1), 49), Err(PromoRefusal::Minimum { least }));
    let promo = with(PromoKind::DepositFixed, 5, |terms| terms.min_amount = Some(Rupiah::new(100_000)));
    let least = Rupiah::new(100_000);
    assert_eq!(
        (deposit(&promo, 99_999), deposit(&promo, 100_000)),
        (Err(PromoRefusal::Minimum { least }), Ok(5))
    );
}

#[test]
fn the_first_no_is_the_answer() {
    let (before, after) = (NOW - TimeDelta::seconds(1), NOW + TimeDelta::seconds(1));
    let mut promo = with(PromoKind::OrderPercent, 10, |terms| {
        terms.starts_at = Some(after);
        terms.ends_at = Some(before);
        terms.per_user_limit = Some(1);
        terms.global_limit = Some(5);
        terms.min_amount = Some(Rupiah::new(100_000));
    });
    promo.is_active = false;
    let mut uses = Uses { in_all: 5, by_customer: 1 };
    let no = |promo: &Promo, purpose, uses| {
        promo.decide(purpose, Rupiah::new(50_000), NOW, uses).unwrap().unwrap_err()
    };
    assert_eq!(no(&promo, Purpose::Deposit, uses), PromoRefusal::NotForDeposits);
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::Inactive);
    promo.is_active = true;
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::NotStarted);
    promo.terms.starts_at = Some(NOW);
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::Expired);
    promo.terms.ends_at = Some(NOW);
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::Expired);
    promo.terms.ends_at = Some(after);
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::AlreadyUsed);
    uses.by_customer = 0;
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::UsedUp);
    uses.in_all = 4;
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::Minimum { least: Rupiah::new(100_000) });
    promo.terms.min_amount = None;
    assert_eq!(promo.decide(Purpose::Order, Rupiah::new(50_000), NOW, uses), Ok(Ok(Rupiah::new(5_000))));
    promo.terms.kind = PromoKind::DepositPercent;
    assert_eq!(no(&promo, Purpose::Order, uses), PromoRefusal::NotForOrders);
}

#[test]
fn terms_that_make_no_sense_are_found() {
    use PromoKind::{DepositFixed, OrderPercent};
    type Change = fn(&mut PromoTerms);
    let cases: [(PromoKind, i64, Change, &str); 10] = [
        (OrderPercent, 0, |_| (), "value"),
        (OrderPercent, 101, |_| (), "value"),
        (DepositFixed, 0, |_| (), "value"),
        (DepositFixed, LARGEST_AMOUNT + 1, |_| (), "value"),
        (DepositFixed, -5, |_| (), "value"),
        (OrderPercent, 5, |t| t.min_amount = Some(Rupiah::new(-1)), "min_amount"),
        (OrderPercent, 5, |t| t.max_amount = Some(Rupiah::ZERO), "max_amount"),
        (OrderPercent, 5, |t| t.per_user_limit = Some(0), "per_user_limit"),
        (OrderPercent, 5, |t| t.global_limit = Some(0), "global_limit"),
        (OrderPercent, 5, |t| (t.starts_at, t.ends_at) = (Some(NOW), Some(NOW)), "ends_at"),
    ];
    for (kind, value, change, field) in cases {
        assert_eq!(with(kind, value, change).terms.check().unwrap_err().field(), field, "{kind} {value}");
    }
    assert_eq!(with(OrderPercent, 100, |t| t.ends_at = Some(NOW)).terms.check(), Ok(()));
}

#[test]
fn only_what_is_reserved_or_redeemed_counts_and_what_is_redeemed_stays() {
    use RedemptionState as S;
    let counting: Vec<_> = S::ALL.iter().filter(|state| state.counts()).collect();
    assert_eq!(counting, [&S::Reserved, &S::Redeemed]);
    assert!(S::ALL.iter().all(|next| !S::Redeemed.may_become(*next)));
    assert!(S::ALL.iter().all(|state| !state.may_become(*state)));
    assert!(S::Released.may_become(S::Honoured) && S::Honoured.may_become(S::Released));
}

fn kinds() -> impl Strategy<Value = (PromoKind, i64)> {
    prop_oneof![
        (1_i64..=100).prop_map(|value| (PromoKind::OrderPercent, value)),
        (1_i64..=LARGEST_AMOUNT).prop_map(|value| (PromoKind::OrderFixed, value)),
        (1_i64..=100).prop_map(|value| (PromoKind::DepositPercent, value)),
        (1_i64..=LARGEST_AMOUNT).prop_map(|value| (PromoKind::DepositFixed, value)),
    ]
}

proptest! {
    #[test]
    fn nothing_is_ever_below_nothing_or_above_the_cap(
        (kind, value) in kinds(),
        cap in prop::option::of(1_i64..1_000_000),
        amount in -1_000_000_i64..100_000_000,
    ) {
        let promo = with(kind, value, |terms| terms.max_amount = cap.map(Rupiah::new));
        let decision = promo.decide(kind.purpose(), Rupiah::new(amount), NOW, Uses::default()).unwrap();
        if let Ok(gives) = decision {
            prop_assert!(gives > Rupiah::ZERO);
            prop_assert!(cap.is_none_or(|cap| gives.get() <= cap));
            prop_assert!(kind.is_percent() || gives.get() <= value);
            if kind.is_percent() {
                let exact = i128::from(amount) * i128::from(value);
                prop_assert!((i128::from(gives.get()) * 100 - exact) <= 50);
            }
            if kind.purpose() == Purpose::Order {
                prop_assert!(amount - gives.get() >= SMALLEST_NET.get());
            }
        }
    }

    #[test]
    fn an_order_is_priced_by_what_was_decided(
        (kind, value) in kinds().prop_filter("for orders", |(kind, _)| kind.purpose() == Purpose::Order),
        price in 1_000_i64..5_000_000, months in 1_u32..=12, term_discount in 0_u32..=2_000,
    ) {
        let promo = promo(kind, value);
        let input = PriceInput {
            plan_name: "Basic".into(),
            renewed: None,
            price_monthly: Rupiah::new(price),
            term_months: months,
            term_discount,
            promo: None,
            tax: TaxRule::on_everything(1_100),
        };
        let plain = quote(&input).unwrap();
        let net = plain.subtotal.minus(plain.discount).unwrap();
        if let Ok(gives) = promo.decide(Purpose::Order, net, NOW, Uses::default()).unwrap() {
            let priced = quote(&PriceInput { promo: Some(promo.discount()), ..input }).unwrap();
            prop_assert_eq!(priced.discount.minus(plain.discount).unwrap(), gives);
            prop_assert_eq!(priced.lines.last().unwrap().total.get(), -gives.get());
        }
    }

    #[test]
    fn a_code_is_never_used_more_often_than_it_may_be(per_user in 1_i64..5, global in 1_i64..8, asks in 0_usize..20) {
        let promo = with(PromoKind::DepositFixed, 5, |terms| {
            terms.per_user_limit = Some(per_user);
            terms.global_limit = Some(global);
        });
        let mut uses = Uses::default();
        for _ in 0..asks {
            if promo.has_room(uses).is_ok() {
                uses = Uses { in_all: uses.in_all + 1, by_customer: uses.by_customer + 1 };
            }
        }
        let asked = i64::try_from(asks).unwrap();
        prop_assert_eq!(uses.in_all, asked.min(per_user).min(global));
    }
}
