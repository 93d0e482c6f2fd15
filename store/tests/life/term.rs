//! A term from its reminders to its end.

use domain::{
    billing::{InvoiceStatus, PaymentMethod},
    instance::ActionKind,
};
use sqlx::PgPool;
use store::{page::PageRequest, payments::NewInvoiceAttempt, versions::IfMatch};
use testkit::any_request;

use crate::{MONTH, Shop};

const ALL: PageRequest = PageRequest { before: None, limit: 100 };

#[sqlx::test(migrations = "../migrations")]
async fn who_does_not_pay_is_reminded_warned_suspended_and_loses_the_server_last(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    let asleep = shop.look(server).await;
    assert!(asleep.turn.work.is_none() && asleep.due_in_ms.unwrap() > 20 * 24 * 3_600_000);
    for hours in [7.0 * 24.0 - 0.1, 71.9, 23.9] {
        shop.term_ends_in(server, hours).await;
        shop.look(server).await;
        shop.look(server).await;
    }
    shop.term_ends_in(server, -0.1).await;
    shop.look(server).await;
    assert_eq!(shop.status_of(server).await, "ACTIVE");
    shop.hours_pass(server, 71.5).await;
    assert!(shop.look(server).await.turn.work.is_none());
    shop.hours_pass(server, 1.0).await;
    let turn = shop.look(server).await;
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
    shop.done(server, turn, ActionKind::Suspend).await;
    shop.hours_pass(server, 11.0 * 24.0 + 1.0).await;
    assert!(shop.look(server).await.turn.work.is_none());
    shop.hours_pass(server, 3.0 * 24.0).await;
    let turn = shop.look(server).await;
    assert_eq!(shop.status_of(server).await, "TERMINATING");
    shop.done(server, turn, ActionKind::Delete).await;
    assert_eq!(shop.status_of(server).await, "TERMINATED");
    let told = shop.told_of_life().await;
    assert_eq!(
        told,
        [
            "server_expiring",
            "server_expiring",
            "server_expiring",
            "server_in_grace",
            "server_suspended",
            "server_deletion_near",
            "server_terminated"
        ]
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn the_balance_renews_once_and_only_when_it_is_time(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.renewing_server().await;
    shop.on_balance(MONTH + 1_000).await;
    shop.look(server).await;
    shop.term_ends_in(server, 73.0).await;
    shop.look(server).await;
    assert_eq!(shop.balance(shop.customer).await, MONTH + 1_000);
    shop.term_ends_in(server, 71.0).await;
    let before = shop.store.any_instance(server).await.unwrap().expires_at;
    let looks = tokio::join!(shop.look(server), shop.look(server), shop.look(server));
    assert!(looks.0.turn.work.is_none());
    assert_eq!(shop.balance(shop.customer).await, 1_000);
    let after = shop.store.any_instance(server).await.unwrap().expires_at;
    assert!(after.unwrap() - before.unwrap() > chrono::TimeDelta::days(27));
    assert_eq!(shop.told_of_life().await, ["server_renewed"]);
    let renewals = shop.store.renewals_of(server, shop.customer, &ALL).await.unwrap().data;
    assert_eq!(renewals.len(), 1);
    assert_eq!(renewals[0].invoice.status, InvoiceStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_missing_is_told_once_and_money_that_arrives_renews(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.renewing_server().await;
    shop.on_balance(MONTH - 10).await;
    shop.term_ends_in(server, 71.0).await;
    shop.look(server).await;
    shop.look(server).await;
    assert_eq!(shop.told_of_life().await, ["renewal_lacks_money"]);
    assert_eq!(shop.balance(shop.customer).await, MONTH - 10);
    let renewals = shop.store.renewals_of(server, shop.customer, &ALL).await.unwrap().data;
    assert_eq!(renewals.len(), 1);
    assert!(renewals[0].payment.is_none());
    assert_eq!(renewals[0].invoice.status, InvoiceStatus::Open);
    let woken = "SELECT count(*) FROM outbox WHERE kind = 'action_requested'";
    let messages = shop.count(woken).await;
    shop.on_balance(100_000).await;
    assert_eq!(shop.count(woken).await, messages + 1, "the server's workflow is woken by the money");
    shop.look(server).await;
    assert_eq!(shop.balance(shop.customer).await, 99_990);
    assert_eq!(shop.told_of_life().await, ["renewal_lacks_money", "server_renewed"]);
    let renewals = shop.store.renewals_of(server, shop.customer, &ALL).await.unwrap().data;
    assert_eq!((renewals.len(), renewals[0].invoice.status), (1, InvoiceStatus::Paid));
}

#[sqlx::test(migrations = "../migrations")]
async fn who_pays_the_invoice_of_a_suspended_server_has_it_back_in_the_same_transaction(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.renewing_server().await;
    shop.term_ends_in(server, -0.1).await;
    shop.look(server).await;
    shop.hours_pass(server, 73.0).await;
    let turn = shop.look(server).await;
    shop.done(server, turn, ActionKind::Suspend).await;
    let open = shop.store.renewals_of(server, shop.customer, &ALL).await.unwrap().data.remove(0);
    // Money on the balance, which the customer spends on the invoice before the workflow looks.
    shop.on_balance(MONTH).await;
    let attempt = NewInvoiceAttempt {
        user: shop.customer,
        invoice: open.invoice.id,
        method: PaymentMethod::Wallet,
        bank: None,
        gateway: None,
        pay_within_ms: 60_000,
    };
    shop.store.open_invoice_payment(&attempt, &any_request()).await.unwrap();
    assert_eq!(shop.status_of(server).await, "ACTIVE");
    let turn = shop.look(server).await;
    shop.done(server, turn, ActionKind::Resume).await;
    let told = shop.told_of_life().await;
    assert_eq!(told[told.len() - 2..], ["server_resumed", "server_renewed"]);
    assert_eq!(shop.balance(shop.customer).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_suspension_that_was_not_begun_is_overtaken_by_the_payment(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.renewing_server().await;
    shop.term_ends_in(server, -0.1).await;
    shop.look(server).await;
    shop.hours_pass(server, 73.0).await;
    // The step is recorded, and its worker dies before the turn.
    shop.run("CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        .await;
    shop.run("CREATE TRIGGER never BEFORE UPDATE ON instance_actions FOR EACH ROW EXECUTE FUNCTION never()")
        .await;
    shop.look(server).await;
    shop.run("DROP TRIGGER never ON instance_actions").await;
    shop.on_balance(MONTH).await;
    let turn = shop.look(server).await;
    assert_eq!(shop.status_of(server).await, "ACTIVE");
    shop.done(server, turn, ActionKind::Resume).await;
    let suspended = "SELECT status FROM instance_actions WHERE action = 'suspend'";
    assert_eq!(shop.text(suspended).await, "failed");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_renewal_from_the_balance_can_be_switched_on_and_off(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    let wish =
        async |enabled| shop.store.set_auto_renew(shop.customer, server, enabled, &IfMatch::Anyhow).await;
    wish(true).await.unwrap();
    wish(true).await.unwrap();
    assert!(shop.store.any_instance(server).await.unwrap().auto_renew);
    wish(false).await.unwrap();
    let stranger = shop.app.customer().await;
    assert!(shop.store.set_auto_renew(stranger, server, true, &IfMatch::Anyhow).await.is_err());
    shop.run("UPDATE instances SET status = 'TERMINATING'").await;
    assert!(wish(true).await.is_err());
    assert!(!shop.store.any_instance(server).await.unwrap().auto_renew);
}
