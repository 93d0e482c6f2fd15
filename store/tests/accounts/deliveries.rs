//! What is told outside of the app is written with what happened: to whom, by what, and what people do not want.

use std::time::Duration;

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryRun, DeliveryStart, DeliveryState},
    ids::UserId,
    notification::NotificationKind,
    outbox::{Message, MessageClass},
    provisioning::FailureClass,
    sorting::DeliverySort,
};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    deliveries::{DeliveryFilter, DeliveryTurn, Preference, StaffDelivery},
    outbox::Room,
    page::SortedRequest,
    sweep::OpenWork,
    versions::IfMatch,
};
use testkit::TestApp;

async fn shop(pool: PgPool) -> TestApp {
    let app = TestApp::new(pool).await;
    for channel in DeliveryChannel::ALL {
        app.store.open_delivery_channel(*channel, &DeliveryPolicy::default(), true).await.unwrap();
    }
    app
}

async fn link(app: &TestApp, customer: UserId, chat: i64) {
    let code = app.store.telegram_link_code(customer, Duration::from_secs(60)).await.unwrap();
    app.store.link_telegram(&code.code, chat).await.unwrap().unwrap();
}

async fn of(app: &TestApp, user: Option<UserId>) -> Vec<StaffDelivery> {
    let filter = DeliveryFilter { user, ..DeliveryFilter::default() };
    let page = app.store.deliveries(&filter, DeliverySort::Oldest, SortedRequest::first(100)).await;
    page.unwrap().data
}

/// What is told by what.
async fn told(app: &TestApp, user: UserId) -> Vec<(String, DeliveryChannel)> {
    of(app, Some(user)).await.into_iter().map(|delivery| (delivery.event, delivery.channel)).collect()
}

