//! What providers tell is asked for once, whoever wants to see it, and however often.

use std::{sync::Arc, time::Duration};

use adapters::providers::{Call, CallOutcome, NotAdmitted, Paced, Pacer};
use api::AppState;
use domain::rate_limit::{Caller, Class, HeldBy};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, Caller as Client, Method, StatusCode};

use crate::{World, assert_problem};

const SNAPSHOTS: &str = "GET /v2/droplets/{id}/snapshots";
const CHARTS: &str = "GET /v2/monitoring/metrics/droplet/{metric}";

/// Reads `path` under the server's, in one process or the other.
async fn read(world: &World, me: &Client, path: &str) -> Answer {
    me.get(&format!("/instances/{}{path}", world.server)).await
}

#[sqlx::test(migrations = "../migrations")]
async fn two_hundred_reads_over_twelve_connections_cost_one_call(pool: PgPool) {
    let world = World::open(pool).await;
    let answers: Vec<_> = stream::iter(0..200)
        .map(|number| {
            let me = if number % 2 == 0 { &*world.me } else { &world.me_there };
            read(&world, me, "/snapshots")
        })
        .buffer_unordered(12)
        .collect()
        .await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body["data"]), (StatusCode::OK, &json!([])), "{}", answer.body);
        assert_eq!(answer.body["as_of"], answers[0].body["as_of"]);
        assert_eq!(answer.body["stale"], false);
    }
    assert_eq!(world.calls(SNAPSHOTS), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_open_dashboard_costs_one_fetch_of_each_chart_a_minute(pool: PgPool) {
    let world = World::open(pool).await;
    for me in [&*world.me, &world.me_there, &*world.me, &world.me_there] {
        let kinds = ["cpu", "memory", "disk", "network"];
        let asked = kinds.map(|kind| format!("/metrics?kind={kind}"));
        let charts = futures::future::join_all(asked.iter().map(|path| read(&world, me, path))).await;
        for (kind, chart) in kinds.iter().zip(&charts) {
            if *kind == "disk" {
                assert_problem(chart, 409, "unsupported_action");
            } else {
                assert_eq!(chart.status, StatusCode::OK, "{}", chart.body);
                assert!(chart.headers.contains_key("age"));
            }
        }
    }
    // One for the processors, two each for memory and traffic.
    assert_eq!(world.calls(CHARTS), 5);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_kept_is_shown_with_its_age_while_the_provider_is_away(pool: PgPool) {
    let world = World::open(pool).await;
    let first = read(&world, &world.me, "/snapshots").await;
    world.outdate_reads().await;
    world.break_once(SNAPSHOTS).await;
    let stale = read(&world, &world.me_there, "/snapshots").await;
    assert_eq!((stale.status, &stale.body["data"]), (StatusCode::OK, &first.body["data"]), "{}", stale.body);
    assert_eq!(stale.body["stale"], true);
    let age: u64 = stale.headers["age"].to_str().unwrap().parse().unwrap();
    assert!((90..600).contains(&age), "{age}");
    let calls = world.calls(SNAPSHOTS);
    assert_eq!(read(&world, &world.me, "/snapshots").await.body["stale"], true);
    assert_eq!(world.calls(SNAPSHOTS), calls, "not asked again right away");
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_kept_of_a_server_that_has_ended(pool: PgPool) {
    let world = World::open(pool).await;
    assert_eq!(read(&world, &world.me, "/snapshots").await.status, StatusCode::OK);
    let kept = async || world.count("SELECT count(*) FROM provider_reads").await;
    assert_eq!(kept().await, 1);
    world.run("UPDATE instances SET status = 'TERMINATED'").await;
    assert_eq!(kept().await, 0);
    assert_problem(&read(&world, &world.me, "/snapshots").await, 409, "instance_conflict");
    assert_eq!(kept().await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_action_that_is_over_outdates_what_was_told_before(pool: PgPool) {
    let world = World::open(pool).await;
    read(&world, &world.me, "/snapshots").await;
    let action = world.ask(json!({ "action": "reboot" })).await.body["action"]["id"].clone();
    world.store.next_action(world.server).await.unwrap();
    let class = domain::provisioning::FailureClass::Permanent;
    world.store.fail_action(action.as_str().unwrap().parse().unwrap(), class, "no").await.unwrap();
    read(&world, &world.me, "/snapshots").await;
    assert_eq!(world.calls(SNAPSHOTS), 2);
}

/// A budget in which one class has had its share.
#[derive(Debug)]
struct Without(Class, HeldBy);

#[async_trait::async_trait]
impl Pacer for Without {
    async fn admit(&self, _lane: &'static str, caller: Caller, _call: Call) -> Result<(), NotAdmitted> {
        if caller.class() != self.0 {
            return Ok(());
        }
        let (reason, retry_after) = ("no share".to_owned(), Duration::from_secs(7));
        Err(NotAdmitted { reason, retry_after, by: self.1 })
    }

    async fn report(&self, _lane: &'static str, _outcome: &CallOutcome) {}
}

async fn without(pool: PgPool, class: Class, by: HeldBy) -> World {
    let pacer = Paced::new(Arc::new(Without(class, by)), Caller::Servers);
    World::open_with(pool, pacer, |state| state).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_read_without_room_and_without_anything_kept_is_a_503(pool: PgPool) {
    let world = without(pool, Class::Display, HeldBy::Party).await;
    let refused = read(&world, &world.me, "/snapshots").await;
    assert_problem(&refused, 503, "provider_busy");
    assert!(refused.headers.contains_key("retry-after"));
    let again = read(&world, &world.me_there, "/snapshots").await;
    assert_eq!(again.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(again.headers.contains_key("retry-after"));
    assert_eq!(world.calls(SNAPSHOTS), 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn who_asks_for_more_than_a_customers_part_is_told_so(pool: PgPool) {
    let restore = json!({ "action": "restore", "params": { "snapshot_id": "7" } });
    let world = without(pool, Class::Actions, HeldBy::Party).await;
    let refused = world.ask(restore).await;
    assert_problem(&refused, 429, "too_many_calls");
    assert_eq!(refused.headers["retry-after"], "7");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_customer_has_so_many_actions_an_hour_and_deletes_at_any_time(pool: PgPool) {
    let world = World::open_with(pool, Paced::unpaced(), |state| AppState {
        store: state.store.clone().with_actions_per_hour(2),
        ..state
    })
    .await;
    for _ in 0..2 {
        assert_eq!(world.ask(json!({ "action": "reboot" })).await.status, StatusCode::ACCEPTED);
    }
    let refused = world.ask(json!({ "action": "reboot" })).await;
    assert_problem(&refused, 429, "too_many_actions");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    let page = world.mine(Method::GET, "/actions", &Value::Null).await.body;
    assert_eq!(page["data"].as_array().unwrap().len(), 2, "nothing was taken in");
    let rename = world.ask(json!({ "action": "rename", "params": { "name": "toko" } })).await;
    assert_eq!(rename.status, StatusCode::ACCEPTED, "{}", rename.body);
    let delete = world.program(Method::DELETE, &format!("/instances/{}", world.server), &Value::Null).await;
    assert_eq!(delete.status, StatusCode::ACCEPTED, "{}", delete.body);
}
