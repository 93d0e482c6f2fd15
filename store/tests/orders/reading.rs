use domain::{
    hostname::Hostname,
    ids::UserId,
    instance::InstanceStatus,
    order::OrderStatus,
    provisioning::FailureClass,
    sorting::{InvoiceSort, OwnInstanceSort, OwnOrderSort},
    tag::Tags,
};
use sqlx::PgPool;
use store::{
    StoreError,
    instances::OwnInstanceFilter,
    invoices::OwnInvoiceFilter,
    orders::{Order, OwnOrderFilter},
    page::SortedRequest,
    versions::{IfMatch, Thing},
};

use crate::Shop;

/// All that fit the filter.
async fn orders(shop: &Shop, owner: UserId, filter: OwnOrderFilter, sort: OwnOrderSort) -> Vec<Order> {
    shop.store.orders_of(owner, &filter, sort, SortedRequest::first(100)).await.unwrap().data
}

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
    let (any, mut after) = (OwnOrderFilter::default(), None);
    loop {
        let request = SortedRequest { after, limit: 2 };
        let page = shop.store.orders_of(shop.customer, &any, OwnOrderSort::Newest, request).await.unwrap();
        seen.extend(page.data.iter().map(|order| order.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, placed);
    let (any, all) = (OwnInvoiceFilter::default(), SortedRequest::first(100));
    let invoices = shop.store.invoices_of(shop.customer, &any, InvoiceSort::Newest, all).await.unwrap().data;
    assert_eq!(invoices.iter().filter_map(|invoice| invoice.order_id).collect::<Vec<_>>(), placed);

    shop.store.cancel_order(placed[0], shop.customer).await.unwrap();
    let open = OwnOrderFilter { status: Some(OrderStatus::PendingPayment), ..OwnOrderFilter::default() };
    assert_eq!(orders(&shop, shop.customer, open, OwnOrderSort::Newest).await.len(), 4);
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
    assert!(orders(&shop, stranger, OwnOrderFilter::default(), OwnOrderSort::Newest).await.is_empty());
    let (any, all) = (OwnInvoiceFilter::default(), SortedRequest::first(100));
    let seen = shop.store.invoices_of(stranger, &any, InvoiceSort::Newest, all).await.unwrap();
    assert!(seen.data.is_empty());
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
    let active = OwnInstanceFilter { status: Some(InstanceStatus::Active), ..OwnInstanceFilter::default() };
    let (sort, all) = (OwnInstanceSort::Newest, SortedRequest::first(100));
    let active = shop.store.instances_of(shop.customer, &active, sort, all).await.unwrap();
    assert!(active.data.is_empty());
    let stranger = shop.customer().await;
    assert!(matches!(
        shop.store.instance_of(stranger, instance).await,
        Err(StoreError::NotFound("instance"))
    ));
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_are_sorted_page_by_page_and_searched(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut basket = shop.basket().await;
    for hostname in ["web-2", "db-1", "web-1", "cache-1"] {
        basket.hostname = Hostname::parse(hostname).unwrap();
        shop.place(&basket, hostname).await.unwrap();
    }
    for sort in OwnOrderSort::ALL {
        let whole = orders(&shop, shop.customer, OwnOrderFilter::default(), *sort).await;
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let request = SortedRequest { after, limit: 1 };
            let any = OwnOrderFilter::default();
            let page = shop.store.orders_of(shop.customer, &any, *sort, request).await.unwrap();
            paged.extend(page.data.iter().map(|order| order.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole.iter().map(|order| order.id).collect::<Vec<_>>(), "{sort}");
    }
    let names = async |filter| -> Vec<String> {
        let found = orders(&shop, shop.customer, filter, OwnOrderSort::Hostname).await;
        found.into_iter().map(|order| order.hostname).collect()
    };
    assert_eq!(names(OwnOrderFilter::default()).await, ["cache-1", "db-1", "web-1", "web-2"]);
    let with = |search: &str| OwnOrderFilter { search: Some(search.to_owned()), ..OwnOrderFilter::default() };
    assert_eq!(names(with("WEB")).await, ["web-1", "web-2"]);
    assert!(names(with("%")).await.is_empty(), "what is searched for is text");
    let of_none = OwnOrderFilter { plan: Some("no-such-plan".to_owned()), ..OwnOrderFilter::default() };
    assert!(names(of_none).await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn servers_are_found_by_name_and_tag(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.app.order().by(shop.customer).failed(FailureClass::Capacity).await.server();
    let tags = Tags::new(["web".to_owned(), "env:prod".to_owned()]).unwrap();
    shop.store.set_tags(shop.customer, server, &tags, &IfMatch::Anyhow).await.unwrap();
    assert_eq!(shop.store.instance_of(shop.customer, server).await.unwrap().tags, ["env:prod", "web"]);

    let found = async |filter: OwnInstanceFilter| {
        let mut counts = std::collections::BTreeSet::new();
        for sort in OwnInstanceSort::ALL {
            let all = SortedRequest::first(100);
            counts.insert(
                shop.store.instances_of(shop.customer, &filter, *sort, all).await.unwrap().data.len(),
            );
        }
        assert_eq!(counts.len(), 1, "{filter:?} finds as many however sorted");
        counts.pop_first().unwrap()
    };
    let any = OwnInstanceFilter::default;
    let name = shop.store.instance_of(shop.customer, server).await.unwrap().name;
    assert_eq!(found(OwnInstanceFilter { tag: Some("web".to_owned()), ..any() }).await, 1);
    assert_eq!(found(OwnInstanceFilter { tag: Some("we".to_owned()), ..any() }).await, 0);
    assert_eq!(found(OwnInstanceFilter { name: Some(name.clone()), ..any() }).await, 1);
    assert_eq!(found(OwnInstanceFilter { name: Some(format!("{name}x")), ..any() }).await, 0);
    assert_eq!(found(OwnInstanceFilter { search: Some(name[1..].to_uppercase()), ..any() }).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_changed_that_somebody_else_changed_meanwhile(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.app.order().by(shop.customer).failed(FailureClass::Capacity).await.server();
    let tags = |word: &str| Tags::new([word.to_owned()]).unwrap();
    let seen = shop.store.version(Thing::Instance(server)).await.unwrap();
    let as_seen = IfMatch::OneOf(vec![seen.clone()]);
    let (one, other) = (tags("one"), tags("other"));
    let (first, second) = tokio::join!(
        shop.store.set_tags(shop.customer, server, &one, &as_seen),
        shop.store.set_tags(shop.customer, server, &other, &as_seen),
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let refused = first.and(second).unwrap_err();
    assert!(matches!(refused, StoreError::VersionDiffers), "{refused:?}");
    assert_ne!(shop.store.version(Thing::Instance(server)).await.unwrap(), seen);
    shop.store.set_tags(shop.customer, server, &one, &IfMatch::Exists).await.unwrap();
    shop.store.set_tags(shop.customer, server, &one, &IfMatch::Anyhow).await.unwrap();
}
