//! Renewals by themselves, and the admin's hands on servers' lives.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method};
use uuid::Uuid;

use crate::World;

#[sqlx::test(migrations = "../migrations")]
async fn a_customer_has_terms_renewed_or_not(pool: PgPool) {
    let world = World::open(pool).await;
    let path = format!("/instances/{}/auto-renew", world.server);
    for enabled in [true, true, false] {
        let server = world.me.put(&path, &json!({ "enabled": enabled })).await.expect(200);
        assert_eq!(server["auto_renew"], enabled);
    }
    world.me.put(&path, &json!({})).await.expect_problem(422, "invalid_body");
    world.me.put(&path, &json!({ "enabled": "yes" })).await.expect_problem(422, "invalid_body");
    let other = world.user(Role::Customer).await;
    other.put(&path, &json!({ "enabled": true })).await.expect_problem(404, "not_found");
    world.run("UPDATE instances SET status = 'TERMINATED'").await;
    world.me.put(&path, &json!({ "enabled": true })).await.expect_problem(409, "instance_conflict");
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_hold_a_server_and_release_it(pool: PgPool) {
    let world = World::open(pool).await;
    let admin = world.user(Role::Admin).await;
    let holds = format!("/admin/instances/{}/holds", world.server);
    let hold = json!({ "kind": "legal", "stops_clock": true, "reason": "a letter of the court" });
    let held = admin.post(&holds, &hold).await.expect(201);
    assert_eq!((&held["kind"], &held["released_at"]), (&json!("legal"), &Value::Null));
    admin.post(&holds, &hold).await.expect_problem(409, "instance_conflict");
    for (code, bad) in [
        ("invalid_body", json!({ "kind": "spite", "stops_clock": true, "reason": "a reason" })),
        ("invalid_body", json!({ "kind": "legal", "reason": "a reason" })),
        ("validation_failed", json!({ "kind": "legal", "stops_clock": true, "reason": "  " })),
        (
            "invalid_body",
            json!({ "kind": "legal", "stops_clock": true, "reason": "a reason", "until": "soon" }),
        ),
    ] {
        admin.post(&holds, &bad).await.expect_problem(422, code);
    }
    let over = json!({ "kind": "legal", "stops_clock": true, "reason": "a reason", "until": "2020-01-01T00:00:00Z" });
    admin.post(&holds, &over).await.expect_problem(409, "instance_conflict");
    let listed = admin.get(&holds).await.expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    let one = format!("{holds}/{}", held["id"].as_str().unwrap());
    for _ in 0..2 {
        let released = admin.delete(&one).await.expect(200);
        assert!(released["released_at"].is_string(), "{released}");
    }
    admin.delete(&format!("{holds}/{}", Uuid::nil())).await.expect_problem(404, "not_found");
    let nowhere = format!("/admin/instances/{}/holds", Uuid::nil());
    admin.post(&nowhere, &hold).await.expect_problem(404, "not_found");
    let audited = "SELECT count(*) FROM audit_log WHERE action IN ('instance.hold', 'instance.release')";
    assert_eq!(world.count(audited).await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn rules_pauses_and_releases_are_refused_when_they_make_no_sense(pool: PgPool) {
    let world = World::open(pool).await;
    let admin = world.user(Role::Admin).await;
    let rules = admin.get("/admin/life/rules").await.expect(200);
    let first = &rules["data"][0];
    assert_eq!((&first["version"], &first["rules"]["grace_ms"]), (&json!(1), &json!(259_200_000)));
    let mut wrong = first["rules"].clone();
    wrong["remind_before_ms"] = json!([1, 2, 3]);
    let problem = admin.post("/admin/life/rules", &wrong).await.expect_problem(422, "life_rules_invalid");
    assert_eq!(problem["errors"][0]["field"], "remind_before_ms", "{problem}");
    wrong["surprise"] = json!(1);
    admin.post("/admin/life/rules", &wrong).await.expect_problem(422, "invalid_body");
    let mut right = first["rules"].clone();
    right["grace_ms"] = json!(86_400_000);
    let made = admin.post("/admin/life/rules", &right).await.expect(201);
    assert_eq!((&made["data"][0]["version"], &made["data"][0]["rules"]), (&json!(2), &right));

    let reason = json!({ "reason": "an incident" });
    admin.put("/admin/life/pauses/all/renewals", &reason).await.expect(200);
    admin.put("/admin/life/pauses/vultr/terminations", &reason).await.expect(200);
    admin.put("/admin/life/pauses/all/naps", &reason).await.expect_problem(404, "not_found");
    admin.put("/admin/life/pauses/nowhere/renewals", &reason).await.expect_problem(404, "not_found");
    let paused = admin.get("/admin/life/pauses").await.expect(200);
    let scopes: Vec<&Value> =
        paused["data"].as_array().unwrap().iter().map(|pause| &pause["scope"]).collect();
    assert_eq!(scopes, ["all", "vultr"]);
    admin.delete("/admin/life/pauses/all/renewals").await.expect(204);
    admin.delete("/admin/life/pauses/all/renewals").await.expect_problem(404, "not_found");

    let release = json!({ "step": "suspend", "number": 3, "reason": "they do owe" });
    let problem = admin.post("/admin/life/releases", &release).await.expect_problem(409, "held_changed");
    assert!(problem["detail"].as_str().unwrap().starts_with("0 servers wait"), "{problem}");
    let held = admin.get("/admin/life/held").await.expect(200);
    assert_eq!(held["data"], json!([]));
    admin.post("/admin/life/confirm-restore", &json!({})).await.expect(204);
    let support = world.user(Role::Support).await;
    support.request(Method::GET, "/admin/life/held").await.expect(200);
    support.post("/admin/life/releases", &release).await.expect_problem(403, "forbidden");
}
