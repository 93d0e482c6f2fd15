//! Telling people, through the simulators: what arrives, and what is done where it is not known whether it did.

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy},
    event::{Event, EventKind},
    ids::{DeliveryId, UserId},
    language::Language,
    policy::StepPolicy,
    sorting::DeliverySort,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{
    audit::Origin,
    deliveries::{DeliveryFilter, Reader, StaffDelivery},
    page::SortedRequest,
};
use testkit::{SimulatedMail, SimulatedTelegram, TestApp, http::Expect};

use super::*;

const CHAT: i64 = 7;
/// An attempt has ended at once.
const HASTY: DeliveryPolicy = DeliveryPolicy {
    steps: StepPolicy {
        heartbeat_timeout_ms: 2_000,
        retry_initial_ms: 10,
        retry_max_ms: 10,
        give_up_after_ms: 60_000,
    },
    settle_ms: 0,
    most_in_doubt: 3,
};

fn links() -> Links {
    Links { app_url: "https://app.example.com/".to_owned(), api_url: "https://api.example.com".to_owned() }
}

fn channels(mail: &SimulatedMail, telegram: &SimulatedTelegram) -> Channels {
    let mail = MailChannel { mailer: Box::new(mail.adapter()), links: links() };
    let admin_chat = Some(simulators::telegram::GROUP);
    let telegram = TelegramChannel { bot: telegram.adapter(), admin_chat, links: links() };
    Channels { mail: Some(Arc::new(mail)), telegram: Some(Arc::new(telegram)) }
}

fn job(channel: DeliveryChannel, event: Event, language: Language) -> DeliveryJob {
    let kind = event.facts().notification.expect("a type");
    DeliveryJob {
        id: uuid::Uuid::now_v7().into(),
        attempt: 1,
        channel,
        event: Some(event),
        reader: Reader::Person {
            email: format!("siti.{language}@example.com"),
            name: "Siti <Aminah> & \"Co\"".to_owned(),
            locale: language.into(),
            chat_id: Some(CHAT),
        },
        link_token: None,
        unsubscribe_token: (!kind.is_required()).then(|| "wbu_token".to_owned()),
        is_in_doubt: false,
    }
}

fn told() -> impl Iterator<Item = (EventKind, Language)> {
    let kinds = EventKind::ALL.iter().filter(|kind| kind.is_for_customers());
    kinds.flat_map(|kind| Language::ALL.iter().map(move |language| (*kind, *language)))
}

#[tokio::test]
async fn every_event_arrives_by_mail_in_both_languages() {
    let (mail, telegram) = (SimulatedMail::start().await, SimulatedTelegram::start().await);
    let channels = channels(&mail, &telegram);
    for (kind, language) in told() {
        let event = Event::example(kind);
        let letter = messages::email(&event, language).unwrap();
        let job = job(DeliveryChannel::Email, event.clone(), language);
        channels.send(&job).await.unwrap();
        let arrived = mail.to(&format!("siti.{language}@example.com")).await.pop().unwrap();
        let what = format!("{kind} {language}");
        let text = |field: &str| arrived[field].as_str().unwrap().to_owned();
        let header = |name: &str| arrived["headers"][name][0].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("subject"), letter.title, "{what}");
        assert!(text("text").contains(&letter.message), "{what}: {}", text("text"));
        assert!(text("html").contains("Siti &lt;Aminah&gt; &amp;"), "{what}");
        assert_eq!(arrived["charsets"], json!(["utf-8", "utf-8"]), "{what}");
        assert_eq!(header("message-id"), format!("<{}@webrana.test>", job.id), "{what}");
        assert_eq!(header("content-language"), language.as_str(), "{what}");
        let path = event.facts().action_url.unwrap_or_default();
        assert!(text("text").contains(&format!("https://app.example.com{path}")), "{what}");
        let unsubscribe = "<https://api.example.com/api/v1/unsubscribe/wbu_token>";
        let expected = if event.facts().notification.unwrap().is_required() { "" } else { unsubscribe };
        assert_eq!(header("list-unsubscribe"), expected, "{what}");
    }
}

