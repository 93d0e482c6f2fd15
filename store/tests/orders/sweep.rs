//! What must have a workflow, and having one started or woken.

use domain::{
    instance::InstanceAction,
    order::OrderStatus,
    outbox::{Message, MessageClass},
    refund::RefundPolicy,
    sweep::SweepRules,
};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    instance_actions::{NewAction, RequestedBy},
    outbox::Room,
    sweep::{Expected, OpenWork},
};

use crate::Shop;

impl Shop {
    /// As if everything had happened three minutes ago and every message had been delivered.
    async fn three_minutes_later(&self) {
        self.run("UPDATE outbox SET dispatched_at = now() WHERE dispatched_at IS NULL").await;
        self.run("UPDATE orders SET updated_at = updated_at - interval '3 minutes', woken_at = woken_at - interval '3 minutes'")
            .await;
        self.run("UPDATE instances SET updated_at = updated_at - interval '3 minutes'").await;
    }

    async fn expected(&self) -> Vec<Expected> {
        self.store.expected_workflows(&SweepRules::default()).await.unwrap()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_open_order_must_have_a_workflow_once_its_message_had_time(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.admin().await;
    let (unpaid, paid, over) =
        (shop.order("unpaid").await, shop.order("paid").await, shop.order("over").await);
    shop.pay(paid).await;
    shop.store.cancel_order(over, shop.customer).await.unwrap();
    assert!(shop.expected().await.is_empty(), "they are young, and messages are on their way");
    shop.three_minutes_later().await;

    let expected = shop.expected().await;
    let order = |id| OpenWork::Order(id);
    assert_eq!(expected.iter().map(|of| of.work).collect::<Vec<_>>(), [order(paid), order(unpaid)]);
    // A paid order is provisioned at once, or its workflow is asleep; an unpaid one waits for money.
    assert_eq!(expected.iter().map(|of| of.is_stalled).collect::<Vec<_>>(), [true, false]);

    // One that is being worked on may have a workflow that knows nothing of it, when the engine was put back.
    shop.store.start_provisioning(paid).await.unwrap();
    shop.three_minutes_later().await;
    assert!(shop.expected().await.iter().all(|of| !of.is_stalled), "it is at work");
    shop.run("UPDATE orders SET updated_at = now() - interval '16 minutes' WHERE status = 'PROVISIONING'")
        .await;
    assert_eq!(shop.expected().await[0], Expected { work: order(paid), is_stalled: true });

    // Nothing is started twice while a message is on its way.
    let lost = [order(paid), order(unpaid), order(over)];
    assert_eq!(shop.store.wake_lost(&lost, RefundPolicy::default()).await.unwrap(), 2);
    assert!(shop.expected().await.is_empty());
    assert!(!shop.store.wake_order(paid, &Origin::system()).await.unwrap().is_new);
    let messages = shop.store.claim_outbox(Room::of(10), 60.0).await.unwrap();
    let mut wakes: Vec<_> = messages.iter().map(|m| (m.class, m.message.clone().unwrap())).collect();
    wakes.sort_by_key(|(class, _)| *class);
    assert_eq!(
        wakes,
        [
            (MessageClass::Paid, Message::WakeOrder { order_id: paid, is_paid: true }),
            (MessageClass::Unpaid, Message::WakeOrder { order_id: unpaid, is_paid: false }),
        ]
    );

    // One that was woken is not asleep again at once, whatever keeps it.
    shop.three_minutes_later().await;
    assert!(shop.expected().await.iter().all(|of| !of.is_stalled));
    shop.run("UPDATE orders SET woken_at = now() - interval '11 minutes'").await;
    assert_eq!(shop.expected().await.iter().filter(|of| of.is_stalled).count(), 1);
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'WORKFLOWS_RESTARTED'";
    assert_eq!(shop.count(told).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'order.wake'").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_is_over_is_not_woken(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order("over").await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    let woken = shop.store.wake_order(order, &Origin::system()).await.unwrap_err();
    assert!(
        matches!(&woken, StoreError::Conflict { object: store::Object::Order, state } if state == "CANCELLED"),
        "{woken:?}"
    );
    let nobody = shop.store.wake_order(uuid::Uuid::nil().into(), &Origin::system()).await.unwrap_err();
    assert!(matches!(nobody, StoreError::NotFound("order")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_must_have_a_workflow_that_does_what_is_asked_for(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order("server").await;
    shop.pay(order).await;
    shop.store.start_provisioning(order).await.unwrap();
    let server = shop.store.any_order(order).await.unwrap().instance_id.unwrap();
    let made = shop.store.wake_instance(server, &Origin::system()).await.unwrap_err();
    assert!(matches!(&made, StoreError::Conflict { state, .. } if state == "PROVISIONING"), "{made:?}");
    assert_eq!(shop.activate(order).await, server);
    assert_eq!(shop.store.any_order(order).await.unwrap().status, OrderStatus::Active);
    shop.three_minutes_later().await;
    let work = OpenWork::Instance(server);
    assert_eq!(shop.expected().await, [Expected { work, is_stalled: false }]);

    let reboot = NewAction {
        instance: server,
        by: RequestedBy::Program,
        action: &InstanceAction::Reboot,
        origin: &Origin::system(),
        idempotency_key: None,
    };
    shop.store.request_action(&reboot).await.unwrap();
    shop.run("UPDATE instance_actions SET created_at = created_at - interval '3 minutes'").await;
    shop.three_minutes_later().await;
    assert_eq!(shop.expected().await, [Expected { work, is_stalled: true }]);
    shop.store.wake_instance(server, &Origin::system()).await.unwrap();
    assert!(shop.expected().await.is_empty(), "a message is on its way");
    shop.three_minutes_later().await;
    assert_eq!(shop.expected().await, [Expected { work, is_stalled: false }], "it was woken just now");

    shop.store.next_action(server).await.unwrap();
    shop.run("UPDATE instances SET woken_at = now() - interval '11 minutes'").await;
    assert_eq!(shop.expected().await, [Expected { work, is_stalled: false }], "it is at work");
    shop.run("UPDATE instance_actions SET updated_at = now() - interval '16 minutes'").await;
    assert_eq!(shop.expected().await, [Expected { work, is_stalled: true }], "nobody may know of that work");
}
