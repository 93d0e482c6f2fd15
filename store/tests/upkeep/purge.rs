//! What serves nobody any more is deleted, and nothing else.

use std::{ops::Deref, time::Duration};

use domain::{
    billing::PaymentMethod,
    delivery::{DeliveryChannel, DeliveryPolicy},
    email::EmailKey,
    ids::{OrderId, UserId},
    instance::InstanceAction,
    purge::{PurgeRule, Purgeable},
    role::Role,
    upkeep::ReconcileSettings,
};
use sqlx::PgPool;
use store::{
    audit::Origin,
    instance_actions::{NewAction, RequestedBy},
    orders::Placed,
    outbox::Room,
    sessions::{NewSession, Rotation, SessionPolicy},
    throttles::Admission,
    users::NewUser,
};
use testkit::{TestApp, request};

const MANY: u32 = 1_000;

struct Shop {
    app: TestApp,
    customer: UserId,
    refresh_token: String,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::new(pool).await;
        let new = NewUser {
            email: "sari@example.com".to_owned(),
            full_name: "Sari".to_owned(),
            password_hash: "x".to_owned(),
            role: Role::Customer,
            email_verified: true,
        };
        let opened = app.store.register(&new, &session(), &Origin::system()).await.unwrap();
        Self { app, customer: opened.user.id, refresh_token: opened.refresh_token }
    }

    async fn order(&self, key: &str) -> Placed {
        let order = self.app.order().by(self.customer).paid_by(PaymentMethod::ManualTransfer);
        order.request(request(key)).try_place().await.unwrap()
    }

    async fn purge(&self, what: Purgeable) -> u64 {
        let rule = PurgeRule { what, kept_for_ms: what.kept_for_ms() };
        self.store.purge(&rule, MANY).await.unwrap()
    }

    async fn messages(&self, order: OrderId) -> i64 {
        let sql = "SELECT count(*) FROM outbox WHERE workflow_id = 'order/' || $1";
        sqlx::query_scalar(sql).bind(order.to_string()).fetch_one(&self.pool).await.unwrap()
    }
}

const POLICY: SessionPolicy = SessionPolicy {
    refresh_ttl: Duration::from_secs(30 * 24 * 3600),
    longest: Duration::from_secs(90 * 24 * 3600),
    grace: Duration::from_secs(10),
};

