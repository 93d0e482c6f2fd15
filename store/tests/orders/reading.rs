use domain::{instance::InstanceStatus, order::OrderStatus, provisioning::FailureClass};
use sqlx::PgPool;
use store::{StoreError, page::PageRequest};

use crate::Shop;

const ALL: PageRequest = PageRequest { before: None, limit: 100 };

#[sqlx::test(migrations = "../migrations")]
async fn lists_come_newest_first_in_pages(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.basket().await;
    let mut placed = Vec::new();
    for n in 0..5 {
        placed.push(shop.place(&order, &n.to_string()).await.unwrap().order_id);
    }
    placed.reverse();

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let request = PageRequest { before, limit: 2 };
        let page = shop.store.orders_of(shop.customer, None, &request).await.unwrap();
        seen.extend(page.data.iter().map(|order| order.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, placed);
    let invoices = shop.store.invoices_of(shop.customer, None, &ALL).await.unwrap().data;
    assert_eq!(invoices.iter().filter_map(|invoice| invoice.order_id).collect::<Vec<_>>(), placed);

    shop.store.cancel_order(placed[0], shop.customer).await.unwrap();
    let open = shop.store.orders_of(shop.customer, Some(OrderStatus::PendingPayment), &ALL).await.unwrap();
    assert_eq!(open.data.len(), 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_sees_anothers_things(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    let order = shop.store.order_of(shop.customer, order).await.unwrap();
    let stranger = shop.customer().await;

    assert!(matches!(shop.store.order_of(stranger, order.id).await, Err(StoreError::NotFound("order"))));
    assert!(matches!(
        shop.store.invoice(order.invoice.id, stranger).await,
        Err(StoreError::NotFound("invoice"))
    ));
    assert!(matches!(shop.store.timeline_of(stranger, order.id).await, Err(StoreError::NotFound("order"))));
    assert!(shop.store.orders_of(stranger, None, &ALL).await.unwrap().data.is_empty());
    assert!(shop.store.invoices_of(stranger, None, &ALL).await.unwrap().data.is_empty());
    assert_eq!(shop.store.any_order(order.id).await.unwrap().user_id, shop.customer);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_names_what_was_ordered(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let id = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    let order = shop.store.order_of(shop.customer, id).await.unwrap();
    assert_eq!((order.plan.as_str(), order.provider.as_str()), ("do-basic-1gb", "digitalocean"));
    assert_eq!((order.region.as_str(), order.image.as_str()), ("sgp1", "ubuntu-24-04"));
    assert_eq!((order.hostname.as_str(), order.term_months, order.auto_renew), ("web-1", 1, false));
    assert!(order.instance_id.is_none() && order.failure_class.is_none() && order.paid_at.is_none());

    let (invoice, lines) = shop.store.invoice(order.invoice.id, shop.customer).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].total, invoice.subtotal);
    assert_eq!(invoice.total, order.total);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failed_order_tells_its_class_and_its_server(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let failed = shop.app.order().by(shop.customer).failed(FailureClass::Capacity).await;
    let (id, instance) = (failed.id, failed.server());
    let order = shop.store.order_of(shop.customer, id).await.unwrap();
    assert_eq!(order.status, OrderStatus::ProvisioningFailed);
    assert_eq!(order.failure_class, Some(FailureClass::Capacity));
    assert_eq!(order.failure_message.as_deref(), Some("in the provider's words"));
    assert_eq!(order.instance_id, Some(instance));

    let server = shop.store.instance_of(shop.customer, instance).await.unwrap();
    assert_eq!((server.status, server.order_id), (InstanceStatus::Provisioning, id));
    assert_eq!((server.plan.as_str(), server.memory_mb), ("do-basic-1gb", 1024));
    let active = shop.store.instances_of(shop.customer, Some(InstanceStatus::Active), &ALL).await.unwrap();
    assert!(active.data.is_empty());
    let stranger = shop.customer().await;
    assert!(matches!(
        shop.store.instance_of(stranger, instance).await,
        Err(StoreError::NotFound("instance"))
    ));
}
