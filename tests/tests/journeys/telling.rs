//! What customers and administrators are told by mail and by Telegram on the way of an order.

use serde_json::{Value, json};
use webrana_tests::{
    customer::{Customer, Expect},
    messengers::Told,
    stack::{Options, Stack},
    wait_until::until,
};

const CHAT: i64 = 77;
/// What the mail is called that everybody gets who registers, in the language of that moment or of a little later.
const VERIFY: [&str; 2] = ["Verifikasi alamat surel Anda", "Verify your email address"];

#[tokio::test]
async fn a_customer_is_told_of_an_order_by_mail_and_by_telegram_in_their_language() {
    let stack = Stack::start(Options { told: Told::Inside, ..Options::default() }).await.expect("a system");
    let messengers = stack.messengers.as_ref().expect("messengers");
    let (budi, john) = (Customer::register(&stack).await, Customer::register(&stack).await);
    john.patch("/auth/me", &json!({"language":"en"})).await.expect(200);
    let made = john.post("/auth/me/telegram-link", &Value::Null).await.expect(201);
    messengers.telegram.say(CHAT, &format!("/start {}", made["code"].as_str().expect("a code"))).await;
    until("the chat is linked", async || {
        (john.get("/auth/me/telegram-link").await.status == 200).then_some(())
    })
    .await;
    for customer in [&budi, &john] {
        let order = customer.place_order().await;
        customer.pay(&order).await;
        customer.await_status(&order, "ACTIVE").await;
    }

    let subjects = async |customer: &Customer<'_>| {
        let me = customer.get("/auth/me").await.expect(200);
        let mails = messengers.mail.to(me["email"].as_str().expect("an address")).await;
        let subjects = mails.iter().map(|mail| mail["subject"].as_str().expect("a subject").to_owned());
        let (verifying, mut others): (Vec<_>, Vec<_>) =
            subjects.partition(|subject| VERIFY.contains(&&**subject));
        others.sort();
        (verifying.len(), others)
    };
    for (customer, expected) in [
        (&budi, ["Pembayaran diterima", "Pesanan diterima", "Server Anda sudah berjalan"]),
        (&john, ["Order received", "Payment received", "Your server is running"]),
    ] {
        let (verifying, others) = until("the mails are there", async || {
            Some(subjects(customer).await).filter(|(verifying, others)| verifying + others.len() >= 4)
        })
        .await;
        assert_eq!((verifying, others.as_slice()), (1, expected.map(str::to_owned).as_slice()));
    }
    until("the messages are there", async || (messengers.telegram.read(CHAT).await.len() >= 4).then_some(()))
        .await;
    let read = messengers.telegram.read(CHAT).await;
    assert!(read[0].starts_with("This chat is linked"), "{read:?}");
    let told = read.iter().filter(|text| text.ends_with("See it at WeBrana Cloud")).count();
    assert_eq!((told, read.len()), (3, 4), "{read:?}");

    // Whoever says so is told nothing more.
    messengers.telegram.say(CHAT, "/stop").await;
    until("the link is gone", async || {
        (john.get("/auth/me/telegram-link").await.status == 404).then_some(())
    })
    .await;
}
