//! Nobody uses a code more often than it may be used, however many try at once.

use domain::{
    billing::PaymentStatus as P,
    promo::{PromoKind as K, PromoRefusal},
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{Shop, deposit_refusal, refusal, webhook_event};

const BUYERS: usize = 50;
const LIMIT: usize = 5;

async fn buyers(shop: &Shop) -> Vec<Shop> {
    let mut buyers = Vec::new();
    for n in 0..BUYERS {
        buyers.push(shop.visited_by(&format!("buyer-{n}")).await);
    }
    buyers
}

#[sqlx::test(migrations = "../migrations")]
async fn of_fifty_orders_at_once_five_get_a_code_for_five(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| terms.global_limit = Some(5)).await;
    let mut orders = JoinSet::new();
    for buyer in buyers(&shop).await {
        orders.spawn(async move { buyer.try_order("order").await });
    }
    let (placed, refused): (Vec<_>, Vec<_>) = orders.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((placed.len(), refused.len()), (LIMIT, BUYERS - LIMIT));
    assert!(refused.into_iter().all(|refused| refusal(refused) == PromoRefusal::UsedUp));
    assert_eq!(shop.uses().await, 5);
    // Who was refused has nothing: no order, no invoice and no number missing between those of the others.
    let placed = "SELECT count(*) FROM orders";
    let lines = "SELECT count(*) FROM invoice_lines WHERE kind = 'promo' AND params ->> 'code' = 'HEMAT10'";
    let gaps = "SELECT max(split_part(number, '/', 3)::bigint) - count(*) FROM invoices";
    let keys = "SELECT count(*) FROM idempotency_keys";
    for (sql, expected) in [(placed, 5), (lines, 5), (gaps, 0), (keys, 5)] {
        assert_eq!(shop.count(sql).await, expected, "{sql}");
    }
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_fifty_deposits_at_once_five_get_a_code_for_five(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 10_000, |terms| terms.global_limit = Some(5)).await;
    let mut deposits = JoinSet::new();
    for buyer in buyers(&shop).await {
        deposits.spawn(async move { buyer.try_deposit(100_000, "deposit").await });
    }
    let (opened, refused): (Vec<_>, Vec<_>) = deposits.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (LIMIT, BUYERS - LIMIT));
    assert!(refused.into_iter().all(|refused| deposit_refusal(refused) == PromoRefusal::UsedUp));
    assert_eq!((shop.uses().await, shop.count("SELECT count(*) FROM deposits").await), (5, 5));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_customer_at_two_screens_uses_a_code_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderFixed, 5_000, |terms| terms.per_user_limit = Some(1)).await;
    for round in 0..10 {
        let customer = shop.visited_by(&format!("customer-{round}")).await;
        let (left, right) = tokio::join!(customer.try_order("left"), customer.try_order("right"));
        let (placed, refused) = if left.is_ok() { (left, right) } else { (right, left) };
        placed.unwrap();
        assert_eq!(refusal(refused), PromoRefusal::AlreadyUsed, "round {round}");
    }
    assert_eq!((shop.uses().await, shop.count("SELECT count(*) FROM orders").await), (10, 10));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_request_is_the_same_order_also_when_the_code_is_used_up(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| {
        (terms.global_limit, terms.per_user_limit) = (Some(1), Some(1));
    })
    .await;
    let mut copies = JoinSet::new();
    for _ in 0..10 {
        let shop = shop.clone();
        copies.spawn(async move { shop.try_order("the same").await.unwrap() });
    }
    let copies = copies.join_all().await;
    assert!(copies.iter().all(|copy| copy.order_id == copies[0].order_id));
    assert_eq!(copies.iter().filter(|copy| copy.to_charge.is_some()).count(), 1);
    assert_eq!(shop.try_order("the same").await.unwrap().order_id, copies[0].order_id);
    assert_eq!(refusal(shop.try_order("another").await), PromoRefusal::AlreadyUsed);
    let stranger = shop.visited_by("stranger").await;
    assert_eq!(refusal(stranger.try_order("the same").await), PromoRefusal::UsedUp);
    // A code that was switched off or is over answers a repetition all the same.
    shop.run("UPDATE promos SET is_active = false, ends_at = now() - interval '1 day'").await;
    assert_eq!(shop.try_order("the same").await.unwrap().order_id, copies[0].order_id);
    assert_eq!((shop.uses().await, shop.count("SELECT count(*) FROM orders").await), (1, 1));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_request_is_the_same_deposit(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositPercent, 10, |terms| terms.per_user_limit = Some(1)).await;
    let mut copies = JoinSet::new();
    for _ in 0..10 {
        let shop = shop.clone();
        copies.spawn(async move { shop.try_deposit(100_000, "the same").await.unwrap().deposit_id });
    }
    let copies = copies.join_all().await;
    assert!(copies.iter().all(|copy| *copy == copies[0]));
    assert_eq!(deposit_refusal(shop.try_deposit(100_000, "another").await), PromoRefusal::AlreadyUsed);
    assert_eq!((shop.uses().await, shop.count("SELECT count(*) FROM deposits").await), (1, 1));
}

#[sqlx::test(migrations = "../migrations")]
async fn late_money_and_a_newcomer_do_not_share_the_last_use(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let budi = shop.visited_by("budi").await;
    shop.promo(K::OrderFixed, 5_000, |terms| terms.global_limit = Some(1)).await;
    for round in 0..10 {
        let (late, payment) = shop.order(&format!("late-{round}")).await;
        shop.store.expire_order(late).await.unwrap();
        let key = format!("newcomer-{round}");
        let (_, newcomer) = tokio::join!(shop.receive(&payment, P::Paid), budi.try_order(&key));
        // The late order has its price either way.
        let expected = if newcomer.is_ok() { "HONOURED" } else { "RESERVED" };
        assert_eq!(
            (shop.state_of_order(late).await.as_str(), shop.uses().await),
            (expected, 1),
            "round {round}"
        );
        if let Ok(newcomer) = newcomer {
            budi.store.cancel_order(newcomer.order_id, budi.customer).await.unwrap();
        }
        shop.assert_books_are_sound().await;
        shop.store.cancel_order_for_staff(late, "next round", &shop.act()).await.unwrap();
        assert_eq!(shop.uses().await, 0, "round {round}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_deposit_told_of_fifty_times_at_once_has_its_bonus_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let budi = shop.visited_by("budi").await;
    shop.promo(K::DepositFixed, 5_000, |terms| terms.global_limit = Some(1)).await;
    let deposit = shop.deposit(50_000, "late").await;
    shop.receive(&deposit.payment, P::Expired).await;
    let mut copies = JoinSet::new();
    for n in 0..50 {
        let (store, payment) = (shop.store.clone(), deposit.payment.clone());
        copies.spawn(async move {
            store
                .apply_webhook_event(&webhook_event(&payment, P::Paid, &format!("t:{}", n % 3)))
                .await
                .unwrap();
        });
    }
    let newcomer = budi.try_deposit(50_000, "newcomer").await;
    copies.join_all().await;
    let expected = if newcomer.is_ok() { 50_000 } else { 55_000 };
    assert_eq!((shop.wallet().await, shop.uses().await), (expected, 1));
    shop.assert_books_are_sound().await;
}
