//! A failed order that an admin sends elsewhere.

use domain::{
    failover::FailoverPolicy, ids::OrderId, order::OrderStatus, provisioning::FailureClass,
    sorting::AuditSort,
};
use serde_json::json;
use sqlx::PgPool;
use store::{
    StoreError,
    admin::AuditFilter,
    audit::Origin,
    page::{PageRequest, SortedRequest},
    placements::{Elsewhere, ElsewhereRefusal, RetryError},
};
use uuid::Uuid;

use crate::{Shop, configured, failure, place, step_words};

/// A failed order.
async fn failed(shop: &Shop) -> OrderId {
    let order = shop.order(FailoverPolicy::OFF).await;
    let capacity = failure(FailureClass::Capacity);
    shop.store.fail_provisioning(order, 1, &capacity, &configured()).await.unwrap();
    order
}

async fn wish(shop: &Shop, plan: Option<&str>, region: Option<&str>) -> Elsewhere {
    let plan_id = match plan {
        Some(slug) => Some(shop.plan(slug).await),
        None => None,
    };
    Elsewhere { region: region.map(str::to_owned), plan_id, configured: configured(), ..Elsewhere::default() }
}

async fn refusal(shop: &Shop, order: OrderId, wish: &Elsewhere) -> ElsewhereRefusal {
    match shop.store.retry_provisioning_elsewhere(order, wish, &Origin::system()).await {
        Err(RetryError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal: {other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn another_region_plan_or_provider_is_taken(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let cases = [
        (None, Some("syd1"), ("digitalocean", "do-basic-1gb", "syd1")),
        (Some("do-basic-2gb"), None, ("digitalocean", "do-basic-2gb", "sgp1")),
        (Some("vultr-regular-1gb"), None, ("vultr", "vultr-regular-1gb", "vultr-sgp")),
        (Some("linode-shared-2gb"), Some("linode-id-cgk"), ("linode", "linode-shared-2gb", "linode-id-cgk")),
    ];
    for (plan, region, expected) in cases {
        let order = failed(&shop).await;
        let wish = wish(&shop, plan, region).await;
        let retried = shop.store.retry_provisioning_elsewhere(order, &wish, &Origin::system()).await.unwrap();
        assert_eq!((retried.status, retried.retry), (OrderStatus::Provisioning, 1));
        let now = shop.store.placements(order).await.unwrap().pop().unwrap();
        assert_eq!((now.provider.as_str(), now.plan.as_str(), now.region.as_str()), expected);
        assert_eq!((now.sequence, now.reason.as_str()), (2, "admin"));
        assert_eq!(shop.store.start_provisioning(order).await.unwrap().provider, expected.0);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_audit_log_the_timeline_and_the_customer_tell_of_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = failed(&shop).await;
    let wish = wish(&shop, Some("vultr-regular-1gb"), None).await;
    shop.store.retry_provisioning_elsewhere(order, &wish, &Origin::system()).await.unwrap();

    let filter = AuditFilter { object_id: Some(order.0), ..AuditFilter::default() };
    let log = shop.store.audit_log(&filter, AuditSort::Newest, SortedRequest::first(50)).await.unwrap().data;
    let (before, after) = (log[0].before.clone().unwrap(), log[0].after.clone().unwrap());
    let from = json!({ "provider": "digitalocean", "plan": "do-basic-1gb", "region": "sgp1" });
    let to = json!({ "provider": "vultr", "plan": "vultr-regular-1gb", "region": "vultr-sgp" });
    assert_eq!((&before["placement"], &after["placement"]), (&from, &to));
    assert_eq!(after["status"], "PROVISIONING");

    let steps = shop.store.timeline_of(shop.customer, order).await.unwrap();
    let step = steps.iter().find(|step| step.step == "provisioning_retried").unwrap();
    let words = step_words(step);
    assert!(words.contains("at Vultr in Singapore"), "{words}");
    let told = shop
        .store
        .notifications(shop.customer, false, PageRequest { before: None, limit: 50 })
        .await
        .unwrap()
        .data;
    assert!(told.iter().any(|notice| notice.kind == "PROVISIONING_MOVED"));
    let sql = "SELECT count(*) FROM outbox WHERE kind = 'retry_provisioning' AND workflow_id = 'order/' || $1::text";
    assert_eq!(shop.count_of(sql, order).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_had_is_refused_and_changes_nothing(pool: PgPool) {
    use ElsewhereRefusal as R;
    let shop = Shop::open(pool).await;
    let order = failed(&shop).await;
    for sql in [
        "UPDATE plans SET is_active = false WHERE slug = 'vultr-regular-2gb'",
        "DELETE FROM plan_regions pr USING plans l, regions r WHERE l.id = pr.plan_id AND r.id = pr.region_id
         AND l.slug = 'linode-shared-4gb' AND r.country = 'SG'",
        "UPDATE regions SET is_active = false WHERE slug = 'fra1'",
    ] {
        shop.run(sql).await;
    }
    let unknown =
        Elsewhere { plan_id: Some(Uuid::now_v7().into()), configured: configured(), ..Elsewhere::default() };
    assert_eq!(refusal(&shop, order, &unknown).await, R::UnknownPlan);
    let cases = [
        (Some("vultr-regular-2gb"), None, R::PlanInactive),
        (None, Some("nowhere"), R::RegionUnknown),
        (None, Some("fra1"), R::RegionUnknown),
        (None, Some("vultr-sgp"), R::RegionWithoutPlan),
        (Some("linode-shared-4gb"), None, R::RegionRequired),
        (Some("linode-shared-4gb"), Some("sgp1"), R::RegionWithoutPlan),
    ];
    for (plan, region, expected) in cases {
        assert_eq!(
            refusal(&shop, order, &wish(&shop, plan, region).await).await,
            expected,
            "{plan:?} {region:?}"
        );
    }
    let elsewhere = wish(&shop, Some("vultr-regular-1gb"), None).await;
    let not_set_up = Elsewhere { configured: vec!["digitalocean".to_owned()], ..elsewhere.clone() };
    assert_eq!(refusal(&shop, order, &not_set_up).await, R::ProviderDisabled);
    shop.run("DELETE FROM image_sources USING providers p WHERE p.id = provider_id AND p.slug = 'vultr'")
        .await;
    assert_eq!(refusal(&shop, order, &elsewhere).await, R::ImageNotForProvider);

    assert_eq!(shop.status(order).await, "PROVISIONING_FAILED");
    assert_eq!(shop.places(order).await, [place("digitalocean", "ordered")]);
    let sql = "SELECT count(*) FROM audit_log WHERE object_id = $1";
    assert_eq!(shop.count_of(sql, order).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_unknown_outcome_keeps_the_order_where_it_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let elsewhere = wish(&shop, Some("vultr-regular-1gb"), None).await;
    for sql in [
        "UPDATE provisioning_tasks SET create_sent_at = now() WHERE order_id = $1",
        "UPDATE instances SET provider_instance_id = '4711-' || order_id WHERE order_id = $1",
    ] {
        let order = failed(&shop).await;
        shop.run_of(sql, order).await;
        assert_eq!(refusal(&shop, order, &elsewhere).await, ElsewhereRefusal::OutcomePending, "{sql}");
        assert_eq!(shop.status(order).await, "PROVISIONING_FAILED");
        // Where it is it may be retried: the next try looks first.
        let same = wish(&shop, Some("do-basic-1gb"), Some("sgp1")).await;
        shop.store.retry_provisioning_elsewhere(order, &same, &Origin::system()).await.unwrap();
        assert_eq!(shop.places(order).await.len(), 1);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn only_a_failed_order_is_sent_elsewhere_and_of_several_calls_one_wins(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let elsewhere = wish(&shop, Some("vultr-regular-1gb"), None).await;
    let running = shop.order(FailoverPolicy::OFF).await;
    let refused =
        shop.store.retry_provisioning_elsewhere(running, &elsewhere, &Origin::system()).await.unwrap_err();
    assert!(
        matches!(refused, RetryError::Store(StoreError::Conflict { object: store::Object::Order, .. })),
        "{refused}"
    );

    let order = failed(&shop).await;
    let calls = (0..5).map(|_| {
        let (store, elsewhere) = (shop.store.clone(), elsewhere.clone());
        tokio::spawn(async move {
            store.retry_provisioning_elsewhere(order, &elsewhere, &Origin::system()).await.is_ok()
        })
    });
    let mut won = 0;
    for call in calls.collect::<Vec<_>>() {
        won += usize::from(call.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(shop.places(order).await, [place("digitalocean", "ordered"), place("vultr", "admin")]);
}

/// An admin's choice becomes the measure of later failovers.
#[sqlx::test(migrations = "../migrations")]
async fn what_the_admin_picked_is_the_new_measure(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(FailoverPolicy { enabled: true, margin_bp: 2_500 }).await;
    let permanent = failure(FailureClass::Permanent);
    shop.store.fail_provisioning(order, 1, &permanent, &configured()).await.unwrap();
    let larger = wish(&shop, Some("vultr-regular-4gb"), None).await;
    shop.store.retry_provisioning_elsewhere(order, &larger, &Origin::system()).await.unwrap();
    assert_eq!(shop.store.start_provisioning(order).await.unwrap().try_number, 2);
    let capacity = failure(FailureClass::Capacity);
    let moved = shop.store.fail_provisioning(order, 2, &capacity, &configured()).await.unwrap().unwrap();
    assert_eq!(moved.plan, "linode-shared-4gb", "24 dollars are within 125 % of 20");
}
