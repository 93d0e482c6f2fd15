//! Mail and Telegram by their adapters, against servers that fail at each step: what is known of a message afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use adapters::{
    mail::{Mail, MailConfig, Mailer, Smtp},
    sending::{SendError, Taken},
    telegram,
};
use domain::delivery::DeliveryTrouble as Trouble;
use serde_json::json;
use testkit::{SimulatedMail, SimulatedTelegram, http::Expect};

const SITI: &str = "siti@example.com";

fn mail(id: &str) -> Mail<'_> {
    Mail {
        id,
        to: SITI,
        to_name: "Siti Aminah",
        subject: "Pesanan diterima – ✓",
        text: "Halo Siti,\n\n.a line that begins with a dot\n",
        html: "<!doctype html><p>Halo</p>",
        language: "id",
        unsubscribe_url: Some("https://api.example.com/api/v1/unsubscribe/wbu_1"),
    }
}

fn verdict(error: &SendError) -> (Taken, Trouble) {
    assert!(!error.to_string().contains("siti"), "{error}");
    (error.taken, error.trouble)
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let server = SimulatedMail::start().await;
    server.adapter().send(&mail("0193")).await.unwrap();
    let arrived = server.to(SITI).await;
    assert_eq!(arrived.len(), 1);
    let mail = &arrived[0];
    assert_eq!(mail["subject"], "Pesanan diterima – ✓");
    assert_eq!(mail["text"], "Halo Siti,\n\n.a line that begins with a dot\n");
    assert_eq!(mail["html"], "<!doctype html><p>Halo</p>");
    assert_eq!(mail["charsets"], json!(["utf-8", "utf-8"]));
    let header = |name: &str| mail["headers"][name][0].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("message-id"), "<0193@webrana.test>");
    assert_eq!(header("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert_eq!(header("reply-to"), "support@webrana.test");
    assert!(header("to").contains("Siti Aminah") && !header("date").is_empty());
    assert_eq!(mail["from"], "no-reply@webrana.test");
}

#[tokio::test]
async fn what_is_known_of_a_mail_depends_on_the_step_at_which_it_ended() {
    let server = SimulatedMail::start().await;
    for (fault, taken, trouble, arrived) in [
        (json!({"kind":"away"}), Taken::NotYet, Trouble::Busy, 0),
        (json!({"kind":"busy","recipient":SITI}), Taken::NotYet, Trouble::Busy, 0),
        (json!({"kind":"refuse_recipient"}), Taken::Never, Trouble::BadAddress, 0),
        (json!({"kind":"refuse_mail"}), Taken::Never, Trouble::Refused, 0),
        (json!({"kind":"drop_before_data"}), Taken::NotYet, Trouble::Unreachable, 0),
        (json!({"kind":"drop_after_data"}), Taken::Perhaps, Trouble::LostAnswer, 1),
        (json!({"kind":"delay","seconds":4}), Taken::Perhaps, Trouble::LostAnswer, 1),
    ] {
        server.control().post("/reset", &json!({})).await.expect(204);
        server.fault(fault.clone()).await;
        let error = server.adapter().send(&mail("0194")).await.expect_err(&fault.to_string());
        assert_eq!(verdict(&error), (taken, trouble), "{fault}: {error}");
        assert_eq!(server.to(SITI).await.len(), arrived, "{fault}");
    }
    let nowhere = Smtp::new(MailConfig {
        server: adapters::mail::Server::parse("smtp+plain://127.0.0.1:9").unwrap(),
        ..server.config()
    });
    let error = nowhere.unwrap().send(&mail("0195")).await.unwrap_err();
    assert_eq!(verdict(&error), (Taken::NotYet, Trouble::Unreachable), "{error}");
}

#[tokio::test]
async fn a_server_that_has_no_tls_gets_no_mail_where_tls_is_wanted() {
    let server = SimulatedMail::start().await;
    let guarded = server.smtp_url().replace("smtp+plain", "smtp");
    let config = MailConfig { server: adapters::mail::Server::parse(&guarded).unwrap(), ..server.config() };
    let error = Smtp::new(config).unwrap().send(&mail("0196")).await.unwrap_err();
    assert_eq!(error.taken, Taken::NotYet, "{error}");
    assert!(server.to(SITI).await.is_empty());
}

#[tokio::test]
async fn connections_are_used_again_and_one_that_the_server_closed_is_replaced() {
    let server = SimulatedMail::start().await;
    let adapter = server.adapter();
    for id in ["1", "2", "3"] {
        adapter.send(&mail(id)).await.unwrap();
    }
    let counted = server.control().get("/counters").await.expect(200);
    assert_eq!((&counted["calls"]["EHLO"], &counted["calls"]["DATA"]), (&json!(1), &json!(3)));
    // What ends a conversation ends its connection.
    server.fault(json!({"kind":"drop_after_data"})).await;
    adapter.send(&mail("4")).await.unwrap_err();
    adapter.send(&mail("5")).await.unwrap();
    assert_eq!(server.to(SITI).await.len(), 5);
}

#[tokio::test]
async fn what_is_known_of_a_message_by_telegram_depends_on_what_telegram_said() {
    let telegram = SimulatedTelegram::start().await;
    let bot = telegram.adapter();
    let (chat, text) = (7, telegram::message(None, "web-1 <b> & \"co\"", None));
    let error = bot.send(chat, &text).await.unwrap_err();
    assert_eq!(
        (error.taken, error.trouble),
        (Taken::Never, Trouble::BadAddress),
        "nobody wrote first: {error}"
    );
    telegram.say(chat, "hello").await;
    bot.send(chat, &text).await.unwrap();
    assert_eq!(telegram.read(chat).await, ["web-1 <b> & \"co\""]);

    let route = "POST /{bot}/sendMessage";
    let flood = json!({"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}});
    for (fault, taken, trouble) in [
        (json!({"kind":"status","status":429,"body":flood}), Taken::NotYet, Trouble::Busy),
        (json!({"kind":"status","status":500}), Taken::Perhaps, Trouble::LostAnswer),
        (json!({"kind":"status","status":502,"body":"<html>"}), Taken::Perhaps, Trouble::LostAnswer),
        (json!({"kind":"status","status":401}), Taken::NotYet, Trouble::Account),
        (json!({"kind":"drop_after_create"}), Taken::Perhaps, Trouble::LostAnswer),
    ] {
        let mut order = fault.clone();
        order["route"] = json!(route);
        telegram.control().post("/faults", &order).await.expect(201);
        let error = bot.send(chat, &text).await.unwrap_err();
        assert_eq!((error.taken, error.trouble), (taken, trouble), "{fault}: {error}");
        assert!(!error.to_string().contains("4242"), "the token is in {error}");
        if trouble == Trouble::Busy {
            assert_eq!(error.retry_after, Some(Duration::from_secs(5)));
        }
    }
    telegram.control().post("/block", &json!({"chat_id":chat,"blocked":true})).await.expect(204);
    let error = bot.send(chat, &text).await.unwrap_err();
    assert_eq!((error.taken, error.trouble), (Taken::Never, Trouble::BadAddress), "{error}");
}

#[tokio::test]
async fn what_people_write_is_read_once_and_groups_are_told_apart() {
    let telegram = SimulatedTelegram::start().await;
    let bot = telegram.adapter();
    assert_eq!(bot.username().await.unwrap(), simulators::telegram::BOT_NAME);
    assert_eq!(bot.updates(None, Duration::ZERO).await.unwrap(), []);
    telegram.say(7, "/start abc").await;
    telegram.say(-8, "in a group").await;
    let updates = bot.updates(None, Duration::from_secs(1)).await.unwrap();
    let read: Vec<_> = updates.iter().map(|update| (update.private_chat, update.text.as_deref())).collect();
    assert_eq!(read, [(Some(7), Some("/start abc")), (None, Some("in a group"))]);
    let last = updates.last().unwrap().id;
    assert_eq!(bot.updates(Some(last), Duration::ZERO).await.unwrap(), []);
    // Who asks before anybody writes gets it as soon as it is there.
    let (updates, ()) =
        tokio::join!(bot.updates(Some(last), Duration::from_secs(5)), telegram.say(7, "/stop"));
    assert_eq!(updates.unwrap().len(), 1);
}
