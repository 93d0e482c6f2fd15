//! What the database itself refuses, whoever asks.

use domain::{
    billing::InvoiceStatus,
    order::{OrderStatus, Transition},
};
use sqlx::PgPool;

use crate::Shop;

async fn refusal(pool: &PgPool, sql: &'static str) -> String {
    let error = sqlx::query(sql).execute(pool).await.expect_err(sql);
    error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_else(|| panic!("{sql}: {error}"))
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_knows_the_same_transitions_as_the_domain(pool: PgPool) {
    let mut arrows: Vec<(String, String)> =
        sqlx::query_as("SELECT from_status, to_status FROM order_transitions")
            .fetch_all(&pool)
            .await
            .unwrap();
    let mut expected: Vec<(String, String)> = Transition::ALL
        .iter()
        .flat_map(|t| t.from().iter().map(|from| (from.to_string(), t.to().to_string())))
        .collect();
    arrows.sort();
    expected.sort();
    expected.dedup();
    assert_eq!(arrows, expected);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_illegal_transition_is_refused(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let order = shop.place(&shop.basket().await, "k").await.unwrap().order_id;
    assert_eq!(
        refusal(&shop.pool, "UPDATE orders SET status = 'ACTIVE'").await,
        "an order does not go from PENDING_PAYMENT to ACTIVE"
    );
    shop.run("UPDATE orders SET status = 'CANCELLED'").await;
    refusal(&shop.pool, "UPDATE orders SET status = 'PAID'").await;
    refusal(&shop.pool, "UPDATE orders SET status = 'PENDING_PAYMENT'").await;
    assert_eq!(shop.store.any_order(order).await.unwrap().status, OrderStatus::Cancelled);
    let born_active = "INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname,
                                           term_months, total, policy, expires_at)
        SELECT gen_random_uuid(), user_id, 'ACTIVE', provider_id, plan_id, region_id, image_id, hostname, term_months,
               total, policy, expires_at FROM orders";
    assert_eq!(refusal(&shop.pool, born_active).await, "an order begins as PENDING_PAYMENT, not ACTIVE");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failed_order_has_a_reason(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.place(&shop.basket().await, "k").await.unwrap();
    shop.run("UPDATE orders SET status = 'PAID'").await;
    shop.run("UPDATE orders SET status = 'PROVISIONING'").await;
    assert!(
        refusal(&shop.pool, "UPDATE orders SET status = 'PROVISIONING_FAILED'")
            .await
            .contains("orders_failure_with_reason")
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn an_issued_invoice_never_changes(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.place(&shop.basket().await, "k").await.unwrap();
    for forbidden in [
        "UPDATE invoices SET subtotal = subtotal + 1, total = total + 1",
        "UPDATE invoices SET number = 'INV/2026/000999'",
        "UPDATE invoices SET tax_bp = 0",
    ] {
        assert!(
            refusal(&shop.pool, forbidden).await.ends_with("is issued and does not change"),
            "{forbidden}"
        );
    }
    for forbidden in ["UPDATE invoice_lines SET description = 'free'", "DELETE FROM invoice_lines"] {
        let refused = refusal(&shop.pool, forbidden).await;
        assert!(refused.ends_with("the lines of an issued invoice do not change"), "{forbidden}: {refused}");
    }
    let one_more = "INSERT INTO invoice_lines SELECT id, 99, 'x', 1, 10, 10 FROM invoices";
    assert!(refusal(&shop.pool, one_more).await.contains("lines of an invoice make up its subtotal"));
    for forbidden in ["DELETE FROM invoices", "UPDATE events SET data = '{}'", "DELETE FROM events"] {
        assert!(refusal(&shop.pool, forbidden).await.ends_with("is append-only"), "{forbidden}");
    }
    let unbalanced = "INSERT INTO invoice_lines SELECT id, 99, 'x', 2, 10, 21 FROM invoices";
    assert!(refusal(&shop.pool, unbalanced).await.contains("invoice_lines_total_adds_up"));
    shop.run("UPDATE invoices SET status = 'PAID', paid_at = now()").await;
    for back in [
        "UPDATE invoices SET status = 'OPEN'",
        "UPDATE invoices SET status = 'VOID'",
        "UPDATE invoices SET status = 'DRAFT', number = NULL, issued_at = NULL",
    ] {
        let refused = refusal(&shop.pool, back).await;
        assert!(
            refused.contains("does not go from PAID") || refused.contains("is issued"),
            "{back}: {refused}"
        );
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_invoices_arrows_are_those_of_the_domain(pool: PgPool) {
    let arrows: Vec<(String, String)> =
        sqlx::query_as("SELECT from_status, to_status FROM invoice_transitions")
            .fetch_all(&pool)
            .await
            .unwrap();
    for from in InvoiceStatus::ALL {
        for to in InvoiceStatus::ALL {
            let arrow = (from.to_string(), to.to_string());
            assert_eq!(arrows.contains(&arrow), from.may_become(*to), "{arrow:?}");
        }
    }
}
