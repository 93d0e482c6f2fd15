use domain::{billing::InvoiceStatus, order::OrderStatus, outbox::Message};
use sqlx::PgPool;
use store::{StoreError, outbox::Room};
use tokio::task::JoinSet;

use crate::Shop;

#[sqlx::test(migrations = "../migrations")]
async fn an_unpaid_order_is_called_off_with_its_bill(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    shop.store.cancel_order(order, shop.customer).await.unwrap();

    let cancelled = shop.store.order_of(shop.customer, order).await.unwrap();
    assert_eq!(cancelled.status, OrderStatus::Cancelled);
    assert_eq!(cancelled.invoice.status, InvoiceStatus::Void);
    assert_eq!(shop.count("SELECT count(*) FROM payments WHERE status = 'CANCELLED'").await, 1);
    let steps = shop.store.timeline_of(shop.customer, order).await.unwrap();
    let steps: Vec<&str> = steps.iter().map(|entry| entry.step.as_str()).collect();
    assert_eq!(steps, ["order_placed", "order_cancelled"]);
    let claimed = shop.store.claim_outbox(Room::of(10), 60.0).await.unwrap();
    let closed = claimed.iter().find(|message| message.kind == "order_closed").unwrap();
    assert_eq!(closed.message.as_ref().unwrap(), &Message::OrderClosed { order_id: order });
    let start = claimed.iter().find(|message| message.kind == "start_order").unwrap();
    assert!(start.is_superseded, "nobody needs the workflow of an order that is over");
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_owner_and_only_while_unpaid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    let stranger = shop.customer().await;
    let foreign = shop.store.cancel_order(order, stranger).await;
    assert!(matches!(foreign, Err(StoreError::NotFound("order"))), "{foreign:?}");

    // `Transition::Cancel` also starts from PAID; customers may not use it there.
    shop.app.pay(shop.ordered(order).await.payment.id).await;
    let paid = shop.store.cancel_order(order, shop.customer).await;
    assert!(
        matches!(&paid, Err(StoreError::Conflict { object: store::Object::Order, state }) if state == "PAID"),
        "{paid:?}"
    );
    assert_eq!(shop.count("SELECT count(*) FROM invoices WHERE status = 'VOID'").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_several_cancellations_one_counts(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    let mut requests = JoinSet::new();
    for _ in 0..5 {
        let (store, customer) = (shop.store.clone(), shop.customer);
        requests.spawn(async move { store.cancel_order(order, customer).await.is_ok() });
    }
    assert_eq!(requests.join_all().await.into_iter().filter(|done| *done).count(), 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'order_closed'").await, 1);
}
