use domain::{provisioning::FailureClass, role::Role};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use store::provisioning::ProvisioningFailure;
use testkit::{
    http::{Method, StatusCode, redacted},
    leftovers::event_of_another_version,
};
use uuid::Uuid;

use crate::Shop;

#[sqlx::test(migrations = "../migrations")]
async fn an_order_its_invoice_and_its_story_can_be_read(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket_with(json!({ "term_months": 3 })).await, "k").await.body;
    let id = placed["id"].as_str().unwrap();
    assert_eq!(shop.me.get(&format!("/orders/{id}")).await.body, placed);

    let timeline = shop.me.get(&format!("/orders/{id}/timeline")).await.body;
    assert_json_snapshot!("a_timeline", redacted(&timeline));

    let invoice_id = placed["invoice"]["id"].as_str().unwrap();
    let invoice = shop.me.get(&format!("/invoices/{invoice_id}")).await.body;
    assert_eq!(invoice["number"], placed["invoice"]["number"]);
    assert_json_snapshot!("an_invoice", redacted(&invoice));
    let lines: i64 =
        invoice["lines"].as_array().unwrap().iter().map(|line| line["total"].as_i64().unwrap()).sum();
    assert_eq!(lines + invoice["tax"].as_i64().unwrap(), invoice["total"].as_i64().unwrap());
    assert_eq!(
        invoice["subtotal"].as_i64().unwrap() - invoice["discount"].as_i64().unwrap()
            + invoice["tax"].as_i64().unwrap(),
        invoice["total"].as_i64().unwrap()
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn what_people_are_told_is_in_the_language_they_ask_for_or_their_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await.body;
    let timeline = format!("/orders/{}/timeline", placed["id"].as_str().unwrap());
    let said = async |language: Option<&str>| {
        let step = shop.me.reading(language).get(&timeline).await.body;
        let told = shop.me.reading(language).get("/notifications").await.body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        [
            text(&step["data"][0]["message"]),
            text(&told["data"][0]["title"]),
            text(&told["data"][0]["message"]),
        ]
    };
    let is_indonesian = |said: [String; 3]| {
        said[0].starts_with("Pesanan Anda sudah dibuat")
            && said[1] == "Pesanan diterima"
            && said[2].contains("Silakan bayar")
    };
    let is_english = |said: [String; 3]| {
        said[0].starts_with("Your order was placed.")
            && said[1] == "Order received"
            && said[2].contains("Please pay")
    };
    assert!(is_indonesian(said(None).await), "a customer's own language is Indonesian at first");
    assert!(is_indonesian(said(Some("fr")).await));
    assert!(is_english(said(Some("en-US,en;q=0.9,id;q=0.8")).await));

    shop.run("UPDATE users SET language = 'en'").await;
    assert!(is_english(said(None).await));
    assert!(is_indonesian(said(Some("id-ID")).await));

    let told = shop.me.get("/notifications").await.body;
    let notification = &told["data"][0];
    assert_eq!(notification["metadata"]["order_id"], placed["id"]);
    assert_json_snapshot!("a_notification", redacted(notification));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_event_of_another_version_hides_none_of_the_others(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await.body;
    let id = placed["id"].as_str().unwrap();
    event_of_another_version(&shop.pool).await;
    let timeline = shop.me.get(&format!("/orders/{id}/timeline")).await.body;
    let words: Vec<&str> =
        timeline["data"].as_array().unwrap().iter().map(|step| step["message"].as_str().unwrap()).collect();
    assert!(words[0].starts_with("Your order was placed.") && words[1] == "server painted", "{words:?}");
    let told = shop.me.get("/notifications").await.body;
    let titles: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|n| n["title"].as_str().unwrap()).collect();
    assert!(titles.contains(&"Order received") && titles.contains(&"vps painted"), "{titles:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn lists_come_in_pages_and_by_status(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let body = shop.basket().await;
    let mut ids = Vec::new();
    for key in ["1", "2", "3"] {
        ids.push(shop.place(&body, key).await.body["id"].clone());
    }
    ids.reverse();
    let first = shop.me.get("/orders?limit=2").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = shop.me.get(&format!("/orders?limit=2&cursor={cursor}")).await.body;
    assert_eq!(second["next_cursor"], Value::Null);
    let seen: Vec<Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .map(|order| order["id"].clone())
        .collect();
    assert_eq!(seen, ids);

    let cancelled = format!("/orders/{}/cancel", ids[0].as_str().unwrap());
    assert_eq!(shop.me.post(&cancelled, &Value::Null).await.status, StatusCode::OK);
    let count = async |path: &str| shop.me.get(path).await.body["data"].as_array().unwrap().len();
    assert_eq!(count("/orders?status=CANCELLED").await, 1);
    assert_eq!(count("/orders?status=PENDING_PAYMENT").await, 2);
    assert_eq!(count("/invoices").await, 3);
    assert_eq!(count("/invoices?status=VOID").await, 1);
    assert_eq!(count("/instances").await, 0);
    let nonsense = shop.me.get("/orders?status=LOST").await;
    assert_eq!((nonsense.status.as_u16(), nonsense.code()), (400, "invalid_query"));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_unpaid_order_can_be_called_off_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await.body;
    let cancel = format!("/orders/{}/cancel", placed["id"].as_str().unwrap());
    let cancelled = shop.me.post(&cancel, &Value::Null).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(cancelled.body["status"], "CANCELLED");
    assert_eq!(cancelled.body["invoice"]["status"], "VOID");
    assert_eq!(cancelled.body["payment"]["status"], "CANCELLED");

    let again = shop.me.post(&cancel, &Value::Null).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "order_conflict"));
    assert_eq!(again.body["detail"], "the order is CANCELLED");
    let step = "SELECT count(*) FROM order_timeline WHERE step = 'order_cancelled'";
    assert_eq!(shop.count(step).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn anothers_things_are_not_there(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await.body;
    let (order, invoice) = (placed["id"].as_str().unwrap(), placed["invoice"]["id"].as_str().unwrap());
    let stranger = shop.user(Role::Customer).await;
    let nowhere = Uuid::now_v7();
    for (method, path) in [
        (Method::GET, format!("/orders/{order}")),
        (Method::GET, format!("/orders/{order}/timeline")),
        (Method::POST, format!("/orders/{order}/cancel")),
        (Method::GET, format!("/invoices/{invoice}")),
        (Method::GET, format!("/instances/{nowhere}")),
        (Method::GET, format!("/orders/{nowhere}")),
        (Method::GET, "/orders/not-an-id".to_owned()),
    ] {
        let answer = stranger.request(method, &path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
    }
    assert_eq!(shop.me.get(&format!("/orders/{order}")).await.body["status"], "PENDING_PAYMENT");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failure_is_explained_without_the_providers_words(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await.body;
    let id = shop.pay_for(&placed["id"]).await;
    let begun = shop.store.start_provisioning(id).await.unwrap();
    let failure = ProvisioningFailure {
        class: FailureClass::Configuration,
        message: "account acct-7 has 25 droplets".to_owned(),
    };
    shop.store.fail_provisioning(id, begun.try_number, &failure, &[]).await.unwrap();
    let order = shop.me.get(&format!("/orders/{}", placed["id"].as_str().unwrap())).await.body;
    assert_json_snapshot!("an_order_that_failed", redacted(&order));
    assert!(!order.to_string().contains("acct-7"), "{order}");

    let instance = shop.me.get(&format!("/instances/{}", order["instance_id"].as_str().unwrap())).await;
    assert_eq!(instance.status, StatusCode::OK, "{:?}", instance.body);
    assert_json_snapshot!("its_server", redacted(&instance.body));
}
