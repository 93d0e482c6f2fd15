//! Servers that their owners call off: at once, with what is not served on the balance, or for the end of the term.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod},
    ids::{CancellationId, InstanceId},
    instance::CancelWhen,
    ledger::Service,
};
use sqlx::PgPool;
use store::{
    StoreError,
    cancellations::{Cancellation, NewCancellation},
    orders::OrderError,
    refunds::RefundFilter,
};
use testkit::by_user;

use crate::{Shop, request};

impl Shop {
    pub(crate) async fn cancel(
        &self,
        instance: InstanceId,
        when: CancelWhen,
        key: &str,
    ) -> Result<Cancellation, StoreError> {
        let origin = by_user(self.customer);
        let new = NewCancellation { user: self.customer, instance, when, origin: &origin };
        self.store.cancel_instance(&new, &request(key)).await
    }

    async fn wallet_now(&self) -> i64 {
        self.app.balance(self.customer).await
    }

    /// As if the only server had run for half of its month.
    pub(crate) async fn half_a_month_later(&self) {
        self.run(
            "UPDATE instances SET starts_at = now() - (expires_at - starts_at) / 2, expires_at =
                ((now() - (expires_at - starts_at) / 2) AT TIME ZONE 'Asia/Jakarta' + make_interval(months =>
                    round(extract(epoch FROM expires_at - starts_at) / extract(epoch FROM interval '1 month'))::integer))
                AT TIME ZONE 'Asia/Jakarta'",
        )
        .await;
        self.run("UPDATE instances SET anchor_day = extract(day FROM starts_at AT TIME ZONE 'Asia/Jakarta')")
            .await;
    }
}

