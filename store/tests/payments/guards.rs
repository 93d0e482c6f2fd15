//! What the database refuses by itself of payments, deposits and the money they bring, and what the check finds when it
//! was forced in all the same.

use std::collections::BTreeSet;

use domain::{
    billing::{DepositStatus, InvoiceStatus, PaymentMethod, PaymentStatus as P},
    order::OrderStatus,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{Shop, webhook_event};

impl Shop {
    /// What the database says to a statement.
    async fn refusal(&self, sql: &str, id: Uuid) -> Option<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let outcome = sqlx::query(sql).bind(id).execute(&self.pool).await;
        outcome.err().map(|error| error.to_string())
    }

    async fn arrows(&self, sql: &'static str) -> BTreeSet<(String, String)> {
        let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&self.pool).await.unwrap();
        rows.into_iter().collect()
    }

    /// Where the check finds the books wanting.
    async fn broken(&self) -> Vec<(String, usize)> {
        let report = self.store.check_ledger().await.unwrap();
        let broken = report.findings.into_iter().filter(|finding| finding.count > 0);
        broken.map(|finding| (finding.rule.into_owned(), finding.count)).collect()
    }

    /// Does to a payment what its guards refuse.
    async fn force(&self, sql: &'static str, id: Uuid) {
        let mut tx = self.pool.begin().await.unwrap();
        sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::query(sql).bind(id).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A movement that credits the customer's balance on behalf of the payment `$1`, out of an account of ours.
const CREDIT_FROM: &str = "WITH p AS (SELECT * FROM payments WHERE id = $1), m AS (
        INSERT INTO ledger_movements (id, kind, cause, customer_id, payment_id)
        SELECT gen_random_uuid(), 'LATE_PAYMENT', 'payment/' || id || '/received', user_id, id FROM p RETURNING id)
    INSERT INTO ledger_entries (movement_id, account_id, amount)
    SELECT m.id, a.id, CASE a.kind WHEN 'CUSTOMER_WALLET' THEN p.amount ELSE -p.amount END
    FROM m, p JOIN ledger_accounts a ON a.kind = '{account}' OR a.kind = 'CUSTOMER_WALLET' AND a.owner_id = p.user_id
    ORDER BY a.id";

