use domain::{
    billing::{Bank, PaymentMethod, PaymentStatus as P},
    gateway::Instructions,
    ids::OrderId,
};
use sqlx::PgPool;
use store::{
    StoreError,
    page::PageRequest,
    payments::{ChargeResult, NewAttempt, Opened},
};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, request, webhook_event};

fn by_bca(shop: &Shop, order: OrderId) -> NewAttempt {
    NewAttempt {
        user: shop.customer,
        order,
        method: PaymentMethod::VirtualAccount,
        bank: Some(Bank::Bca),
        gateway: Some(MIDTRANS),
    }
}

fn instructions() -> ChargeResult {
    ChargeResult::Ready(Instructions {
        transaction_id: "transaction-1".into(),
        qr_string: Some("000201".into()),
        ..Instructions::default()
    })
}

#[sqlx::test(migrations = "../migrations")]
async fn a_further_attempt_has_a_name_of_its_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, first) = shop.order().await;
    let opened = shop.store.open_payment(&by_bca(&shop, order), &request("again")).await.unwrap();
    assert!(opened.is_new);
    let second = shop.store.latest_payment(order).await.unwrap();
    assert_eq!(second.id, opened.payment_id);
    assert_eq!((second.method, second.bank), (PaymentMethod::VirtualAccount, Some(Bank::Bca)));
    assert_eq!((second.amount, second.invoice_id), (first.amount, first.invoice_id));
    assert!(first.gateway_order_id.ends_with("-1") && second.gateway_order_id.ends_with("-2"));
    assert_eq!(shop.payment_status(first.id).await, P::Pending);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_request_ten_times_at_once_is_one_attempt(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.order().await;
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let (store, attempt) = (shop.store.clone(), by_bca(&shop, order));
        requests.spawn(async move { store.open_payment(&attempt, &request("again")).await.unwrap() });
    }
    let opened: Vec<Opened> = requests.join_all().await;
    assert_eq!(opened.iter().filter(|o| o.is_new).count(), 1);
    assert!(opened.iter().all(|o| o.payment_id == opened[0].payment_id));
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_owner_of_a_waiting_order_begins_one(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let foreign = NewAttempt { user: shop.admin, ..by_bca(&shop, order) };
    let refused = shop.store.open_payment(&foreign, &request("foreign")).await;
    assert!(matches!(refused, Err(StoreError::NotFound("order"))), "{refused:?}");

    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    let refused = shop.store.open_payment(&by_bca(&shop, order), &request("late")).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { object: store::Object::Order, state }) if state == "PAID"),
        "{refused:?}"
    );
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_gateways_answer_is_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let unknown = shop.store.record_charge(payment.id, &ChargeResult::Unknown("slow".into())).await.unwrap();
    assert_eq!((unknown.status, unknown.qr_string), (P::Unknown, None));
    let ready = shop.store.record_charge(payment.id, &instructions()).await.unwrap();
    assert_eq!((ready.status, ready.qr_string.as_deref()), (P::Pending, Some("000201")));
    assert_eq!(ready.expires_at, payment.expires_at);
    let denied = shop.store.record_charge(payment.id, &ChargeResult::Refused("no".into())).await.unwrap();
    assert_eq!(denied.status, P::Denied);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_notification_quicker_than_the_gateways_answer_wins(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    for late in [instructions(), ChargeResult::Unknown("slow".into()), ChargeResult::Refused("no".into())] {
        assert_eq!(shop.store.record_charge(payment.id, &late).await.unwrap().status, P::Paid);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn customers_read_their_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, first) = shop.order().await;
    let second = shop.store.open_payment(&by_bca(&shop, order), &request("again")).await.unwrap().payment_id;
    let page = |before| PageRequest { before, limit: 1 };
    let newest = shop.store.payments_of(shop.customer, Some(order), &page(None)).await.unwrap();
    assert_eq!((newest.data[0].id, newest.next), (second, Some(second.0)));
    let oldest = shop.store.payments_of(shop.customer, None, &page(newest.next)).await.unwrap();
    assert_eq!((oldest.data[0].id, oldest.next), (first.id, None));

    assert!(shop.store.payments_of(shop.admin, None, &page(None)).await.unwrap().data.is_empty());
    let foreign = shop.store.payment_of(shop.admin, first.id).await;
    assert!(matches!(foreign, Err(StoreError::NotFound("payment"))), "{foreign:?}");
}
