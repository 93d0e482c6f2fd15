//! What the database itself refuses of a proof.

use super::*;

#[sqlx::test(migrations = "../migrations")]
async fn a_proof_stays_as_it_came(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.prove(shop.transfer().await, &file(1)).await.unwrap();
    for change in [
        "UPDATE payment_proofs SET content_type = 'image/png'",
        "DELETE FROM payment_proofs",
        "TRUNCATE payment_proofs",
    ] {
        assert!(sqlx::query(change).execute(&shop.pool).await.is_err(), "{change}");
    }
    let sixth = "INSERT INTO payment_proofs (id, payment_id, place, content_type, size, sha256, bytes, uploaded_by)
                 SELECT gen_random_uuid(), payment_id, 6, content_type, size, sha256(bytes || '1'), bytes, uploaded_by
                 FROM payment_proofs";
    assert!(sqlx::query(sixth).execute(&shop.pool).await.is_err());
    assert_eq!(shop.kept().await, 1);
}
