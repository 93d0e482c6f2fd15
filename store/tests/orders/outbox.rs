//! Messages to Temporal: which goes first, and what becomes of those that fail.

use domain::{
    ids::{OrderId, OutboxId},
    outbox::MessageClass,
    sorting::AgeSort,
};
use sqlx::PgPool;
use store::{
    StoreError,
    outbox::{Claimed, DeadFilter, OutboxState, Room},
    page::SortedRequest,
};
use testkit::by_user;

use crate::Shop;

const FIRST: SortedRequest = SortedRequest::first(10);

impl Shop {
    pub(crate) async fn order(&self, key: &str) -> OrderId {
        self.place(&self.basket().await, key).await.unwrap().order_id
    }

    /// Pays an order by its bank transfer.
    pub(crate) async fn pay(&self, order: OrderId) {
        self.app.pay(self.ordered(order).await.payment.id).await;
    }

    async fn claim(&self, room: Room) -> Vec<Claimed> {
        self.store.claim_outbox(room, 60.0).await.unwrap()
    }

    /// Fails a message until it is dead; answers how often that was.
    async fn fail_for_good(&self, id: OutboxId) -> i32 {
        loop {
            let failed = self.store.fail_outbox(id, "no such kind").await.unwrap();
            if failed.is_dead {
                return failed.failures;
            }
        }
    }
}