#[tokio::test]
async fn every_event_arrives_by_telegram_in_both_languages_whatever_its_data_says() {
    let (mail, telegram) = (SimulatedMail::start().await, SimulatedTelegram::start().await);
    let channels = channels(&mail, &telegram);
    telegram.say(CHAT, "hello").await;
    for (kind, language) in told() {
        // Whatever is a name in it is hostile.
        let data = Event::example(kind).data().unwrap();
        let event = Event::read(kind.as_str(), hostile(data)).unwrap();
        let text = messages::telegram(&event, language).unwrap();
        channels.send(&job(DeliveryChannel::Telegram, event, language)).await.unwrap();
        let read = telegram.read(CHAT).await.pop().unwrap();
        assert_eq!(read, format!("{text}\n\n{}", messages::action(language)), "{kind} {language}");
    }
    // What administrators are told goes to the chat that they share.
    for kind in EventKind::ALL.iter().filter(|kind| !kind.is_for_customers()) {
        let event = Event::example(*kind);
        let Ok(letter) = messages::in_app(&event, Language::Indonesian) else { continue };
        let job = DeliveryJob {
            reader: Reader::Administrators,
            ..job(DeliveryChannel::Telegram, event, Language::Indonesian)
        };
        channels.send(&job).await.unwrap();
        let read = telegram.read(simulators::telegram::GROUP).await.pop().unwrap();
        assert!(read.starts_with(&format!("{}\n{}", letter.title, letter.message)), "{kind}: {read}");
    }
}

#[tokio::test]
async fn a_link_arrives_with_its_secret_where_no_server_sees_it() {
    let (mail, telegram) = (SimulatedMail::start().await, SimulatedTelegram::start().await);
    let channels = channels(&mail, &telegram);
    for kind in EventKind::ALL.iter().filter(|kind| kind.is_a_link()) {
        for language in Language::ALL {
            let event = Event::example(*kind);
            let path = event.facts().action_url.unwrap();
            let without = job(DeliveryChannel::Email, event, *language);
            let link_token = Some("wbl_0".to_owned().into());
            let unsent = channels.send(&without).await.unwrap_err();
            assert_eq!(unsent.trouble, DeliveryTrouble::LinkOver, "{kind}");
            channels.send(&DeliveryJob { link_token, ..without }).await.unwrap();
            let arrived = mail.to(&format!("siti.{language}@example.com")).await.pop().unwrap();
            let link = format!("https://app.example.com{path}#token=wbl_0");
            for part in ["text", "html"] {
                let part = arrived[part].as_str().unwrap().replace("&#x2f;", "/");
                assert!(part.contains(&link), "{kind} {language}: {part}");
            }
        }
    }
}

/// The same data with names that would be markup, where names are free.
fn hostile(data: Value) -> Value {
    const FREE: [&str; 8] = ["hostname", "name", "reason", "title", "message", "plan", "server", "code"];
    let Value::Object(mut fields) = data else { return data };
    for (name, value) in &mut fields {
        if FREE.contains(&name.as_str()) && value.is_string() {
            *value = json!("<b>x</i> & _y_ *z* [a](b) `c` \\ {d} \"e\"");
        }
    }
    Value::Object(fields)
}

/// A shop whose customers are told, and what it tells them by.
struct Desk {
    app: TestApp,
    mail: SimulatedMail,
    telegram: SimulatedTelegram,
    desk: DeliveryActivities,
}

impl Desk {
    async fn open(pool: PgPool) -> Self {
        let (mail, telegram) = (SimulatedMail::start().await, SimulatedTelegram::start().await);
        let app = TestApp::new(pool).await;
        let channels = channels(&mail, &telegram);
        channels.open(&app.store, &HASTY).await.unwrap();
        let desk = DeliveryActivities { store: app.store.clone(), channels };
        Self { app, mail, telegram, desk }
    }

    /// Somebody placed an order, of which a mail is due.
    async fn mail_due(&self) -> (UserId, StaffDelivery) {
        let customer = self.app.customer().await;
        self.app.order().by(customer).place().await;
        (customer, self.deliveries(customer).await.remove(0))
    }

