//! The API is killed between any two statements of what it does about money, the janitor between its steps, notifications
//! and answers of the gateway are lost, the database restarts in the midst of notifications: afterwards the books are
//! sound, each payment is credited once, and each order went on once.

use std::time::Instant;

use activities::crash_point::WHEN_CHECKING_PAYMENTS;
use api::crash_point::{WHEN_CHARGING, WHEN_NOTIFIED};
use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use store::crash_point::{
    WHEN_A_DEPOSIT_IS_PAID, WHEN_A_GATEWAY_WAS_ASKED, WHEN_AN_ORDER_IS_PAID, WHEN_MONEY_COMES_TOO_LATE,
};
use webrana_tests::{
    api_process::ApiProcess,
    cloud,
    customer::{Customer, Expect},
    gateway::{self, Check},
    report,
    stack::{Options, Stack},
    wait_until::{LONGEST, until},
    worker_process::WorkerProcess,
};

use crate::chaos::PROGRAM;

/// Until a refused notification is sent again. The next process is there already.
const RETRY_SECONDS: f64 = 0.2;
/// API processes that are started while others die.
const STARTING: usize = 2;
const DEPOSIT: i64 = 50_000;

/// What is paid when the API dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bill {
    Order,
    /// An order that was called off before its money came.
    LateOrder,
    Deposit,
}

