//! Providers, syncs of their catalogs, and comparisons with the database, as staff see and ask for them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use domain::{
    Rupiah,
    catalog::{ProviderCatalog, ProviderImage, ProviderRegion, ProviderSize},
    ids::ReconciliationId,
    reconciliation::{FindingAction, FindingKind, FindingReason},
    role::Role,
};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::{PgPool, types::Decimal};
use store::reconciliation::{NewFinding, NewQuarantine};
use testkit::http::{Answer, StatusCode, TestApi, User, redacted};
use uuid::Uuid;

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{:?}", answer.body);
}

async fn outbox(app: &TestApi) -> Vec<(String, Value)> {
    let sql = "SELECT workflow_id, payload FROM outbox ORDER BY id";
    sqlx::query_as(sql).fetch_all(&app.pool).await.unwrap()
}

async fn change(who: &User, slug: &str, body: Value) -> Answer {
    who.patch(&format!("/admin/providers/{slug}"), &body).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_superadmin_takes_a_provider_off_sale(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let superadmin = app.user(Role::Superadmin).await;
    let id = superadmin.id;
    refused(&change(&admin, "digitalocean", json!({ "is_active": false })).await, 403, "forbidden");
    refused(&change(&superadmin, "hetzner", json!({ "is_active": false })).await, 404, "not_found");
    refused(&change(&superadmin, "digitalocean", json!({ "slug": "do" })).await, 422, "invalid_body");
    refused(&change(&superadmin, "digitalocean", json!({})).await, 422, "invalid_body");

    let off = change(&superadmin, "digitalocean", json!({ "is_active": false })).await;
    assert_eq!((off.status, &off.body["is_active"]), (StatusCode::OK, &json!(false)), "{:?}", off.body);
    assert_eq!(app.nobody().get("/providers").await.body, json!({ "data": [] }));
    change(&superadmin, "digitalocean", json!({ "is_active": false })).await;
    let log = superadmin.get("/admin/audit-log?object_kind=provider").await;
    assert_eq!(log.body["data"].as_array().unwrap().len(), 1);
    let entry = &log.body["data"][0];
    assert_eq!((&entry["action"], &entry["actor"]["id"]), (&json!("provider.deactivate"), &json!(id)));
    assert_eq!((&entry["before"]["is_active"], &entry["after"]["is_active"]), (&json!(true), &json!(false)));

    let support = app.user(Role::Support).await;
    let all = support.get("/admin/providers").await;
    let told: Vec<_> = all.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            (
                p["slug"].as_str().unwrap(),
                p["is_active"].as_bool().unwrap(),
                p["is_set_up"].as_bool().unwrap(),
            )
        })
        .collect();
    for known in [("digitalocean", false, true), ("linode", true, false), ("vultr", true, false)] {
        assert!(told.contains(&known), "{known:?} in {told:?}");
    }
    assert_eq!(told.iter().filter(|(_, is_active, is_set_up)| !is_active || *is_set_up).count(), 1);
    assert!(told.is_sorted(), "by slug: {told:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_sync_is_asked_for_and_its_report_read(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let id = admin.id;
    let me = &admin;
    refused(&me.post("/admin/providers/hetzner/sync", &Value::Null).await, 404, "not_found");
    refused(&me.post("/admin/providers/vultr/sync", &Value::Null).await, 409, "provider_not_set_up");
    assert!(outbox(&app).await.is_empty());

    let asked = me.post("/admin/providers/digitalocean/sync", &Value::Null).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{:?}", asked.body);
    assert_eq!((&asked.body["status"], &asked.body["requested_by"]), (&json!("REQUESTED"), &json!(id)));
    let run: Uuid = asked.body["id"].as_str().unwrap().parse().unwrap();
    let expected = json!({ "kind": "sync_catalog", "body": { "sync_id": run, "provider": "digitalocean" } });
    assert_eq!(outbox(&app).await, [(format!("catalog-sync/digitalocean/{run}"), expected)]);

    let told = ProviderCatalog {
        regions: vec![ProviderRegion {
            slug: "sgp1".into(),
            name: "S".into(),
            country: None,
            available: true,
        }],
        sizes: vec![ProviderSize {
            slug: "s-1vcpu-1gb".into(),
            vcpu: 1,
            memory_mb: 1024,
            disk_gb: 25,
            transfer_gb: 1000,
            price_monthly_usd: Decimal::new(7, 0),
            regions: Vec::new(),
            available: true,
        }],
        images: vec![ProviderImage {
            slug: "ubuntu-24-04-x64".into(),
            name: "24.04".into(),
            distribution: "Ubuntu".into(),
            available: true,
        }],
        capabilities: Vec::new(),
    };
    app.store.complete_catalog_sync(run.into(), &told).await.unwrap();
    let read = me.get(&format!("/admin/catalog-syncs/{run}")).await;
    assert_eq!(
        (&read.body["status"], &read.body["added"]),
        (&json!("COMPLETED"), &json!(3)),
        "{:?}",
        read.body
    );
    assert_eq!(read.body["report"]["sizes"]["added"], json!(["s-1vcpu-1gb"]));
    assert_eq!(read.body["report"]["costs"], json!([{ "plan": "do-basic-1gb", "ours": "6", "theirs": "7" }]));
    assert!(read.body["report"]["offers"].as_array().unwrap().iter().any(|offer| {
        offer["slug"] == "do-basic-2gb" && offer["reason"].as_str().unwrap().contains("s-1vcpu-2gb")
    }));
    let plans = app.nobody().get("/plans").await;
    assert_eq!(plans.body["data"].as_array().unwrap().len(), 1);

    let list = me.get("/admin/catalog-syncs?provider=digitalocean").await;
    assert_eq!(list.body["data"][0]["id"], json!(run));
    assert_eq!(me.get("/admin/catalog-syncs?provider=vultr").await.body["data"], json!([]));
    refused(&me.get(&format!("/admin/catalog-syncs/{}", Uuid::now_v7())).await, 404, "not_found");
}

