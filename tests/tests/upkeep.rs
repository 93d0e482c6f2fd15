//! Catalogs are read and providers compared with the database through the real engine: on request and when due.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use domain::upkeep::ReconcileSettings;
use serde_json::{Value, json};
use temporal::schedules::{self, ScheduleSettings};
use temporalio_client::schedules::DeleteScheduleOptions;
use webrana_tests::{
    customer::Customer,
    patience::until,
    stack::{self, Stack},
};

const PROVIDERS: [&str; 3] = ["digitalocean", "linode", "vultr"];

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
    for provider in PROVIDERS {
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
    let client = temporal::connect(&stack.temporal).await.expect("the engine answers");
    let prefix = &stack.temporal.queue_prefix;
    let rare = ScheduleSettings { reconcile: ReconcileSettings::default(), ..Default::default() };
    schedules::ensure(&client, prefix, "vultr", &rare).await.expect("schedules are made");
    let often = ScheduleSettings { reconcile_every: Duration::from_secs(1), ..rare };
    schedules::ensure(&client, prefix, "vultr", &often).await.expect("schedules are set anew");

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
