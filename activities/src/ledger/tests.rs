//! The upkeep of the books on a database of its own.

use domain::{Rupiah, ids::UserId, ledger::Movement};
use sqlx::PgPool;
use uuid::Uuid;

use super::*;

/// Books with one movement.
async fn books(pool: &PgPool) -> LedgerActivities {
    let (store, id) = (Store::new(pool.clone()), Uuid::now_v7());
    sqlx::query(
        "INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, 'b@example.com', 'Budi', 'x')",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    let given = Movement::adjustment(UserId(id), Uuid::now_v7(), Rupiah::new(100_000)).unwrap();
    assert!(store.book(&given).await.unwrap());
    LedgerActivities { store }
}

#[sqlx::test(migrations = "../migrations")]
async fn sound_books_are_found_sound_however_often_the_step_runs(pool: PgPool) {
    let ledger = books(&pool).await;
    assert_eq!(ledger.recognise().await.unwrap(), 0);
    let run = LedgerCheckRun { check_id: None, recognised: Some(0) };
    let first = ledger.check(run, "ledger-upkeep/1").await.unwrap();
    assert_eq!((first.sound, first.movements, first.broken), (true, 1, 0));
    assert_eq!(ledger.check(run, "ledger-upkeep/1").await.unwrap(), first);
    assert_ne!(ledger.check(run, "ledger-upkeep/2").await.unwrap().check_id, first.check_id);
}

#[sqlx::test(migrations = "../migrations")]
async fn books_that_are_not_sound_are_a_finding_and_no_failure(pool: PgPool) {
    let ledger = books(&pool).await;
    let mut forced = pool.begin().await.unwrap();
    for sql in [
        "SET LOCAL session_replication_role = replica",
        "INSERT INTO ledger_movements (id, kind, cause) VALUES (gen_random_uuid(), 'ADJUSTMENT', 'empty')",
    ] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
    let run = LedgerCheckRun { check_id: None, recognised: None };
    let found = ledger.check(run, "ledger-upkeep/1").await.unwrap();
    assert_eq!((found.sound, found.movements, found.broken), (false, 2, 1));
    let kept = ledger.store.ledger_check(found.check_id).await.unwrap().result.unwrap();
    assert_eq!(kept.broken().collect::<Vec<_>>(), ["every movement has entries"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_check_that_nobody_asked_for_is_refused_for_good(pool: PgPool) {
    let ledger = books(&pool).await;
    let run = LedgerCheckRun { check_id: Some(Uuid::now_v7().into()), recognised: None };
    let error = ledger.check(run, "ledger-upkeep/1").await.unwrap_err();
    assert!(!error.class().is_retryable(), "{error}");
}