fn off(kind: NotificationKind, channel: DeliveryChannel) -> Preference {
    Preference { kind, channel, enabled: false }
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_to_be_delivered_where_nobody_delivers(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let customer = app.customer().await;
    app.order().by(customer).active().await;
    assert!(of(&app, None).await.is_empty());
    // What was recorded before is not delivered later.
    app.store.open_delivery_channel(DeliveryChannel::Email, &DeliveryPolicy::default(), false).await.unwrap();
    assert!(of(&app, None).await.is_empty());
    app.order().by(customer).place().await;
    assert_eq!(told(&app, customer).await, [("order_placed".to_owned(), DeliveryChannel::Email)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_whose_workflow_was_lost_is_begun_again(pool: PgPool) {
    let app = shop(pool).await;
    let customer = app.customer().await;
    app.order().by(customer).place().await;
    let rules = domain::sweep::SweepRules::default();
    let lost = || async {
        let expected = app.store.expected_workflows(&rules).await.unwrap().into_iter().map(|of| of.work);
        expected.filter(|work| matches!(work, OpenWork::Delivery(_))).collect::<Vec<_>>()
    };
    app.run("UPDATE notification_deliveries SET created_at = created_at - interval '3 minutes'").await;
    assert!(lost().await.is_empty(), "its message is on its way");
    app.run("UPDATE outbox SET dispatched_at = now()").await;
    let delivery = of(&app, Some(customer)).await.remove(0).id;
    assert_eq!(lost().await, [OpenWork::Delivery(DeliveryRun::first(delivery))]);
    let woken = app.store.wake_lost(&lost().await, domain::refund::RefundPolicy::default()).await;
    assert_eq!(woken.unwrap(), 1);
    assert!(lost().await.is_empty(), "a message is on its way again");
    let waiting = app.store.claim_outbox(Room::of(10), 60.0).await.unwrap();
    let start = waiting.into_iter().map(|message| message.message.unwrap()).next();
    assert!(
        matches!(start, Some(Message::StartDelivery(DeliveryStart { delivery_id, .. })) if delivery_id == delivery)
    );
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'WORKFLOWS_RESTARTED'";
    assert_eq!(app.count(told).await, 0, "administrators hear of orders and servers");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_is_told_once_by_each_channel_that_its_customer_has(pool: PgPool) {
    let app = shop(pool).await;
    let (with_chat, without) = (app.customer().await, app.customer().await);
    link(&app, with_chat, 7).await;
    for customer in [with_chat, without] {
        app.order().by(customer).active().await;
    }
    let events = ["order_placed", "payment_confirmed", "server_active"];
    let by = |channel| events.map(|event| (event.to_owned(), channel)).to_vec();
    assert_eq!(told(&app, without).await, by(DeliveryChannel::Email));
    let mut both = told(&app, with_chat).await;
    both.sort();
    let mut expected = [by(DeliveryChannel::Email), by(DeliveryChannel::Telegram)].concat();
    expected.sort();
    assert_eq!(both, expected);
}

#[sqlx::test(migrations = "../migrations")]
async fn each_delivery_starts_its_workflow_behind_all_that_was_paid_for(pool: PgPool) {
    let app = shop(pool).await;
    let customer = app.customer().await;
    app.order().by(customer).place().await;
    let delivery = of(&app, Some(customer)).await.remove(0);
    let claimed = app.store.claim_outbox(Room::of(10), 0.0).await.unwrap();
    let start = claimed.iter().find(|message| message.kind == "start_delivery").unwrap();
    assert_eq!(start.class, MessageClass::Unpaid);
    let expected = DeliveryStart {
        delivery_id: delivery.id,
        channel: DeliveryChannel::Email,
        policy: DeliveryPolicy::default(),
        resends: 0,
    };
    assert_eq!(start.message.as_ref().unwrap(), &Message::StartDelivery(expected));
    let message = start.message.as_ref().unwrap();
    assert_eq!(message.workflow_id(), format!("delivery/{}", delivery.id));
    let stored = app
        .text("SELECT workflow_id || ' ' || payload::text FROM outbox WHERE kind = 'start_delivery'")
        .await;
    let email = app.store.user(customer).await.unwrap().email;
    assert!(stored.starts_with(&message.workflow_id()) && !stored.contains(&email), "{stored}");
}

#[sqlx::test(migrations = "../migrations")]
async fn administrators_are_told_once_in_the_chat_that_they_share(pool: PgPool) {
    let app = shop(pool).await;
    let (_, _) = (app.admin().await, app.admin().await);
    app.order().failed(FailureClass::Capacity).await;
    let ours: Vec<_> =
        of(&app, None).await.into_iter().filter(|delivery| delivery.user_id.is_none()).collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(
        (ours[0].event.as_str(), ours[0].channel),
        ("provisioning_failed_for_staff", DeliveryChannel::Telegram)
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn what_somebody_does_not_want_is_not_written_unless_nobody_can_do_without(pool: PgPool) {
    let app = shop(pool).await;
    let customer = app.customer().await;
    let unwanted = [NotificationKind::OrderCreated, NotificationKind::PaymentConfirmed]
        .map(|kind| off(kind, DeliveryChannel::Email));
    app.store.set_notification_preferences(customer, &unwanted, &IfMatch::Anyhow).await.unwrap();
    app.order().by(customer).active().await;
    let events: Vec<String> = told(&app, customer).await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["payment_confirmed", "server_active"]);
    assert_eq!(app.store.notification_preferences(customer).await.unwrap(), [unwanted[0]]);
    // All that is said takes the place of what was said before.
    let other = off(NotificationKind::VpsActive, DeliveryChannel::Telegram);
    app.store.set_notification_preferences(customer, &[other], &IfMatch::Anyhow).await.unwrap();
    assert_eq!(app.store.notification_preferences(customer).await.unwrap(), [other]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_switched_off_meanwhile_is_not_sent(pool: PgPool) {
    let app = shop(pool).await;
    let customer = app.customer().await;
    app.order().by(customer).place().await;
    let due = of(&app, Some(customer)).await.remove(0);
    let unwanted = [off(NotificationKind::OrderCreated, DeliveryChannel::Email)];
    app.store.set_notification_preferences(customer, &unwanted, &IfMatch::Anyhow).await.unwrap();
    let turn = app.store.begin_delivery(due.id, &DeliveryPolicy::default()).await.unwrap();
    assert!(matches!(turn, DeliveryTurn::Over(DeliveryState::Suppressed)), "{turn:?}");
    assert_eq!(of(&app, Some(customer)).await[0].trouble.as_deref(), Some("SWITCHED_OFF"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_link_of_a_mail_switches_such_mails_off_and_nothing_else(pool: PgPool) {
    let app = shop(pool).await;
    let customer = app.customer().await;
    let order = app.order().by(customer).paid().await;
    let due = of(&app, Some(customer)).await;
    let mut tokens = Vec::new();
    for delivery in &due {
        match app.store.begin_delivery(delivery.id, &DeliveryPolicy::default()).await.unwrap() {
            DeliveryTurn::Send(job) => tokens.push((job.unsubscribe_token, delivery.event.clone())),
            turn => panic!("{turn:?}"),
        }
    }
    let token = tokens
        .iter()
        .find_map(|(token, event)| (event == "order_placed").then(|| token.clone()))
        .unwrap()
        .unwrap();
    assert!(tokens.iter().any(|(token, event)| event == "payment_confirmed" && token.is_none()), "{order:?}");
    assert_eq!(app.store.unsubscribable(&token).await.unwrap(), NotificationKind::OrderCreated);
    assert!(
        app.store.notification_preferences(customer).await.unwrap().is_empty(),
        "looking changes nothing"
    );
    for _ in 0..2 {
        app.store.unsubscribe(&token).await.unwrap();
    }
    let said = app.store.notification_preferences(customer).await.unwrap();
    assert_eq!(said, [off(NotificationKind::OrderCreated, DeliveryChannel::Email)]);
    assert!(matches!(app.store.unsubscribe("wbu_0").await, Err(StoreError::NotFound("link"))));
    let kept = app
        .count("SELECT count(*) FROM unsubscribe_tokens WHERE encode(token_hash, 'escape') LIKE 'wbu%'")
        .await;
    assert_eq!(kept, 0, "only hashes are kept");
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_have_what_came_to_nothing_sent_once_more(pool: PgPool) {
    let app = shop(pool).await;
    app.admin().await;
    let customer = app.customer().await;
    app.order().by(customer).place().await;
    let due = of(&app, Some(customer)).await.remove(0);
    let refused = app.store.resend_delivery(due.id, &Origin::system()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { state, .. } if state == "PENDING"));
    let first = DeliveryRun::first(due.id);
    app.store.give_up_delivery(first).await.unwrap();
    let anew = app.store.resend_delivery(due.id, &Origin::system()).await.unwrap();
    assert_eq!((anew.state, anew.finished_at), (DeliveryState::Pending, None));
    let left = app.store.give_up_delivery(first).await.unwrap();
    assert_eq!(left, DeliveryState::Pending, "a run that does not know that it is over ends nothing new");
    let started = app.texts("SELECT workflow_id FROM outbox WHERE kind = 'start_delivery' ORDER BY id").await;
    assert!(started.contains(&format!("delivery/{}/1", due.id)), "{started:?}");
    assert_eq!(app.count("SELECT count(*) FROM audit_log WHERE action = 'delivery.resend'").await, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM outbox WHERE kind = 'start_delivery'").await,
        3,
        "and staff are told"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_links_one_chat_to_one_account_once(pool: PgPool) {
    let app = shop(pool).await;
    let (siti, andi) = (app.customer().await, app.customer().await);
    let code = async |user| app.store.telegram_link_code(user, Duration::from_secs(60)).await.unwrap().code;
    let earlier = code(siti).await;
    let latest = code(siti).await;
    assert_eq!(app.store.link_telegram(&earlier, 7).await.unwrap(), None);
    assert!(app.store.link_telegram(&latest, 7).await.unwrap().is_some());
    assert_eq!(app.store.link_telegram(&latest, 8).await.unwrap(), None, "it is good once");
    // The chat goes over to whoever shows a code in it.
    assert!(app.store.link_telegram(&code(andi).await, 7).await.unwrap().is_some());
    assert!(matches!(app.store.telegram_link(siti).await, Err(StoreError::NotFound(_))));
    let late = app.store.telegram_link_code(siti, Duration::ZERO).await.unwrap().code;
    assert_eq!(app.store.link_telegram(&late, 9).await.unwrap(), None, "it is over");
    assert!(app.store.unlink_telegram_chat(7).await.unwrap().is_some());
    assert!(app.store.unlink_telegram_chat(7).await.unwrap().is_none());
    assert!(app.store.unlink_telegram(andi, &Origin::system()).await.is_err());
    let acts = app.texts("SELECT action FROM audit_log WHERE action LIKE 'user.telegram%' ORDER BY id").await;
    assert_eq!(acts, ["user.telegram_linked", "user.telegram_linked", "user.telegram_unlinked"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_bots_messages_are_read_by_one_process_at_a_time(pool: PgPool) {
    let app = shop(pool).await;
    let mut reader = app.store.telegram_reader().await.unwrap().unwrap();
    reader.check().await.unwrap();
    assert!(app.store.telegram_reader().await.unwrap().is_none());
    drop(reader);
    // The server notices that a connection is gone a moment later.
    let mut next = app.store.telegram_reader().await.unwrap();
    while next.is_none() {
        tokio::task::yield_now().await;
        next = app.store.telegram_reader().await.unwrap();
    }
}
