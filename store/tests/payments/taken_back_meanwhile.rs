//! A gateway takes money back while a refund of ours is under way, which then fails: all of it is in dispute in the end.

use domain::{
    Rupiah,
    billing::PaymentStatus as P,
    dispute::{Reversal, ReversalKind},
    gateway::{GatewayReport, Outcome, WebhookEvent},
    payment_check::PaymentCheckPolicy,
    refund::{RefundDestination as To, RefundStatus},
};
use sqlx::PgPool;
use store::{
    disputes::{Dispute, DisputeFilter},
    page::PageRequest,
    payments::Payment,
    refunds::{Part, Refund},
};

use crate::{MIDTRANS, Shop, webhook_event};

const PAGE: PageRequest = PageRequest { before: None, limit: 10 };

impl Shop {
    /// A paid order with all but `left` of its money on the way back through the gateway.
    async fn on_its_way_back_but(&self, left: i64) -> (Payment, Refund) {
        let (order, payment) = self.order().await;
        self.receive(&webhook_event(&payment, P::Paid, "paid")).await;
        let part = Part::Amount(Rupiah::new(payment.amount.get() - left));
        let refund = self.refund(order, part, To::Gateway).await.unwrap().refund;
        (payment, refund)
    }

    /// The gateway says that it took so much back by hand.
    async fn taken_by_hand(&self, payment: &Payment, amount: i64, key: &str) -> Outcome {
        let reversals = [Reversal {
            name: "by-hand".to_owned(),
            refund_key: None,
            kind: ReversalKind::Refund,
            amount: Some(Rupiah::new(amount)),
            amount_as_received: amount.to_string(),
        }];
        self.receive(&{
            let event = webhook_event(payment, P::Paid, key);
            WebhookEvent { report: GatewayReport { reversals: reversals.to_vec(), ..event.report }, ..event }
        })
        .await
    }

    /// The gateway refuses the refund, which is undone.
    async fn refused(&self, refund: &Refund) {
        let call = self.store.begin_refund_call(refund.id).await.unwrap().unwrap();
        self.store.refund_call_refused(refund.id, call, true, "not so much is left").await.unwrap();
        let returned = self.store.return_refund(refund.id, "refused").await.unwrap();
        assert_eq!(returned, RefundStatus::ReturnedToWallet);
    }

    async fn to_be_asked_about(&self) -> Vec<String> {
        let policy = PaymentCheckPolicy::default();
        let due = self.store.due_payments(&[MIDTRANS.to_owned()], &policy, None, 10).await.unwrap();
        due.into_iter().map(|payment| payment.gateway_order_id).collect()
    }

    async fn in_dispute(&self) -> Vec<(String, i64)> {
        let all = self.store.disputes(&DisputeFilter::default(), PAGE).await.unwrap().data;
        all.into_iter().rev().map(|Dispute { name, amount, .. }| (name, amount.get())).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_could_not_be_in_dispute_is_once_our_refund_has_failed(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (payment, refund) = shop.on_its_way_back_but(0).await;
    // All of it is on its way back: administrators are told, and there is nothing to decide yet.
    assert_eq!(shop.taken_by_hand(&payment, 10_000, "told").await, Outcome::Ignored);
    let alerts = "SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_ALERT'";
    assert_eq!((shop.count(alerts).await, shop.in_dispute().await), (1, Vec::new()));
    shop.assert_books_are_sound().await;
    assert!(shop.to_be_asked_about().await.is_empty());

    shop.refused(&refund).await;
    assert_eq!(shop.to_be_asked_about().await, std::slice::from_ref(&payment.gateway_order_id));
    shop.taken_by_hand(&payment, 10_000, "asked").await;
    assert_eq!(shop.in_dispute().await, [("by-hand".to_owned(), 10_000)]);
    assert!(shop.to_be_asked_about().await.is_empty(), "it has answered");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_rest_of_what_could_be_in_dispute_in_part_only_is_a_dispute_of_its_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (payment, refund) = shop.on_its_way_back_but(10_000).await;
    shop.taken_by_hand(&payment, 30_000, "told").await;
    shop.taken_by_hand(&payment, 30_000, "told again").await;
    assert_eq!(shop.in_dispute().await, [("by-hand".to_owned(), 10_000)]);
    shop.refused(&refund).await;
    for key in ["asked", "asked again"] {
        shop.taken_by_hand(&payment, 30_000, key).await;
    }
    let parts = [("by-hand".to_owned(), 10_000), ("by-hand#2".to_owned(), 20_000)];
    assert_eq!(shop.in_dispute().await, parts);
    shop.assert_books_are_sound().await;
}
