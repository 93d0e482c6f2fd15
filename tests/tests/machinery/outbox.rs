//! Messages to Temporal through the real engine: what is paid overtakes what is not, what can never succeed is put aside,
//! and a workflow that is gone is started again.

use std::time::Duration;

use domain::{
    refund::RefundPolicy,
    sweep::{SweepRules, SweepStart},
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use temporal::schedules::{Schedule, SweepSettings};
use temporalio_client::{
    WorkflowDescribeOptions, WorkflowExecutionStatus, WorkflowTerminateOptions,
    schedules::DeleteScheduleOptions,
};
use testkit::leftovers;
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    report,
    stack::{Options, Stack},
    wait_until::until,
};
use workflows::{InstanceWorkflow, OrderWorkflow};

const BURST: i64 = 2_000;

async fn database(stack: &Stack) -> PgConnection {
    PgConnection::connect(&stack.database_url).await.expect("the database")
}

async fn run(stack: &Stack, sql: &'static str) {
    sqlx::query(sql).execute(&mut database(stack).await).await.expect("the statement");
}

async fn count(stack: &Stack, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut database(stack).await).await.expect("a count")
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

#[tokio::test]
async fn what_is_paid_overtakes_any_number_of_unpaid_orders() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    stack.audit.leave_undelivered();
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    // As placing so many orders at once leaves them; nobody ever pays for these.
    let placed = leftovers::unpaid_starts(&mut database(&stack).await, BURST).await;
    assert_eq!(placed, u64::try_from(BURST).unwrap());
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;

    let waiting =
        count(&stack, "SELECT count(*) FROM outbox WHERE class = 'UNPAID' AND dispatched_at IS NULL").await;
    let before =
        "SELECT count(*) FROM outbox u, outbox p WHERE p.kind = 'payment_confirmed' AND u.class = 'UNPAID'
                  AND u.dispatched_at >= p.created_at AND u.dispatched_at < p.dispatched_at";
    let before = count(&stack, before).await;
    report::say(&format!(
        "{before} of {BURST} unpaid starts went before the payment; {waiting} waited when it was ACTIVE"
    ));
    // Those under way already, and what a slow machine lets through until it sees the payment.
    assert!(before < BURST / 10, "{before} went before the payment");
}

#[tokio::test]
async fn messages_that_can_never_succeed_are_put_aside_and_told() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    stack.audit.leave_undelivered();
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let order = customer.place_order().await;
    // One that nobody can read, before everything else that is said to the order's workflow, and one that the engine
    // refuses: its workflow's name is too long.
    leftovers::undeliverable_messages(&mut database(&stack).await).await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;

    until("both are dead", || async {
        // What the pauses between two tries would do.
        run(&stack, "UPDATE outbox SET claimed_until = NULL WHERE failures > 0 AND dead_at IS NULL").await;
        let dead = admin.get("/admin/outbox?dead=true").await.expect(200);
        (dead["data"].as_array().expect("messages").len() == 2).then_some(())
    })
    .await;
    let health = until("the outbox answers for its health", || async {
        let health = admin.at_root().get("/health").await.body;
        health["dependencies"]["outbox"].is_object().then_some(health)
    })
    .await;
    assert_eq!(health["dependencies"]["outbox"]["status"], "degraded", "{health}");
    assert_eq!(health["status"], "degraded");
    until("administrators are told of both kinds", || async {
        (admin.notifications_of("MESSAGE_UNDELIVERED").await == 2).then_some(())
    })
    .await;

    let dead = admin.get("/admin/outbox?dead=true&kind=sync_catalog").await.expect(200);
    let refused = &dead["data"][0];
    assert_eq!((&refused["state"], &refused["failures"]), (&json!("DEAD"), &json!(12)), "{refused}");
    assert!(refused["last_error"].as_str().expect("why").contains("nvalid"), "{refused}");
    let requeued =
        admin.post("/admin/outbox/requeue-dead", &json!({ "kind": "sync_catalog" })).await.expect(200);
    assert_eq!(requeued, json!({ "requeued": 1 }));
    admin
        .post(&format!("/admin/outbox/{}/requeue", id(refused)), &json!({}))
        .await
        .expect_problem(409, "message_conflict");
    let skip = json!({ "reason": "Nobody can read it" });
    let unreadable = "/admin/outbox/00000000-0000-7000-8000-000000000000";
    let skipped = admin.post(&format!("{unreadable}/skip"), &skip).await.expect(200);
    assert_eq!(skipped["state"], "SKIPPED");
    admin.post(&format!("{unreadable}/skip"), &skip).await.expect_problem(409, "message_conflict");
}

#[tokio::test]
async fn an_order_or_server_whose_workflow_was_terminated_goes_on_by_itself() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    stack.audit.expect_alert("workflow.restarted");
    cloud::configure(&stack, Cloud::DIGITALOCEAN, json!({ "boot_seconds": 3.0 })).await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let (unpaid, order, other) =
        (customer.place_order().await, customer.place_order().await, customer.place_order().await);
    for order in [&order, &other] {
        customer.pay(order).await;
        customer.await_status(order, "PROVISIONING").await;
    }
    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    until("every message is delivered", || async {
        (stack.store.outbox_backlog().await.expect("a backlog").waiting == 0).then_some(())
    })
    .await;
    for order in [&unpaid, &order, &other] {
        let workflow = client.get_workflow_handle::<OrderWorkflow>(format!("order/{}", id(order)));
        workflow.terminate(WorkflowTerminateOptions::default()).await.expect("it runs");
    }

    // An administrator need not wait.
    let woken = admin.post(&format!("/admin/orders/{}/wake", id(&other)), &json!({})).await.expect(202);
    assert_eq!(woken["status"], "PROVISIONING");
    customer.await_status(&other, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &other).await, 1);

    let often = SweepSettings {
        every: Duration::from_secs(1),
        start: SweepStart {
            rules: SweepRules { settle_ms: 500, ..SweepRules::default() },
            ..SweepStart::of(RefundPolicy::default())
        },
    };
    let schedule = Schedule::of_sweep(&stack.temporal.queue_prefix, &often);
    schedule.ensure(&client).await.expect("the schedule is made");
    let active = customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
    let runs = async |of: String| {
        let workflow = client.get_workflow_handle::<OrderWorkflow>(of);
        let now = workflow.describe(WorkflowDescribeOptions::default()).await;
        now.is_ok_and(|now| matches!(now.status(), WorkflowExecutionStatus::Running))
    };
    until("the unpaid order waits for money again", || async {
        runs(format!("order/{}", id(&unpaid))).await.then_some(())
    })
    .await;

    // So does a server's.
    let server = active["instance_id"].as_str().expect("a server").to_owned();
    let of_server = format!("instance/{server}");
    until("the server has a workflow", || async { runs(of_server.clone()).await.then_some(()) }).await;
    let workflow = client.get_workflow_handle::<InstanceWorkflow>(of_server.clone());
    workflow.terminate(WorkflowTerminateOptions::default()).await.expect("it runs");
    until("the server has a workflow again", || async { runs(of_server.clone()).await.then_some(()) }).await;
    admin.post(&format!("/admin/instances/{server}/wake"), &json!({})).await.expect(202);
    assert!(admin.notifications_of("WORKFLOWS_RESTARTED").await >= 1);

    let name = format!("{}workflow-sweep", stack.temporal.queue_prefix);
    let schedule = client.get_schedule_handle(name);
    schedule.delete(DeleteScheduleOptions::default()).await.expect("the schedule was there");
}
