//! What the database itself refuses of a dispute.

use super::*;

#[sqlx::test(migrations = "../migrations")]
async fn the_database_holds_what_a_dispute_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, _, dispute) = shop.withdrawn(P::Denied).await;
    for (sql, held_by) in [
        ("UPDATE disputes SET amount = amount - 1", "does not change"),
        ("UPDATE disputes SET note = 'changed'", "does not go from"),
        ("DELETE FROM disputes", "append-only"),
        (
            "INSERT INTO disputes (id, payment_id, user_id, kind, name, status, amount, amount_told)
             SELECT gen_random_uuid(), payment_id, user_id, kind, 'other', 'OPEN', 1, '' FROM disputes",
            "no more than it brought",
        ),
    ] {
        let refused = sqlx::query(sql).execute(&shop.pool).await.unwrap_err().to_string();
        assert!(refused.contains(held_by) || sql.starts_with("DELETE"), "{sql}: {refused}");
    }
    shop.decide(dispute.id, ACCEPT).await.unwrap();
    let undone = "UPDATE disputes SET status = 'DISMISSED', receivable = NULL, note = 'x'";
    assert!(sqlx::query(undone).execute(&shop.pool).await.is_err());
    let pairs: Vec<(String, String)> =
        sqlx::query_as("SELECT from_status, to_status FROM dispute_transitions")
            .fetch_all(&shop.pool)
            .await
            .unwrap();
    for from in DisputeStatus::ALL {
        for to in DisputeStatus::ALL {
            let held = pairs.contains(&(from.to_string(), to.to_string()));
            assert_eq!(held, from.may_become(*to), "{from} to {to}");
        }
    }
}
