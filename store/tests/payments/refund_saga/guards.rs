//! What the database itself refuses of a refund.

use super::*;

#[sqlx::test(migrations = "../migrations")]
async fn the_database_refuses_what_must_never_happen(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let refund = shop.refund(order, Part::Amount(Rupiah::new(1_000)), To::Gateway).await.unwrap().refund;
    let copy = |amount: i64, status: &str| {
        sqlx::AssertSqlSafe(format!(
            "INSERT INTO refunds (id, user_id, order_id, payment_id, destination, status, amount, net, tax, reason)
             SELECT gen_random_uuid(), user_id, order_id, payment_id, destination, '{status}', {amount}, {amount}, 0, reason
             FROM refunds"
        ))
    };
    let beyond = sqlx::query(copy(total - 999, "REQUESTED")).execute(&shop.pool).await.unwrap_err();
    assert!(beyond.to_string().contains("no more than it brought"), "{beyond}");
    let ahead = sqlx::query(copy(1, "SENT")).execute(&shop.pool).await.unwrap_err();
    assert!(ahead.to_string().contains("does not begin as SENT"), "{ahead}");
    for (change, words) in [
        (
            "UPDATE refunds SET status = 'COMPLETED', ended_at = now()",
            "does not go from REQUESTED to COMPLETED",
        ),
        ("UPDATE refunds SET amount = 2000, net = 2000, tax = 0", "does not change"),
        ("UPDATE refunds SET destination = 'WALLET', payment_id = NULL", "does not change"),
        ("DELETE FROM refunds", "refunds"),
        (
            "UPDATE refunds SET status = 'RETURNED_TO_WALLET', ended_at = now(), in_doubt_since = now()",
            "refunds_never_returned_in_doubt",
        ),
    ] {
        let refused = sqlx::query(change).execute(&shop.pool).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{change}: {refused}");
    }
    assert_eq!(shop.refund_status(refund.id).await, RefundStatus::Requested);
    shop.assert_books_are_sound().await;
}
