//! The upkeep of the books on a database of its own.

use domain::{Rupiah, ledger::Movement};
use sqlx::PgPool;
use testkit::TestApp;
use uuid::Uuid;

use super::*;

/// Books with one movement.
async fn books(pool: PgPool) -> (TestApp, LedgerActivities) {
    let app = TestApp::unseeded(pool);
    let given = Movement::adjustment(app.customer().await, Uuid::now_v7(), Rupiah::new(100_000)).unwrap();
    assert!(app.store.book(&given).await.unwrap());
    let activities = LedgerActivities { store: app.store.clone() };
    (app, activities)
}

#[sqlx::test(migrations = "../migrations")]
async fn sound_books_are_found_sound_however_often_the_step_runs(pool: PgPool) {
    let (_app, ledger) = books(pool).await;
    assert_eq!(ledger.recognise().await.unwrap(), 0);
    let run = LedgerCheckRun { check_id: None, recognised: Some(0) };
    let first = ledger.check(run, "ledger-upkeep/1").await.unwrap();
    assert_eq!((first.sound, first.movements, first.broken), (true, 1, 0));
    assert_eq!(ledger.check(run, "ledger-upkeep/1").await.unwrap(), first);
    assert_ne!(ledger.check(run, "ledger-upkeep/2").await.unwrap().check_id, first.check_id);
}

#[sqlx::test(migrations = "../migrations")]
async fn books_that_are_not_sound_are_a_finding_and_no_failure(pool: PgPool) {
    let (app, ledger) = books(pool).await;
    app.expect_unsound_books();
    app.expect_alert("ledger.unsound");
    let mut forced = app.pool.begin().await.unwrap();
    for sql in [
        "SET LOCAL session_replication_role = replica",
        "UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'CUSTOMER_WALLET'",
    ] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
    let run = LedgerCheckRun { check_id: None, recognised: None };
    let found = ledger.check(run, "ledger-upkeep/1").await.unwrap();
    assert_eq!((found.sound, found.movements, found.broken), (false, 1, 1));
    let kept = ledger.store.ledger_check(found.check_id).await.unwrap().result.unwrap();
    assert_eq!(kept.broken().collect::<Vec<_>>(), ["every balance equals its entries"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_check_that_nobody_asked_for_is_refused_for_good(pool: PgPool) {
    let (_app, ledger) = books(pool).await;
    let run = LedgerCheckRun { check_id: Some(Uuid::now_v7().into()), recognised: None };
    let error = ledger.check(run, "ledger-upkeep/1").await.unwrap_err();
    assert!(!error.class().is_retryable(), "{error}");
}
