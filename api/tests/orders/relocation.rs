//! Failed orders that administrators and programs send elsewhere.

use domain::{failover::FailoverPolicy, ids::OrderId, provisioning::FailureClass, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::provisioning::ProvisioningFailure;

use testkit::http::StatusCode;

use crate::Shop;

impl Shop {
    /// An order that could not be provisioned.
    async fn failed(&self, key: &str) -> OrderId {
        let placed = self.place(&self.basket().await, key).await;
        let order = self.pay_for(&placed.body["id"]).await;
        self.provision(order).await;
        let failure = ProvisioningFailure { class: FailureClass::Capacity, message: "sold out".to_owned() };
        let moved = self.store.fail_provisioning(order, 1, &failure, &["vultr".to_owned()]).await.unwrap();
        assert_eq!(moved, None, "{:?} is the default", FailoverPolicy::OFF);
        order
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_administrator_picks_a_region_and_a_program_a_plan(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let admin = shop.user(Role::Admin).await;
    let key = shop.api_key().await;

    let one = shop.failed("k1").await;
    let path = format!("/admin/orders/{one}/retry-provisioning");
    let accepted = admin.post(&path, &json!({ "region": "syd1" })).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{:?}", accepted.body);
    assert_eq!(accepted.body, json!({ "id": one, "status": "PROVISIONING", "retry": 1 }));

    let two = shop.failed("k2").await;
    let path = format!("/internal/orders/{two}/retry-provisioning");
    let plan = shop.plan("do-basic-2gb").await;
    let accepted = shop.nobody().with_key(&key).post(&path, &json!({ "plan_id": plan })).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{:?}", accepted.body);

    let places = async |order: OrderId| {
        let read = admin.get(&format!("/admin/orders/{order}")).await;
        let places = read.body["placements"].as_array().unwrap().clone();
        let words = |place: &Value| {
            ["reason", "plan", "region"].map(|field| place[field].as_str().unwrap().to_owned()).join(" ")
        };
        places.iter().map(words).collect::<Vec<_>>()
    };
    assert_eq!(places(one).await, ["ordered do-basic-1gb sgp1", "admin do-basic-1gb syd1"]);
    assert_eq!(places(two).await, ["ordered do-basic-1gb sgp1", "admin do-basic-2gb sgp1"]);
    let log = admin.get(&format!("/admin/audit-log?object_id={one}")).await;
    assert_eq!(log.body["data"][0]["after"]["placement"]["region"], "syd1");
    assert_eq!(log.body["data"][0]["before"]["placement"]["region"], "sgp1");
    let order = shop.me.get(&format!("/orders/{one}")).await;
    assert_eq!(order.body["region"], "sgp1", "what the customer ordered stays");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_had_is_a_clear_problem(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let admin = shop.user(Role::Admin).await;
    let order = shop.failed("k1").await;
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-4gb'").await;
    shop.run("UPDATE providers SET is_active = false WHERE slug = 'linode'").await;
    let path = format!("/admin/orders/{order}/retry-provisioning");
    let cases = [
        (json!({ "plan_id": "0193e7d0-4362-7709-b262-4de1f9ad2f5e" }), 422, "unknown_plan", "plan_id"),
        (json!({ "plan_id": shop.plan("do-basic-4gb").await }), 422, "plan_inactive", "plan_id"),
        (json!({ "plan_id": shop.plan("linode-nanode-1gb").await }), 409, "provider_disabled", ""),
        (json!({ "region": "nowhere" }), 422, "region_unknown", "region"),
        (json!({ "region": "vultr-sgp" }), 422, "region_without_plan", "region"),
        (json!({ "region": 7 }), 422, "invalid_body", "region"),
        (json!({ "plan_id": "x" }), 422, "invalid_body", "plan_id"),
        (json!({ "provider": "vultr" }), 422, "invalid_body", "provider"),
    ];
    for (body, status, code, field) in cases {
        let refused = admin.post(&path, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{body}");
        assert_eq!(refused.body["errors"][0]["field"].as_str().unwrap_or_default(), field, "{body}");
    }
    assert_eq!(
        shop.count("SELECT count(*) FROM audit_log WHERE action = 'order.retry_provisioning'").await,
        0
    );

    shop.run("UPDATE provisioning_tasks SET create_sent_at = now()").await;
    let pending = admin.post(&path, &json!({ "region": "syd1" })).await;
    assert_eq!((pending.status, pending.code()), (StatusCode::CONFLICT, "outcome_pending"));
    let where_it_is = admin.post(&path, &json!({})).await;
    assert_eq!(where_it_is.status, StatusCode::ACCEPTED);
    let late = admin.post(&path, &json!({ "region": "syd1" })).await;
    assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "order_conflict"));
}
