//! The engine or the database is away for a while. Both have servers of their own here, since other tests need theirs.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use engine::TemporalConfig;
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use webrana::{
    progress::Progress,
    stack::{
        ServerOptions, data_dir::DataDir, pids::PidsFile, ports::PortChoice, postgres,
        postgres_binaries::Choice, process::Supervisor, temporal_binary, temporal_server,
    },
};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    gateway, report,
    stack::{Options, Stack},
    wait_until::until,
};

/// How long the engine stays away.
const OUTAGE: Duration = Duration::from_secs(60);

/// A place for a server of one's own, below cargo's scratch directory; wiped by [`DataDir::finish`].
pub fn place(name: &str) -> (DataDir, Supervisor) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let data_dir = DataDir::open(&path, true).expect("a data directory");
    let supervisor = Supervisor::new(PidsFile::at(data_dir.pids()));
    (data_dir, supervisor)
}

/// A server of one's own that keeps what it commits.
pub fn private() -> ServerOptions {
    ServerOptions {
        database_url: None,
        temporal_address: None,
        temporal_ui_url: None,
        ports: PortChoice::Auto,
        postgres_binaries: Choice::Auto,
        durable: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_payments_are_taken_while_the_engine_is_away() {
    let (data_dir, supervisor) = place("engine");
    let progress = Progress::default();
    let engine =
        temporal_server::start(&data_dir, &supervisor, PortChoice::Auto, &progress).await.expect("an engine");
    let options = Options { temporal: Some(TemporalConfig::plain(engine.address())), ..Options::versioned() };
    let stack = Stack::start(options).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let before = customer.place_order().await;
    until("the first order's workflow is started", || async {
        (stack.store.outbox_backlog().await.expect("a backlog").waiting == 0).then_some(())
    })
    .await;

    supervisor.stop_all().await;
    let gone = Instant::now();
    customer.pay(&before).await;
    let mut orders = vec![before];
    let mut pace = tokio::time::interval(Duration::from_secs(3));
    while gone.elapsed() < OUTAGE {
        pace.tick().await;
        let order = customer.place_order().await;
        customer.pay(&order).await;
        orders.push(order);
    }
    let unpaid = customer.place_order().await;
    for order in &orders {
        customer.await_status(order, "PAID").await;
    }

    let mut again = Command::new(temporal_binary::find(&progress).await.expect("the program"));
    again.args(engine.arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    supervisor.start("Temporal", again, Signal::TERM).expect("the engine starts again");
    customer.pay(&unpaid).await;
    orders.push(unpaid);
    all_active_once(&customer, &orders).await;
    report::say(&format!(
        "engine away for {:.0} s: {} orders, none lost",
        OUTAGE.as_secs_f64(),
        orders.len()
    ));
    drop(stack);
    supervisor.stop_all().await;
    data_dir.finish().expect("the place is wiped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_loses_nothing() {
    let (data_dir, supervisor) = place("database");
    let progress = Progress::default();
    let private = private();
    let start = || postgres::start(&data_dir, &supervisor, &private, &progress);
    let database = start().await.expect("a database");
    let options = Options { database_url: Some(database.clone()), ..Default::default() };
    let stack = Stack::start(options).await.expect("a system");
    cloud::configure(&stack, Cloud::DIGITALOCEAN, json!({ "boot_seconds": 3.0 })).await;
    let customer = Customer::register(&stack).await;
    let orders = join_all((0..5).map(|_| customer.place_order())).await;
    join_all(orders.iter().map(|order| customer.pay(order))).await;
    for order in &orders {
        customer.await_status(order, "PROVISIONING").await;
    }

    let wish = customer.good_order().await;
    supervisor.stop_all().await;
    // While it is away nothing is accepted that could be lost, and the client is told to come back.
    customer.post("/orders", &wish).await.expect_problem(503, "unavailable");
    let restarted = start().await.expect("the database again");
    assert_eq!(restarted, database, "the database came back somewhere else");

    all_active_once(&customer, &orders).await;
    drop(stack);
    supervisor.stop_all().await;
    data_dir.finish().expect("the place is wiped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_in_the_midst_of_notifications_credits_each_once() {
    let (data_dir, supervisor) = place("notifications");
    let progress = Progress::default();
    let private = private();
    let start = || postgres::start(&data_dir, &supervisor, &private, &progress);
    let database = start().await.expect("a database");
    let options = Options { database_url: Some(database.clone()), ..Default::default() };
    let stack = Stack::start(options).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let wish = json!({ "amount": 50_000, "payment_method": "QRIS" });
    let deposits =
        join_all((0..40).map(async |_| customer.post("/wallet/deposits", &wish).await.expect(201))).await;
    let orders = join_all((0..5).map(|_| customer.place_order())).await;
    let webhook = format!("{}/api/v1/webhooks/midtrans", stack.api_url);
    // Five tries, or four after a 503, outlast the restart.
    gateway::notify_at(&stack, &webhook, 2.0).await;

    let bills = || deposits.iter().chain(&orders);
    let paying =
        join_all(bills().map(async |bill| gateway::pay(&stack, &bill["payment"]["gateway_order_id"]).await));
    let holder = hold_deposits(&stack.database_url).await;
    let restarting = async {
        until_somebody_waits(&stack.database_url).await;
        supervisor.stop_all().await;
        start().await.expect("the database again")
    };
    let (told, restarted) = futures::join!(paying, restarting);
    drop(holder);
    assert_eq!(restarted, database, "the database came back somewhere else");
    let refused = told.iter().filter(|report| report["deliveries"][0]["status"] != 200).count();
    assert!(refused > 0, "the restart met no notification");

    until("every deposit is on the balance", || async {
        let wallet = customer.get("/wallet").await;
        (wallet.status == 200 && wallet.body["balance"] == 40 * 50_000).then_some(())
    })
    .await;
    all_active_once(&customer, &orders).await;
    let books = stack.store.check_ledger().await.expect("the books");
    assert!(books.sound, "{:?}", books.findings);
    report::say(&format!(
        "database restarted among {} notifications, {refused} of them refused at first",
        told.len()
    ));
    drop(stack);
    supervisor.stop_all().await;
    data_dir.finish().expect("the place is wiped");
}

/// Holds every deposit's row for as long as the connection lives, so that the restart finds notifications under way.
async fn hold_deposits(database: &str) -> PgConnection {
    let mut connection = PgConnection::connect(database).await.expect("a connection");
    sqlx::raw_sql("BEGIN; SELECT FROM deposits FOR UPDATE").execute(&mut connection).await.expect("the rows");
    connection
}

async fn until_somebody_waits(database: &str) {
    let connection = PgConnection::connect(database).await.expect("a connection");
    let connection = tokio::sync::Mutex::new(connection);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    until("notifications wait for the rows", || async {
        let count: i64 =
            sqlx::query_scalar(waiting).fetch_one(&mut *connection.lock().await).await.expect("a count");
        (count > 0).then_some(())
    })
    .await;
}

async fn all_active_once(customer: &Customer<'_>, orders: &[Value]) {
    for order in orders {
        customer.await_status(order, "ACTIVE").await;
        assert_eq!(cloud::servers_of(customer.stack, order).await, 1);
    }
}
