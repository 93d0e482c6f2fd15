//! A code in an order's price, and what becomes of its use.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentStatus as P},
    ids::OrderId,
    order::OrderStatus,
    pricing::LineDescription,
    promo::{PromoKind as K, PromoRefusal},
    refund::{RefundDestination, RefundPolicy},
};
use sqlx::PgPool;
use store::{
    StoreError,
    orders::OrderError,
    promos::{PlanAndTerm, PromoUse},
    refunds::{NewRefund, Part},
};

use testkit::PLAN;

use crate::{CODE, Shop, refusal, request};

impl Shop {
    /// Gives all of an order's money back.
    async fn refund(&self, order: OrderId) {
        let all = NewRefund {
            part: Part::Whole,
            destination: RefundDestination::Wallet,
            reason: "sold out",
            gateways: &[],
            policy: RefundPolicy::default(),
        };
        self.store.refund_order(order, &all, &self.act()).await.unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn quote_order_and_invoice_agree(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| terms.max_amount = Some(Rupiah::new(12_000))).await;
    let new = shop.new_order(PaymentMethod::Qris, Some("hemat10")).await;
    let wanted = PromoUse { user: shop.customer, code: new.promo.clone().unwrap() };
    let quoted = shop.store.quote_order_with_promo(&new.selection, &wanted).await.unwrap().quote;
    let plain = shop.store.quote_order(&new.selection).await.unwrap().quote;
    assert_eq!(quoted.discount, Rupiah::new(12_000));
    let what = PlanAndTerm {
        plan_id: shop.plan(PLAN).await,
        term_months: 1,
        configured: new.selection.configured.clone(),
    };
    let checked = shop.store.check_order_promo(Some(&wanted), &what).await.unwrap();
    assert_eq!((checked.gives, checked.total), (Ok(Rupiah::new(12_000)), quoted.total));
    assert_eq!(shop.uses().await, 0);

    let (order, payment) = shop.order("order").await;
    let order = shop.store.any_order(order).await.unwrap();
    assert_eq!((order.total, payment.amount), (quoted.total, quoted.total));
    assert!(order.total < plain.total);
    let promo = order.promo.unwrap();
    assert_eq!((promo.code.as_str(), promo.discount), (CODE, Rupiah::new(12_000)));
    let (_, lines) = shop.store.invoice(order.invoice.id, shop.customer).await.unwrap();
    let line = lines.last().unwrap();
    let promo = LineDescription::Promo { code: CODE.to_owned() };
    assert_eq!((&line.description, line.total), (&promo, Rupiah::new(-12_000)));
    assert_eq!(shop.uses().await, 1);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_that_does_not_apply_places_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    assert_eq!(refusal(shop.try_order("order").await), PromoRefusal::Unknown);
    shop.promo(K::OrderPercent, 10, |terms| terms.global_limit = Some(1)).await;
    let cases = [
        ("is_active = false", PromoRefusal::Inactive),
        ("is_active = true, starts_at = now() + interval '1 hour'", PromoRefusal::NotStarted),
        ("starts_at = NULL, ends_at = now()", PromoRefusal::Expired),
        ("ends_at = NULL, min_amount = 500000", PromoRefusal::Minimum { least: Rupiah::new(500_000) }),
        ("min_amount = NULL, kind = 'DEPOSIT_PERCENT'", PromoRefusal::NotForOrders),
    ];
    for (change, expected) in cases {
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE promos SET {change}")))
            .execute(&shop.pool)
            .await
            .unwrap();
        assert_eq!(refusal(shop.try_order("order").await), expected, "{change}");
    }
    shop.run("UPDATE promos SET kind = 'ORDER_PERCENT'").await;
    for sql in [
        "SELECT count(*) FROM orders",
        "SELECT count(*) FROM idempotency_keys",
        "SELECT count(*) FROM outbox",
    ] {
        assert_eq!(shop.count(sql).await, 0, "{sql}");
    }
    // A balance that does not suffice gives the code back with everything else.
    let from_balance = shop.new_order(PaymentMethod::Wallet, Some(CODE)).await;
    let refused = shop.store.place_order(&from_balance, &request("balance")).await;
    assert!(matches!(refused, Err(OrderError::Store(StoreError::InsufficientBalance))), "{refused:?}");
    assert_eq!(shop.uses().await, 0);
    shop.order("order").await;
    assert_eq!(refusal(shop.visited_by("budi").await.try_order("order").await), PromoRefusal::UsedUp);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_end_of_an_order_before_it_runs_gives_its_code_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| {
        (terms.global_limit, terms.per_user_limit) = (Some(1), Some(1));
    })
    .await;
    let (expired, _) = shop.order("expired").await;
    shop.store.expire_order(expired).await.unwrap();
    let (cancelled, _) = shop.order("cancelled").await;
    shop.store.cancel_order(cancelled, shop.customer).await.unwrap();
    let (called_off, payment) = shop.order("called off").await;
    shop.receive(&payment, P::Paid).await;
    shop.store.cancel_order_for_staff(called_off, "sold out", &shop.act()).await.unwrap();
    let (refunded, payment) = shop.order("refunded").await;
    shop.receive(&payment, P::Paid).await;
    shop.refund(refunded).await;
    for order in [expired, cancelled, called_off, refunded] {
        assert_eq!(shop.state_of_order(order).await, "RELEASED");
    }
    assert_eq!(shop.uses().await, 0);
    shop.assert_books_are_sound().await;

