//! One search over everything.

use domain::{billing::Bank, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    SimulatedGateway,
    http::{Expect, TestApi, User},
};

async fn hits(staff: &User, words: &str) -> Vec<(String, String, Value)> {
    let answer = staff.get(&format!("/admin/search?q={words}")).await.expect(200);
    let text = |hit: &Value, field: &str| hit[field].as_str().unwrap().to_owned();
    let data = answer["data"].as_array().unwrap();
    data.iter().map(|hit| (text(hit, "kind"), text(hit, "field"), hit["id"].clone())).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn everything_is_found_by_a_piece_of_it(pool: PgPool) {
    let gateway = SimulatedGateway::start("midtrans").await;
    let app = TestApi::setup(pool).gateway(gateway).open().await;
    let support = app.user(Role::Support).await;
    let budi = app.customer().name("Budi Santoso").email("budi@toko.example").await;
    let order = app.order().by(budi).hostname("gudang-7.toko.example").active().await;
    let (order, server) = (order.id, order.server());
    let invoice = json!(app.text_of("SELECT id::text FROM invoices WHERE order_id = $1", order).await);
    let number = app.text_of("SELECT number FROM invoices WHERE order_id = $1", order).await;
    let ip = app.text("SELECT ipv4 FROM instances").await;
    let at_provider = app.text("SELECT provider_instance_id FROM instances").await;
    let found = |kind: &str, field: &str, id: Value| (kind.to_owned(), field.to_owned(), id);

    assert_eq!(hits(&support, "SANTOSO").await, [found("user", "full_name", json!(budi))]);
    assert_eq!(hits(&support, "di@toko").await, [found("user", "email", json!(budi))]);
    let by_name = hits(&support, "Gudang-7").await;
    assert!(by_name.contains(&found("order", "hostname", json!(order))), "{by_name:?}");
    assert!(by_name.contains(&found("instance", "name", json!(server))), "{by_name:?}");
    assert!(hits(&support, &ip).await.contains(&found("instance", "ipv4", json!(server))));
    let by_vendors_id = hits(&support, &at_provider).await;
    assert!(
        by_vendors_id.contains(&found("instance", "provider_instance_id", json!(server))),
        "{by_vendors_id:?}"
    );
    let digits = &number[number.len() - 6..];
    for words in [number.to_lowercase(), digits.to_owned()] {
        let by_number = hits(&support, &words.replace('/', "%2F")).await;
        assert!(by_number.contains(&found("invoice", "number", invoice.clone())), "{words}: {by_number:?}");
    }
    let (whole, half) = (order.to_string(), order.to_string()[..18].to_owned());
    for words in [whole, half] {
        assert!(hits(&support, &words).await.contains(&found("order", "id", json!(order))), "{words}");
    }

    let waiting = app.order().by(budi).through("midtrans").paid_to(Bank::Bca).place().await;
    let payment = waiting.payment.id;
    sqlx::query("UPDATE payments SET va_number = '880812340001' WHERE id = $1")
        .bind(payment.0)
        .execute(&app.pool)
        .await
        .unwrap();
    assert!(hits(&support, "12340001").await.contains(&found("payment", "va_number", json!(payment))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_search_is_bounded(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    for number in 0..12 {
        app.customer().email(format!("many{number}@toko.example")).await;
    }
    assert_eq!(hits(&support, "many").await.len(), 10);
    for words in ["%25%25%25", "___", "%5C%5C%5C", "';--"] {
        assert!(hits(&support, words).await.is_empty(), "{words}");
    }
    for query in ["", "?q=", "?q=ab", "?q=%20%20ab%20%20", &format!("?q={}", "x".repeat(101)), "?q=a%00bc"] {
        let refused = support.get(&format!("/admin/search{query}")).await;
        assert_eq!(refused.status, 400, "{query}: {:?}", refused.body);
    }
}

/// Where the extension is not to be had, the same is found by reading through.
#[sqlx::test(migrations = "../migrations")]
async fn no_index_is_needed(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let budi = app.customer().name("Budi Santoso").await;
    app.run("DROP EXTENSION pg_trgm CASCADE").await;
    assert_eq!(hits(&support, "santoso").await[0].2, json!(budi));
}
