use domain::{
    billing::{PaymentStatus as P, WebhookOutcome},
    sorting::WebhookSort,
};
use sqlx::PgPool;
use store::{StoreError, page::SortedRequest, webhooks::WebhookFilter};

use crate::{MIDTRANS, Shop, plus_one, webhook_event};

const ALL: SortedRequest = SortedRequest::first(10);

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_notifications_and_may_take_one_in_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Expired, "t:expire")).await;
    let mut odd = webhook_event(&payment, P::Paid, "t:settlement");
    odd.report.amount = Some(plus_one(payment.amount));
    shop.receive(&odd).await;
    shop.store.keep_unbelieved("xendit", WebhookOutcome::Unconfirmed, "who knows", b"{}").await.unwrap();

    let find = async |filter: WebhookFilter| {
        shop.store.webhooks(&filter, WebhookSort::Newest, ALL).await.unwrap().data
    };
    let outcomes = |found: &[store::webhooks::WebhookDetail]| {
        found.iter().map(|webhook| webhook.outcome).collect::<Vec<_>>()
    };
    let all = find(WebhookFilter::default()).await;
    assert_eq!(
        outcomes(&all),
        [WebhookOutcome::Unconfirmed, WebhookOutcome::Mismatch, WebhookOutcome::Applied]
    );
    let of_gateway = find(WebhookFilter { gateway: Some(MIDTRANS.to_owned()), ..Default::default() }).await;
    assert_eq!(of_gateway.len(), 2);
    let mismatched =
        find(WebhookFilter { outcome: Some(WebhookOutcome::Mismatch), ..Default::default() }).await;
    assert_eq!((mismatched.len(), mismatched[0].order_id), (1, Some(order)));
    let of_payment = find(WebhookFilter { payment: Some(payment.id), ..Default::default() }).await;
    assert_eq!(of_payment.len(), 2);
    let everything = WebhookFilter::default();
    let page =
        |after| shop.store.webhooks(&everything, WebhookSort::Newest, SortedRequest { after, limit: 1 });
    let first = page(None).await.unwrap();
    let second = page(first.next).await.unwrap();
    assert_eq!((first.data[0].id, second.data[0].id), (all[0].id, all[1].id));

    let id = mismatched[0].id;
    assert_eq!(shop.store.webhook(id).await.unwrap().body, br#"{"raw":true}"#);
    let kept = shop.store.replay_webhook(id, &shop.admins_origin()).await.unwrap();
    assert_eq!((kept.gateway.as_str(), kept.body.as_slice()), (MIDTRANS, &br#"{"raw":true}"#[..]));
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'webhook.replay'").await, 1);
    let nobody = domain::ids::WebhookEventId(uuid::Uuid::nil());
    let missing = shop.store.replay_webhook(nobody, &shop.admins_origin()).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
}