fn session() -> NewSession {
    NewSession { user_agent: None, network: "203.0.113.7".to_owned(), policy: POLICY }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_is_forgotten_after_thirty_days_and_is_new_then(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let first = shop.order("key").await;
    shop.run("UPDATE idempotency_keys SET created_at = now() - interval '29 days 23 hours'").await;
    assert_eq!(shop.purge(Purgeable::IdempotencyKeys).await, 0);
    assert_eq!(shop.order("key").await, Placed { order_id: first.order_id, to_charge: None });

    shop.run("UPDATE idempotency_keys SET created_at = now() - interval '30 days 1 minute'").await;
    let young = shop.order("young").await;
    assert_eq!(shop.purge(Purgeable::IdempotencyKeys).await, 1);
    assert_eq!(shop.order("young").await.order_id, young.order_id);
    let second = shop.order("key").await;
    assert_ne!(second.order_id, first.order_id);
    assert!(second.to_charge.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn messages_go_when_their_order_is_over(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let over = shop.order("over").await.order_id;
    let (waits, undelivered) = (shop.order("waits").await.order_id, shop.order("undelivered").await.order_id);
    for order in [over, undelivered] {
        shop.store.cancel_order(order, shop.customer).await.unwrap();
    }
    let mut sent = Vec::new();
    loop {
        let claimed = shop.store.claim_outbox(Room::of(10), 30.0).await.unwrap();
        let all = claimed.len();
        let ids: Vec<_> = claimed
            .into_iter()
            .filter(|m| m.message.as_ref().unwrap().workflow_id() != format!("order/{undelivered}"))
            .map(|m| m.id)
            .collect();
        shop.store.mark_dispatched(&ids).await.unwrap();
        sent.extend(ids);
        if all == 0 {
            break;
        }
    }
    assert_eq!(sent.len(), 3);
    assert_eq!(shop.purge(Purgeable::DeliveredMessages).await, 0, "they are young");
    shop.run("UPDATE outbox SET created_at = now() - interval '31 days', dispatched_at = dispatched_at - interval '31 days'")
        .await;
    assert_eq!(shop.purge(Purgeable::DeliveredMessages).await, 2);
    assert_eq!(shop.messages(over).await, 0);
    assert_eq!(shop.messages(waits).await, 1, "from it the workflow could be made again");
    assert_eq!(shop.messages(undelivered).await, 2, "nobody has them yet");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_living_server_or_refund_is_made_again_from_stays(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order("server").await.order_id;
    shop.pay(shop.ordered(order).await.payment.id).await;
    let server = shop.activate(order).await;
    let reboot = NewAction {
        instance: server,
        by: RequestedBy::Program,
        action: &InstanceAction::Reboot,
        origin: &Origin::system(),
        idempotency_key: None,
    };
    shop.store.request_action(&reboot).await.unwrap();
    let settings = ReconcileSettings::default();
    shop.store
        .request_reconciliation("vultr", settings, shop.staff().await, &Origin::system())
        .await
        .unwrap();
    shop.run("UPDATE outbox SET dispatched_at = now() - interval '31 days'").await;
    let of_server = "SELECT count(*) FROM outbox WHERE kind = 'start_instance'";
    // The order is over, the server is not: only what wakes its workflow goes.
    shop.purge(Purgeable::DeliveredMessages).await;
    assert_eq!((shop.count("SELECT count(*) FROM outbox").await, shop.count(of_server).await), (1, 1));
    shop.run("UPDATE instances SET status = 'TERMINATED'").await;
    assert_eq!(shop.purge(Purgeable::DeliveredMessages).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_used_token_betrays_a_thief_until_its_own_end(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let Rotation::Rotated(next) =
        shop.store.rotate_refresh_token(&shop.refresh_token, &POLICY, &Origin::system()).await.unwrap()
    else {
        panic!("not rotated")
    };
    shop.run("UPDATE refresh_tokens SET used_at = used_at - interval '20 days' WHERE used_at IS NOT NULL")
        .await;
    assert_eq!(shop.purge(Purgeable::RefreshTokens).await, 0);
    let shown =
        shop.store.rotate_refresh_token(&shop.refresh_token, &POLICY, &Origin::system()).await.unwrap();
    assert!(matches!(shown, Rotation::Reused), "{shown:?}");
    let holder =
        shop.store.session_holder(next.session, shop.customer, POLICY.longest).await.unwrap().unwrap();
    assert!(holder.revoked);
}

#[sqlx::test(migrations = "../migrations")]
async fn sessions_go_when_they_are_over_with_all_their_tokens(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let user = shop.store.user(shop.customer).await.unwrap();
    let email = EmailKey::of(&user.email);
    let Admission::Admitted(attempt) =
        shop.store.admit_login(&email, "203.0.113.7", &Origin::system()).await.unwrap()
    else {
        panic!("locked")
    };
    shop.store.login(user, &attempt, &session(), &Origin::system()).await.unwrap();
    // Both began long ago; one has been exchanged until yesterday.
    shop.run("UPDATE sessions SET created_at = now() - interval '60 days'").await;
    shop.run(
        "UPDATE refresh_tokens SET expires_at = now() - interval '8 days'
         WHERE session_id = (SELECT max(id::text)::uuid FROM sessions)",
    )
    .await;
    assert_eq!(shop.purge(Purgeable::Sessions).await, 0, "its token is still there");
    assert_eq!(shop.purge(Purgeable::RefreshTokens).await, 1);
    assert_eq!(shop.purge(Purgeable::Sessions).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM sessions").await, 1);
    let rotated =
        shop.store.rotate_refresh_token(&shop.refresh_token, &POLICY, &Origin::system()).await.unwrap();
    assert!(matches!(rotated, Rotation::Rotated(_)), "{rotated:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_is_locked_out_stays_so_and_rows_that_are_held_are_left_alone(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.run(
        "INSERT INTO auth_throttles (subject_hash, network, failures, locked_until, updated_at) VALUES
             ('\\x01', '', 3, NULL, now() - interval '25 hours'), ('\\x02', '', 9, now() + interval '1 minute', now() - interval '25 hours'),
             ('\\x03', '', 3, NULL, now() - interval '23 hours'), ('\\x04', '', 5, now() - interval '1 day', now() - interval '25 hours')",
    )
    .await;
    let mut held = shop.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM auth_throttles WHERE subject_hash = '\\x01' FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    assert_eq!(shop.purge(Purgeable::LoginThrottles).await, 1);
    held.rollback().await.unwrap();
    assert_eq!(shop.purge(Purgeable::LoginThrottles).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM auth_throttles").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_few_at_a_time(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for key in 0..5 {
        shop.order(&key.to_string()).await;
    }
    let rule = PurgeRule { what: Purgeable::IdempotencyKeys, kept_for_ms: 0 };
    for expected in [2, 2, 1, 0] {
        assert_eq!(shop.store.purge(&rule, 2).await.unwrap(), expected);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_link_that_ends_such_mails_works_for_more_than_a_year(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let policy = DeliveryPolicy::default();
    shop.store.open_delivery_channel(DeliveryChannel::Email, &policy, false).await.unwrap();
    shop.order("key").await;
    let sql = "SELECT id FROM notification_deliveries WHERE type = 'ORDER_CREATED'";
    let delivery: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(&shop.pool).await.unwrap();
    shop.store.begin_delivery(delivery.into(), &policy).await.unwrap();
    shop.run("UPDATE unsubscribe_tokens SET created_at = now() - interval '399 days'").await;
    assert_eq!(shop.purge(Purgeable::UnsubscribeTokens).await, 0);
    shop.run("UPDATE unsubscribe_tokens SET created_at = now() - interval '401 days'").await;
    assert_eq!(shop.purge(Purgeable::UnsubscribeTokens).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM unsubscribe_tokens").await, 0);
}