fn kinds(claimed: &[Claimed]) -> Vec<&str> {
    let mut kinds: Vec<&str> = claimed.iter().map(|message| message.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_paid_goes_before_what_is_not_however_much_that_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for number in 0..20 {
        shop.order(&format!("unpaid {number}")).await;
    }
    let paid = shop.order("paid").await;
    shop.pay(paid).await;

    let one = shop.claim(Room::of(1)).await;
    assert_eq!(kinds(&one), ["payment_confirmed"]);
    assert_eq!(one[0].class, MessageClass::Paid);
    // What is not paid has a few places only, however many are free.
    let rest = shop.claim(Room { total: 64, unhurried: 3 }).await;
    assert_eq!(kinds(&rest), ["start_order"; 3]);
    let all = shop.claim(Room::of(64)).await;
    assert_eq!(all.len(), 18);
    assert!(all.iter().all(|message| message.class == MessageClass::Unpaid));
    let superseded: Vec<_> = all.iter().filter(|message| message.is_superseded).collect();
    assert_eq!(superseded.len(), 1, "the paid order's workflow is started by its payment");
    assert_eq!(superseded[0].message.as_ref().unwrap().workflow_id(), format!("order/{paid}"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_nobody_can_read_holds_a_paid_order_up_once_and_is_dead_in_the_end(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.leave_undelivered();
    let order = shop.order("k").await;
    shop.unreadable_message(order, MessageClass::Paid).await;
    shop.run("UPDATE outbox SET id = '00000000-0000-7000-8000-000000000000' WHERE kind = 'from_the_future'")
        .await;
    let unreadable = OutboxId(uuid::Uuid::parse_str("00000000-0000-7000-8000-000000000000").unwrap());
    shop.pay(order).await;

    let first = shop.claim(Room { total: 10, unhurried: 0 }).await;
    assert_eq!(kinds(&first), ["from_the_future"], "a workflow's messages arrive in order");
    assert!(first[0].message.is_err());
    let failed = shop.store.fail_outbox(unreadable, "no such kind").await.unwrap();
    assert_eq!((failed.failures, failed.is_dead), (1, false));
    let next = shop.claim(Room { total: 10, unhurried: 0 }).await;
    assert_eq!(kinds(&next), ["payment_confirmed"], "nothing waits for what failed");
    shop.store.mark_dispatched(&[next[0].id]).await.unwrap();

    assert_eq!(shop.fail_for_good(unreadable).await, MessageClass::Paid.most_failures());
    shop.run("UPDATE outbox SET claimed_until = NULL").await;
    assert_eq!(kinds(&shop.claim(Room::of(10)).await), ["start_order"], "the dead are left alone");
    let again = shop.store.fail_outbox(unreadable, "late").await.unwrap();
    assert_eq!((again.failures, again.is_dead), (0, false), "a slow dispatcher changes nothing");
    let backlog = shop.store.outbox_backlog().await.unwrap();
    assert_eq!((backlog.waiting, backlog.dead), (1, 1));

    // Administrators are told once an hour of a kind, however many there are.
    let second = shop.unreadable_message(order, MessageClass::Unpaid).await;
    assert_eq!(shop.fail_for_good(second).await, MessageClass::Unpaid.most_failures());
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'MESSAGE_UNDELIVERED'";
    assert_eq!(shop.count(told).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_never_failed_goes_before_what_did(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.leave_undelivered();
    let order = shop.order("k").await;
    for _ in 0..5 {
        let failing = shop.unreadable_message(order, MessageClass::Unpaid).await;
        shop.store.fail_outbox(failing, "no").await.unwrap();
    }
    let early =
        "SELECT count(*) FROM outbox WHERE failures = 1 AND claimed_until > now() + interval '4 seconds'";
    assert_eq!(shop.count(early).await, 5, "they are left alone for a while");
    shop.run("UPDATE outbox SET claimed_until = NULL").await;
    shop.run("UPDATE outbox SET failures = 2 WHERE id = (SELECT max(id::text)::uuid FROM outbox WHERE failures = 1)")
        .await;
    let claimed = shop.claim(Room::of(5)).await;
    assert_eq!(
        kinds(&claimed),
        ["from_the_future", "from_the_future", "from_the_future", "from_the_future", "start_order"]
    );
    assert_eq!(shop.count("SELECT failures::bigint FROM outbox WHERE claimed_until IS NULL").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_engine_that_is_away_kills_no_message(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.order("k").await;
    for _ in 0..100 {
        shop.run("UPDATE outbox SET claimed_until = NULL").await;
        let [message] = shop.claim(Room::of(1)).await.try_into().unwrap();
        shop.store.postpone_outbox(message.id, 60.0, "away").await.unwrap();
    }
    let waiting =
        "SELECT count(*) FROM outbox WHERE failures = 0 AND dead_at IS NULL AND last_error = 'away'";
    assert_eq!(shop.count(waiting).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_have_dead_messages_tried_anew_or_skip_them(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.leave_undelivered();
    let origin = by_user(shop.admin().await);
    let order = shop.order("k").await;
    let (anew, needless) = (
        shop.unreadable_message(order, MessageClass::Paid).await,
        shop.unreadable_message(order, MessageClass::Paid).await,
    );
    let waits = shop.store.requeue_message(anew, &origin).await.unwrap_err();
    assert!(
        matches!(&waits, StoreError::Conflict { object: store::Object::Message, state } if state == "WAITING"),
        "{waits:?}"
    );
    for id in [anew, needless] {
        shop.fail_for_good(id).await;
    }
    let dead = DeadFilter { dead: Some(true), ..DeadFilter::default() };
    let page = shop.store.undelivered_messages(&dead, AgeSort::Newest, FIRST).await.unwrap();
    assert_eq!(page.data.len(), 2);
    assert!(page.data.iter().all(|message| message.last_error.as_deref() == Some("no such kind")));

    let requeued = shop.store.requeue_message(anew, &origin).await.unwrap();
    assert_eq!((requeued.state(), requeued.failures), (OutboxState::Waiting, 0));
    let skipped = shop.store.skip_message(needless, "nobody needs it", &origin).await.unwrap();
    assert_eq!(skipped.state(), OutboxState::Skipped);
    let twice = shop.store.skip_message(needless, "nobody needs it", &origin).await.unwrap_err();
    assert!(matches!(&twice, StoreError::Conflict { state, .. } if state == "SKIPPED"), "{twice:?}");
    assert_eq!(kinds(&shop.claim(Room { total: 10, unhurried: 0 }).await), ["from_the_future"]);

    shop.fail_for_good(anew).await;
    assert_eq!(shop.store.requeue_dead_messages(Some("start_order"), &origin).await.unwrap(), 0);
    assert_eq!(shop.store.requeue_dead_messages(None, &origin).await.unwrap(), 1);
    assert!(shop.store.undelivered_messages(&dead, AgeSort::Newest, FIRST).await.unwrap().data.is_empty());
    let acts = "SELECT count(*) FROM audit_log WHERE object_kind = 'outbox'";
    assert_eq!(shop.count(acts).await, 4);
}
