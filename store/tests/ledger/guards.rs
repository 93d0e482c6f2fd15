use domain::{
    Rupiah,
    ids::UserId,
    ledger::{AccountKind, Movement},
};
use sqlx::PgPool;
use store::StoreError;
use testkit::TestApp;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A customer with so much on the balance.
async fn customer(pool: &PgPool, amount: i64) -> (TestApp, UserId) {
    let app = TestApp::unseeded(pool.clone());
    let id = app.customer().await;
    let given = Movement::adjustment(id, Uuid::now_v7(), Rupiah::new(amount)).unwrap();
    assert!(app.store.book(&given).await.unwrap());
    (app, id)
}

async fn refused(pool: &PgPool, sql: &'static str) -> String {
    let error = sqlx::query(sql).execute(pool).await.unwrap_err();
    error.as_database_error().unwrap_or_else(|| panic!("{sql}: {error}")).message().to_owned()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_written_stays_as_it_is(pool: PgPool) {
    let (app, _) = customer(&pool, 100_000).await;
    for sql in [
        "UPDATE ledger_entries SET amount = amount * 2",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE ledger_movements SET memo = 'x'",
        "DELETE FROM ledger_movements",
        "TRUNCATE ledger_movements CASCADE",
        "DELETE FROM ledger_accounts",
        "TRUNCATE ledger_accounts CASCADE",
    ] {
        let message = refused(&pool, sql).await;
        assert!(message.contains("append-only"), "{sql}: {message}");
    }
    for sql in [
        "UPDATE ledger_accounts SET balance = balance + 1 WHERE owner_id IS NOT NULL",
        "UPDATE ledger_accounts SET kind = 'BANK' WHERE kind = 'REVENUE'",
    ] {
        assert!(refused(&pool, sql).await.contains("by entries only"), "{sql}");
    }
    assert!(app.store.check_ledger().await.unwrap().sound);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_does_not_balance_is_not_written(pool: PgPool) {
    let (app, _) = customer(&pool, 100_000).await;
    let one_sided = "WITH m AS (INSERT INTO ledger_movements (id, kind, cause)
                                VALUES (gen_random_uuid(), 'ADJUSTMENT', 'one-sided') RETURNING id)
                     INSERT INTO ledger_entries (movement_id, account_id, amount)
                     SELECT m.id, a.id, 5 FROM m, ledger_accounts a WHERE a.kind = 'BANK'";
    assert!(refused(&pool, one_sided).await.contains("sum to zero"));
    let empty =
        "INSERT INTO ledger_movements (id, kind, cause) VALUES (gen_random_uuid(), 'ADJUSTMENT', 'empty')";
    assert!(refused(&pool, empty).await.contains("has entries"));
    let added_later = "INSERT INTO ledger_entries (movement_id, account_id, amount)
                       SELECT m.id, a.id, CASE a.kind WHEN 'BANK' THEN 5 ELSE -5 END
                       FROM ledger_movements m, ledger_accounts a WHERE a.kind IN ('BANK', 'REVENUE')";
    assert!(refused(&pool, added_later).await.contains("complete once it is committed"));
    let report = app.store.check_ledger().await.unwrap();
    assert!(report.sound, "{:?}", report.findings);
    assert_eq!((report.movements, report.entries), (1, 2));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_hundred_debits_at_once_take_no_more_than_there_is(pool: PgPool) {
    let (app, id) = customer(&pool, 100_000).await;
    let mut debits = JoinSet::new();
    for _ in 0..100 {
        let store = app.store.clone();
        debits.spawn(async move {
            let debit = Movement::adjustment(id, Uuid::now_v7(), Rupiah::new(-3_000)).unwrap();
            store.book(&debit).await
        });
    }
    let outcomes = debits.join_all().await;
    assert_eq!(outcomes.iter().filter(|o| matches!(o, Ok(true))).count(), 33);
    assert_eq!(outcomes.iter().filter(|o| matches!(o, Err(StoreError::InsufficientBalance))).count(), 67);
    assert_eq!(app.store.wallet(id).await.unwrap().wallet, Rupiah::new(1_000));
    assert!(app.store.check_ledger().await.unwrap().sound);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_cause_fifty_times_at_once_moves_money_once(pool: PgPool) {
    let (app, id) = customer(&pool, 100_000).await;
    let debit = Movement::adjustment(id, Uuid::now_v7(), Rupiah::new(-1_000)).unwrap();
    let mut copies = JoinSet::new();
    for _ in 0..50 {
        let (store, debit) = (app.store.clone(), debit.clone());
        copies.spawn(async move { store.book(&debit).await.unwrap() });
    }
    assert_eq!(copies.join_all().await.into_iter().filter(|booked| *booked).count(), 1);
    assert_eq!(app.store.wallet(id).await.unwrap().wallet, Rupiah::new(99_000));
}

#[sqlx::test(migrations = "../migrations")]
async fn many_customers_at_once_do_not_wait_for_each_other_in_circles(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(app.customer().await);
    }
    let mut bookings = JoinSet::new();
    for n in 0..200_usize {
        let (store, id) = (app.store.clone(), ids[n * 7 % ids.len()]);
        let amount = if n % 3 == 0 { -1_000 } else { 2_000 };
        let movement = Movement::adjustment(id, Uuid::now_v7(), Rupiah::new(amount)).unwrap();
        bookings.spawn(async move { store.book(&movement).await });
    }
    for outcome in bookings.join_all().await {
        assert!(matches!(outcome, Ok(true) | Err(StoreError::InsufficientBalance)), "{outcome:?}");
    }
    assert!(app.store.check_ledger().await.unwrap().sound);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_check_finds_what_was_forced_in(pool: PgPool) {
    let (app, _) = customer(&pool, 100_000).await;
    app.expect_unsound_books();
    // What only somebody with the database's own rights can do.
    let mut forced = pool.begin().await.unwrap();
    for sql in [
        "SET LOCAL session_replication_role = replica",
        "UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'CUSTOMER_WALLET'",
        "UPDATE ledger_entries SET amount = amount - 1 WHERE balance_after IS NULL",
        "INSERT INTO ledger_movements (id, kind, cause) VALUES (gen_random_uuid(), 'ADJUSTMENT', 'empty')",
    ] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
    let report = app.store.check_ledger().await.unwrap();
    assert!(!report.sound);
    let broken: Vec<&str> = report.findings.iter().filter(|f| f.count > 0).map(|f| f.rule.as_ref()).collect();
    let expected = [
        "every movement sums to zero",
        "every movement has entries",
        "every balance equals its entries",
        "the total is zero",
    ];
    assert_eq!(broken, expected);
    let adjustments = report.accounts.iter().find(|a| a.account == AccountKind::Adjustments).unwrap();
    assert_eq!(adjustments.balance, Rupiah::new(-100_001));
}