    let (running, payment) = shop.order("running").await;
    shop.receive(&payment, P::Paid).await;
    assert_eq!(shop.state_of_order(running).await, "RESERVED");
    shop.activate(running).await;
    assert_eq!((shop.state_of_order(running).await.as_str(), shop.uses().await), ("REDEEMED", 1));
    assert_eq!(refusal(shop.try_order("again").await), PromoRefusal::AlreadyUsed);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_payment_takes_the_code_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| terms.global_limit = Some(1)).await;
    let (order, payment) = shop.order("order").await;
    shop.store.expire_order(order).await.unwrap();
    assert_eq!(shop.uses().await, 0);
    // It was placed in time: that the code is over by now does not matter.
    shop.run("UPDATE promos SET ends_at = now() - interval '1 second'").await;
    shop.receive(&payment, P::Paid).await;
    assert_eq!(shop.store.any_order(order).await.unwrap().status, OrderStatus::Paid);
    assert_eq!((shop.state_of_order(order).await.as_str(), shop.uses().await), ("RESERVED", 1));
    shop.activate(order).await;
    assert_eq!(shop.state_of_order(order).await, "REDEEMED");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_payment_keeps_its_price_when_the_code_is_used_up(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderPercent, 10, |terms| terms.global_limit = Some(1)).await;
    let budi = shop.visited_by("budi").await;
    let (late, payment) = shop.order("late").await;
    shop.store.expire_order(late).await.unwrap();
    let (quicker, _) = budi.order("quicker").await;
    shop.receive(&payment, P::Paid).await;
    let order = shop.store.any_order(late).await.unwrap();
    assert_eq!((order.status, order.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    assert_eq!((order.total, order.invoice.total), (payment.amount, payment.amount));
    assert_eq!((shop.state_of_order(late).await.as_str(), shop.uses().await), ("HONOURED", 1));
    shop.assert_books_are_sound().await;

    // It counts no more when it ends than it did before.
    shop.refund(late).await;
    assert_eq!((shop.state_of_order(late).await.as_str(), shop.uses().await), ("RELEASED", 1));
    assert_eq!(shop.state_of_order(quicker).await, "RESERVED");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_whose_price_is_honoured_runs(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderFixed, 10_000, |terms| terms.per_user_limit = Some(1)).await;
    let (late, payment) = shop.order("late").await;
    shop.store.expire_order(late).await.unwrap();
    shop.order("next").await;
    shop.receive(&payment, P::Paid).await;
    shop.activate(late).await;
    assert_eq!((shop.state_of_order(late).await.as_str(), shop.uses().await), ("HONOURED", 1));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_from_the_balance_costs_what_the_code_leaves(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::OrderFixed, 1_000_000, |_| ()).await;
    shop.run("UPDATE promos SET kind = 'DEPOSIT_FIXED', value = 1").await;
    let deposit = shop.deposit(10_000, "deposit").await;
    shop.receive(&deposit.payment, P::Paid).await;
    assert_eq!(shop.wallet().await, 10_001);
    let new = crate::new_promo("GRATIS", K::OrderPercent, 100);
    shop.store.create_promo(&new, shop.admin, &shop.admins_origin()).await.unwrap();
    let order = shop.new_order(PaymentMethod::Wallet, Some("gratis")).await;
    let placed = shop.store.place_order(&order, &request("order")).await.unwrap();
    let order = shop.store.any_order(placed.order_id).await.unwrap();
    // What is left of a price is what gateways can charge, and PPN on it.
    assert_eq!((order.status, order.total), (OrderStatus::Paid, Rupiah::new(1_110)));
    assert_eq!(shop.wallet().await, 10_001 - 1_110);
    shop.assert_books_are_sound().await;
}
