//! Changing only what one has seen, and being told what was asked for before.

use domain::role::Role;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Caller, Expect, Method, TestApi};

use crate::calls::open;

/// The ETag that reading `path` gives.
async fn tag(who: &Caller, path: &str) -> String {
    let answer = who.get(path).await;
    answer.header("etag").unwrap_or_else(|| panic!("{path}: {}", answer.body)).to_owned()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_profile_is_changed_only_as_it_was_seen(pool: PgPool) {
    let app = open(pool).await;
    let siti = app.user(Role::Customer).await;
    let seen = tag(&siti, "/auth/me").await;
    let change = |name: &str, condition: &str| {
        let body = json!({ "full_name": name });
        siti.request(Method::PATCH, "/auth/me").header("if-match", condition).json(&body)
    };
    assert_eq!(change("Siti A", &seen).await.expect(200)["full_name"], "Siti A");
    change("Siti B", &seen).await.expect_problem(412, "precondition_failed");
    change("Siti B", "W/\"x\"").await.expect_problem(412, "precondition_failed");
    assert_eq!(siti.get("/auth/me").await.expect(200)["full_name"], "Siti A");
    assert_ne!(tag(&siti, "/auth/me").await, seen);
    change("Siti C", &format!("{seen}, {}", tag(&siti, "/auth/me").await)).await.expect(200);
    change("Siti D", "*").await.expect(200);
    let plain = siti.request(Method::PATCH, "/auth/me").json(&json!({ "full_name": "Siti E" })).await;
    assert_eq!(plain.expect(200)["full_name"], "Siti E");
}

#[sqlx::test(migrations = "../migrations")]
async fn preferences_are_replaced_only_as_they_were_seen(pool: PgPool) {
    let app = open(pool).await;
    let siti = app.user(Role::Customer).await;
    let path = "/auth/me/notification-preferences";
    let seen = tag(&siti, path).await;
    let off =
        json!({ "preferences": [{ "type": "SYSTEM_ANNOUNCEMENT", "channel": "EMAIL", "enabled": false }] });
    let set = |condition: &str| siti.request(Method::PUT, path).header("if-match", condition).json(&off);
    set("\"other\"").await.expect_problem(412, "precondition_failed");
    set(&seen).await.expect(200);
    set(&seen).await.expect_problem(412, "precondition_failed");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_staff_change_has_a_version(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Superadmin).await;
    let cases = [
        ("/admin/plans/do-basic-1gb", json!({ "sort_order": 7 })),
        ("/admin/regions/sgp1", json!({ "sort_order": 7 })),
        ("/admin/images/ubuntu-24-04", json!({ "sort_order": 7 })),
        ("/admin/terms/12", json!({ "discount_bp": 700 })),
        ("/admin/providers/digitalocean", json!({ "is_active": false })),
    ];
    for (path, change) in cases {
        let seen = tag(&admin, path).await;
        let send =
            |condition: &str| admin.request(Method::PATCH, path).header("if-match", condition).json(&change);
        let before = admin.get(path).await.expect(200);
        send("\"other\"").await.expect_problem(412, "precondition_failed");
        assert_eq!(admin.get(path).await.expect(200), before, "{path}");
        send(&seen).await.expect(200);
        assert_ne!(tag(&admin, path).await, seen, "{path}");
    }
    let pause = "/admin/pauses/all";
    let reason = json!({ "reason": "an incident" });
    let put = |condition: &str| admin.request(Method::PUT, pause).header("if-match", condition).json(&reason);
    put("*").await.expect_problem(412, "precondition_failed");
    admin.request(Method::PUT, pause).json(&reason).await.expect(200);
    put(&tag(&admin, pause).await).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_nobody_knows_is_not_asked_for(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let siti = app.user(Role::Customer).await;
    for path in [
        "/orders?stauts=PAID",
        "/plans?provider=vultr&utm_source=x",
        "/auth/me?x",
        "/instances?limit=5&page=2",
    ] {
        let refused = siti.get(path).await;
        assert_eq!(refused.problem(), (400, "invalid_query"), "{path}: {}", refused.body);
        assert_eq!(refused.fields().len(), 1, "{path}: {}", refused.body);
    }
    let long = "x".repeat(300);
    siti.get(&format!("/orders?search={long}")).await.expect_problem(400, "invalid_query");
    // A word of a closed set is one of them; a thing that is not there has nothing.
    siti.get("/orders?status=NONE").await.expect_problem(400, "invalid_query");
    for path in [
        "/orders?plan=none",
        "/instances?tag=none",
        "/plans?provider=none",
        "/refunds?order_id=0193e7d0-4362-7709-b262-4de1f9ad2f5e",
    ] {
        assert_eq!(siti.get(path).await.expect(200)["data"], json!([]), "{path}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_somebody_elses_is_not_there(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let siti = app.user(Role::Customer).await;
    let id = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";
    for path in ["/refunds", "/credit-notes", "/images", "/regions"] {
        siti.get(&format!("{path}/{id}")).await.expect_problem(404, "not_found");
    }
    siti.get(&format!("/instances/{id}/snapshots/1")).await.expect_problem(404, "not_found");
    let tags =
        siti.request(Method::PUT, &format!("/instances/{id}/tags")).json(&json!({ "tags": ["web"] })).await;
    tags.expect_problem(404, "not_found");
    let bad = siti
        .request(Method::PUT, &format!("/instances/{id}/tags"))
        .json(&json!({ "tags": ["a", "B"] }))
        .await;
    assert_eq!((bad.problem(), bad.fields()), ((422, "validation_failed"), vec!["tags[1]"]));
    assert_eq!(siti.get("/regions/sgp1").await.expect(200)["slug"], "sgp1");
    assert_eq!(siti.get("/images/debian-12").await.expect(200)["slug"], "debian-12");
    assert_eq!(siti.get("/credit-notes").await.expect(200)["data"], json!([]));
}