/// A run that found an orphan and a ghost.
async fn comparison(app: &TestApi) -> ReconciliationId {
    let begun = app.store.begin_reconciliation("digitalocean", None, "a run", true).await.unwrap();
    let finding = NewFinding {
        kind: FindingKind::Orphan,
        reason: FindingReason::NoOrder,
        action: FindingAction::WouldQuarantine,
        provider_instance_id: "7".to_owned(),
        name: Some("web-1".to_owned()),
        tags: vec!["webrana".to_owned()],
        size: Some("s-1vcpu-1gb".to_owned()),
        region: Some("sgp1".to_owned()),
        order_id: None,
        instance_id: None,
        server_created_at: Some(begun.at - chrono::TimeDelta::hours(2)),
        monthly_cost: Some(Rupiah::new(96_000)),
        detail: json!({}),
    };
    let ghost = NewFinding {
        kind: FindingKind::Ghost,
        reason: FindingReason::NotAtProvider,
        action: FindingAction::None,
        server_created_at: None,
        monthly_cost: Some(Rupiah::ZERO),
        ..finding.clone()
    };
    let rate = Decimal::new(16_000, 0);
    app.store.complete_reconciliation(begun.id, rate, 3, &[finding, ghost]).await.unwrap();
    begun.id
}

#[sqlx::test(migrations = "../migrations")]
async fn a_comparison_is_read_with_its_totals(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let admin = app.user(Role::Admin).await;
    let me = &support;
    let run = comparison(&app).await;
    let path = format!("/admin/reconciliations/{run}");
    let read = me.get(&path).await;
    assert_json_snapshot!("a_comparison", redacted(&read.body), {
        ".findings.data[].age_seconds" => "[age]",
    });
    let orphans = me.get(&format!("{path}?kind=orphan")).await;
    let found = &orphans.body["findings"]["data"];
    assert_eq!((found.as_array().unwrap().len(), &found[0]["action"]), (1, &json!("would_quarantine")));
    assert!((7_199..7_300).contains(&found[0]["age_seconds"].as_i64().unwrap()));
    refused(&me.get(&format!("{path}?kind=strange")).await, 400, "invalid_query");
    let first = me.get(&format!("{path}?limit=1")).await;
    let cursor = first.body["findings"]["next_cursor"].as_str().unwrap();
    let rest = me.get(&format!("{path}?limit=1&cursor={cursor}")).await;
    assert_eq!(rest.body["findings"]["next_cursor"], Value::Null);
    assert_ne!(rest.body["findings"]["data"], first.body["findings"]["data"]);

    let list = me.get("/admin/reconciliations").await;
    assert_eq!((&list.body["data"][0]["id"], &list.body["data"][0]["dry_run"]), (&json!(run), &json!(true)));
    refused(&me.get(&format!("/admin/reconciliations/{}", Uuid::now_v7())).await, 404, "not_found");
    let told = admin.get("/notifications").await;
    assert_eq!(told.body["data"][0]["type"], "RECONCILIATION_REPORT");
    assert!(told.body["data"][0]["message"].as_str().unwrap().contains("Rp96.000"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_comparison_is_asked_for_and_is_a_dry_run_unless_said_otherwise(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let me = &admin;
    for (body, status, code) in [
        (json!({ "provider": "hetzner" }), 422, "provider_unknown"),
        (json!({ "provider": "vultr" }), 409, "provider_not_set_up"),
        (json!({}), 422, "invalid_body"),
        (json!({ "provider": "digitalocean", "dry_run": "no" }), 422, "invalid_body"),
        (json!({ "provider": "digitalocean", "quarantine_ms": 0 }), 422, "invalid_body"),
    ] {
        refused(&me.post("/admin/reconciliations", &body).await, status, code);
    }
    assert!(outbox(&app).await.is_empty());
    for (body, dry_run) in [
        (json!({ "provider": "digitalocean" }), true),
        (json!({ "provider": "digitalocean", "dry_run": false }), false),
    ] {
        let asked = me.post("/admin/reconciliations", &body).await;
        assert_eq!((asked.status, &asked.body["dry_run"]), (StatusCode::ACCEPTED, &json!(dry_run)));
        let sent = outbox(&app).await.pop().unwrap();
        assert_eq!(sent.0, format!("reconcile/digitalocean/{}", asked.body["id"].as_str().unwrap()));
        assert_eq!(sent.1["body"]["settings"]["dry_run"], json!(dry_run));
    }
    let log = me.get("/admin/audit-log?action=provider.reconcile").await;
    assert_eq!(log.body["data"].as_array().unwrap().len(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_in_quarantine_is_let_go_once(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let id = admin.id;
    let me = &admin;
    let found_by = comparison(&app).await;
    let quarantined = app
        .store
        .quarantine_server(&NewQuarantine {
            provider: "digitalocean".to_owned(),
            provider_instance_id: "7".to_owned(),
            kind: FindingKind::Orphan,
            reason: FindingReason::NoOrder,
            name: None,
            tags: Vec::new(),
            order_id: None,
            monthly_cost: None,
            found_by,
            for_ms: 3_600_000,
        })
        .await
        .unwrap();
    let list = me.get("/admin/quarantined-servers?provider=digitalocean").await;
    assert_eq!(list.body["data"][0]["id"], json!(quarantined.id), "{:?}", list.body);

    let path = format!("/admin/quarantined-servers/{}/release", quarantined.id);
    refused(&me.post(&path, &json!({ "reason": "x" })).await, 422, "validation_failed");
    let let_go = me.post(&path, &json!({ "reason": "kept for an investigation" })).await;
    assert_eq!(
        (let_go.status, &let_go.body["released_by"]),
        (StatusCode::OK, &json!(id)),
        "{:?}",
        let_go.body
    );
    let again = me.post(&path, &json!({ "reason": "once more" })).await;
    refused(&again, 409, "quarantined_server_conflict");
    assert_eq!(me.get("/admin/quarantined-servers").await.body["data"], json!([]));
    let all = me.get("/admin/quarantined-servers?all=true").await;
    assert_eq!(all.body["data"].as_array().unwrap().len(), 1);
    // The look that gives it its power back.
    assert_eq!(outbox(&app).await.len(), 1);
    let unknown = format!("/admin/quarantined-servers/{}/release", Uuid::now_v7());
    refused(&me.post(&unknown, &json!({ "reason": "whatever" })).await, 404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_books_are_checked_on_request_and_read_by_staff(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let admin = app.user(Role::Admin).await;
    let id = admin.id;
    let support = app.user(Role::Support).await;
    let path = "/admin/ledger/checks";
    refused(&support.post(path, &Value::Null).await, 403, "forbidden");
    assert!(outbox(&app).await.is_empty());

    let asked = admin.post(path, &Value::Null).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{:?}", asked.body);
    assert_eq!((&asked.body["requested_by"], &asked.body["sound"]), (&json!(id), &Value::Null));
    let check: Uuid = asked.body["id"].as_str().unwrap().parse().unwrap();
    let expected = json!({ "kind": "check_ledger", "body": { "check_id": check } });
    assert_eq!(outbox(&app).await, [(format!("ledger-upkeep/{check}"), expected)]);
    let log = admin.get("/admin/audit-log?object_kind=ledger_check").await;
    assert_eq!(log.body["data"][0]["action"], "ledger.check");

    let me = &support;
    let waiting = me.get(&format!("{path}/{check}")).await;
    assert_eq!((&waiting.body["sound"], &waiting.body["findings"]), (&Value::Null, &json!([])));
    let report = app.store.check_ledger().await.unwrap();
    app.store.keep_ledger_check(check.into(), Some(2), &report).await.unwrap();
    let done = me.get(&format!("{path}/{check}")).await;
    assert_eq!((&done.body["sound"], &done.body["recognised"]), (&json!(true), &json!(2)), "{:?}", done.body);
    assert_eq!(done.body["findings"].as_array().unwrap().len(), report.findings.len());
    let balance = me.get("/admin/ledger/trial-balance").await;
    assert_eq!(balance.body["accounts"], done.body["accounts"]);

    let list = me.get(&format!("{path}?sound=true&limit=1")).await;
    assert_eq!(list.body["data"][0]["id"], json!(check));
    assert_eq!(me.get(&format!("{path}?sound=false")).await.body["data"], json!([]));
    refused(&me.get(&format!("{path}/{}", Uuid::now_v7())).await, 404, "not_found");
    refused(&me.get(&format!("{path}?sound=maybe")).await, 400, "invalid_query");
}