    async fn link(&self, customer: UserId) {
        let code = self.app.store.telegram_link_code(customer, Duration::from_secs(60)).await.unwrap();
        self.telegram.say(CHAT, &format!("/start {}", code.code)).await;
        self.app.store.link_telegram(&code.code, CHAT).await.unwrap().unwrap();
    }

    async fn deliveries(&self, customer: UserId) -> Vec<StaffDelivery> {
        let filter = DeliveryFilter { user: Some(customer), ..DeliveryFilter::default() };
        let page = self.app.store.deliveries(&filter, DeliverySort::Oldest, SortedRequest::first(100));
        page.await.unwrap().data
    }

    async fn state_of(&self, delivery: DeliveryId) -> (DeliveryState, Option<String>, i32) {
        let everything = DeliveryFilter::default();
        let page = SortedRequest::first(1_000);
        let all = self.app.store.deliveries(&everything, DeliverySort::Newest, page);
        let found = all.await.unwrap().data.into_iter().find(|found| found.id == delivery).unwrap();
        (found.state, found.trouble, found.in_doubt)
    }

    async fn try_once(&self, delivery: &StaffDelivery) -> Result<DeliveryState, DeliveryTrouble> {
        let start =
            DeliveryStart { delivery_id: delivery.id, channel: delivery.channel, policy: HASTY, resends: 0 };
        self.desk.send(&start).await.map_err(|error| match error {
            StepError::NotDelivered { trouble, .. } => trouble,
            error => panic!("{error}"),
        })
    }

