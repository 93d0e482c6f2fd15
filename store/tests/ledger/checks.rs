//! Checks of the books are kept as they were found, and administrators hear of what is wrong.

use domain::{Rupiah, language::Language, ledger::Movement, role::Role, sorting::AgeSort};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    page::{PageRequest, SortCursor, SortKey, SortedRequest},
};
use testkit::TestApp;
use uuid::Uuid;

const ALL: SortedRequest = SortedRequest::first(20);
const LATEST: PageRequest = PageRequest { before: None, limit: 20 };

/// Books with one movement.
async fn books(pool: &PgPool) -> TestApp {
    let app = TestApp::unseeded(pool.clone());
    let given = Movement::adjustment(app.customer().await, Uuid::now_v7(), Rupiah::new(100_000)).unwrap();
    assert!(app.store.book(&given).await.unwrap());
    app
}

async fn forge(app: &TestApp) {
    app.expect_unsound_books();
    let mut forced = app.pool.begin().await.unwrap();
    for sql in [
        "SET LOCAL session_replication_role = replica",
        "UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'CUSTOMER_WALLET'",
    ] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_check_that_is_due_is_begun_and_kept_once(pool: PgPool) {
    let app = books(&pool).await;
    let store = &app.store;
    let id = store.begin_ledger_check(None, "ledger-upkeep/1").await.unwrap();
    assert_eq!(store.begin_ledger_check(None, "ledger-upkeep/1").await.unwrap(), id);
    let begun = store.ledger_check(id).await.unwrap();
    assert!(begun.result.is_none() && begun.requested_by.is_none());

    let report = store.check_ledger().await.unwrap();
    let kept = store.keep_ledger_check(id, Some(3), &report).await.unwrap();
    assert_eq!((kept.sound, kept.movements, kept.entries, kept.recognised), (true, 1, 2, Some(3)));
    assert_eq!((&kept.findings, &kept.accounts), (&report.findings, &report.accounts));
    assert_eq!(kept.broken().count(), 0);

    // A second run of the step, which saw something else, changes nothing.
    forge(&app).await;
    let again = store.keep_ledger_check(id, None, &store.check_ledger().await.unwrap()).await.unwrap();
    assert_eq!((again.sound, again.recognised, again.finished_at), (true, Some(3), kept.finished_at));
    let other = store.begin_ledger_check(None, "ledger-upkeep/2").await.unwrap();
    let page = store.ledger_checks(None, AgeSort::Newest, SortedRequest::first(1)).await.unwrap();
    let cursor = SortCursor { key: SortKey::Age, id: other.0 };
    assert_eq!((page.data[0].id, &page.next), (other, &Some(cursor)));
    let rest = store
        .ledger_checks(None, AgeSort::Newest, SortedRequest { after: page.next, limit: 1 })
        .await
        .unwrap();
    assert_eq!((rest.data[0].id, rest.next), (id, None));
}

#[sqlx::test(migrations = "../migrations")]
async fn administrators_hear_once_of_books_that_are_not_sound(pool: PgPool) {
    let app = books(&pool).await;
    let store = &app.store;
    let (admin, support) = (app.admin().await, app.account().role(Role::Support).await);
    forge(&app).await;
    let asked = store.request_ledger_check(admin, &Origin::system()).await.unwrap();
    assert_eq!((asked.requested_by, asked.result.is_none()), (Some(admin), true));
    assert_eq!(store.begin_ledger_check(Some(asked.id), "ledger-upkeep/x").await.unwrap(), asked.id);
    let report = store.check_ledger().await.unwrap();
    for _ in 0..2 {
        let kept = store.keep_ledger_check(asked.id, None, &report).await.unwrap();
        assert_eq!(kept.broken().collect::<Vec<_>>(), ["every balance equals its entries"]);
    }
    let told = store.notifications(admin, false, LATEST).await.unwrap().data;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, "LEDGER_UNSOUND");
    let words = messages::in_app(told[0].event.as_ref().unwrap(), Language::English).unwrap().message;
    assert!(words.contains("every balance equals its entries"), "{words}");
    assert!(store.notifications(support, false, LATEST).await.unwrap().data.is_empty());
    assert_eq!(store.ledger_checks(Some(true), AgeSort::Newest, ALL).await.unwrap().data.len(), 0);
    assert_eq!(store.ledger_checks(Some(false), AgeSort::Newest, ALL).await.unwrap().data[0].id, asked.id);

    // The next check that finds the same tells again: it is wrong still.
    let next = store.begin_ledger_check(None, "ledger-upkeep/y").await.unwrap();
    store.keep_ledger_check(next, None, &report).await.unwrap();
    assert_eq!(store.notifications(admin, false, LATEST).await.unwrap().data.len(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_check_found_stays_as_it_is(pool: PgPool) {
    let app = books(&pool).await;
    let store = &app.store;
    let nobody_asked = store.begin_ledger_check(Some(Uuid::now_v7().into()), "x").await.unwrap_err();
    assert!(matches!(nobody_asked, StoreError::NotFound("ledger check")), "{nobody_asked}");
    let id = store.begin_ledger_check(None, "ledger-upkeep/1").await.unwrap();
    store.keep_ledger_check(id, None, &store.check_ledger().await.unwrap()).await.unwrap();
    for sql in [
        "UPDATE ledger_check_results SET sound = false",
        "DELETE FROM ledger_check_results",
        "TRUNCATE ledger_check_results",
        "UPDATE ledger_checks SET run_key = 'x'",
        "DELETE FROM ledger_checks",
        "TRUNCATE ledger_checks CASCADE",
    ] {
        let error = sqlx::query(sql).execute(&pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}
