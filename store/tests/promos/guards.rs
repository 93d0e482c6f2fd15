//! What the database refuses by itself, and what the check of the books finds.

use std::collections::BTreeSet;

use domain::{
    Rupiah,
    billing::PaymentStatus as P,
    ids::UserId,
    ledger::{MoneySource, Movement},
    promo::{PromoKind as K, RedemptionState},
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::Shop;

/// The constraint or SQLSTATE by which a statement is refused.
async fn refused(shop: &Shop, sql: &'static str) -> String {
    let error = sqlx::query(sql).execute(&shop.pool).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    error.constraint().map_or_else(|| error.code().unwrap().into_owned(), str::to_owned)
}

/// Writes one more use by `user` for an order without one.
async fn force(shop: &Shop, user: UserId, order: Uuid) -> Result<(), String> {
    let sql = "INSERT INTO promo_redemptions (id, promo_id, user_id, order_id, amount, state)
               SELECT $1, id, $2, $3, 1, 'RESERVED' FROM promos";
    let written = sqlx::query(sql).bind(Uuid::now_v7()).bind(user.0).bind(order).execute(&shop.pool).await;
    written.map(drop).map_err(|error| error.as_database_error().unwrap().constraint().unwrap().to_owned())
}

async fn plain_order(shop: &Shop, key: &str) -> Uuid {
    let new = shop.new_order(domain::billing::PaymentMethod::Qris, None).await;
    shop.store.place_order(&new, &crate::request(key)).await.unwrap().order_id.0
}

#[sqlx::test(migrations = "../migrations")]
async fn limits_hold_without_the_program(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let budi = shop.visited_by("budi").await;
    shop.promo(K::OrderFixed, 5_000, |terms| {
        (terms.global_limit, terms.per_user_limit) = (Some(2), Some(1));
    })
    .await;
    let mut orders = Vec::new();
    for n in 0..6 {
        orders.push(plain_order(&shop, &format!("plain-{n}")).await);
    }
    // Two at once by one customer: the second waits for the first to commit, and then counts it.
    let (left, right) =
        tokio::join!(force(&shop, shop.customer, orders[0]), force(&shop, shop.customer, orders[1]));
    let refused: Vec<_> = [left, right].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, ["promos_per_user_limit_holds"]);
    force(&shop, budi.customer, orders[2]).await.unwrap();
    assert_eq!(
        force(&shop, shop.admin, orders[3]).await.unwrap_err(),
        "promos_global_limit_holds",
        "and the global one"
    );
    assert_eq!(shop.uses().await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn counts_and_histories_are_not_rewritten(pool: PgPool) {
    const RESTRICT: &str = "23001";
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderFixed, 5_000, |_| ()).await;
    shop.run("UPDATE promos SET code = 'LAIN', value = 6000").await;
    shop.run("UPDATE promos SET code = 'HEMAT10', value = 5000").await;
    let (order, payment) = shop.order("order").await;
    for (sql, by) in [
        ("UPDATE promos SET uses = 0", RESTRICT),
        ("UPDATE promos SET code = 'LAIN'", RESTRICT),
        ("UPDATE promos SET value = 6000", RESTRICT),
        ("UPDATE promos SET kind = 'ORDER_PERCENT', value = 6", RESTRICT),
        ("DELETE FROM promos", "promo_redemptions_promo_id_fkey"),
        ("DELETE FROM promo_redemptions", RESTRICT),
        ("TRUNCATE promo_redemptions", RESTRICT),
        ("UPDATE promo_redemptions SET amount = 1", RESTRICT),
        ("UPDATE promo_redemptions SET state = 'HONOURED'", "promo_redemptions_transition_legal"),
        (
            "INSERT INTO promos (id, code, kind, value) VALUES (gen_random_uuid(), 'hemat', 'ORDER_FIXED', 5)",
            "promos_code_shape",
        ),
        (
            "INSERT INTO promos (id, code, kind, value) VALUES (gen_random_uuid(), 'SERATUS', 'ORDER_PERCENT', 101)",
            "promos_value",
        ),
        (
            "INSERT INTO promos (id, code, kind, value, uses) VALUES (gen_random_uuid(), 'SATU', 'ORDER_FIXED', 5, 1)",
            RESTRICT,
        ),
        (
            "INSERT INTO promo_redemptions (id, promo_id, user_id, order_id, amount, state)
          SELECT gen_random_uuid(), promo_id, user_id, order_id, 1, 'RESERVED' FROM promo_redemptions",
            "promo_redemptions_order_key",
        ),
    ] {
        assert_eq!(refused(&shop, sql).await, by, "{sql}");
    }
    shop.receive(&payment, P::Paid).await;
    shop.activate(order).await;
    assert_eq!(
        refused(&shop, "UPDATE promo_redemptions SET state = 'RELEASED'").await,
        "promo_redemptions_transition_legal"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_is_for_orders_or_for_deposits(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 5_000, |_| ()).await;
    let order = plain_order(&shop, "plain").await;
    assert_eq!(force(&shop, shop.customer, order).await.unwrap_err(), "promo_redemptions_purpose");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_knows_the_same_arrows(pool: PgPool) {
    let kept: Vec<(String, String)> =
        sqlx::query_as("SELECT from_state, to_state FROM promo_redemption_transitions")
            .fetch_all(&pool)
            .await
            .unwrap();
    let kept: BTreeSet<_> = kept.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let all = RedemptionState::ALL;
    let known: BTreeSet<_> = all
        .iter()
        .flat_map(|from| all.iter().filter(|to| from.may_become(**to)).map(|to| (from.as_str(), to.as_str())))
        .collect();
    assert_eq!(kept, known);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_check_finds_bonuses_without_codes_and_codes_that_do_not_follow(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.promo(K::DepositFixed, 10_000, |_| ()).await;
    let deposit = shop.deposit(50_000, "deposit").await;
    let money = MoneySource::of(deposit.payment.id, deposit.payment.method).incoming().unwrap();
    let bonus = Movement::promo_bonus(shop.customer, money, Rupiah::new(9_999)).unwrap();
    shop.store.book(&bonus).await.unwrap();
    let broken = async || {
        let report = shop.store.check_ledger().await.unwrap();
        let broken = report.findings.into_iter().filter(|finding| finding.count > 0);
        broken.map(|finding| (finding.rule.into_owned(), finding.cases)).collect::<Vec<_>>()
    };
    let (id, payment) = (deposit.id, deposit.payment.id);
    let rule = "every credited bonus is of a redeemed promo code, and the other way round";
    assert_eq!(
        broken().await,
        [(rule.to_owned(), vec![format!("payment {payment}: promised nothing, credited 9999")])]
    );
    shop.run("UPDATE promo_redemptions SET state = 'REDEEMED'").await;
    assert_eq!(
        broken().await,
        [(rule.to_owned(), vec![format!("deposit {id}: promised 10000, credited 9999")])]
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn the_check_finds_codes_that_do_not_follow_their_orders(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.promo(K::OrderFixed, 10_000, |_| ()).await;
    let (order, _) = shop.order("order").await;
    shop.assert_books_are_sound().await;
    shop.run("UPDATE promo_redemptions SET state = 'RELEASED'").await;
    let report = shop.store.check_ledger().await.unwrap();
    let broken: Vec<_> = report.findings.iter().filter(|finding| finding.count > 0).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].rule, "every order's promo code is on its invoice and follows the order");
    assert_eq!(broken[0].cases, [format!("order {order}: PENDING_PAYMENT, code RELEASED")]);
}
