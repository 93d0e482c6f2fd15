//! A server's life with rules of seconds, at every provider: reminded, suspended, paid and resumed, deleted.

use std::collections::BTreeMap;

use domain::{
    life::LifePolicy,
    term::{self, AnchorDay},
};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    owner::Owner,
    report::say,
    stack::{Options, Stack},
    wait_until::until,
};

/// Reminders within three seconds of the end, two of grace, six of retention.
const RULES: LifePolicy = LifePolicy {
    remind_before_ms: [3_000, 2_000, 1_000],
    renew_before_ms: 2_000,
    grace_ms: 2_000,
    retention_ms: 6_000,
    warn_before_ms: 2_000,
    put_off_ms: 500,
    attempts_hold_ms: 60_000,
};

/// Terms that begin end within seconds.
const SHORT_TERMS: &str = "
    CREATE FUNCTION short_term() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.expires_at := now() + interval '16 seconds'; RETURN NEW; END $$;
    CREATE TRIGGER short_terms BEFORE UPDATE ON instances FOR EACH ROW
        WHEN (OLD.status = 'PROVISIONING' AND NEW.status = 'ACTIVE') EXECUTE FUNCTION short_term()";

/// A system of its own: its rules hold for all its servers.
pub async fn system() -> Stack {
    let stack = Stack::start(Options::default()).await.expect("a system");
    live_by(&stack, RULES).await;
    stack
}

/// Servers of the system live by these rules from now on.
async fn live_by(stack: &Stack, rules: LifePolicy) {
    let admin = Customer::admin(stack).await;
    let made = admin.post("/admin/life/rules", &serde_json::to_value(rules).unwrap()).await.expect(201);
    assert_eq!(made["data"][0]["version"], 2, "{made}");
}

/// Most events of a month in which the renewal comes from the balance.
const EVENTS_A_MONTH: usize = 15;
/// Most events of a month that ends in grace and a suspension, is paid, and resumed.
const EVENTS_OF_A_LATE_MONTH: usize = 60;

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
    live_by(&stack, rules).await;
    let mut wish = customer.good_order().await;
    wish["auto_renew"] = json!(true);
    let owner = Owner::buying(customer, Cloud::DIGITALOCEAN, &wish).await;
    until("the term is renewed", || async { (owner.told("VPS_RENEWED").await >= 1).then_some(()) }).await;
    let events = owner.events_before().await;
    say(&format!("events of a month that is renewed from the balance: {}", events.len()));
    assert!(events.len() <= EVENTS_A_MONTH, "{}: {events:#?}", events.len());
}

#[tokio::test]
async fn a_month_that_is_paid_after_a_suspension_costs_the_engine_sixty_events_at_most() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    // Far enough apart that none is overtaken by the next, and that it is paid before a deletion is warned of.
    let rules = LifePolicy { remind_before_ms: [9_000, 6_000, 3_000], retention_ms: 600_000, ..RULES };
    live_by(&stack, rules).await;
    // The first term of whatever is bought here lasts seconds, so that nobody has to wake its workflow from outside.
    let mut database = PgConnection::connect(&stack.database_url).await.expect("a database");
    sqlx::raw_sql(SHORT_TERMS).execute(&mut database).await.expect("a trigger");
    let owner = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    owner.becomes("SUSPENDED").await;
    owner.is_powered("OFF").await;
    assert_eq!(owner.told("VPS_EXPIRING").await, 3, "all reminders");
    let wish = json!({ "term_months": 1, "payment_method": "QRIS" });
    let renewal = owner.customer.post(&owner.path("/renew"), &wish).await.expect(201);
    owner.customer.pay(&renewal).await;
    owner.is_powered("ON").await;
    assert_eq!(owner.now().await["status"], "ACTIVE");
    let events = owner.events_before().await;
    let mut kinds = BTreeMap::<&str, usize>::new();
    for event in &events {
        let kind =
            event["attributes"].as_object().and_then(|of| of.keys().next()).map_or("?", String::as_str);
        *kinds.entry(kind).or_default() += 1;
    }
    say(&format!("events of a month that is paid after a suspension: {}: {kinds:?}", events.len()));
    assert!(events.len() <= EVENTS_OF_A_LATE_MONTH, "{}: {kinds:?}", events.len());
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
