//! What the database refuses, whoever asks.

use sqlx::PgPool;

use crate::Shop;

#[sqlx::test(migrations = "../migrations")]
async fn a_server_makes_legal_moves_only(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.server().await;
    let goes_to = async |status: &'static str| {
        let moved = sqlx::query("UPDATE instances SET status = $1").bind(status).execute(&shop.pool).await;
        moved.map(drop).map_err(|error| error.as_database_error().unwrap().constraint().unwrap().to_owned())
    };
    let illegal = Err("instances_transition_legal".to_owned());
    assert_eq!(goes_to("PROVISIONING").await, illegal);
    for legal in ["SUSPENDED", "ACTIVE", "SUSPENDED", "TERMINATING", "TERMINATED"] {
        assert_eq!(goes_to(legal).await, Ok(()), "{legal}");
    }
    for gone in ["ACTIVE", "SUSPENDED", "TERMINATING"] {
        assert_eq!(goes_to(gone).await, illegal, "{gone}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_told_twice_and_no_release_is_used_twice(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    let tell = "INSERT INTO life_notices (instance_id, term_ends_at, notice)
                SELECT id, expires_at, 'grace' FROM instances WHERE id = $1";
    assert!(sqlx::query(tell).bind(server.0).execute(&shop.pool).await.is_ok());
    assert!(sqlx::query(tell).bind(server.0).execute(&shop.pool).await.is_err());
    let staff = shop.staff().await;
    let release = "INSERT INTO life_releases (id, step, number, used, reason, created_by)
                   VALUES (gen_random_uuid(), 'suspend', 1, 2, 'x', $1)";
    assert!(sqlx::query(release).bind(staff.0).execute(&shop.pool).await.is_err());
}
