//! A server's life with rules of seconds, at every provider: reminded, suspended, paid and resumed, deleted.

use domain::{
    ids::InstanceId,
    life::LifePolicy,
    term::{self, AnchorDay},
};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use store::audit::Origin;
use temporalio_client::WorkflowFetchHistoryOptions;
use webrana_tests::{
    cloud::{Cloud, servers_of},
    customer::{Customer, Expect},
    report::say,
    stack::{Options, Stack},
    wait_until::until,
};
use workflows::InstanceWorkflow;

/// Reminders within three seconds of the end, two of grace, six of retention.
const RULES: LifePolicy = LifePolicy {
    remind_before_ms: [3_000, 2_000, 1_000],
    renew_before_ms: 2_000,
    grace_ms: 2_000,
    retention_ms: 6_000,
    warn_before_ms: 2_000,
    put_off_ms: 500,
};

/// A system of its own: its rules hold for all its servers.
async fn system() -> Stack {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let admin = Customer::admin(&stack).await;
    let rules = admin.post("/admin/life/rules", &serde_json::to_value(RULES).unwrap()).await.expect(201);
    assert_eq!(rules["data"][0]["version"], 2, "{rules}");
    stack
}

/// A running server and its owner.
struct Owner<'a> {
    customer: Customer<'a>,
    order: Value,
    server: InstanceId,
}

impl<'a> Owner<'a> {
    async fn at(stack: &'a Stack, cloud: Cloud) -> Self {
        let customer = Customer::register(stack).await;
        let order = customer.place_order_at(cloud).await;
        customer.pay(&order).await;
        let active = customer.await_status(&order, "ACTIVE").await;
        let server = active["instance_id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap().into();
        Self { customer, order, server }
    }

    async fn now(&self) -> Value {
        self.customer.get(&format!("/instances/{}", self.server)).await.expect(200)
    }

    /// The end of the term is this near.
    async fn ends_in(&self, seconds: f64) {
        let store = &self.customer.stack.store;
        let moved = "UPDATE instances SET expires_at = now() + make_interval(secs => $2) WHERE id = $1";
        let mut database =
            PgConnection::connect(&self.customer.stack.database_url).await.expect("a database");
        sqlx::query(moved).bind(self.server.0).bind(seconds).execute(&mut database).await.expect("a server");
        store.note_payments_checked().await.unwrap();
        store.wake_instance(self.server, &Origin::system()).await.unwrap();
    }

    async fn becomes(&self, status: &str) -> Value {
        until(&format!("the server is {status}"), || async {
            self.customer.stack.store.note_payments_checked().await.unwrap();
            let now = self.now().await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    async fn is_powered(&self, state: &str) {
        until(&format!("the server is {state}"), || async {
            (self.now().await["power_state"] == state).then_some(())
        })
        .await;
    }

    async fn auto_renew(&self) {
        let path = format!("/instances/{}/auto-renew", self.server);
        let server = self.customer.put(&path, &json!({ "enabled": true })).await.expect(200);
        assert_eq!(server["auto_renew"], true);
    }

    async fn deposit(&self, amount: i64) {
        let wish = json!({ "amount": amount, "payment_method": "QRIS" });
        let deposit = self.customer.post("/wallet/deposits", &wish).await.expect(201);
        self.customer.pay(&deposit).await;
    }

    async fn told(&self, kind: &str) -> usize {
        self.customer.notifications_of(kind).await
    }

    async fn at_provider(&self) -> usize {
        servers_of(self.customer.stack, &self.order).await
    }

    /// What the engine recorded of a run of the workflow; the present one when none is named.
    async fn events(&self, run: Option<String>) -> Vec<Value> {
        let client = engine::connect(&self.customer.stack.temporal).await.expect("the engine");
        let id = format!("instance/{}", self.server);
        let mut info = client.get_workflow_handle::<InstanceWorkflow>(id).info().clone();
        info.run_id = run.or(info.run_id);
        let history = info.bind_untyped(client).fetch_history(WorkflowFetchHistoryOptions::default());
        let history: Value =
            serde_json::from_slice(&history.to_json().await.expect("a history")).expect("JSON");
        history["events"].as_array().expect("events").clone()
    }

    /// The same of the run before the present one, once there is one.
    async fn events_before(&self) -> Vec<Value> {
        let before = until("a run continues another", || async {
            let begun = &self.events(None).await[0]["attributes"]["WorkflowExecutionStartedEventAttributes"];
            let before = begun["continued_execution_run_id"].as_str().unwrap_or_default().to_owned();
            (!before.is_empty()).then_some(before)
        })
        .await;
        self.events(Some(before)).await
    }
}

/// Most events of a month in which the renewal comes from the balance.
const EVENTS_A_MONTH: usize = 15;

#[tokio::test]
async fn a_month_that_is_renewed_from_the_balance_costs_the_engine_one_sleep() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let deposit = json!({ "amount": 500_000, "payment_method": "QRIS" });
    let deposit = customer.post("/wallet/deposits", &deposit).await.expect(201);
    customer.pay(&deposit).await;
    // A month from now, the renewal is due some seconds after the server became active.
    let me = customer.get("/auth/me").await.expect(200);
    let begun = me["created_at"].as_str().expect("a moment").parse().expect("a moment");
    let month = term::end(begun, 1, AnchorDay::of(begun)) - begun;
    let before = u64::try_from(month.num_milliseconds()).expect("a month") - 6_000;
    let rules = LifePolicy { renew_before_ms: before, ..LifePolicy::default() };
    let admin = Customer::admin(&stack).await;
    admin.post("/admin/life/rules", &serde_json::to_value(rules).unwrap()).await.expect(201);
    let mut wish = customer.good_order().await;
    wish["auto_renew"] = json!(true);
    let order = customer.post("/orders", &wish).await.expect(201);
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let server = active["instance_id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap().into();
    let owner = Owner { customer, order, server };
    until("the term is renewed", || async { (owner.told("VPS_RENEWED").await >= 1).then_some(()) }).await;
    let events = owner.events_before().await;
    say(&format!("events of a month that is renewed from the balance: {}", events.len()));
    assert!(events.len() <= EVENTS_A_MONTH, "{}: {events:#?}", events.len());
}

#[tokio::test]
async fn who_never_pays_loses_the_server_after_every_warning_and_it_is_gone_at_its_provider() {
    let stack = system().await;
    let system = &stack;
    join_all(Cloud::all().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        owner.ends_in(3.5).await;
        owner.becomes("SUSPENDED").await;
        owner.is_powered("OFF").await;
        // A reminder that is overtaken by the next one on a slow machine is left out.
        assert!((1..=3).contains(&owner.told("VPS_EXPIRING").await));
        assert_eq!(owner.told("VPS_EXPIRED").await, 1);
        owner.becomes("TERMINATED").await;
        // Suspended, and warned of the deletion.
        assert_eq!(owner.told("VPS_SUSPENDED").await, 2);
        assert_eq!(owner.told("VPS_TERMINATED").await, 1);
        assert_eq!(owner.at_provider().await, 0);
    }))
    .await;
}

#[tokio::test]
async fn who_pays_late_has_the_server_back_and_is_renewed_from_the_balance_from_then_on() {
    let stack = system().await;
    let system = &stack;
    join_all(Cloud::all().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        owner.auto_renew().await;
        owner.ends_in(2.5).await;
        owner.becomes("SUSPENDED").await;
        owner.is_powered("OFF").await;
        // Nothing was on the balance, and the owner was told once how much is missing.
        let renewals = owner.customer.get(&format!("/instances/{}/renewals", owner.server)).await.expect(200);
        assert_eq!(renewals["data"].as_array().map(Vec::len), Some(1), "{renewals}");
        assert_eq!(renewals["data"][0]["payment"], Value::Null);
        assert_eq!(renewals["data"][0]["invoice"]["status"], "OPEN");
        owner.deposit(900_000).await;
        owner.becomes("ACTIVE").await;
        owner.is_powered("ON").await;
        assert_eq!(owner.told("VPS_RENEWED").await, 1);
        assert_eq!(owner.told("VPS_RESUMED").await, 1);
        // The next term is renewed in time, and nobody hears of anything else.
        let expiring = owner.told("VPS_EXPIRING").await;
        owner.ends_in(2.5).await;
        until("the next term is renewed", || async { (owner.told("VPS_RENEWED").await == 2).then_some(()) })
            .await;
        assert_eq!(owner.told("VPS_EXPIRING").await, expiring);
        assert_eq!(owner.now().await["status"], "ACTIVE");
    }))
    .await;
    let books = stack.store.check_ledger().await.expect("a report");
    assert!(books.sound, "{:#?}", books.findings);
}

