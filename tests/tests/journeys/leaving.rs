//! Servers that their owners call off, at every provider: at the end of the term, revoked, at once; and what staff hold.

use futures::future::join_all;
use serde_json::{Value, json};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    owner::Owner,
    stack::Stack,
    wait_until::until,
};

use crate::life::system;

async fn calls_off(owner: &Owner<'_>, when: &str) -> Value {
    owner.customer.post(&owner.path("/cancel"), &json!({ "when": when })).await.expect(202)
}

async fn sound(stack: &Stack) {
    let books = stack.store.check_ledger().await.expect("a report");
    assert!(books.sound, "{:#?}", books.findings);
}

#[tokio::test]
async fn who_calls_off_at_the_end_keeps_the_server_until_then_and_who_revokes_keeps_it() {
    let stack = system().await;
    let system = &stack;
    join_all(Cloud::all().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        owner.auto_renew().await;
        let planned = calls_off(&owner, "period_end").await;
        let server = owner.now().await;
        assert_eq!((&server["cancels_at_period_end"], &server["auto_renew"]), (&json!(true), &json!(false)));
        assert_eq!(planned["effective_at"], server["expires_at"]);

        let kept = owner.customer.delete(&owner.path("/cancel")).await.expect(200);
        assert_eq!((&kept["cancels_at_period_end"], &kept["auto_renew"]), (&json!(false), &json!(true)));
        // Revoked, it is renewed as before.
        owner.deposit(500_000).await;
        owner.ends_in(1.0).await;
        until("the term is renewed", || async { (owner.told("VPS_RENEWED").await == 1).then_some(()) }).await;
        assert_eq!(owner.now().await["status"], "ACTIVE");

        calls_off(&owner, "period_end").await;
        owner.ends_in(1.0).await;
        owner.becomes("TERMINATED").await;
        assert_eq!(owner.at_provider().await, 0, "{}", cloud.slug());
        // What was paid was served, and nobody owed anything.
        assert_eq!(owner.told("VPS_SUSPENDED").await, 0);
        assert_eq!(owner.told("VPS_TERMINATED").await, 1);
        owner.customer.delete(&owner.path("/cancel")).await.expect_problem(409, "instance_conflict");
    }))
    .await;
    sound(&stack).await;
}

#[tokio::test]
async fn who_calls_off_at_once_has_what_is_not_served_on_the_balance() {
    let stack = system().await;
    let system = &stack;
    join_all(Cloud::all().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        let paid = owner.order["invoice"]["total"].as_i64().unwrap();
        let off = calls_off(&owner, "now").await;
        let credited = off["credited"].as_i64().unwrap();
        // Some seconds of a month were served.
        assert!((paid - 100..=paid).contains(&credited), "{off}");
        assert_eq!(owner.balance().await, credited);
        let action = owner.path(&format!("/actions/{}", off["action_id"].as_str().unwrap()));
        owner.becomes("TERMINATED").await;
        assert_eq!(owner.customer.get(&action).await.expect(200)["status"], "completed");
        assert_eq!(owner.at_provider().await, 0, "{}", cloud.slug());
        let again = owner.customer.post(&owner.path("/cancel"), &json!({ "when": "now" })).await;
        again.expect_problem(409, "instance_conflict");
        assert_eq!(owner.balance().await, credited, "once");
    }))
    .await;
    sound(&stack).await;
}

#[tokio::test]
async fn what_staff_hold_is_neither_suspended_nor_called_off_until_they_release_it() {
    let stack = system().await;
    let system = &stack;
    let admin = &Customer::admin(system).await;
    join_all(Cloud::all().map(|cloud| async move {
        let owner = Owner::at(system, cloud).await;
        let holds = format!("/admin/instances/{}/holds", owner.server);
        let hold = json!({ "kind": "legal", "stops_clock": false, "reason": "a letter of the court" });
        let held = admin.post(&holds, &hold).await.expect(201);
        owner.ends_in(0.1).await;
        until("the grace begins", || async { (owner.told("VPS_EXPIRED").await == 1).then_some(()) }).await;
        let off = owner.customer.post(&owner.path("/cancel"), &json!({ "when": "now" })).await;
        off.expect_problem(409, "instance_conflict");
        // Nothing is due as long as it is held, so its workflow sleeps without a timer.
        assert!(
            owner.is("SELECT next_due_at IS NULL AND status = 'ACTIVE' FROM instances WHERE id = $1").await
        );
        admin.delete(&format!("{holds}/{}", held["id"].as_str().unwrap())).await.expect(200);
        owner.becomes("SUSPENDED").await;
        owner.is_powered("OFF").await;
    }))
    .await;
}
