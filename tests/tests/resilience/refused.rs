//! The database refuses a step that it should take: a trigger that raises, a constraint that is wrong.

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use webrana_tests::{
    cloud,
    customer::{Customer, Expect},
    report,
    stack::{Options, Stack},
    steps,
    wait_until::until,
};

const REFUSE: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no more servers today'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.status = 'ACTIVE') EXECUTE FUNCTION refuse()";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_the_database_refuses_is_told_and_made_once_it_can_be() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    stack.audit.expect_alert("step.refused");
    let mut database = PgConnection::connect(&stack.database_url).await.expect("the database");
    database.execute(REFUSE).await.expect("the trigger");
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let id = order["id"].as_str().expect("an id");

    until("administrators are told", || async {
        (admin.notifications_of("STEP_REFUSED").await == 1).then_some(())
    })
    .await;
    let seen = admin.get(&format!("/admin/orders/{id}")).await.expect(200);
    assert_eq!(seen["status"], json!("PROVISIONING"), "{seen}");
    assert!(seen.to_string().contains("activate_order can't be recorded: "), "{seen}");
    assert!(seen.to_string().contains("no more servers today"), "{seen}");

    until("the engine shows it", || async {
        let pending = steps::pending(&stack, &order).await;
        let shown = |step: &steps::PendingStep| {
            step.name == "activate_order" && step.last_failure.contains("no more servers today")
        };
        pending.iter().any(shown).then_some(())
    })
    .await;

    database.execute("DROP TRIGGER refuse ON orders").await.expect("the trigger is gone");
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
    report::say(&format!("a refused step, then made: order/{id}"));
}
