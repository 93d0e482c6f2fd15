//! Catalogs are read, providers compared with the database, the books checked and old rows deleted through the real
//! engine: on request and when due.

use std::time::Duration;

use domain::upkeep::ReconcileSettings;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use temporal::schedules::{LedgerUpkeepSettings, PurgeSettings, Schedule, ScheduleSettings};
use temporalio_client::schedules::DeleteScheduleOptions;
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    stack::{self, Stack},
    wait_until::until,
};

/// Waits until a run is over; answers with it.
async fn done(admin: &Customer<'_>, kind: &str, id: &Value) -> Value {
    let path = format!("/admin/{kind}/{}", id.as_str().expect("an id"));
    until(&format!("{path} is done"), || async {
        let run = admin.get(&path).await.expect(200);
        (run["status"] == "COMPLETED").then_some(run)
    })
    .await
}

#[tokio::test]
async fn an_administrator_has_every_provider_looked_at() {
    let admin = Customer::admin(stack::shared().await).await;
    for provider in Cloud::all().map(Cloud::slug) {
        let sync = admin.post(&format!("/admin/providers/{provider}/sync"), &json!({})).await.expect(202);
        let sync = done(&admin, "catalog-syncs", &sync["id"]).await;
        assert_eq!((&sync["flagged"], &sync["report"]["costs"]), (&json!(0), &json!([])), "{sync}");
        let asked = admin.post("/admin/reconciliations", &json!({ "provider": provider })).await.expect(202);
        let run = done(&admin, "reconciliations", &asked["id"]).await;
        let totals = &run["totals"];
        assert_eq!((&totals["orphans"], &totals["duplicates"]), (&json!(0), &json!(0)), "{run}");
    }
}

#[tokio::test]
async fn what_is_due_happens_by_itself() {
    let stack = Stack::start(stack::Options::default()).await.expect("the system starts");
    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let prefix = &stack.temporal.queue_prefix;
    let rare = ScheduleSettings { reconcile: ReconcileSettings::default(), ..Default::default() };
    let often = ScheduleSettings { reconcile_every: Duration::from_secs(1), ..rare };
    for settings in [rare, often] {
        for schedule in Schedule::of_provider(prefix, "vultr", &settings) {
            schedule.ensure(&client).await.expect("schedules are made and set anew");
        }
    }

    let admin = Customer::admin(&stack).await;
    for kind in ["catalog-syncs", "reconciliations"] {
        until(&format!("one of the {kind} that nobody asked for is done"), || async {
            let runs = admin.get(&format!("/admin/{kind}?provider=vultr")).await.expect(200);
            let by_itself = |run: &&Value| run["status"] == "COMPLETED" && run["requested_by"].is_null();
            runs["data"].as_array().expect("runs").iter().find(by_itself).map(drop)
        })
        .await;
    }
    for kind in ["catalog-sync", "reconcile"] {
        let schedule = client.get_schedule_handle(format!("{prefix}{kind}/vultr"));
        schedule.delete(DeleteScheduleOptions::default()).await.expect("the schedule was there");
    }
}

