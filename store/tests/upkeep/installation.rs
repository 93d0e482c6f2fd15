//! Whose database it is.

use domain::installation::Installation;
use sqlx::PgPool;
use store::{Store, StoreError};
use testkit::TestApp;

fn of(pool: &PgPool, id: &str) -> Store {
    Store::new(pool.clone()).with_installation(Installation::parse(id).unwrap())
}

#[sqlx::test(migrations = "../migrations")]
async fn a_copy_is_not_worked_on_before_somebody_says_that_it_is_one(pool: PgPool) {
    let (production, staging) = (of(&pool, "production"), of(&pool, "staging"));
    for _ in 0..2 {
        production.claim_installation().await.unwrap();
    }
    let refused = staging.claim_installation().await.unwrap_err();
    assert!(matches!(&refused, StoreError::OtherInstallation { database, ours }
        if database == "production" && ours == "staging"));
    assert!(refused.to_string().contains("webrana migrate --copied-from production"), "{refused}");

    let elsewhere = staging.take_over_installation("demo").await.unwrap_err();
    assert!(matches!(elsewhere, StoreError::OtherInstallation { .. }), "{elsewhere}");
    for _ in 0..2 {
        staging.take_over_installation("production").await.unwrap();
        staging.claim_installation().await.unwrap();
    }
    production.claim_installation().await.unwrap_err();
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_that_begin_at_once_one_has_it(pool: PgPool) {
    let (one, other) = (of(&pool, "one"), of(&pool, "other"));
    let (one, other) = tokio::join!(one.claim_installation(), other.claim_installation());
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_copy_leaves_the_originals_networks_alone(pool: PgPool) {
    let (production, staging) = (of(&pool, "production"), of(&pool, "staging"));
    production.claim_installation().await.unwrap();
    let app = TestApp::new(pool.clone()).await;
    let known = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM customer_networks").fetch_one(&pool).await.unwrap()
    };
    app.customer().await;
    app.run(
        "INSERT INTO customer_networks (user_id, provider_id, region_id, provider_network_id)
         SELECT u.id, r.provider_id, r.id, r.slug FROM users u, regions r",
    )
    .await;
    staging.take_over_installation("demo").await.unwrap_err();
    assert!(known().await > 0);
    staging.take_over_installation("production").await.unwrap();
    assert_eq!(known().await, 0);
}