fn state<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Conflict { object: store::Object::Instance, state }) => state,
        other => panic!("no conflict: {other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_not_served_goes_to_the_balance_with_the_delete(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, instance) = shop.server(1_000_000).await;
    shop.half_a_month_later().await;
    let renewed = shop.renew(instance, 3, PaymentMethod::Wallet, "renew").await.unwrap();
    let renewal = shop.store.renewal(renewed.renewal_id, shop.customer).await.unwrap();
    let unpaid = shop.renew(instance, 1, PaymentMethod::Qris, "unpaid").await.unwrap();
    let before = shop.wallet_now().await;

    let done = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap();
    let again = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap();
    assert_eq!((again.id, again.credited, again.action_id), (done.id, done.credited, done.action_id));
    assert_eq!(shop.wallet_now().await, before + done.credited.get());

    // The renewal was not begun, so all of it is back; of the first month a half.
    let filter = RefundFilter { customer: Some(shop.customer), ..RefundFilter::default() };
    let refunds =
        shop.store.refunds(&filter, store::page::PageRequest { before: None, limit: 10 }).await.unwrap().data;
    assert_eq!(refunds.len(), 2);
    assert!(refunds.iter().all(|refund| refund.credit_note.is_some()));
    let of_first = refunds.iter().find(|refund| refund.order_id == Some(order)).unwrap();
    assert!((68_000..=75_000).contains(&of_first.amount.get()), "{}", of_first.amount);
    assert_eq!(of_first.tax, Rupiah::new((of_first.net.get() * 11 + 50) / 100));
    let of_renewal = refunds.iter().find(|refund| refund.invoice_id == renewal.invoice.id).unwrap();
    assert_eq!(of_renewal.amount, renewal.invoice.total);
    assert_eq!(done.credited, of_first.amount.plus(of_renewal.amount).unwrap());

    let status = async |invoice| shop.store.invoice(invoice, shop.customer).await.unwrap().0.status;
    assert_eq!(status(renewal.invoice.id).await, InvoiceStatus::Refunded);
    let unpaid = shop.store.renewal(unpaid.renewal_id, shop.customer).await.unwrap();
    assert_eq!(unpaid.invoice.status, InvoiceStatus::Void);
    // Nothing is left to be earned by a server that goes.
    let position = shop.store.position(Service::Order(order)).await.unwrap();
    assert!(position.deferred.get() <= 1, "{position:?}");
    assert_eq!(
        shop.store.position(Service::Invoice(renewal.invoice.id)).await.unwrap().total().unwrap(),
        Rupiah::ZERO
    );

    assert_eq!(shop.told("VPS_CANCELLED").await.len(), 1);
    let turn = shop.store.next_action(instance).await.unwrap();
    assert_eq!(turn.work.map(|work| work.action_id), done.action_id);
    assert_eq!(state(shop.cancel(instance, CancelWhen::Now, "other").await), "being deleted");
    assert_eq!(state(shop.cancel(instance, CancelWhen::PeriodEnd, "late").await), "being deleted");
    shop.store.terminate_instance(done.action_id.unwrap()).await.unwrap();
    assert_eq!(state(shop.cancel(instance, CancelWhen::Now, "gone").await), "TERMINATED");
    assert_eq!(shop.cancel(instance, CancelWhen::Now, "off").await.unwrap().id, done.id);
    assert_eq!(shop.wallet_now().await, before + done.credited.get());
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_at_once_one_is_credited(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(143_190).await;
    shop.half_a_month_later().await;
    let (one, other) = tokio::join!(
        shop.cancel(instance, CancelWhen::Now, "one"),
        shop.cancel(instance, CancelWhen::Now, "other")
    );
    let done: Vec<Cancellation> = [one, other].into_iter().flatten().collect();
    assert_eq!(done.len(), 1);
    assert_eq!(shop.wallet_now().await, done[0].credited.get());
    assert_eq!(shop.count("SELECT count(*) FROM credit_notes").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_whose_term_is_over_is_deleted_without_a_credit(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(143_190).await;
    shop.run(
        "UPDATE instances SET starts_at = now() - interval '40 days', expires_at = now() - interval '9 days'",
    )
    .await;
    assert!(state(shop.cancel(instance, CancelWhen::PeriodEnd, "end").await).starts_with("past the end"));
    let done = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap();
    assert_eq!((done.credited, shop.wallet_now().await), (Rupiah::ZERO, 0));
    assert_eq!(shop.count("SELECT count(*) FROM credit_notes").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn for_the_end_of_the_term_it_can_be_revoked(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(1_000_000).await;
    shop.run("UPDATE instances SET auto_renew = true").await;
    let unpaid = shop.renew(instance, 1, PaymentMethod::Qris, "unpaid").await.unwrap();
    let expires_at = shop.store.any_instance(instance).await.unwrap().expires_at.unwrap();

    let done = shop.cancel(instance, CancelWhen::PeriodEnd, "end").await.unwrap();
    assert_eq!((done.effective_at, done.action_id, done.credited), (expires_at, None, Rupiah::ZERO));
    let again: Vec<CancellationId> = [
        shop.cancel(instance, CancelWhen::PeriodEnd, "end").await.unwrap().id,
        shop.cancel(instance, CancelWhen::PeriodEnd, "once more").await.unwrap().id,
    ]
    .into();
    assert_eq!(again, [done.id, done.id]);
    let server = shop.store.any_instance(instance).await.unwrap();
    assert!(server.cancels_at_period_end && !server.auto_renew);
    let unpaid = shop.store.renewal(unpaid.renewal_id, shop.customer).await.unwrap();
    assert_eq!(unpaid.invoice.status, InvoiceStatus::Void);
    let noticed = "SELECT count(*) FROM life_notices n JOIN instances s ON s.id = n.instance_id
                   WHERE n.notice = 'cancellation' AND n.term_ends_at = s.expires_at";
    assert_eq!(shop.count(noticed).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM instances WHERE next_due_at <= now()").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'action_requested'").await, 1);
    match shop.renew(instance, 1, PaymentMethod::Wallet, "no").await {
        Err(OrderError::Store(error)) => {
            assert!(error.to_string().contains("cancelled at the end of its term"), "{error}")
        }
        other => panic!("renewed: {other:?}"),
    }

    assert!(shop.store.revoke_cancellation(shop.customer, instance).await.unwrap());
    assert!(!shop.store.revoke_cancellation(shop.customer, instance).await.unwrap());
    let server = shop.store.any_instance(instance).await.unwrap();
    assert!(!server.cancels_at_period_end && server.auto_renew);
    assert_eq!(shop.count(noticed).await, 0);
    assert_eq!(shop.told("VPS_CANCELLED").await.len(), 2);
    let anew = shop.cancel(instance, CancelWhen::PeriodEnd, "anew").await.unwrap();
    assert_ne!(anew.id, done.id);
    // And at once after all.
    let off = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap();
    assert!(off.credited > Rupiah::ZERO);
    assert_eq!(state(shop.store.revoke_cancellation(shop.customer, instance).await), "being deleted");
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_elses_server_and_one_that_is_being_made_stay(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(143_190).await;
    let stranger = shop.app.customer().await;
    let origin = by_user(stranger);
    let new = NewCancellation { user: stranger, instance, when: CancelWhen::Now, origin: &origin };
    let refused = shop.store.cancel_instance(&new, &request("theirs")).await;
    assert!(matches!(refused, Err(StoreError::NotFound("instance"))), "{refused:?}");
    let refused = shop.store.revoke_cancellation(stranger, instance).await;
    assert!(matches!(refused, Err(StoreError::NotFound("instance"))), "{refused:?}");

    let made = shop.app.order().by(shop.customer).provisioning().await.server();
    for when in [CancelWhen::Now, CancelWhen::PeriodEnd] {
        assert_eq!(state(shop.cancel(made, when, when.as_str()).await), "PROVISIONING");
    }
    assert_eq!(shop.count("SELECT count(*) FROM cancellations").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM instance_actions").await, 0);
}
