//! What the database itself makes of addresses.

use domain::email::EmailKey;
use futures::future::join_all;
use sqlx::PgPool;
use store::StoreError;
use testkit::TestApp;

use crate::identity::{EMAIL, origin, registered, siti};

/// Whatever the locale of the database: the two foldings are one.
#[sqlx::test(migrations = "../migrations")]
async fn the_database_folds_addresses_as_the_program_does(pool: PgPool) {
    for text in
        ["SITI@Example.COM", "s\u{130}ti@example.com", "\u{212a}iti@example.com", "\u{c4}@example.com"]
    {
        let (folded, icu): (String, bool) = sqlx::query_as(
            "INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, $2, 'x', 'x')
             RETURNING email_key, email_key = lower(email COLLATE \"und-x-icu\")",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(text)
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(folded, EmailKey::of(text).as_str());
        assert_eq!(icu, text.is_ascii(), "another locale folds {text} to something else");
    }
}

/// What a violated key says goes to Postgres' log, with the address in it.
#[sqlx::test(migrations = "../migrations")]
async fn a_taken_address_is_no_error_of_the_database(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    registered(&store).await;
    let mut tx = pool.begin().await.unwrap();
    // The statement that `register` sends, in a transaction that an error would end.
    let rows = sqlx::query(
        "INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, $2, 'x', 'x') ON CONFLICT DO NOTHING",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(EMAIL.to_uppercase())
    .execute(&mut *tx)
    .await
    .unwrap();
    assert_eq!(rows.rows_affected(), 0);
    let again = join_all((0..5).map(|_| async { store.create_user(&siti(), &origin()).await })).await;
    assert!(again.iter().all(|result| matches!(result, Err(StoreError::Taken { .. }))));
}
