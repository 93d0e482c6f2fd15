//! Servers' lives when everything goes down at once, when the engine is put back to an earlier state or lost, and when the
//! database is: nothing twice, nothing forgotten, nothing taken from who paid, and nothing destroyed unseen.

use std::{fs, path::Path, process::Stdio, time::Duration};

use domain::life::LifePolicy;
use engine::TemporalConfig;
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use temporal::dev_server::DevServer;
use tokio::time::Instant;
use webrana::{
    progress::Progress,
    stack::{
        data_dir::DataDir, ports::PortChoice, postgres, process::Supervisor, temporal_binary, temporal_server,
    },
};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    extent, gateway,
    owner::Owner,
    report,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

use crate::{
    chaos::{PROGRAM, system},
    outages::{place, private},
};

/// Rules of seconds, with the reminders left out. The grace outlasts the way from a wish to its payment, and the retention what a
/// workflow waits for whose worker was killed in the middle of a task.
const RULES: LifePolicy = LifePolicy {
    remind_before_ms: [3, 2, 1],
    renew_before_ms: 10_000,
    grace_ms: 12_000,
    retention_ms: 40_000,
    warn_before_ms: 2_000,
    put_off_ms: 500,
    attempts_hold_ms: 600_000,
};

/// A worker that asks gateways and compares engine and database all the time.
fn eager_worker(stack: &Stack) -> WorkerProcess {
    let gateway = gateway::environment(stack);
    let mut variables: Vec<(&str, &str)> =
        gateway.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([
        ("PAYMENT_CHECK_EVERY", "1s"),
        ("PAYMENT_CHECK_AFTER", "1s"),
        ("WORKFLOW_SWEEP_EVERY", "1m"),
    ]);
    WorkerProcess::start_with(PROGRAM, stack, &variables)
}

async fn live_by(stack: &Stack, rules: LifePolicy) {
    let admin = Customer::admin(stack).await;
    admin.post("/admin/life/rules", &serde_json::to_value(rules).unwrap()).await.expect(201);
}

async fn wants_term(owner: &Owner<'_>) -> Value {
    let wish = json!({ "term_months": 1, "payment_method": "QRIS" });
    owner.customer.post(&owner.path("/renew"), &wish).await.expect(201)
}

async fn sound(stack: &Stack) {
    let books = stack.store.check_ledger().await.expect("a report");
    assert!(books.sound, "{:#?}", books.findings);
}

/// An engine of one's own, which can be stopped and started again on the same port.
struct Engine {
    server: DevServer,
    supervisor: Supervisor,
    progress: Progress,
}

impl Engine {
    async fn start(data_dir: &DataDir, supervisor: &Supervisor) -> Self {
        let progress = Progress::default();
        let server = temporal_server::start(data_dir, supervisor, PortChoice::Auto, &progress).await;
        Self { server: server.expect("an engine"), supervisor: supervisor.clone(), progress }
    }

    fn config(&self) -> TemporalConfig {
        TemporalConfig::plain(self.server.address())
    }

