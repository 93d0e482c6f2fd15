//! Making, reading, changing and deleting codes.

use domain::{
    Rupiah,
    billing::PaymentStatus as P,
    promo::{PromoCode, PromoKind as K, TermsFault},
    sorting::{AmountSort, PromoSort},
};
use sqlx::PgPool;
use store::{
    StoreError,
    page::SortedRequest,
    promos::{ChangePromo, PromoError, PromoFilter},
    versions::IfMatch,
};
use tokio::task::JoinSet;

use crate::{CODE, Shop, new_promo};

const FIRST: SortedRequest = SortedRequest::first(10);

#[sqlx::test(migrations = "../migrations")]
async fn a_code_is_made_once_in_whatever_case(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut made = JoinSet::new();
    for n in 0..10 {
        let shop = shop.clone();
        let code = if n % 2 == 0 { "hemat10" } else { "HEMAT10" };
        made.spawn(async move {
            let new = new_promo(code, K::OrderPercent, 10);
            shop.store.create_promo(&new, shop.admin, &shop.admins_origin()).await
        });
    }
    let (made, refused): (Vec<_>, Vec<_>) = made.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 9));
    assert!(refused.iter().all(|refused| matches!(refused, Err(PromoError::CodeTaken))));
    let made = made.into_iter().next().unwrap().unwrap();
    assert_eq!((made.code.as_str(), made.is_active, made.was_used), (CODE, true, false));
    assert_eq!(made.created_by, Some(shop.admin));
    let nonsense = new_promo("LAIN", K::OrderPercent, 101);
    let refused = shop.store.create_promo(&nonsense, shop.admin, &shop.admins_origin()).await;
    assert!(matches!(refused, Err(PromoError::Terms(TermsFault::Percent))), "{refused:?}");
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'promo.create'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_used_keeps_what_it_said(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let promo = shop.promo(K::OrderPercent, 10, |_| ()).await;
    let origin = shop.admins_origin();
    let change =
        async |change: ChangePromo| shop.store.change_promo(promo, &change, &IfMatch::Anyhow, &origin).await;
    let unused = ChangePromo {
        code: Some(PromoCode::parse("lain").unwrap()),
        kind: Some(K::DepositFixed),
        value: Some(5_000),
        ..ChangePromo::default()
    };
    let changed = change(unused).await.unwrap();
    assert_eq!(
        (changed.code.as_str(), changed.terms.kind, changed.terms.value),
        ("LAIN", K::DepositFixed, 5_000)
    );
    let back = ChangePromo {
        code: Some(PromoCode::parse(CODE).unwrap()),
        kind: Some(K::OrderPercent),
        value: Some(10),
        ..ChangePromo::default()
    };
    change(back.clone()).await.unwrap();

    let (first, _) = shop.order("first").await;
    shop.order("second").await;
    shop.store.expire_order(first).await.unwrap();
    for rewritten in [
        ChangePromo { value: Some(11), ..ChangePromo::default() },
        ChangePromo { kind: Some(K::OrderFixed), ..ChangePromo::default() },
        ChangePromo { code: Some(PromoCode::parse("LAIN").unwrap()), ..ChangePromo::default() },
    ] {
        let refused = change(rewritten).await;
        assert!(matches!(refused, Err(PromoError::Used)), "{refused:?}");
    }
    // Saying what is so already is no change.
    change(back).await.unwrap();
    shop.order("third").await;
    let too_low = change(ChangePromo { global_limit: Some(Some(1)), ..ChangePromo::default() }).await;
    assert!(matches!(too_low, Err(PromoError::LimitBelowUses { uses: 2 })), "{too_low:?}");
    let nonsense = change(ChangePromo { per_user_limit: Some(Some(0)), ..ChangePromo::default() }).await;
    assert!(matches!(nonsense, Err(PromoError::Terms(TermsFault::PerUserLimit))), "{nonsense:?}");
    let limited = ChangePromo {
        global_limit: Some(Some(2)),
        min_amount: Some(Some(Rupiah::new(1_000))),
        max_amount: Some(Some(Rupiah::new(9_000))),
        is_active: Some(false),
        ..ChangePromo::default()
    };
    let limited = change(limited).await.unwrap();
    assert_eq!((limited.terms.global_limit, limited.is_active, limited.reserved), (Some(2), false, 2));
    let lifted = change(ChangePromo { global_limit: Some(None), ..ChangePromo::default() }).await.unwrap();
    assert_eq!((lifted.terms.global_limit, lifted.terms.max_amount), (None, Some(Rupiah::new(9_000))));

    let refused = shop.store.delete_promo(promo, &origin).await;
    assert!(matches!(refused, Err(PromoError::Undeletable)), "{refused:?}");
    let acts = "SELECT count(*) FROM audit_log WHERE action = 'promo.change' AND object_kind = 'promo'
                AND before <> after AND before ? 'global_limit'";
    assert_eq!(shop.count(acts).await, 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_never_used_can_be_deleted(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let promo = shop.promo(K::OrderPercent, 10, |_| ()).await;
    let origin = shop.admins_origin();
    // Deleted and used at once: one of the two.
    let (deleted, placed) = tokio::join!(shop.store.delete_promo(promo, &origin), shop.try_order("order"));
    match (&deleted, &placed) {
        (Ok(()), Err(_)) => assert_eq!(shop.count("SELECT count(*) FROM promos").await, 0),
        (Err(PromoError::Undeletable), Ok(_)) => assert_eq!(shop.uses().await, 1),
        both => panic!("{both:?}"),
    }
    let new = new_promo("LAIN", K::DepositFixed, 5);
    let other = shop.store.create_promo(&new, shop.admin, &origin).await.unwrap().id;
    shop.store.delete_promo(other, &origin).await.unwrap();
    let gone = shop.store.delete_promo(other, &origin).await;
    assert!(matches!(gone, Err(PromoError::Store(StoreError::NotFound("promo")))), "{gone:?}");
    assert!(matches!(shop.store.promo(other).await, Err(StoreError::NotFound("promo"))));
    let kept = "SELECT count(*) FROM audit_log WHERE action = 'promo.delete' AND before ->> 'code' = 'LAIN'";
    assert_eq!(shop.count(kept).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn codes_are_listed_in_parts_and_by_what_they_are(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let origin = shop.admins_origin();
    for (code, kind) in
        [("HEMAT-1", K::OrderPercent), ("HEMAT-2", K::OrderFixed), ("BONUS_1", K::DepositPercent)]
    {
        shop.store.create_promo(&new_promo(code, kind, 10), shop.admin, &origin).await.unwrap();
    }
    let off = shop.store.promos(&PromoFilter::default(), PromoSort::Newest, FIRST).await.unwrap().data[0].id;
    let change = ChangePromo { is_active: Some(false), ..ChangePromo::default() };
    shop.store.change_promo(off, &change, &IfMatch::Anyhow, &origin).await.unwrap();
    let codes = async |filter: PromoFilter| {
        let page = shop.store.promos(&filter, PromoSort::Newest, FIRST).await.unwrap().data;
        page.into_iter().map(|promo| promo.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(PromoFilter::default()).await, ["BONUS_1", "HEMAT-2", "HEMAT-1"]);
    let by = PromoFilter { kind: Some(K::OrderFixed), ..PromoFilter::default() };
    assert_eq!(codes(by).await, ["HEMAT-2"]);
    assert_eq!(codes(PromoFilter { is_active: Some(false), ..PromoFilter::default() }).await, ["BONUS_1"]);
    let search = |text: &str| PromoFilter { search: Some(text.to_owned()), ..PromoFilter::default() };
    assert_eq!(codes(search("mat-")).await, ["HEMAT-2", "HEMAT-1"]);
    // Nothing in it is a pattern.
    assert_eq!((codes(search("_")).await, codes(search("%")).await), (vec!["BONUS_1".to_owned()], vec![]));
    let part = SortedRequest::first(2);
    let part = shop.store.promos(&PromoFilter::default(), PromoSort::Newest, part).await.unwrap();
    let rest = SortedRequest { after: part.next, limit: 2 };
    let rest = shop.store.promos(&PromoFilter::default(), PromoSort::Newest, rest).await.unwrap();
    assert_eq!((part.data.len(), rest.data.len(), rest.next), (2, 1, None));
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_see_what_became_of_a_code(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let promo = shop.promo(K::DepositFixed, 10_000, |_| ()).await;
    for (key, status) in [("a", Some(P::Paid)), ("b", Some(P::Paid)), ("c", Some(P::Expired)), ("d", None)] {
        let deposit = shop.deposit(50_000, key).await;
        if let Some(status) = status {
            shop.receive(&deposit.payment, status).await;
        }
    }
    let seen = shop.store.promo(promo).await.unwrap();
    assert_eq!((seen.reserved, seen.redeemed, seen.honoured), (1, 2, 0));
    assert_eq!((seen.given, seen.was_used), (Rupiah::new(20_000), true));
    let uses = shop.store.promo_redemptions(promo, AmountSort::Newest, FIRST).await.unwrap().data;
    let states: Vec<_> = uses.iter().map(|used| used.state.as_str()).collect();
    assert_eq!(states, ["RESERVED", "RELEASED", "REDEEMED", "REDEEMED"]);
    assert!(uses.iter().all(|used| used.user_id == shop.customer && used.deposit_id.is_some()));
}
