//! The internal provider API: provisioning, servers, what the providers have.

use domain::{api_key::Scope, provisioning::FailureClass, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method, StatusCode};
use uuid::Uuid;

use crate::{World, assert_problem, place};

#[sqlx::test(migrations = "../migrations")]
async fn every_operation_wants_a_key_and_is_documented(pool: PgPool) {
    let world = World::open(pool).await;
    let document = serde_json::to_value(api::internal_document()).unwrap();
    let mut guarded = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(relative) = path.strip_prefix("/internal") else { continue };
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            guarded += 1;
            let scope = documented_scope(operation);
            for status in ["401", "403", "503"] {
                assert!(
                    operation["responses"].get(status).is_some(),
                    "{method} {path} says nothing of {status}"
                );
            }
            let filled: Vec<_> = relative
                .split('/')
                .map(|part| if part.starts_with('{') { "0193e7d0-4362-7709-b262-4de1f9ad2f5e" } else { part })
                .collect();
            let (path, method) = (filled.join("/"), method.to_uppercase().parse::<Method>().unwrap());
            let body = if method == Method::GET { Value::Null } else { json!({}) };
            for (key, code) in [(None, "api_key_missing"), (Some("wbk_wrong"), "api_key_invalid")] {
                let caller = key.map_or(world.internal(), |key| world.internal().with_key(key));
                let refused = caller.request(method.clone(), &path).json(&body).await;
                assert_problem(&refused, 401, code);
            }
            let others: Vec<Scope> = Scope::ALL.iter().copied().filter(|other| *other != scope).collect();
            let without = world.api_key_for(&format!("without for {guarded}"), &others).await;
            let refused = world.program_with(&without, method.clone(), &path, &body).await;
            assert_problem(&refused, 403, "scope_missing");
            let with = world.api_key_for(&format!("with for {guarded}"), &[scope]).await;
            let taken = world.program_with(&with, method.clone(), &path, &body).await;
            assert!(![401, 403].contains(&taken.status.as_u16()), "{method} {path}: {}", taken.body);
        }
    }
    assert_eq!(guarded, 8, "{document}");
    let served = world.program(Method::GET, "/openapi.json", &Value::Null).await;
    assert_eq!((served.status, &served.body["paths"]), (StatusCode::OK, &document["paths"]));
}

