//! Payments whose notification never comes, through the real engine: the janitor finds their money by itself.

use std::time::Duration;

use domain::payment_check::PaymentCheckPolicy;
use serde_json::json;
use temporal::schedules::{PaymentCheckSettings, Schedule};
use temporalio_client::schedules::DeleteScheduleOptions;
use webrana_tests::{
    cloud,
    customer::Customer,
    gateway,
    stack::{self, Stack},
};

#[tokio::test]
async fn an_order_becomes_active_though_its_notification_was_lost() {
    let stack = Stack::start(stack::Options::default()).await.expect("the system starts");
    gateway::lose_notifications(&stack).await;
    let customer = Customer::register(&stack).await;
    let paid = customer.place_order().await;
    customer.pay_with(&paid, json!({})).await;
    // The charge of the second one arrives, and its answer does not.
    gateway::fault(&stack, json!({ "kind": "drop_after_create" })).await;
    let unanswered = customer.place_order().await;
    assert_eq!(unanswered["payment"]["status"], "UNKNOWN");
    customer.pay_with(&unanswered, json!({})).await;
    let unpaid = customer.place_order().await;

    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let prefix = &stack.temporal.queue_prefix;
    let rare =
        PaymentCheckSettings { every: Duration::from_secs(3600), policy: PaymentCheckPolicy::default() };
    Schedule::of_payments(prefix, &rare).ensure(&client).await.expect("the schedule is made");
    let policy = PaymentCheckPolicy { pending_after_ms: 0, unknown_after_ms: 0, ..rare.policy };
    let often = PaymentCheckSettings { every: Duration::from_secs(1), policy };
    Schedule::of_payments(prefix, &often).ensure(&client).await.expect("the schedule is set anew");

    for order in [&paid, &unanswered] {
        customer.await_status(order, "ACTIVE").await;
        assert_eq!(cloud::servers_of(&stack, order).await, 1);
        let steps = customer.timeline(order).await;
        assert_eq!(steps.iter().filter(|step| *step == "payment_confirmed").count(), 1);
    }
    customer.await_status(&unpaid, "PENDING_PAYMENT").await;
    let schedule = client.get_schedule_handle(format!("{prefix}payment-check"));
    schedule.delete(DeleteScheduleOptions::default()).await.expect("the schedule was there");
}