#[sqlx::test(migrations = "../migrations")]
async fn the_database_knows_the_same_arrows_as_the_rules(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let known = |(from, to): (&str, &str)| (from.to_owned(), to.to_owned());
    let pairs = P::ALL.iter().flat_map(|from| P::ALL.iter().map(move |to| (from, to)));
    let of_payments: BTreeSet<_> = pairs
        .filter(|(from, to)| from.may_become(**to))
        .map(|(from, to)| known((from.as_str(), to.as_str())))
        .collect();
    assert_eq!(shop.arrows("SELECT from_status, to_status FROM payment_transitions").await, of_payments);
    let all = DepositStatus::ALL;
    let pairs = all.iter().flat_map(|from| all.iter().map(move |to| (from, to)));
    let of_deposits: BTreeSet<_> = pairs
        .filter(|(from, to)| from.may_become(**to))
        .map(|(from, to)| known((from.as_str(), to.as_str())))
        .collect();
    assert_eq!(shop.arrows("SELECT from_status, to_status FROM deposit_transitions").await, of_deposits);
    let all = InvoiceStatus::ALL;
    let pairs = all.iter().flat_map(|from| all.iter().map(move |to| (from, to)));
    let of_invoices: BTreeSet<_> = pairs
        .filter(|(from, to)| from.may_become(**to))
        .map(|(from, to)| known((from.as_str(), to.as_str())))
        .collect();
    assert_eq!(shop.arrows("SELECT from_status, to_status FROM invoice_transitions").await, of_invoices);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_payment_stays_what_it_is_about_and_what_became_of_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let about = "what a payment is about does not change";
    for (change, why) in [
        ("amount = amount + 1", about),
        ("user_id = (SELECT id FROM users WHERE role = 'admin')", about),
        ("order_id = NULL", about),
        ("gateway = 'xendit'", about),
        ("gateway_order_id = 'mine'", about),
        ("method = 'WALLET', gateway = NULL", about),
    ] {
        let refused = shop.refusal(&format!("UPDATE payments SET {change} WHERE id = $1"), qris.id.0).await;
        assert!(refused.as_ref().is_some_and(|said| said.contains(why)), "{change}: {refused:?}");
    }
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    for (change, why) in [
        ("status = 'PENDING', outcome = NULL", "does not go from PAID to PENDING"),
        ("status = 'CANCELLED', outcome = NULL", "does not go from PAID to CANCELLED"),
        ("outcome = 'CREDITED'", "what became of a payment's money stays"),
        ("paid_at = now() - interval '1 day'", "what became of a payment's money stays"),
        ("approved_by = user_id", "what became of a payment's money stays"),
    ] {
        let refused = shop.refusal(&format!("UPDATE payments SET {change} WHERE id = $1"), qris.id.0).await;
        assert!(refused.as_ref().is_some_and(|said| said.contains(why)), "{change}: {refused:?}");
    }
    assert!(shop.refusal("DELETE FROM payments WHERE id = $1", qris.id.0).await.is_some());
    let begun_paid = "INSERT INTO payments (id, invoice_id, order_id, user_id, gateway, gateway_order_id, method, amount,
                                            status, outcome)
                      SELECT gen_random_uuid(), invoice_id, order_id, user_id, gateway, 'begun paid', method, amount,
                             'PAID', 'CREDITED' FROM payments WHERE id = $1";
    let refused = shop.refusal(begun_paid, qris.id.0).await.unwrap();
    assert!(refused.contains("begins as PENDING"), "{refused}");
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_is_credited_once_and_stays_what_it_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.deposit(50_000, "deposit").await;
    let deposit: Uuid = sqlx::query_scalar("SELECT id FROM deposits WHERE status = 'CREDITED'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    for change in [
        "amount = 500000",
        "user_id = (SELECT id FROM users WHERE role = 'admin')",
        "credited_at = now() + interval '1 day'",
        "status = 'OPEN', credited_at = NULL",
    ] {
        let refused = shop.refusal(&format!("UPDATE deposits SET {change} WHERE id = $1"), deposit).await;
        assert!(refused.is_some(), "{change}");
    }
    assert!(shop.refusal("DELETE FROM deposits WHERE id = $1", deposit).await.is_some());
    let from_balance =
        "INSERT INTO payments (id, deposit_id, user_id, gateway_order_id, method, amount, status)
                        SELECT gen_random_uuid(), id, user_id, 'from balance', 'WALLET', amount, 'PENDING'
                        FROM deposits WHERE id = $1";
    let refused = shop.refusal(from_balance, deposit).await.unwrap();
    assert!(refused.contains("payments_deposit_from_outside"), "{refused}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_payment_from_the_balance_never_brings_money_in(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.deposit(500_000, "deposit").await;
    let order = shop.order_from_balance("order").await.unwrap().order_id;
    let payment = shop.store.latest_payment(order).await.unwrap();
    assert_eq!(payment.method, PaymentMethod::Wallet);
    let before = shop.wallet().await;
    for account in ["BANK", "GATEWAY_CLEARING"] {
        let refused = shop.refusal(&CREDIT_FROM.replace("{account}", account), payment.id.0).await.unwrap();
        assert!(refused.contains("money comes from outside by a payment from outside"), "{refused}");
    }
    let by_nobody = "WITH m AS (INSERT INTO ledger_movements (id, kind, cause, customer_id)
                                SELECT gen_random_uuid(), 'DEPOSIT', 'by nobody', user_id FROM payments WHERE id = $1
                                RETURNING id, customer_id)
                     INSERT INTO ledger_entries (movement_id, account_id, amount)
                     SELECT m.id, a.id, CASE a.kind WHEN 'BANK' THEN -1000 ELSE 1000 END
                     FROM m JOIN ledger_accounts a ON a.kind = 'BANK'
                         OR a.kind = 'CUSTOMER_WALLET' AND a.owner_id = m.customer_id
                     ORDER BY a.id";
    let refused = shop.refusal(by_nobody, payment.id.0).await.unwrap();
    assert!(refused.contains("money comes from outside by a payment from outside"), "{refused}");
    assert_eq!(shop.wallet().await, before);

    // Where it was written all the same, the check says so.
    sqlx::query("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_from_outside")
        .execute(&shop.pool)
        .await
        .unwrap();
    let forced = CREDIT_FROM.replace("{account}", "BANK");
    assert_eq!(shop.refusal(&forced, payment.id.0).await, None);
    let rule = "what is paid from the balance brings nothing in, and nothing comes in without a payment";
    assert_eq!(shop.broken().await, [(rule.to_owned(), 1)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_void_invoice_is_paid_with_its_order_only(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let (order, _) = shop.order().await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    let pay = "UPDATE invoices SET status = 'PAID', paid_at = now() WHERE order_id = $1";
    let refused = shop.refusal(pay, order.0).await.unwrap();
    assert!(refused.contains("a void invoice is paid only with its order"), "{refused}");
    shop.force("UPDATE invoices SET status = 'OPEN' WHERE order_id = $1", order.0).await;
    let rule = "an order's invoice is open exactly while the order waits for money";
    assert_eq!(shop.broken().await, [(rule.to_owned(), 1)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_check_finds_what_transfers_did_not_bring(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let part = transfer.amount.get() - 10_000;
    shop.arrived(order, part).await.unwrap();
    shop.store.expire_order(order).await.unwrap();
    shop.assert_books_are_sound().await;
    // As a version did it that forgot the transfer when its order expired.
    shop.force("UPDATE payments SET status = 'PENDING' WHERE id = $1", transfer.id.0).await;
    let awaited = "nothing is awaited of a transfer whose part is not set aside any more";
    assert_eq!(shop.broken().await, [(awaited.to_owned(), 1)]);
    // And booked the whole price anew when nobody said what arrived.
    shop.force("UPDATE payments SET amount_received = amount_received + amount WHERE id = $1", transfer.id.0)
        .await;
    let broken: Vec<_> = shop.broken().await.into_iter().map(|(rule, _)| rule).collect();
    let expected = [
        "what came in is what was paid",
        "what a transfer brought beyond its amount is on the balance",
        awaited,
    ];
    assert_eq!(broken, expected);
}