/// Who brings the news after the API died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The gateway, which sends its notification to the next process.
    NotifiedAgain,
    /// The janitor: the notification is lost for good.
    Asked,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_killed_at_any_statement_of_a_notification_credits_its_money_once() {
    let begun = Instant::now();
    let stack = Stack::start(Options::default()).await.expect("a system");
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let everywhere = |points: &'static [&'static str], bill, then| {
        WHEN_NOTIFIED.iter().chain(points).map(move |point| (*point, bill, then))
    };
    let cases: Vec<(&str, Bill, Then)> = everywhere(WHEN_AN_ORDER_IS_PAID, Bill::Order, Then::NotifiedAgain)
        .chain(everywhere(WHEN_AN_ORDER_IS_PAID, Bill::Order, Then::Asked))
        // By turns: each process takes a while to start.
        .chain(everywhere(WHEN_A_DEPOSIT_IS_PAID, Bill::Deposit, Then::NotifiedAgain).step_by(2))
        .chain(everywhere(WHEN_A_DEPOSIT_IS_PAID, Bill::Deposit, Then::Asked).skip(1).step_by(2))
        .chain(WHEN_MONEY_COMES_TOO_LATE.iter().map(|point| (*point, Bill::LateOrder, Then::NotifiedAgain)))
        .collect();
    let wanted = cases.len();

    let mut doomed = stream::iter(cases)
        .map(async |case| (case, ApiProcess::start(PROGRAM, &stack, Some(case.0.into())).await))
        .buffered(STARTING);
    let (mut orders, mut deposits, mut late) = (Vec::new(), 0, Vec::new());
    while let Some(((point, bill, then), api)) = doomed.next().await {
        let paid = match bill {
            Bill::Deposit => deposit(&customer).await,
            Bill::Order | Bill::LateOrder => customer.place_order().await,
        };
        if bill == Bill::LateOrder {
            call_off(&admin, &paid).await;
        }
        killed_when_notified(&stack, api, &paid, point, then).await;
        match bill {
            Bill::Order => orders.push(paid),
            Bill::LateOrder => late.push(paid),
            Bill::Deposit => deposits += 1,
        }
    }
    drop(doomed);
    Check::start(&stack).await.done().await;

    let price: i64 = late.iter().map(|order| order["total"].as_i64().expect("a total")).sum();
    let balance = deposits * DEPOSIT + price;
    until("all money is on the balance", || async { (wallet(&customer).await == balance).then_some(()) })
        .await;
    for order in &orders {
        went_on_once(&customer, order).await;
    }
    for order in &late {
        let credited =
            customer.timeline(order).await.iter().filter(|step| *step == "payment_credited").count();
        assert_eq!(credited, 1);
    }
    let told = customer.notifications_of("DEPOSIT_RECEIVED").await;
    assert_eq!(told, usize::try_from(deposits).expect("a few"));
    // Nothing of it happens once more when the janitor looks again.
    assert_eq!(Check::start(&stack).await.done().await.asked(), 0);
    assert_eq!(wallet(&customer).await, balance);
    sound(&stack).await;
    report::say(&format!("chaos, notifications: {wanted} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_killed_while_charging_leaves_one_order_that_can_be_paid() {
    let begun = Instant::now();
    let stack = Stack::start(Options::default()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let orders = join_all(WHEN_CHARGING.iter().map(async |point| {
        let api = ApiProcess::start(PROGRAM, &stack, Some((*point).into())).await;
        let order = killed_while_ordering(&customer, api).await;
        (*point, order)
    }))
    .await;
    let placed = customer.get("/orders").await.expect(200)["data"].as_array().map(Vec::len);
    assert_eq!(placed, Some(WHEN_CHARGING.len()), "an order was placed twice");

    let checked = Check::start(&stack).await.done().await;
    // All are there to be paid: the charge that never arrived was made when the order was asked for again.
    assert_eq!((checked.closed, checked.waiting, checked.asked()), (0, 3, 3), "{checked:?}");
    for (point, order) in &orders {
        let now = customer.get(&format!("/orders/{}", id(order))).await.expect(200);
        let attempt = &now["payment"];
        assert_eq!(attempt["status"], "PENDING", "{point}: {now}");
        assert!(attempt["va_number"].is_string(), "{point}: {now}");
        customer.pay(&now).await;
    }
    for (_, order) in &orders {
        went_on_once(&customer, order).await;
    }
    sound(&stack).await;
    report::say(&format!("chaos, charges: {} cases in {:.1} s", orders.len(), begun.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_janitor_killed_at_any_of_its_steps_settles_what_it_finds_once() {
    let begun = Instant::now();
    let options = Options { payments_inside: false, ..Options::default() };
    let stack = Stack::start(options).await.expect("a system");
    let customer = Customer::register(&stack).await;
    gateway::lose_notifications(&stack).await;
    let points: Vec<&str> = WHEN_CHECKING_PAYMENTS.iter().chain(WHEN_A_GATEWAY_WAS_ASKED).copied().collect();
    let (mut paid, mut unpaid, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    // One run, which outlives them all: each worker takes over what the one before it left.
    let mut check = None;
    for point in &points {
        let lost = customer.place_order().await;
        gateway::pay(&stack, &lost["payment"]["gateway_order_id"]).await;
        gateway::fault(&stack, json!({ "kind": "drop_after_create" })).await;
        let unanswered = customer.place_order_by_virtual_account().await;
        gateway::fault(&stack, json!({ "kind": "status", "status": 503 })).await;
        let unheard_of = customer.place_order().await;
        for order in [&unanswered, &unheard_of] {
            assert_eq!(order["payment"]["status"], "UNKNOWN", "{order}");
        }
        let mut doomed = WorkerProcess::start_payments(PROGRAM, &stack, Some((*point).into()));
        if check.is_none() {
            check = Some(Check::start(&stack).await);
        }
        let end = tokio::time::timeout(LONGEST, doomed.ended()).await;
        let end = end.unwrap_or_else(|_| panic!("the janitor never passed {point}"));
        assert!(!end.success(), "the janitor ended by itself at {point}");
        paid.push(lost);
        unpaid.push(unanswered);
        closed.push(unheard_of);
    }
    let _survivor = WorkerProcess::start_payments(PROGRAM, &stack, None);
    check.expect("a run").done().await;
    until("every account number is told", || async {
        Check::start(&stack).await.done().await;
        let mut told = 0;
        for order in &unpaid {
            let now = customer.get(&format!("/orders/{}", id(order))).await.expect(200);
            told += usize::from(now["payment"]["va_number"].is_string());
        }
        (told == unpaid.len()).then_some(())
    })
    .await;
    for order in &paid {
        went_on_once(&customer, order).await;
    }
    for (orders, status) in [(&unpaid, "PENDING"), (&closed, "DENIED")] {
        for order in orders {
            let now = customer.get(&format!("/orders/{}", id(order))).await.expect(200);
            assert_eq!(
                (&now["status"], &now["payment"]["status"]),
                (&json!("PENDING_PAYMENT"), &json!(status))
            );
            assert_eq!(now["payment"]["va_number"].is_string(), status == "PENDING", "{now}");
        }
    }
    sound(&stack).await;
    report::say(&format!("chaos, janitor: {} cases in {:.1} s", points.len(), begun.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_down_or_says_nothing_costs_neither_orders_nor_money() {
    let begun = Instant::now();
    let stack = Stack::start(Options::default()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    // Down: the order is taken without instructions, and paid by another attempt when the gateway is back.
    gateway::fault(&stack, json!({ "kind": "status", "status": 503 })).await;
    let refused = customer.place_order().await;
    assert!(refused["payment"]["qr_string"].is_null(), "{refused}");
    let second = attempt(&customer, &refused).await;
    assert!(second["qr_string"].is_string(), "{second}");
    // Silent: the charge took effect, its answer came too late, and the customer pays all the same. No notification comes.
    gateway::lose_notifications(&stack).await;
    gateway::fault(&stack, json!({ "kind": "delay", "seconds": 3.0 })).await;
    let silent = customer.place_order().await;
    gateway::fault(&stack, json!({ "kind": "drop_after_create" })).await;
    let dropped = customer.place_order().await;
    for order in [&silent, &dropped] {
        assert_eq!(order["payment"]["status"], "UNKNOWN", "{order}");
        gateway::pay(&stack, &order["payment"]["gateway_order_id"]).await;
    }
    // The same, but the customer lost patience and paid another attempt besides.
    gateway::fault(&stack, json!({ "kind": "drop_after_create" })).await;
    let twice = customer.place_order().await;
    let other = attempt(&customer, &twice).await;

    let checked = Check::start(&stack).await.done().await;
    assert_eq!((checked.settled, checked.closed), (2, 1), "{checked:?}");
    gateway::notify_at(&stack, &format!("{}/api/v1/webhooks/midtrans", stack.api_url), RETRY_SECONDS).await;
    for paid in [&second, &other, &twice["payment"]] {
        gateway::pay(&stack, &paid["gateway_order_id"]).await;
    }
    for order in [&refused, &silent, &dropped, &twice] {
        went_on_once(&customer, order).await;
    }
    assert_eq!(wallet(&customer).await, twice["total"].as_i64().expect("a total"), "what was paid twice");
    sound(&stack).await;
    report::say(&format!(
        "chaos, gateway down and silent: 4 cases in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
}

/// Pays `paid` while the gateway notifies a process that dies at `point`.
async fn killed_when_notified(stack: &Stack, mut api: ApiProcess, paid: &Value, point: &str, then: Then) {
    let retry_seconds = if then == Then::Asked { 3_600.0 } else { RETRY_SECONDS };
    gateway::notify_at(stack, &api.webhook(), retry_seconds).await;
    gateway::pay(stack, &paid["payment"]["gateway_order_id"]).await;
    let end = tokio::time::timeout(LONGEST, api.ended()).await;
    let end = end.unwrap_or_else(|_| panic!("the API never passed {point}"));
    assert!(!end.success(), "the API ended by itself at {point}");
    if then == Then::NotifiedAgain {
        let next = format!("{}/api/v1/webhooks/midtrans", stack.api_url);
        gateway::notify_at(stack, &next, RETRY_SECONDS).await;
    }
}

/// Orders at a process that dies meanwhile, and again, with the same key, at the next one.
async fn killed_while_ordering<'a>(customer: &Customer<'a>, mut api: ApiProcess) -> Value {
    let (wish, key) = (customer.good_order_by_virtual_account().await, uuid::Uuid::now_v7().to_string());
    let there = customer.at(&api.url);
    if let Ok(answer) = there.post("/orders", &wish).key(&key).attempt().await {
        panic!("the API answered: {}", answer.body);
    }
    assert!(!api.ended().await.success(), "the API ended by itself");
    customer.post_with_key("/orders", &wish, &key).await.expect(201)
}

/// Begins another attempt to pay an order.
async fn attempt(customer: &Customer<'_>, order: &Value) -> Value {
    let path = format!("/orders/{}/pay", id(order));
    customer.post(&path, &json!({ "payment_method": "QRIS" })).await.expect(201)
}

/// Begins a deposit.
async fn deposit(customer: &Customer<'_>) -> Value {
    let wish = json!({ "amount": DEPOSIT, "payment_method": "QRIS" });
    customer.post("/wallet/deposits", &wish).await.expect(201)
}

async fn call_off(admin: &Customer<'_>, order: &Value) {
    let path = format!("/admin/orders/{}/cancel", id(order));
    admin.post(&path, &json!({ "reason": "The customer changed their mind" })).await.expect(200);
}

/// What a customer can spend.
async fn wallet(customer: &Customer<'_>) -> i64 {
    customer.get("/wallet").await.expect(200)["balance"].as_i64().expect("a balance")
}

/// Waits until an order runs; it was paid once and has one server.
async fn went_on_once(customer: &Customer<'_>, order: &Value) {
    customer.await_status(order, "ACTIVE").await;
    let paid = customer.timeline(order).await.iter().filter(|step| *step == "payment_confirmed").count();
    assert_eq!(paid, 1, "{order}");
    assert_eq!(cloud::servers_of(customer.stack, order).await, 1, "{order}");
}

/// Every rule of the books holds.
async fn sound(stack: &Stack) {
    let report = stack.store.check_ledger().await.expect("the books");
    assert!(report.sound && report.movements > 0, "{:?}", report.findings);
}

fn id(order: &Value) -> &str {
    order["id"].as_str().expect("an id")
}