    async fn start_again(&self) {
        let program = temporal_binary::find(&self.progress).await.expect("the program");
        let mut again = std::process::Command::new(program);
        again.args(self.server.arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.supervisor.start("Temporal", again, Signal::TERM).expect("the engine starts again");
        until("the engine answers", || async { engine::connect(&self.config()).await.ok() }).await;
    }

    /// The files of its state, the write-ahead log with them.
    fn files(&self) -> Vec<std::path::PathBuf> {
        let name = self.server.database.file_name().and_then(|name| name.to_str()).expect("a name");
        let beside = fs::read_dir(self.server.database.parent().expect("a directory")).expect("its files");
        let files = beside.map(|file| file.expect("a file").path());
        files
            .filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)))
            .collect()
    }

    fn copy_to(&self, place: &Path) {
        fs::create_dir_all(place).expect("a place");
        for file in self.files() {
            fs::copy(&file, place.join(file.file_name().expect("a name"))).expect("a copy");
        }
    }

    fn lose(&self) {
        self.files().iter().for_each(|file| fs::remove_file(file).expect("gone"));
    }

    fn put_back(&self, place: &Path) {
        self.lose();
        let home = self.server.database.parent().expect("a directory");
        for file in fs::read_dir(place).expect("the copy") {
            let file = file.expect("a file").path();
            fs::copy(&file, home.join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_while_everything_is_down_is_not_suspended_when_it_is_up_again() {
    let (data_dir, databases) = place("everything");
    let engines = Supervisor::new(webrana::stack::pids::PidsFile::at(data_dir.root().join("engine.pids")));
    let (progress, options) = (Progress::default(), private());
    let start = || postgres::start(&data_dir, &databases, &options, &progress);
    let database = start().await.expect("a database");
    let engine = Engine::start(&data_dir, &engines).await;
    let options = Options {
        database_url: Some(database.clone()),
        temporal: Some(engine.config()),
        worker_inside: false,
        ..Options::default()
    };
    let stack = Stack::start(options).await.expect("a system");
    live_by(&stack, RULES).await;
    let worker = eager_worker(&stack);
    let [by_invoice, by_deposit, owing] = {
        let owners = join_all((0..3).map(|_| Owner::at(&stack, Cloud::DIGITALOCEAN))).await;
        <[Owner<'_>; 3]>::try_from(owners).expect("three")
    };
    let renewal = wants_term(&by_invoice).await;
    by_deposit.auto_renew().await;
    let wish = json!({ "amount": 500_000, "payment_method": "QRIS" });
    let deposit = by_deposit.customer.post("/wallet/deposits", &wish).await.expect(201);
    let over = Instant::now() + Duration::from_secs(2) + Duration::from_millis(RULES.grace_ms);
    join_all([&by_invoice, &by_deposit, &owing].map(|owner| async move {
        owner.ends_in(2.0).await;
        until("the grace begins", || async { (owner.told("VPS_EXPIRED").await == 1).then_some(()) }).await;
    }))
    .await;

    drop(worker);
    gateway::lose_notifications(&stack).await;
    engines.stop_all().await;
    databases.stop_all().await;
    for bill in [&renewal, &deposit] {
        gateway::pay(&stack, &bill["payment"]["gateway_order_id"]).await;
    }
    // The grace is over while nobody looks.
    tokio::time::sleep_until(over + Duration::from_secs(2)).await;
    let restarted = start().await.expect("the database again");
    assert_eq!(restarted, database, "the database came back somewhere else");
    engine.start_again().await;
    let _worker = eager_worker(&stack);

    until("who owes is suspended", || async { (owing.now().await["status"] == "SUSPENDED").then_some(()) })
        .await;
    for owner in [&by_invoice, &by_deposit] {
        until("the payment is found", || async { (owner.told("VPS_RENEWED").await == 1).then_some(()) })
            .await;
        assert_eq!(owner.now().await["status"], "ACTIVE");
        assert_eq!(owner.told_of_life().await, ["VPS_EXPIRED", "VPS_RENEWED"], "never suspended");
    }
    sound(&stack).await;
    drop(stack);
    engines.stop_all().await;
    databases.stop_all().await;
    data_dir.finish().expect("the place is wiped");
}

/// What becomes of the engine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engines {
    PutBack,
    Lost,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_was_put_back_or_lost_does_nothing_twice_and_forgets_nothing() {
    without_the_engines_memory(Engines::PutBack).await;
    if extent::is_full() {
        without_the_engines_memory(Engines::Lost).await;
    }
}

async fn without_the_engines_memory(fate: Engines) {
    let name = format!("engine-{fate:?}").to_lowercase();
    let (data_dir, supervisor) = place(&name);
    let engine = Engine::start(&data_dir, &supervisor).await;
    let options = Options { temporal: Some(engine.config()), worker_inside: false, ..Options::default() };
    let stack = Stack::start(options).await.expect("a system");
    live_by(&stack, RULES).await;
    let worker = eager_worker(&stack);
    let [renewing, owing, acting] = {
        let owners = join_all((0..3).map(|_| Owner::at(&stack, Cloud::DIGITALOCEAN))).await;
        <[Owner<'_>; 3]>::try_from(owners).expect("three")
    };
    renewing.deposit(900_000).await;
    renewing.auto_renew().await;

    drop(worker);
    supervisor.stop_all().await;
    let copy = data_dir.root().join("copy");
    engine.copy_to(&copy);
    engine.start_again().await;
    let worker = eager_worker(&stack);
    // What happens from here on the engine will not remember.
    renewing.ends_in(5.0).await;
    owing.ends_in(0.1).await;
    acting.does(json!({ "action": "snapshot", "params": { "name": "one" } })).await;
    let later = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    let renewed =
        until("the term is renewed", || async { (renewing.told("VPS_RENEWED").await == 1).then_some(()) });
    futures::join!(renewed, owing.becomes("SUSPENDED"));
    drop(worker);
    supervisor.stop_all().await;
    let balance = renewing.balance().await;
    let creates = stack.clouds.calls(Cloud::DIGITALOCEAN, Cloud::DIGITALOCEAN.routes().create);
    match fate {
        Engines::PutBack => engine.put_back(&copy),
        Engines::Lost => engine.lose(),
    }
    engine.start_again().await;
    // A quarter of an hour goes by.
    owing
        .sql(
            "UPDATE instances SET next_due_at = now() - interval '16 minutes', woken_at = NULL WHERE id = $1",
        )
        .await;
    owing
        .sql("UPDATE instance_actions SET updated_at = now() - interval '16 minutes' WHERE instance_id = $1 AND status = 'in_progress'")
        .await;
    let _worker = eager_worker(&stack);

    // Nothing is forgotten: what was under way goes on, and who came later is known.
    owing.becomes("TERMINATED").await;
    assert_eq!(
        owing.told_of_life().await,
        ["VPS_EXPIRED", "VPS_SUSPENDED", "VPS_SUSPENDED", "VPS_TERMINATED"]
    );
    assert_eq!(owing.at_provider().await, 0);
    later.does(json!({ "action": "reboot" })).await;
    acting.does(json!({ "action": "reboot" })).await;
    // Nothing is done twice.
    assert_eq!(renewing.told_of_life().await, ["VPS_RENEWED"]);
    assert_eq!(renewing.balance().await, balance);
    let snapshots = acting.customer.get(&acting.path("/snapshots")).await.expect(200);
    assert_eq!(snapshots["data"].as_array().map(Vec::len), Some(1), "{snapshots}");
    assert_eq!(stack.clouds.calls(Cloud::DIGITALOCEAN, Cloud::DIGITALOCEAN.routes().create), creates);
    // The next term of who renews comes as the first one did.
    renewing.ends_in(5.0).await;
    until("the next term is renewed", || async { (renewing.told("VPS_RENEWED").await == 2).then_some(()) })
        .await;
    for owner in [&renewing, &acting, &later] {
        assert_eq!((owner.now().await["status"].as_str(), owner.at_provider().await), (Some("ACTIVE"), 1));
    }
    sound(&stack).await;
    report::say(&format!("engine {fate:?}: nothing twice, nothing forgotten"));
    drop(stack);
    supervisor.stop_all().await;
    data_dir.finish().expect("the place is wiped");
}

/// The system's database, put back to an earlier state while nobody is connected.
struct Backup {
    name: String,
    server: PgConnection,
}

impl Backup {
    async fn of(stack: &Stack) -> Self {
        let mut url: url::Url = stack.database_url.parse().expect("a URL");
        let name = url.path().trim_start_matches('/').to_owned();
        url.set_path("postgres");
        let server = PgConnection::connect(url.as_str()).await.expect("the server");
        let mut copy = Self { name, server };
        copy.alone().await;
        copy.run("CREATE DATABASE {}_copy TEMPLATE {}").await;
        copy.run("ALTER DATABASE {} ALLOW_CONNECTIONS true").await;
        copy
    }

    async fn put_back(mut self) {
        self.alone().await;
        self.run("DROP DATABASE {} WITH (FORCE)").await;
        self.run("ALTER DATABASE {}_copy RENAME TO {}").await;
    }

    /// Throws everybody out and lets nobody in.
    async fn alone(&mut self) {
        self.run("ALTER DATABASE {} ALLOW_CONNECTIONS false").await;
        self.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'").await;
    }

    async fn run(&mut self, statement: &str) {
        let statement = statement.replace("{}", &self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut self.server).await.expect("a statement");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_destroys_nothing_before_staff_have_looked() {
    let stack = system(Options::default()).await;
    live_by(&stack, RULES).await;
    let worker = eager_worker(&stack);
    let [paying, owing, rebuilding, sleeping] = {
        let owners = join_all((0..4).map(|_| Owner::at(&stack, Cloud::DIGITALOCEAN))).await;
        <[Owner<'_>; 4]>::try_from(owners).expect("four")
    };
    let renewal = wants_term(&paying).await;
    drop(worker);
    // Asked for, and not done in the state that comes back.
    let rebuild = json!({ "action": "rebuild", "params": { "image": "debian-12" } });
    let asked = rebuilding.customer.post(&rebuilding.path("/actions"), &rebuild).await.expect(202);
    let action = rebuilding.path(&format!("/actions/{}", asked["action"]["id"].as_str().unwrap()));
    let copy = Backup::of(&stack).await;

    // What the database will not remember: a payment, a rebuild, looks at lives.
    let worker = eager_worker(&stack);
    answers_again(&paying).await;
    paying.customer.pay(&renewal).await;
    until("the term is renewed", || async { (paying.told("VPS_RENEWED").await == 1).then_some(()) }).await;
    until("it is rebuilt", || async {
        (rebuilding.customer.get(&action).await.expect(200)["status"] == "completed").then_some(())
    })
    .await;
    for owner in [&paying, &owing, &sleeping] {
        owner.does(json!({ "action": "reboot" })).await;
    }
    drop(worker);
    let calls = stack.clouds.calls(Cloud::DIGITALOCEAN, ACTIONS);
    copy.put_back().await;
    answers_again(&paying).await;

    let _worker = eager_worker(&stack);
    let admin = Customer::admin(&stack).await;
    for owner in [&paying, &owing] {
        owner.ends_in(0.1).await;
    }
    // Who paid may be found to have before there is anything to hold back.
    until("the suspension is held back", || async {
        let held = admin.get("/admin/life/held?step=suspend").await.expect(200);
        let of = |held: &&Value| held["instance_id"] == json!(owing.server);
        let held = held["data"].as_array().expect("servers").iter().find(of).cloned()?;
        (held["why"] == "the database was put back to an earlier state").then_some(())
    })
    .await;
    assert!(admin.notifications_of("STEPS_HELD_BACK").await >= 1, "staff are told");
    let seen = rebuilding.customer.get(&action).await.expect(200);
    assert_eq!(seen["status"], "pending", "it was done, so it is not done again: {seen}");
    let after = stack.clouds.calls(Cloud::DIGITALOCEAN, ACTIONS);
    assert_eq!(after, calls, "nothing was asked of the provider");

    admin.post("/admin/life/confirm-restore", &json!({})).await.expect(204);
    until("who owes is suspended", || async { (owing.now().await["status"] == "SUSPENDED").then_some(()) })
        .await;
    // The gateway is asked about the attempt that is open again.
    until("the payment is found", || async { (paying.told("VPS_RENEWED").await == 1).then_some(()) }).await;
    assert_eq!(
        (paying.now().await["status"].as_str(), paying.told("VPS_SUSPENDED").await),
        (Some("ACTIVE"), 0)
    );
    let ended = until("the rebuild is over", || async {
        let now = rebuilding.customer.get(&action).await.expect(200);
        now["finished_at"].is_string().then_some(now)
    })
    .await;
    assert_eq!(
        (&ended["status"], &ended["failure"]["class"]),
        (&json!("failed"), &json!("CONFLICT")),
        "{ended}"
    );
    // Who slept all the while knows of more looks, too, and holds nothing up again.
    sleeping.ends_in(0.1).await;
    until("who slept is suspended", || async {
        (sleeping.now().await["status"] == "SUSPENDED").then_some(())
    })
    .await;
    sound(&stack).await;
}

/// The API has done with its connections of before.
async fn answers_again(owner: &Owner<'_>) {
    for _ in 0..40 {
        until("the API answers", || async {
            (owner.customer.get("/wallet").await.status == 200).then_some(())
        })
        .await;
    }
}

/// What DigitalOcean does to servers.
const ACTIONS: &str = "POST /v2/droplets/{id}/actions";
