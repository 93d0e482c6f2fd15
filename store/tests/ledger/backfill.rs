use domain::{
    Rupiah,
    ids::{OrderId, UserId},
    ledger::Service,
};
use sqlx::PgPool;
use store::Store;
use uuid::Uuid;

use crate::{catalog, orders, payments, people};

/// Payments that a version without books took in are booked later, once.
#[sqlx::test(migrations = "../migrations")]
async fn payments_from_before_the_books_are_booked_once(pool: PgPool) {
    let store = Store::new(pool.clone());
    let catalog = catalog(&pool).await;
    let [customer, paid, late] = [(); 3].map(|()| Uuid::now_v7());
    people(&pool, &[customer]).await;
    orders(&pool, catalog, &[(paid, customer), (late, customer)], 133_200, 13_200).await;
    let [first, second] = [(); 2].map(|()| Uuid::now_v7());
    payments(&pool, &[(first, paid), (second, late)]).await;
    for (payment, outcome) in [(first, "APPLIED"), (second, "UNAPPLIED")] {
        sqlx::query("UPDATE payments SET status = 'PAID', outcome = $2, paid_at = now() WHERE id = $1")
            .bind(payment)
            .bind(outcome)
            .execute(&pool)
            .await
            .unwrap();
    }
    assert!(!store.check_ledger().await.unwrap().sound);
    assert_eq!(store.backfill_ledger().await.unwrap(), 2);
    assert_eq!(store.backfill_ledger().await.unwrap(), 0);

    let position = store.position(Service::Order(OrderId(paid))).await.unwrap();
    assert_eq!((position.deferred, position.tax), (Rupiah::new(120_000), Rupiah::new(13_200)));
    assert_eq!(store.wallet(UserId(customer)).await.unwrap().wallet, Rupiah::new(133_200));
    let outcome: String = sqlx::query_scalar("SELECT outcome FROM payments WHERE id = $1")
        .bind(second)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(outcome, "CREDITED");
    let report = store.check_ledger().await.unwrap();
    assert!(report.sound, "{:?}", report.findings);
}
