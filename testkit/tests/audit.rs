//! What the audit at a test's end finds, and that it is silent when the test said so before.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::{billing::PaymentMethod, money::Rupiah, order::OrderStatus, provisioning::FailureClass};
use sqlx::PgPool;
use store::outbox::Room;
use testkit::TestApp;

/// Adds one rupiah to every balance, of which no entry tells.
const COOK_THE_BOOKS: &str = "DO $$ BEGIN SET LOCAL session_replication_role = replica; UPDATE ledger_accounts SET balance = balance + 1; END $$";
/// Makes all that waits unreadable.
const GARBLE: &str = "UPDATE outbox SET payload = '{\"kind\": \"from_the_future\"}'";

/// What the audit says when the shop is dropped; nothing when it passes.
fn end(app: TestApp) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(move || drop(app))).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

/// The same, which is to say something.
fn complaint(app: TestApp) -> String {
    end(app).unwrap_or_else(|| panic!("the audit finds nothing"))
}

#[sqlx::test(migrations = "../migrations")]
async fn a_shop_where_all_went_well_passes(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    for method in [PaymentMethod::Qris, PaymentMethod::ManualTransfer, PaymentMethod::Wallet] {
        let order = app.order().paid_by(method).active().await;
        assert_eq!(app.status(order.id).await, OrderStatus::Active);
        assert_eq!(order.server, app.store.any_order(order.id).await.unwrap().instance_id);
    }
    let failed = app.order().failed(FailureClass::Permanent).await;
    assert_eq!(app.status(failed.id).await, OrderStatus::ProvisioningFailed);
    assert_eq!(app.status(app.order().expired().await.id).await, OrderStatus::Expired);
    assert_eq!(app.status(app.order().cancelled().await.id).await, OrderStatus::Cancelled);
    let customer = app.customer().await;
    app.deposit(customer, Rupiah::new(100_000)).await;
    app.adjust(customer, Rupiah::new(-1)).await;
    assert_eq!(app.balance(customer).await, 99_999);
    app.invoice(customer, Rupiah::new(50_000)).await;
    assert_eq!(end(app), None);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE dispatched_at IS NULL")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn books_that_are_not_sound_fail_a_test(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    app.deposit(app.customer().await, Rupiah::new(100_000)).await;
    app.run(COOK_THE_BOOKS).await;
    let complaint = complaint(app);
    assert!(complaint.contains("the books are not sound: every balance equals its entries"), "{complaint}");

    let same = TestApp::new(pool).await;
    same.expect_unsound_books();
    assert_eq!(end(same), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn books_that_are_sound_against_expectation_fail_a_test(pool: PgPool) {
    let app = TestApp::new(pool).await;
    app.expect_unsound_books();
    let complaint = complaint(app);
    assert!(complaint.contains("the books are sound, though"), "{complaint}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_that_nobody_can_read_fails_a_test(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    app.order().place().await;
    app.run(GARBLE).await;
    let complaint = complaint(app);
    assert!(complaint.contains("(start_order) can't be read: "), "{complaint}");

    let same = TestApp::new(pool).await;
    same.leave_undelivered();
    assert_eq!(end(same), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_that_was_claimed_or_put_off_is_delivered_and_one_that_failed_fails_a_test(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    let order = app.order().place().await;
    app.store.cancel_order(order.id, order.customer).await.unwrap();
    let claimed = app.store.claim_outbox(Room::of(2), 60.0).await.unwrap();
    app.store.postpone_outbox(claimed[0].id, 60.0, "the engine is away").await.unwrap();
    assert_eq!((claimed.len(), end(app)), (2, None));

    let app = TestApp::new(pool.clone()).await;
    assert_eq!(app.count("SELECT count(*) FROM outbox WHERE dispatched_at IS NULL").await, 0);
    app.order().place().await;
    let claimed = app.store.claim_outbox(Room::of(1), 60.0).await.unwrap();
    app.store.fail_outbox(claimed[0].id, "the engine does not want it").await.unwrap();
    let complaint = complaint(app);
    assert!(complaint.contains("(start_order) failed 1 times: the engine does not want it"), "{complaint}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_that_is_dead_fails_a_test(pool: PgPool) {
    let app = TestApp::new(pool).await;
    app.order().place().await;
    app.run("UPDATE outbox SET dead_at = now(), failures = 7, last_error = 'no such workflow'").await;
    let complaint = complaint(app);
    assert!(complaint.contains("(start_order) is dead: no such workflow"), "{complaint}");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_alert_fails_a_test(pool: PgPool) {
    let app = TestApp::new(pool.clone()).await;
    tracing::warn!(alert = "test.smoke", "there is smoke");
    tracing::warn!(event = "test.weather", "it rains");
    let complaint = complaint(app);
    assert!(complaint.contains("the alert `test.smoke` was raised"), "{complaint}");
    assert!(!complaint.contains("test.weather"), "{complaint}");

    let another = TestApp::new(pool).await;
    another.expect_alert("test.smoke");
    tracing::error!(alert = "test.smoke", "there is smoke again");
    assert_eq!(end(another), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_alert_that_is_not_raised_against_expectation_fails_a_test(pool: PgPool) {
    let app = TestApp::new(pool).await;
    app.expect_alert("test.smoke");
    let complaint = complaint(app);
    assert!(complaint.contains("the alert `test.smoke` was expected and not raised"), "{complaint}");
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_first_of_its_handles_audits(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let handle = app.clone();
    handle.order().place().await;
    handle.run(GARBLE).await;
    assert_eq!(end(handle.clone()), None);
    handle.leave_undelivered();
    assert_eq!(end(app), None);
    assert_eq!(end(handle), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_test_that_fails_is_not_audited(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let failed = catch_unwind(AssertUnwindSafe(move || {
        app.expect_unsound_books();
        panic!("the test's own reason");
    }));
    assert_eq!(*failed.unwrap_err().downcast::<&str>().unwrap(), "the test's own reason");
}
