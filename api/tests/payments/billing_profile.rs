//! Whom invoices bill: as of the day they are issued.

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::Expect;

use crate::{Shop, text};

const PATH: &str = "/auth/me/billing-profile";

fn company() -> Value {
    json!({
        "kind": "COMPANY", "name": " PT Awan Nusantara ", "tax_id": "0013.1234.5605.1000",
        "street": "Jl. Jenderal Sudirman Kav. 52", "city": "Jakarta Selatan", "province": "DKI Jakarta",
        "postal_code": "12190", "invoice_email": "keuangan@example.com",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = company();
    body[field] = value;
    body
}

impl Shop {
    /// Whether the page of an invoice has all of these lines.
    async fn bills(&self, order: &Value, lines: &[&str]) -> bool {
        let path = format!("/invoices/{}/html", text(&order["invoice"], "id"));
        let page = self.me.get(&path).reply().await;
        let page = String::from_utf8(page.bytes.to_vec()).unwrap();
        lines.iter().all(|line| page.contains(&format!("<p>{line}</p>")))
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_invoice_bills_whom_the_profile_names_on_its_day(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.me.get(PATH).await.expect_problem(404, "not_found");
    let before = shop.order_again("before", "web-1").await;

    let kept = shop.me.put(PATH, &company()).await.expect(200);
    assert_eq!((text(&kept, "name"), text(&kept, "tax_id")), ("PT Awan Nusantara", "0013123456051000"));
    assert_eq!(shop.me.get(PATH).await.expect(200), kept);
    let during = shop.order_again("during", "web-2").await;

    shop.me.delete(PATH).await.expect(204);
    shop.me.delete(PATH).await.expect_problem(404, "not_found");
    let after = shop.order_again("after", "web-3").await;

    let lines = [
        "NPWP 0013123456051000",
        "Jl. Jenderal Sudirman Kav. 52",
        "Jakarta Selatan 12190",
        "keuangan@example.com",
    ];
    assert!(shop.bills(&during, &lines).await);
    for other in [before, after] {
        assert!(!shop.bills(&other, &lines[..1]).await && !shop.bills(&other, &lines[3..]).await);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_profile_is_refused_with_the_field_and_changes_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let kept = shop.me.put(PATH, &company()).await.expect(200);
    for (field, value) in [
        ("tax_id", json!("013123456051000")),
        ("tax_id", json!(null)),
        ("tax_id", json!("1111111111111111")),
        ("name", json!(" ")),
        ("street", json!("x".repeat(201))),
        ("city", json!("Jakarta\nSelatan")),
        ("province", json!("\u{202e}atrakaJ")),
        ("postal_code", json!("0219O")),
        ("invoice_email", json!("keuangan")),
    ] {
        let refused = shop.me.put(PATH, &with(field, value.clone())).await;
        assert_eq!(refused.problem(), (422, "validation_failed"), "{field} {value}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{value}: {}", refused.body);
        assert!(!refused.body.to_string().contains("013123456051000"), "a number is not said again");
    }
    for (field, value) in [("kind", json!("ROBOT")), ("country", json!("ID"))] {
        assert_eq!(shop.me.put(PATH, &with(field, value)).await.problem(), (422, "invalid_body"), "{field}");
    }
    let mut person = with("kind", json!("PERSON"));
    person["tax_id"] = json!("3171013013900003");
    assert_eq!(
        shop.me.put(PATH, &person).await.problem(),
        (422, "validation_failed"),
        "no such day of birth"
    );
    assert_eq!(shop.me.get(PATH).await.expect(200), kept);
    person["tax_id"] = json!(null);
    assert_eq!(shop.me.put(PATH, &person).await.expect(200)["tax_id"], Value::Null, "a person needs none");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_audit_says_that_it_was_written_and_not_what(pool: PgPool) {
    let shop = Shop::open(pool.clone()).await;
    shop.me.put(PATH, &company()).await.expect(200);
    let acts: Vec<(String, String)> = sqlx::query_as(
        "SELECT action, audit_log::text FROM audit_log WHERE action LIKE 'billing_profile.%' ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0].0, "billing_profile.written");
    assert!(!acts[0].1.contains("0013123456051000") && !acts[0].1.contains("Awan"), "{}", acts[0].1);
}
