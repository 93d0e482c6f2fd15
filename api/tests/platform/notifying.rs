//! What people say of how they are told, the links of mails, and what staff see of messages.

use api::AppState;
use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryRun},
    role::Role,
    sorting::DeliverySort,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{
    deliveries::{DeliveryFilter, DeliveryTurn},
    page::SortedRequest,
};
use testkit::http::{Expect, Method, TestApi};

const PATH: &str = "/auth/me/notification-preferences";

fn preference<'a>(body: &'a Value, kind: &str, channel: &str) -> &'a Value {
    let all = body["preferences"].as_array().unwrap();
    let mut found = all.iter().filter(|one| one["type"] == kind && one["channel"] == channel);
    let one = found.next().unwrap();
    assert!(found.next().is_none());
    one
}

#[sqlx::test(migrations = "../migrations")]
async fn people_say_by_what_they_are_told_of_what(pool: PgPool) {
    let api = TestApi::new(pool).await;
    let siti = api.user(Role::Customer).await;
    let body = siti.get(PATH).await.expect(200);
    let all = body["preferences"].as_array().unwrap();
    assert!(all.iter().all(|one| one["enabled"] == true) && all.len() > 40, "{body}");
    assert_eq!(preference(&body, "SECURITY_NOTICE", "EMAIL")["required"], true);
    assert!(!all.iter().any(|one| one["type"] == "LEDGER_UNSOUND"), "what only staff are told");

    let off = json!({"type":"VPS_ACTIVE","channel":"EMAIL","enabled":false});
    let body = siti.put(PATH, &json!({"preferences":[off]})).await.expect(200);
    assert_eq!(preference(&body, "VPS_ACTIVE", "EMAIL")["enabled"], false);
    assert_eq!(preference(&body, "VPS_ACTIVE", "TELEGRAM")["enabled"], true);
    for (change, code) in [
        (json!({"type":"PAYMENT_CONFIRMED","channel":"EMAIL","enabled":false}), "notification_required"),
        (json!({"type":"SECURITY_NOTICE","channel":"TELEGRAM","enabled":false}), "notification_required"),
        (json!({"type":"LEDGER_UNSOUND","channel":"EMAIL","enabled":false}), "validation_failed"),
        (json!({"type":"NOTHING","channel":"EMAIL","enabled":false}), "invalid_body"),
        (json!({"type":"VPS_ACTIVE","channel":"FAX","enabled":false}), "invalid_body"),
        (json!({"type":"VPS_ACTIVE","channel":"EMAIL"}), "invalid_body"),
    ] {
        siti.put(PATH, &json!({"preferences":[change]})).await.expect_problem(422, code);
    }
    siti.put(PATH, &json!({"preferences":[off, off]})).await.expect_problem(422, "validation_failed");
    let body = siti.get(PATH).await.expect(200);
    assert_eq!(preference(&body, "VPS_ACTIVE", "EMAIL")["enabled"], false, "a refusal changes nothing");
    let body = siti.put(PATH, &json!({"preferences":[]})).await.expect(200);
    assert_eq!(preference(&body, "VPS_ACTIVE", "EMAIL")["enabled"], true, "what is not named is told");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_chat_is_linked_by_a_code_where_there_is_a_bot(pool: PgPool) {
    let api = TestApi::setup(pool)
        .state(|state| AppState { telegram_bot: Some("webrana_bot".into()), ..state })
        .open()
        .await;
    let siti = api.user(Role::Customer).await;
    siti.get("/auth/me/telegram-link").await.expect_problem(404, "not_found");
    let made = siti.post("/auth/me/telegram-link", &Value::Null).await.expect(201);
    let code = made["code"].as_str().unwrap();
    assert_eq!(made["url"], format!("https://t.me/webrana_bot?start={code}"));
    api.store.link_telegram(code, 7).await.unwrap().unwrap();
    assert_eq!(siti.get("/auth/me/telegram-link").await.expect(200)["blocked_at"], Value::Null);
    siti.delete("/auth/me/telegram-link").await.expect(204);
    siti.delete("/auth/me/telegram-link").await.expect_problem(404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_linked_where_there_is_no_bot(pool: PgPool) {
    let api = TestApi::new(pool).await;
    let siti = api.user(Role::Customer).await;
    siti.post("/auth/me/telegram-link", &Value::Null).await.expect_problem(409, "telegram_unavailable");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_mails_link_asks_first_and_one_request_switches_such_mails_off(pool: PgPool) {
    let api = TestApi::new(pool).await;
    let policy = DeliveryPolicy::default();
    api.store.open_delivery_channel(DeliveryChannel::Email, &policy, false).await.unwrap();
    let siti = api.user(Role::Customer).await;
    api.order().by(siti.id).place().await;
    let page = SortedRequest::first(10);
    let due = api.store.deliveries(&DeliveryFilter::default(), DeliverySort::Newest, page).await.unwrap();
    let turn = api.store.begin_delivery(due.data[0].id, &policy).await.unwrap();
    let DeliveryTurn::Send(job) = turn else { panic!("{turn:?}") };
    let path = format!("/unsubscribe/{}", job.unsubscribe_token.unwrap());

    let nobody = siti.as_nobody();
    let page = nobody.get(&path).reply().await;
    assert_eq!(page.status, 200);
    let body = siti.get(PATH).await.expect(200);
    assert_eq!(preference(&body, "ORDER_CREATED", "EMAIL")["enabled"], true, "looking changes nothing");
    let one_click = nobody
        .request(Method::POST, &path)
        .body("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click");
    assert_eq!(one_click.reply().await.status, 200);
    let body = siti.get(PATH).await.expect(200);
    assert_eq!(preference(&body, "ORDER_CREATED", "EMAIL")["enabled"], false);
    nobody.get("/unsubscribe/wbu_0").await.expect_problem(404, "not_found");
    nobody.request(Method::POST, "/unsubscribe/wbu_0").await.expect_problem(404, "not_found");
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_see_messages_and_administrators_send_them_once_more(pool: PgPool) {
    let api = TestApi::new(pool).await;
    api.store.open_delivery_channel(DeliveryChannel::Email, &DeliveryPolicy::default(), false).await.unwrap();
    let (siti, support, admin) =
        (api.user(Role::Customer).await, api.user(Role::Support).await, api.user(Role::Admin).await);
    api.order().by(siti.id).paid().await;
    let list = support.get("/admin/deliveries?channel=EMAIL&sort=created_at&limit=1").await.expect(200);
    let first = &list["data"][0];
    assert_eq!((&first["event"], &first["state"]), (&json!("order_placed"), &json!("PENDING")));
    assert!(list["next_cursor"].is_string(), "{list}");
    assert!(!list.to_string().contains('@'), "no addresses: {list}");
    let mine = format!("/admin/deliveries?user_id={}&state=PENDING&type=PAYMENT_CONFIRMED", siti.id);
    assert_eq!(support.get(&mine).await.expect(200)["data"].as_array().unwrap().len(), 1);
    support.get("/admin/deliveries?state=LOST").await.expect_problem(400, "invalid_query");

    let id: domain::ids::DeliveryId = serde_json::from_value(first["id"].clone()).unwrap();
    let resend = format!("/admin/deliveries/{id}/resend");
    admin.post(&resend, &Value::Null).await.expect_problem(409, "delivery_conflict");
    api.store.give_up_delivery(DeliveryRun::first(id)).await.unwrap();
    support.post(&resend, &Value::Null).await.expect_problem(403, "forbidden");
    assert_eq!(admin.post(&resend, &Value::Null).await.expect(200)["state"], "PENDING");
}

#[sqlx::test(migrations = "../migrations")]
async fn words_are_previewed_on_a_developers_machine_only(pool: PgPool) {
    let api = TestApi::new(pool).await;
    let nobody = api.nobody();
    for (query, part) in [
        ("", "Pesanan diterima"),
        ("?language=en", "<!doctype html>"),
        ("?channel=email_text&language=en", "We have your order"),
        ("?channel=telegram&language=id", "Kami telah menerima"),
        ("?channel=timeline&language=en", "Your order was placed"),
    ] {
        let shown = nobody.get(&format!("/dev/messages/order_placed{query}")).reply().await;
        assert_eq!(shown.status, 200, "{query}");
        let text = String::from_utf8(shown.bytes.to_vec()).unwrap();
        assert!(text.contains(part), "{query}: {text}");
    }
    nobody.get("/dev/messages/nothing").await.expect_problem(404, "not_found");
    nobody.get("/dev/messages/ledger_unsound?channel=email").await.expect_problem(404, "not_found");
    let production = api.beside(|state| AppState { previews: false, ..state });
    production.nobody().get("/dev/messages/order_placed").await.expect_problem(404, "route_not_found");
}
