//! The worker that tells people is killed at every step of a message: a mail arrives under one name, whatever happens, and a
//! message by Telegram at most once; what is not known waits for a person.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use activities::crash_point::{WHEN_GIVING_UP, WHEN_TELLING};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::Connection;
use webrana_tests::{
    customer::{Customer, Expect},
    messengers::{Messengers, Told},
    report,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

use crate::chaos::PROGRAM;

/// Longer than any case takes.
const PATIENT: Duration = Duration::from_secs(120);
const CHAT: i64 = 7;

async fn system() -> Stack {
    let options = Options { told: Told::Outside, ..Options::default() };
    Stack::start(options).await.expect("a system")
}

fn messengers(stack: &Stack) -> &Messengers {
    stack.messengers.as_ref().expect("messengers")
}

/// How the deliveries of a channel end that somebody has.
async fn ended(admin: &Customer<'_>, channel: &str) -> Value {
    let path = format!("/admin/deliveries?channel={channel}&type=ORDER_CREATED");
    until("the message is over", async || {
        let found = admin.get(&path).await.expect(200)["data"][0].clone();
        let is_over = matches!(found["state"].as_str(), Some("SENT" | "FAILED" | "UNKNOWN" | "SUPPRESSED"));
        is_over.then_some(found)
    })
    .await
}

async fn email_of(customer: &Customer<'_>) -> String {
    customer.get("/auth/me").await.expect(200)["email"].as_str().expect("an address").to_owned()
}

/// A worker that dies at `point` is followed by one that lives.
async fn killed_at(
    stack: &Stack,
    point: &str,
    patience: Duration,
    act: impl Future<Output = ()>,
) -> WorkerProcess {
    let mut doomed = WorkerProcess::start_notifications(PROGRAM, stack, Some(point.into()), patience);
    act.await;
    let status = doomed.ended().await;
    assert!(!status.success(), "{point}: {status}");
    WorkerProcess::start_notifications(PROGRAM, stack, None, patience)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_under_one_name_wherever_its_worker_is_killed() {
    let begun = Instant::now();
    let done = stream::iter(WHEN_TELLING).map(|point| mailed(point)).buffer_unordered(2).count().await;
    report::say(&format!("chaos, mails: {done} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

async fn mailed(point: &str) {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let _living = killed_at(&stack, point, PATIENT, async {
        awaited_channels(&stack).await;
        customer.place_order().await;
    })
    .await;
    let delivery = ended(&admin, "EMAIL").await;
    assert_eq!(delivery["state"], "SENT", "{point}: {delivery}");
    let arrived = messengers(&stack).mail.to(&email_of(&customer).await).await;
    let names: BTreeSet<String> =
        arrived.iter().map(|mail| mail["headers"]["message-id"][0].to_string()).collect();
    assert_eq!(names.len(), 1, "{point}: {arrived:?}");
    // Only where the answer was there and its record was not, the server was handed the mail twice, and it is counted.
    let (mails, in_doubt) = match point {
        "send_delivery.noted" => (1, 1),
        "send_delivery.sent" => (2, 1),
        _ => (1, 0),
    };
    assert_eq!((arrived.len(), &delivery["in_doubt"]), (mails, &json!(in_doubt)), "{point}: {delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_by_telegram_arrives_at_most_once_wherever_its_worker_is_killed() {
    let begun = Instant::now();
    let done = stream::iter(WHEN_TELLING).map(|point| chatted(point)).buffer_unordered(2).count().await;
    report::say(&format!("chaos, Telegram: {done} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

async fn chatted(point: &str) {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let telegram = &messengers(&stack).telegram;
    link(&stack, &customer).await;
    let no_mail = json!({"preferences":[{"type":"ORDER_CREATED","channel":"EMAIL","enabled":false}]});
    customer.put("/auth/me/notification-preferences", &no_mail).await.expect(200);
    let _living = killed_at(&stack, point, PATIENT, async {
        awaited_channels(&stack).await;
        customer.place_order().await;
    })
    .await;
    let delivery = ended(&admin, "TELEGRAM").await;
    let (state, messages) = match point {
        "send_delivery.noted" => ("UNKNOWN", 0),
        "send_delivery.sent" => ("UNKNOWN", 1),
        _ => ("SENT", 1),
    };
    let arrived = telegram.read(CHAT).await;
    let told = arrived.iter().filter(|text| text.starts_with("Kami telah menerima pesanan")).count();
    assert_eq!((&delivery["state"], told), (&json!(state), messages), "{point}: {arrived:?}");
    if state == "UNKNOWN" {
        // A person decides, and then it arrives.
        let id = delivery["id"].as_str().expect("an id");
        admin.post(&format!("/admin/deliveries/{id}/resend"), &Value::Null).await.expect(200);
        until("it is sent", async || (ended(&admin, "TELEGRAM").await["state"] == "SENT").then_some(()))
            .await;
        assert_eq!(
            telegram.read(CHAT).await.iter().filter(|text| text.starts_with("Kami telah menerima")).count(),
            messages + 1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_given_up_once_wherever_its_worker_is_killed() {
    for point in WHEN_GIVING_UP {
        let stack = system().await;
        let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
        let mail = &messengers(&stack).mail;
        mail.fault(json!({"kind":"away","times":1_000_000})).await;
        let _living = killed_at(&stack, point, Duration::from_secs(2), async {
            awaited_channels(&stack).await;
            customer.place_order().await;
        })
        .await;
        let delivery = ended(&admin, "EMAIL").await;
        assert_eq!(
            (&delivery["state"], &delivery["trouble"]),
            (&json!("FAILED"), &json!("TOO_LATE")),
            "{point}"
        );
        assert!(mail.to(&email_of(&customer).await).await.is_empty(), "{point}");
        let told = admin.notifications_of("DELIVERIES_FAILED").await;
        assert_eq!(told, 1, "{point}");
        // Once the server is back, a person has it sent.
        mail.control().delete("/faults").await.expect(204);
        let id = delivery["id"].as_str().expect("an id");
        admin.post(&format!("/admin/deliveries/{id}/resend"), &Value::Null).await.expect(200);
        until("it is sent", async || (ended(&admin, "EMAIL").await["state"] == "SENT").then_some(())).await;
        assert_eq!(mail.to(&email_of(&customer).await).await.len(), 1, "{point}");
    }
}

/// There are deliveries only once a worker serves their channel.
async fn awaited_channels(stack: &Stack) {
    until("a worker opens the channels", async || {
        let open = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM delivery_channels");
        let mut database = connection(stack).await;
        (open.fetch_one(&mut database).await.expect("a count") == 2).then_some(())
    })
    .await;
}

async fn connection(stack: &Stack) -> sqlx::PgConnection {
    sqlx::PgConnection::connect(&stack.database_url).await.expect("a connection")
}

/// The customer's chat is linked as if the bot had read the code.
async fn link(stack: &Stack, customer: &Customer<'_>) {
    let made = customer.post("/auth/me/telegram-link", &Value::Null).await.expect(201);
    let code = made["code"].as_str().expect("a code");
    messengers(stack).telegram.say(CHAT, &format!("/start {code}")).await;
    stack.store.link_telegram(code, CHAT).await.expect("a link").expect("a code that is good");
}
