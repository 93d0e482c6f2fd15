//! Keeping what providers told: one of many readers asks, whoever takes too long is replaced, and its answer is not kept.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use store::{
    Store,
    provider_reads::{ReadKey, ReadTurn},
};
use testkit::TestApp;
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);

fn regions() -> ReadKey {
    ReadKey { provider: "vendor".to_owned(), instance: None, kind: "regions".to_owned() }
}

async fn turn(store: &Store) -> ReadTurn {
    store.provider_read(&regions(), MINUTE).await.unwrap()
}

async fn refresh(store: &Store) -> Uuid {
    match turn(store).await {
        ReadTurn::Refresh { refresh, .. } => refresh,
        other => panic!("{other:?}"),
    }
}

async fn all_due(pool: &PgPool) {
    let due = "UPDATE provider_reads SET next_refresh_at = now(),
                      fresh_until = CASE WHEN fresh_until > now() THEN now() ELSE fresh_until END";
    sqlx::query(due).execute(pool).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn of_many_readers_in_many_processes_one_asks(pool: PgPool) {
    let _app = TestApp::unseeded(pool.clone());
    let stores: Vec<Store> = (0..8).map(|_| Store::new(pool.clone())).collect();
    let turns = futures::future::join_all(stores.iter().map(turn)).await;
    let asks = |turn: &&ReadTurn| matches!(turn, ReadTurn::Refresh { kept: None, .. });
    assert_eq!(turns.iter().filter(asks).count(), 1, "{turns:?}");
    for turn in turns.iter().filter(|turn| !asks(turn)) {
        assert!(matches!(turn, ReadTurn::Elsewhere { kept: None, under_way: true, .. }), "{turn:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_answer_is_fresh_for_all_and_then_asked_for_once_more(pool: PgPool) {
    let _app = TestApp::unseeded(pool.clone());
    let (one, other) = (Store::new(pool.clone()), Store::new(pool.clone()));
    let asked = refresh(&one).await;
    let told = one.keep_provider_read(&regions(), asked, &json!(["sgp1"]), MINUTE).await.unwrap();
    assert!(told.is_kept);
    match turn(&other).await {
        ReadTurn::Fresh(kept) => {
            assert_eq!((kept.answer, kept.as_of), (json!(["sgp1"]), told.as_of));
            assert!(kept.age < MINUTE);
        }
        other => panic!("{other:?}"),
    }
    all_due(&pool).await;
    assert!(matches!(turn(&other).await, ReadTurn::Refresh { kept: Some(_), .. }));
    let meanwhile = turn(&one).await;
    assert!(matches!(meanwhile, ReadTurn::Elsewhere { kept: Some(_), under_way: true, .. }), "{meanwhile:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_takes_too_long_is_replaced_and_keeps_nothing(pool: PgPool) {
    let _app = TestApp::unseeded(pool.clone());
    let (one, other) = (Store::new(pool.clone()), Store::new(pool.clone()));
    let late = refresh(&one).await;
    all_due(&pool).await;
    let second = refresh(&other).await;
    let kept = one.keep_provider_read(&regions(), late, &json!("late"), MINUTE).await.unwrap();
    assert!(!kept.is_kept);
    assert!(other.keep_provider_read(&regions(), second, &json!("second"), MINUTE).await.unwrap().is_kept);
    assert!(matches!(turn(&one).await, ReadTurn::Fresh(kept) if kept.answer == json!("second")));
}

#[sqlx::test(migrations = "../migrations")]
async fn after_a_failure_nobody_asks_for_a_while(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let asked = refresh(&store).await;
    store.fail_provider_read(&regions(), asked, Duration::from_secs(20)).await.unwrap();
    match turn(&store).await {
        ReadTurn::Elsewhere { kept: None, under_way: false, retry_after } => {
            assert!((Duration::from_secs(15)..=Duration::from_secs(20)).contains(&retry_after));
        }
        other => panic!("{other:?}"),
    }
    all_due(&pool).await;
    refresh(&store).await;
}
