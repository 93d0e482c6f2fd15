//! Plans, regions, images and terms as administrators decide about them.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, TestApi};

fn plan(slug: &str, size: &str) -> Value {
    json!({
        "slug": slug, "name": "Basic 16 GB", "provider": "digitalocean", "provider_slug": size, "vcpu": 8,
        "memory_mb": 16_384, "disk_gb": 320, "bandwidth_gb": 6_000, "price_monthly": 1_699_000,
        "cost_monthly_usd": "96.00", "stock_limit": 2, "is_active": true, "regions": ["sgp1"],
    })
}

fn slugs(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|entry| entry["slug"].as_str().unwrap()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_plan_is_made_sold_and_changed(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (admin, support) = (app.user(Role::Admin).await, app.user(Role::Support).await);
    let before = app.nobody().get("/plans").await.headers["etag"].clone();
    let made = admin.post("/admin/plans", &plan("do-basic-64gb", "s-8vcpu-64gb")).await;
    assert_eq!(made.header("location"), Some("/api/v1/admin/plans/do-basic-64gb"));
    let made = made.expect(201);
    assert_eq!((&made["cost_monthly"], &made["margin_monthly"]), (&json!(1_584_000), &json!(115_000)));
    assert_eq!(
        (&made["sold"], &made["is_active"], &made["regions"]),
        (&json!(0), &json!(true), &json!(["sgp1"]))
    );
    assert_eq!(support.get("/admin/plans/do-basic-64gb").await.expect(200), made);
    let sold = app.nobody().get("/plans").await;
    assert_ne!(sold.headers["etag"], before, "the public list is another one");
    assert!(slugs(&sold.body).contains(&"do-basic-64gb"));

    let order = app.order().plan("do-basic-64gb").place().await;
    let total = app.count_of("SELECT total FROM orders WHERE id = $1", order.id).await;
    let change = json!({ "price_monthly": 1_999_000, "name": "Basic 16", "stock_limit": null, "final_snapshot_days": 30,
                          "regions": ["sgp1", "blr1"] });
    let changed = admin.patch("/admin/plans/do-basic-64gb", &change).await.expect(200);
    assert_eq!((&changed["price_monthly"], &changed["stock_limit"]), (&json!(1_999_000), &Value::Null));
    assert_eq!(changed["final_snapshot_days"], 30);
    assert_eq!(
        (&changed["name"], &changed["sold"], &changed["vcpu"]),
        (&json!("Basic 16"), &json!(1), &json!(8))
    );
    assert_eq!(
        app.count_of("SELECT total FROM orders WHERE id = $1", order.id).await,
        total,
        "what is sold stays"
    );
    let shown = app.nobody().get("/plans/do-basic-64gb").await.expect(200);
    assert_eq!(shown["price_monthly"], 1_999_000);
    let off = admin.patch("/admin/plans/do-basic-64gb", &json!({ "is_active": false })).await.expect(200);
    assert_eq!(off["is_active"], false);
    assert_eq!(app.nobody().get("/plans/do-basic-64gb").await.problem(), (404, "not_found"));
    admin.patch("/admin/plans/do-basic-64gb", &json!({ "is_active": false })).await.expect(200);

    let log = admin.get("/admin/audit-log?object_kind=plan").await.expect(200);
    let acts = log["data"].as_array().unwrap();
    assert_eq!(acts.len(), 3, "saying what is so is no act: {log}");
    assert_eq!(
        (&acts[1]["before"]["price_monthly"], &acts[1]["after"]["price_monthly"]),
        (&json!(1_699_000), &json!(1_999_000))
    );
    assert_eq!(acts[2]["action"], "plan.create");
    // A seed that comes later leaves alone what staff decided.
    admin
        .patch("/admin/plans/do-basic-1gb", &json!({ "name": "Kecil", "cost_monthly_usd": "5.5" }))
        .await
        .expect(200);
    app.store.seed().await.unwrap();
    let kept = support.get("/admin/plans/do-basic-1gb").await.expect(200);
    assert_eq!((&kept["name"], &kept["cost_monthly_usd"]), (&json!("Kecil"), &json!("5.5")));
}

#[sqlx::test(migrations = "../migrations")]
async fn plans_are_found_and_sorted(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let list = async |query: &str| support.get(&format!("/admin/plans?{query}")).await.expect(200);
    assert_eq!(slugs(&list("provider=vultr&limit=100").await).len(), 6);
    let cheapest = list("sort=price_monthly&limit=100").await;
    let prices: Vec<i64> = cheapest["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| plan["price_monthly"].as_i64().unwrap())
        .collect();
    assert!(prices.len() == 19 && prices.is_sorted(), "{prices:?}");
    assert_eq!(slugs(&list("active=false").await).len(), 0);
    app.run(
        "UPDATE plans SET unavailable_since = now(), unavailable_reason = 'gone' WHERE slug = 'do-basic-1gb'",
    )
    .await;
    assert_eq!(slugs(&list("available=false").await), ["do-basic-1gb"]);
    for query in ["sort=name", "active=perhaps", "limit=0"] {
        assert_eq!(
            support.get(&format!("/admin/plans?{query}")).await.problem(),
            (400, "invalid_query"),
            "{query}"
        );
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let catalog = "SELECT md5(string_agg(p::text, ',' ORDER BY p.id)) FROM plans p";
    let before = app.text(catalog).await;
    let taken = admin.post("/admin/plans", &plan("do-basic-1gb", "s-8vcpu-64gb")).await;
    assert_eq!((taken.problem(), taken.fields()), ((409, "slug_taken"), vec!["slug"]));
    let same = admin.post("/admin/plans", &plan("do-new", "s-1vcpu-1gb")).await;
    assert_eq!(same.problem(), (409, "size_taken"));
    for (field, value, code) in [
        ("price_monthly", json!(0), "validation_failed"),
        ("price_monthly", json!(-129_000), "validation_failed"),
        ("price_monthly", json!(1_000_000_001), "validation_failed"),
        ("price_monthly", json!(129_000.5), "invalid_body"),
        ("cost_monthly_usd", json!("-1"), "validation_failed"),
        ("cost_monthly_usd", json!("1.00001"), "validation_failed"),
        ("cost_monthly_usd", json!("dear"), "invalid_body"),
        ("slug", json!("Do Basic"), "validation_failed"),
        ("slug", json!("a"), "validation_failed"),
        ("name", json!("  "), "validation_failed"),
        ("stock_limit", json!(-1), "validation_failed"),
        ("final_snapshot_days", json!(0), "validation_failed"),
        ("vcpu", json!(0), "validation_failed"),
        ("provider", json!("hetzner"), "provider_unknown"),
        ("regions", json!(["vultr-sgp"]), "region_unknown"),
        ("colour", json!("red"), "invalid_body"),
    ] {
        let mut request = plan("do-new", "s-8vcpu-64gb");
        request[field] = value.clone();
        let refused = admin.post("/admin/plans", &request).await;
        assert_eq!(refused.problem(), (422, code), "{field} = {value}");
    }
    for (change, code) in [
        (json!({ "price_monthly": 0 }), "validation_failed"),
        (json!({ "slug": "do-other" }), "invalid_body"),
        (json!({ "vcpu": 4 }), "invalid_body"),
        (json!({ "regions": ["nowhere"] }), "region_unknown"),
    ] {
        let refused = admin.patch("/admin/plans/do-basic-1gb", &change).await;
        assert_eq!(refused.problem(), (422, code), "{change}");
    }
    assert_eq!(app.text(catalog).await, before);
    assert_eq!(admin.patch("/admin/plans/none", &json!({})).await.problem(), (404, "not_found"));

    // What vanished at the provider is not put on sale; what is on sale there may be changed otherwise.
    app.run(
        "UPDATE plans SET is_active = false, unavailable_since = now(),
                unavailable_reason = 'the provider has no size s-1vcpu-1gb any more' WHERE slug = 'do-basic-1gb'",
    )
    .await;
    let gone = admin.patch("/admin/plans/do-basic-1gb", &json!({ "is_active": true })).await;
    let gone = gone.expect_problem(409, "plan_unavailable");
    assert!(gone["detail"].as_str().unwrap().contains("s-1vcpu-1gb"));
    admin.patch("/admin/plans/do-basic-1gb", &json!({ "price_monthly": 1 })).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn regions_images_and_terms_are_taken_off_and_put_back(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (admin, support) = (app.user(Role::Admin).await, app.user(Role::Support).await);
    app.order().active().await;
    let regions = support.get("/admin/regions?provider=digitalocean").await.expect(200);
    let singapore =
        regions["data"].as_array().unwrap().iter().find(|one| one["slug"] == "sgp1").unwrap().clone();
    assert_eq!((&singapore["server_count"], &singapore["is_active"]), (&json!(1), &json!(true)));
    let tag = async |list: &str| app.nobody().get(&format!("/{list}")).await.headers["etag"].clone();

    let before = tag("regions").await;
    let off = admin
        .patch("/admin/regions/sgp1", &json!({ "is_active": false, "name": "Singapura" }))
        .await
        .expect(200);
    assert_eq!(
        (&off["name"], &off["is_active"], &off["server_count"]),
        (&json!("Singapura"), &json!(false), &json!(1))
    );
    let public = app.nobody().get("/regions").await;
    assert_ne!(public.headers["etag"], before);
    assert!(!slugs(&public.body).contains(&"sgp1"));
    assert!(
        slugs(&support.get("/admin/regions").await.expect(200)).contains(&"sgp1"),
        "staff see it all the same"
    );

    let before = tag("images").await;
    admin.patch("/admin/images/debian-12", &json!({ "is_active": false })).await.expect(200);
    assert_ne!(tag("images").await, before);
    let images = support.get("/admin/images").await.expect(200);
    let debian = images["data"].as_array().unwrap().iter().find(|one| one["slug"] == "debian-12").unwrap();
    assert_eq!((&debian["is_active"], debian["sources"].as_array().unwrap().len()), (&json!(false), 3));

    let before = tag("plans").await;
    let year = admin.patch("/admin/terms/12", &json!({ "discount_bp": 2_000 })).await.expect(200);
    assert_eq!(year, json!({ "months": 12, "discount_bp": 2_000, "is_active": true }));
    assert_ne!(tag("plans").await, before, "a plan names what its terms cost");
    assert_eq!(support.get("/admin/terms").await.expect(200)["data"].as_array().unwrap().len(), 4);

    for (path, change) in [
        ("/admin/terms/12", json!({ "discount_bp": 10_000 })),
        ("/admin/terms/12", json!({ "discount_bp": -1 })),
        ("/admin/regions/sgp1", json!({ "name": "" })),
        ("/admin/images/debian-12", json!({ "sort_order": -1 })),
    ] {
        assert_eq!(admin.patch(path, &change).await.problem(), (422, "validation_failed"), "{path} {change}");
    }
    for path in ["/admin/terms/7", "/admin/terms/year", "/admin/regions/none", "/admin/images/none"] {
        assert_eq!(admin.patch(path, &json!({})).await.problem(), (404, "not_found"), "{path}");
    }
    let acts = app.texts("SELECT action FROM audit_log WHERE action LIKE '%.change' ORDER BY id").await;
    assert_eq!(acts, ["region.change", "image.change", "term.change"]);
}