#[tokio::test]
async fn who_is_held_keeps_the_server_and_what_is_paused_waits_among_what_is_held_back() {
    let stack = system().await;
    let admin = Customer::admin(&stack).await;
    let owner = Owner::at(&stack, Cloud::all().next().unwrap()).await;
    let holds = format!("/admin/instances/{}/holds", owner.server);
    let hold = json!({ "kind": "billing", "stops_clock": true, "reason": "a dispute" });
    let held = admin.post(&holds, &hold).await.expect(201);
    owner.ends_in(0.1).await;
    until("the grace begins", || async { (owner.told("VPS_EXPIRED").await == 1).then_some(()) }).await;
    let pause = json!({ "reason": "an incident at the bank" });
    admin.put("/admin/life/pauses/all/suspensions", &pause).await.expect(200);
    admin.delete(&format!("{holds}/{}", held["id"].as_str().unwrap())).await.expect(200);
    until("the suspension is held back", || async {
        let waiting = admin.get("/admin/life/held?step=suspend").await.expect(200);
        (waiting["data"][0]["why"] == "suspensions are paused: an incident at the bank").then_some(())
    })
    .await;
    assert_eq!(owner.now().await["status"], "ACTIVE");
    admin.delete("/admin/life/pauses/all/suspensions").await.expect(204);
    owner.becomes("SUSPENDED").await;
}