#[tokio::test]
async fn books_that_are_not_sound_are_found_kept_and_told() {
    let stack = Stack::start(stack::Options::default()).await.expect("the system starts");
    stack.audit.expect_unsound_books();
    stack.audit.expect_alert("ledger.unsound");
    let admin = Customer::admin(&stack).await;
    let customer = Customer::register(&stack).await;
    let id = customer.get("/auth/me").await.expect(200)["id"].as_str().expect("an id").to_owned();
    let gift = json!({ "amount": 50_000, "reason": "A gift for the test" });
    admin.post(&format!("/admin/users/{id}/wallet-adjustments"), &gift).await.expect(201);
    let sound = checked(&admin).await;
    assert_eq!((&sound["sound"], &sound["broken"]), (&json!(true), &json!([])), "{sound}");
    assert_eq!((&sound["movements"], &sound["entries"]), (&json!(1), &json!(2)), "{sound}");
    assert!(!told(&admin).await);

    // What only somebody with the database's own rights can do.
    let mut database = PgConnection::connect(&stack.database_url).await.expect("the database");
    let forced = "BEGIN; SET LOCAL session_replication_role = replica;
                  UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'CUSTOMER_WALLET'; COMMIT";
    database.execute(forced).await.expect("the books are wrong now");

    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let daily = LedgerUpkeepSettings::default();
    let schedule = Schedule::of_ledger(&stack.temporal.queue_prefix, &daily);
    schedule.clone().ensure(&client).await.expect("the schedule is made");
    schedule.ensure(&client).await.expect("the schedule is set anew");
    let found = until("the check that is due finds it", || async {
        let checks = admin.get("/admin/ledger/checks?sound=false").await.expect(200);
        checks["data"].get(0).cloned()
    })
    .await;
    assert_eq!(found["requested_by"], Value::Null, "{found}");
    assert_eq!(found["broken"], json!(["every balance equals its entries"]), "{found}");
    let kept = format!("/admin/ledger/checks/{}", found["id"].as_str().expect("an id"));
    let kept = admin.get(&kept).await.expect(200);
    let rule = kept["findings"].as_array().expect("rules").iter().find(|rule| rule["count"] == 1);
    let case = rule.expect("a broken rule")["cases"][0].as_str().expect("a case");
    assert!(case.contains("balance 50007, entries 50000"), "{case}");
    assert!(told(&admin).await);

    let name = format!("{}ledger-upkeep", stack.temporal.queue_prefix);
    let schedule = client.get_schedule_handle(name);
    schedule.delete(DeleteScheduleOptions::default()).await.expect("the schedule was there");
}

#[tokio::test]
async fn what_serves_nobody_any_more_is_deleted_when_due() {
    let stack = Stack::start(stack::Options::default()).await.expect("the system starts");
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    let mut database = PgConnection::connect(&stack.database_url).await.expect("the database");
    let aged = "UPDATE idempotency_keys SET created_at = now() - interval '31 days'";
    database.execute(aged).await.expect("the order was placed a month ago");

    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let often = PurgeSettings { every: Duration::from_secs(1), ..PurgeSettings::default() };
    let schedule = Schedule::of_purge(&stack.temporal.queue_prefix, &often);
    schedule.ensure(&client).await.expect("the schedule is made");
    until("the key is forgotten", || async {
        let mut database = PgConnection::connect(&stack.database_url).await.expect("the database");
        let keys = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM idempotency_keys");
        (keys.fetch_one(&mut database).await.expect("a count") == 0).then_some(())
    })
    .await;
    // So does the next run with what is old by then.
    let aged = "INSERT INTO sessions (id, user_id, created_at) SELECT gen_random_uuid(), id, now() - interval '31 days'
                FROM users";
    database.execute(aged).await.expect("sessions of which no token is left");
    until("ended sessions are gone", || async {
        let mut database = PgConnection::connect(&stack.database_url).await.expect("the database");
        let ended = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT FROM refresh_tokens WHERE session_id = s.id)",
        );
        (ended.fetch_one(&mut database).await.expect("a count") == 0).then_some(())
    })
    .await;
    // What the key was for stays.
    let path = format!("/orders/{}", order["id"].as_str().expect("an id"));
    assert_eq!(customer.get(&path).await.expect(200)["id"], order["id"]);

    let name = format!("{}purge", stack.temporal.queue_prefix);
    let schedule = client.get_schedule_handle(name);
    schedule.delete(DeleteScheduleOptions::default()).await.expect("the schedule was there");
}

/// Asks for a check of the books and waits for it.
async fn checked(admin: &Customer<'_>) -> Value {
    let asked = admin.post("/admin/ledger/checks", &Value::Null).await.expect(202);
    let path = format!("/admin/ledger/checks/{}", asked["id"].as_str().expect("an id"));
    until("the books are checked", || async {
        let check = admin.get(&path).await.expect(200);
        (!check["sound"].is_null()).then_some(check)
    })
    .await
}

/// Whether an administrator was told that the books are not sound.
async fn told(admin: &Customer<'_>) -> bool {
    admin.notifications().await.iter().any(|kind| kind == "LEDGER_UNSOUND")
}