/// The one right that an operation says it wants.
fn documented_scope(operation: &Value) -> Scope {
    let scopes = operation["security"][0]["api_key"].as_array().unwrap();
    assert_eq!(scopes.len(), 1, "{operation}");
    scopes[0].as_str().unwrap().parse().unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_deleted_without_the_right_to_it(pool: PgPool) {
    let world = World::open(pool).await;
    let usual = world.api_key_for("usual", &Scope::usual()).await;
    let path = format!("/instances/{}", world.server);
    let delete = world.program_with(&usual, Method::DELETE, &path, &Value::Null).await;
    assert_problem(&delete, 403, "scope_missing");
    // Nor by the other way.
    let body = json!({ "action": "delete" });
    let act = format!("{path}/action");
    let refused = world.program_with(&usual, Method::POST, &act, &body).await;
    assert_problem(&refused, 403, "scope_missing");
    let only = world.api_key_for("deletes only", &[Scope::InstancesDelete]).await;
    let refused = world.program_with(&only, Method::POST, &act, &body).await;
    assert_problem(&refused, 403, "scope_missing");
    let reboot = json!({ "action": "reboot" });
    let taken = world.program_with(&usual, Method::POST, &act, &reboot).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn provisioning_is_idempotent_by_the_order(pool: PgPool) {
    let world = World::open(pool).await;
    let provision =
        async |order: Value| world.program(Method::POST, "/provision", &json!({ "order_id": order })).await;
    let active = provision(json!(world.order)).await;
    assert_eq!(active.status, StatusCode::OK, "{}", active.body);
    assert_eq!(
        active.body,
        json!({ "order_id": world.order, "status": "ACTIVE", "instance_id": world.server })
    );

    let other = place(&world.me).await;
    assert_problem(&provision(json!(other)).await, 409, "order_not_paid");
    world.pay_for(other).await;
    for _ in 0..2 {
        let paid = provision(json!(other)).await;
        assert_eq!(
            (paid.status, &paid.body["status"]),
            (StatusCode::ACCEPTED, &json!("PAID")),
            "{}",
            paid.body
        );
        assert_eq!(paid.body["instance_id"], Value::Null);
    }
    let server = world.store.start_provisioning(other).await.unwrap().instance_id.unwrap();
    let under_way = provision(json!(other)).await;
    assert_eq!((under_way.status, &under_way.body["instance_id"]), (StatusCode::ACCEPTED, &json!(server)));
    world.fail(other, FailureClass::Permanent).await;
    let failed = provision(json!(other)).await;
    assert_problem(&failed, 409, "provisioning_failed");
    assert!(failed.body["detail"].as_str().unwrap().contains("retry-provisioning"));
    let cancel = format!("/admin/orders/{other}/cancel");
    let reason = json!({ "reason": "not wanted any more" });
    world.user(Role::Admin).await.post(&cancel, &reason).await.expect(200);
    assert_problem(&provision(json!(other)).await, 409, "order_conflict");

    assert_problem(&provision(json!(Uuid::now_v7())).await, 404, "not_found");
    assert_problem(&provision(json!("no id")).await, 422, "invalid_body");
    assert_problem(&provision(Value::Null).await, 422, "invalid_body");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_shown_with_what_its_provider_tells(pool: PgPool) {
    let world = World::open(pool).await;
    let path = format!("/instances/{}", world.server);
    let seen = world.program(Method::GET, &path, &Value::Null).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    let server = world.store.any_server_ref(world.server).await.unwrap();
    assert_eq!(seen.body["provider_instance_id"], json!(server.provider_instance_id));
    assert_eq!((&seen.body["status"], &seen.body["provider"]), (&json!("ACTIVE"), &json!("digitalocean")));
    let tag = format!("wb-{}", world.order);
    assert!(seen.body["live"]["tags"].as_array().unwrap().contains(&json!(tag)), "{}", seen.body);
    assert_eq!(seen.body["live"]["power_state"], "ON");

    assert_eq!(seen.body["live_as_of"].as_str().map(str::is_empty), Some(false));

    world.outdate_reads().await;
    world.break_once("GET /v2/droplets/{id}").await;
    let kept = world.program(Method::GET, &path, &Value::Null).await;
    assert_eq!(kept.body["live"], seen.body["live"], "what is kept, with its age");

    world.run("DELETE FROM provider_reads").await;
    world.break_once("GET /v2/droplets/{id}").await;
    let away = world.program(Method::GET, &path, &Value::Null).await;
    assert_eq!((away.status, &away.body["live"]), (StatusCode::OK, &Value::Null), "{}", away.body);
    assert_eq!(away.body["live_problem"], "provider_unavailable");
    let unknown = world.program(Method::GET, &format!("/instances/{}", Uuid::nil()), &Value::Null).await;
    assert_problem(&unknown, 404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn programs_ask_for_what_customers_may_and_more(pool: PgPool) {
    let world = World::open(pool).await;
    let path = format!("/instances/{}/action", world.server);
    let act = async |body: Value, key: Option<&str>| {
        let request = world.program(Method::POST, &path, &body);
        key.into_iter().fold(request, |request, key| request.key(key)).await
    };
    let reboot = act(json!({ "action": "reboot" }), Some("k")).await;
    assert_eq!(reboot.status, StatusCode::ACCEPTED, "{}", reboot.body);
    assert_eq!(reboot.body["action"]["requested_by"], "api_key");
    let again = act(json!({ "action": "reboot" }), Some("k")).await;
    assert_eq!(again.body["action"]["id"], reboot.body["action"]["id"]);
    assert_problem(&act(json!({ "action": "power_on" }), Some("k")).await, 422, "idempotency_key_reused");

    let current = world.store.any_instance(world.server).await.unwrap().plan;
    let larger: Uuid = sqlx::query_scalar(
        "SELECT l.id FROM plans l JOIN plans c ON c.provider_id = l.provider_id AND c.slug = $1
         WHERE l.disk_gb > c.disk_gb ORDER BY l.disk_gb LIMIT 1",
    )
    .bind(&current)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    let resize =
        async |plan: Uuid| act(json!({ "action": "resize", "params": { "plan_id": plan } }), None).await;
    assert_eq!(resize(larger).await.status, StatusCode::ACCEPTED);
    for refused in [world.plan(&current).await.0, Uuid::nil()] {
        assert_problem(&resize(refused).await, 422, "plan_not_offered");
    }
    assert_problem(&act(json!({ "action": "resize" }), None).await, 422, "invalid_params");

    let path = format!("/instances/{}", world.server);
    let first = world.program(Method::DELETE, &path, &Value::Null).await;
    let second = world.program(Method::DELETE, &path, &Value::Null).await;
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(first.body["action"]["id"], second.body["action"]["id"]);
    assert_eq!(first.body["action"]["action"], "delete");
    assert_problem(&act(json!({ "action": "reboot" }), None).await, 409, "instance_conflict");
    let unknown = world.program(Method::DELETE, &format!("/instances/{}", Uuid::nil()), &Value::Null).await;
    assert_problem(&unknown, 404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_providers_have_is_asked_of_them(pool: PgPool) {
    let world = World::open(pool).await;
    for (what, slug) in [("regions", "sgp1"), ("sizes", "s-1vcpu-1gb"), ("images", "ubuntu-24-04-x64")] {
        for path in [format!("/{what}"), format!("/{what}?provider=digitalocean")] {
            let listed = world.program(Method::GET, &path, &Value::Null).await;
            assert_eq!(listed.status, StatusCode::OK, "{path}: {}", listed.body);
            let found = listed.body["data"].as_array().unwrap().iter().find(|entry| entry["slug"] == slug);
            assert_eq!(found.unwrap()["provider"], "digitalocean", "{path}");
            assert_eq!(listed.body["unavailable"], json!([]));
        }
        let bad = |provider: &str| format!("/{what}?provider={provider}");
        assert_problem(&world.program(Method::GET, &bad("aws"), &Value::Null).await, 404, "unknown_provider");
        let not_set_up = world.program(Method::GET, &bad("vultr"), &Value::Null).await;
        assert_problem(&not_set_up, 409, "provider_disabled");
    }
    assert_eq!(world.calls("GET /v2/regions"), 1, "kept for a moment");

    world.run("UPDATE providers SET is_active = false WHERE slug = 'digitalocean'").await;
    let off = world.program(Method::GET, "/regions?provider=digitalocean", &Value::Null).await;
    assert_problem(&off, 409, "provider_disabled");
    assert_eq!(world.program(Method::GET, "/regions", &Value::Null).await.body["data"], json!([]));
}
