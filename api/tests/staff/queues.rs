//! What waits for workers, as staff see it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    queue_health::{QueueSeen, QueuesSeen, TaskKind, VersionSeen, VersionStatus},
    role::Role,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, TestApi};

async fn now(app: &TestApi) -> DateTime<Utc> {
    let at = app.text("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").await;
    at.parse().unwrap()
}

fn queue(name: &str, tasks: TaskKind, backlog: i64, polled_at: Vec<DateTime<Utc>>) -> QueueSeen {
    QueueSeen { queue: name.to_owned(), tasks, backlog, oldest_seconds: 7.5, polled_at }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_see_which_work_has_no_worker_and_how_old_that_is(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let shown = async || support.get("/admin/queues").await.expect(200);
    let never = shown().await;
    assert_eq!((&never["seen_seconds_ago"], &never["is_stale"]), (&Value::Null, &json!(true)));
    assert_eq!((&never["queues"], &never["versions"]), (&json!([]), &json!([])));
    assert_eq!(never["outbox"].as_array().unwrap().len(), 3, "{never}");

    let now = now(&app).await;
    let (alive, gone) = (now - TimeDelta::seconds(20), now - TimeDelta::seconds(200));
    let version = |build: &str, status, open_runs, polled_at| VersionSeen {
        build_id: build.to_owned(),
        status,
        open_runs,
        polled_at,
    };
    let seen = QueuesSeen {
        queues: vec![
            queue("orders", TaskKind::Workflow, 3, vec![alive, alive, gone]),
            queue("provider-vultr", TaskKind::Activity, 0, vec![]),
        ],
        versions: vec![
            version("1-old", VersionStatus::Draining, 2, vec![gone]),
            version("2-new", VersionStatus::Current, 0, vec![alive]),
        ],
    };
    app.store.note_queues(&seen).await.unwrap();
    let fresh = shown().await;
    assert_eq!((&fresh["is_stale"], &fresh["problem"]), (&json!(false), &Value::Null));
    assert!(fresh["seen_seconds_ago"].as_f64().unwrap() < 30.0, "{fresh}");
    let orders = &fresh["queues"][0];
    assert_eq!(
        (
            &orders["name"],
            &orders["tasks"],
            &orders["backlog"],
            &orders["oldest_seconds"],
            &orders["pollers"]
        ),
        (&json!("orders"), &json!("WORKFLOW"), &json!(3), &json!(7.5), &json!(2))
    );
    assert!(orders["polled_seconds_ago"].as_f64().unwrap() >= 20.0, "{orders}");
    let idle = &fresh["queues"][1];
    assert_eq!((&idle["pollers"], &idle["polled_seconds_ago"]), (&json!(0), &Value::Null));
    assert_eq!(
        fresh["versions"],
        json!([
            { "build_id": "2-new", "status": "CURRENT", "open_runs": 0, "pollers": 1 },
            { "build_id": "1-old", "status": "DRAINING", "open_runs": 2, "pollers": 0 },
        ])
    );

    // The engine is away: what was seen stays, grows old, and the reason is told.
    app.store.note_queues_unseen("Temporal did not answer within 15 s").await.unwrap();
    app.run("UPDATE queue_looks SET seen_at = now() - interval '2 minutes'").await;
    let stale = shown().await;
    assert_eq!(
        (&stale["is_stale"], &stale["problem"], &stale["queues"][0]["backlog"]),
        (&json!(true), &json!("Temporal did not answer within 15 s"), &json!(3))
    );

    // What is not there any more goes.
    app.store
        .note_queues(&QueuesSeen { queues: vec![seen.queues[1].clone()], versions: vec![] })
        .await
        .unwrap();
    let later = shown().await;
    assert_eq!((later["queues"].as_array().unwrap().len(), &later["versions"]), (1, &json!([])));
    assert_eq!((&later["is_stale"], &later["problem"]), (&json!(false), &Value::Null));
}

#[sqlx::test(migrations = "../migrations")]
async fn of_several_processes_one_looks_at_a_time(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let every = std::time::Duration::from_secs(60);
    assert!(app.store.claim_queue_look(every).await.unwrap());
    assert!(!app.store.claim_queue_look(every).await.unwrap());
    app.run("UPDATE queue_looks SET begun_at = begun_at - interval '61 seconds'").await;
    assert!(app.store.claim_queue_look(every).await.unwrap());
}