    async fn arrived(&self, customer: UserId) -> Vec<Value> {
        let email = self.app.store.user(customer).await.unwrap().email;
        self.mail.to(&email).await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_taken_is_sent_once(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    assert_eq!((due.state, due.channel), (DeliveryState::Pending, DeliveryChannel::Email));
    for _ in 0..3 {
        assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Sent));
    }
    let arrived = desk.arrived(customer).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(
        arrived[0]["subject"], "Pesanan diterima",
        "customers read Indonesian unless they say otherwise"
    );
    assert_eq!(desk.deliveries(customer).await.len(), 1, "nothing by Telegram without a chat");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_not_taken_is_sent_later(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    desk.mail.fault(json!({"kind":"away","times":2})).await;
    for _ in 0..2 {
        assert_eq!(desk.try_once(&due).await, Err(DeliveryTrouble::Busy));
        assert_eq!(desk.state_of(due.id).await, (DeliveryState::Pending, Some("BUSY".to_owned()), 0));
    }
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Sent));
    assert_eq!(desk.arrived(customer).await.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_mail_in_doubt_is_sent_again_under_the_same_name_until_a_person_has_to_decide(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    desk.mail.fault(json!({"kind":"drop_after_data"})).await;
    assert_eq!(desk.try_once(&due).await, Err(DeliveryTrouble::LostAnswer));
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Sent));
    let arrived = desk.arrived(customer).await;
    let names: Vec<&Value> = arrived.iter().map(|mail| &mail["headers"]["message-id"][0]).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1], "who has it twice can tell");
    assert_eq!(desk.state_of(due.id).await.2, 1);

    let (_, due) = desk.mail_due().await;
    desk.mail.fault(json!({"kind":"drop_after_data","times":5})).await;
    for _ in 0..2 {
        assert_eq!(desk.try_once(&due).await, Err(DeliveryTrouble::LostAnswer));
    }
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Unknown));
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Unknown), "it stays so until somebody decides");
    desk.app.expect_alert("delivery.in_doubt");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_by_telegram_in_doubt_is_not_sent_again(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.app.expect_alert("delivery.in_doubt");
    let customer = desk.app.customer().await;
    desk.link(customer).await;
    desk.app.order().by(customer).place().await;
    let due = desk.deliveries(customer).await;
    let due = due.iter().find(|due| due.channel == DeliveryChannel::Telegram).unwrap();
    let fault = json!({"route":"POST /{bot}/sendMessage","kind":"drop_after_create"});
    desk.telegram.control().post("/faults", &fault).await.expect(201);
    assert_eq!(desk.try_once(due).await, Ok(DeliveryState::Unknown));
    assert_eq!(desk.try_once(due).await, Ok(DeliveryState::Unknown));
    assert_eq!(desk.telegram.read(CHAT).await.len(), 1);
    // A person decides that it is sent once more.
    let anew = desk.app.store.resend_delivery(due.id, &Origin::system()).await.unwrap();
    assert_eq!(anew.state, DeliveryState::Pending);
    assert_eq!(desk.try_once(due).await, Ok(DeliveryState::Sent));
    assert_eq!(desk.telegram.read(CHAT).await.len(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_whose_process_died_is_waited_for_and_then_in_doubt(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    let DeliveryTurn::Send(lost) = desk.app.store.begin_delivery(due.id, &HASTY).await.unwrap() else {
        panic!("it is due");
    };
    let patient = DeliveryPolicy { settle_ms: 900_000, ..HASTY };
    let turn = desk.app.store.begin_delivery(due.id, &patient).await.unwrap();
    assert!(matches!(turn, DeliveryTurn::Wait(_)), "{turn:?}");
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Sent));
    assert_eq!(desk.state_of(due.id).await.2, 1);
    // What the lost one says when it comes back changes nothing.
    desk.app.store.delivery_not_taken(due.id, lost.attempt, DeliveryTrouble::Busy, "late").await.unwrap();
    assert_eq!(desk.state_of(due.id).await.0, DeliveryState::Sent);
    assert_eq!(desk.arrived(customer).await.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bad_address_is_left_alone_until_it_changes(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    desk.mail.fault(json!({"kind":"refuse_recipient"})).await;
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Failed));
    let (state, trouble, _) = desk.state_of(due.id).await;
    assert_eq!((state, trouble.as_deref()), (DeliveryState::Failed, Some("BAD_ADDRESS")));
    desk.app.order().by(customer).place().await;
    let next = desk.deliveries(customer).await.pop().unwrap();
    assert_eq!(desk.try_once(&next).await, Ok(DeliveryState::Suppressed));
    assert!(desk.arrived(customer).await.is_empty());
    // Whoever proves an address has one.
    desk.app.run("UPDATE users SET email_verified_at = now() + interval '1 second'").await;
    desk.app.order().by(customer).place().await;
    let next = desk.deliveries(customer).await.pop().unwrap();
    assert_eq!(desk.try_once(&next).await, Ok(DeliveryState::Sent));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_chat_that_keeps_the_bot_out_is_left_alone_until_it_is_linked_anew(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let customer = desk.app.customer().await;
    desk.link(customer).await;
    desk.telegram.control().post("/block", &json!({"chat_id":CHAT,"blocked":true})).await.expect(204);
    desk.app.order().by(customer).place().await;
    let is_telegram = |due: &StaffDelivery| due.channel == DeliveryChannel::Telegram;
    let due = desk.deliveries(customer).await.into_iter().find(is_telegram).unwrap();
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Failed));
    assert!(desk.app.store.telegram_link(customer).await.unwrap().blocked_at.is_some());
    desk.app.order().by(customer).place().await;
    assert_eq!(desk.deliveries(customer).await.into_iter().filter(is_telegram).count(), 1);
    desk.link(customer).await;
    desk.app.order().by(customer).place().await;
    assert_eq!(desk.deliveries(customer).await.into_iter().filter(is_telegram).count(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_message_that_can_not_be_sent_for_too_long_waits_for_a_person(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (customer, due) = desk.mail_due().await;
    assert_eq!(
        desk.app.store.give_up_delivery(DeliveryRun::first(due.id)).await.unwrap(),
        DeliveryState::Failed
    );
    assert_eq!(desk.try_once(&due).await, Ok(DeliveryState::Failed), "it is too late");
    // An attempt that may have been taken is not called failed.
    desk.app.order().by(customer).place().await;
    let next = desk.deliveries(customer).await.pop().unwrap();
    let turn = desk.app.store.begin_delivery(next.id, &HASTY).await.unwrap();
    assert!(matches!(turn, DeliveryTurn::Send(_)));
    assert_eq!(
        desk.app.store.give_up_delivery(DeliveryRun::first(next.id)).await.unwrap(),
        DeliveryState::Unknown
    );
    let waiting = desk.app.store.deliveries_waiting().await.unwrap();
    assert_eq!((waiting[0].channel, waiting[0].dead), (DeliveryChannel::Email, 2));
}
