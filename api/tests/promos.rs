//! Promo codes over HTTP: made by administrators, asked about and used by customers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::ops::Deref;

use domain::role::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    PLAN,
    http::{Answer, StatusCode, TestApi, User, redacted},
};
use uuid::Uuid;

/// A seeded shop with one administrator and one customer.
struct Shop {
    api: TestApi,
    admin: User,
    me: User,
}

impl Deref for Shop {
    type Target = TestApi;

    fn deref(&self) -> &TestApi {
        &self.api
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let api = TestApi::new(pool).await;
        let (admin, me) = (api.user(Role::Admin).await, api.user(Role::Customer).await);
        Self { api, admin, me }
    }

    /// Makes a code and answers with it.
    async fn promo(&self, body: Value) -> Value {
        let made = self.admin.post("/admin/promos", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        made.body
    }

    async fn change(&self, promo: &Value, body: &Value) -> Answer {
        self.admin.patch(&path(promo), body).await
    }

    async fn basket(&self, code: &str) -> Value {
        json!({
            "plan_id": self.plan(PLAN).await, "region": "sgp1", "image": "ubuntu-24-04",
            "hostname": "web-1.example.com", "term_months": 3, "promo_code": code,
            "payment_method": "MANUAL_TRANSFER",
        })
    }

    async fn place(&self, who: &User, code: &str, key: &str) -> Answer {
        who.post("/orders", &self.basket(code).await).key(key).await
    }

    /// What a customer is told of a code for three months of the smallest plan.
    async fn check_order(&self, who: &User, code: &str) -> Value {
        let query = format!("plan_id={}&term_months=3", self.plan(PLAN).await);
        self.checked(who, code, &query).await
    }

    async fn checked(&self, who: &User, code: &str, query: &str) -> Value {
        let answer = who.get(&format!("/promos/{code}/check?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{code}?{query}: {:?}", answer.body);
        answer.body
    }
}

fn path(promo: &Value) -> String {
    format!("/admin/promos/{}", promo["id"].as_str().unwrap())
}

fn refused(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{:?}", answer.body);
    if let Some(field) = field {
        assert_eq!(answer.body["errors"][0]["field"], field, "{:?}", answer.body);
    }
}

fn ten_percent() -> Value {
    json!({ "code": "hemat10", "kind": "ORDER_PERCENT", "value": 10 })
}

#[sqlx::test(migrations = "../migrations")]
async fn administrators_make_codes_and_others_do_not(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let support = shop.user(Role::Support).await;
    for outsider in [&support, &shop.me] {
        let answer = outsider.post("/admin/promos", &ten_percent()).await;
        refused(&answer, 403, "forbidden", None);
    }
    for (change, code, field) in [
        (json!({ "code": "AB" }), "validation_failed", "code"),
        (json!({ "code": "HEMAT 10" }), "validation_failed", "code"),
        (json!({ "code": "A".repeat(33) }), "validation_failed", "code"),
        (json!({ "kind": "GIFT" }), "invalid_body", "kind"),
        (json!({ "value": 0 }), "validation_failed", "value"),
        (json!({ "value": 101 }), "validation_failed", "value"),
        (json!({ "value": 10.5 }), "invalid_body", "value"),
        (json!({ "kind": "ORDER_FIXED", "value": 1_000_000_001 }), "validation_failed", "value"),
        (json!({ "min_amount": -1 }), "validation_failed", "min_amount"),
        (json!({ "max_amount": 0 }), "validation_failed", "max_amount"),
        (json!({ "per_user_limit": 0 }), "validation_failed", "per_user_limit"),
        (json!({ "global_limit": -5 }), "validation_failed", "global_limit"),
        (json!({ "global_limit": "5" }), "invalid_body", "global_limit"),
        (
            json!({ "starts_at": "2026-12-02T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z" }),
            "validation_failed",
            "ends_at",
        ),
        (json!({ "ends_at": "tomorrow" }), "invalid_body", "ends_at"),
        (json!({ "uses": 7 }), "invalid_body", "uses"),
    ] {
        let mut body = ten_percent();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        refused(&shop.admin.post("/admin/promos", &body).await, 422, code, Some(field));
    }
    assert_eq!(shop.count("SELECT count(*) FROM promos").await, 0);

    let body = json!({
        "code": "hemat10", "kind": "ORDER_PERCENT", "value": 10, "min_amount": 100_000, "max_amount": 50_000,
        "per_user_limit": 1, "global_limit": 500, "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z",
    });
    let made = shop.admin.post("/admin/promos", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let location = format!("/api/v1{}", path(&made.body));
    assert_eq!(made.headers["location"], location.as_str());
    for moment in ["starts_at", "ends_at"] {
        assert_eq!(made.body[moment], body[moment], "{moment}");
    }
    assert_json_snapshot!("a_promo_code", redacted(&made.body));
    let twice = shop.admin.post("/admin/promos", &ten_percent()).await;
    refused(&twice, 409, "promo_code_taken", None);
    let read = support.get(&path(&made.body)).await;
    assert_eq!(read.body, made.body);
    refused(&shop.me.get(&path(&made.body)).await, 403, "forbidden", None);
    refused(&shop.admin.get(&format!("/admin/promos/{}", Uuid::now_v7())).await, 404, "not_found", None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_changes_but_what_was_used_does_not(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let promo = shop.promo(ten_percent()).await;
    let support = shop.user(Role::Support).await;
    let outsider = support.patch(&path(&promo), &json!({})).await;
    refused(&outsider, 403, "forbidden", None);
    let limited = shop.change(&promo, &json!({ "global_limit": 9, "min_amount": 1_000, "value": 20 })).await;
    assert_eq!(
        (limited.status, &limited.body["global_limit"]),
        (StatusCode::OK, &json!(9)),
        "{:?}",
        limited.body
    );
    let lifted = shop.change(&promo, &json!({ "global_limit": null })).await;
    assert_eq!((&lifted.body["global_limit"], &lifted.body["min_amount"]), (&Value::Null, &json!(1_000)));
    assert_eq!(shop.change(&promo, &json!({})).await.body, lifted.body);
    refused(&shop.change(&promo, &json!({ "value": 0 })).await, 422, "validation_failed", Some("value"));
    refused(&shop.change(&promo, &json!({ "code": "!" })).await, 422, "validation_failed", Some("code"));
    refused(&shop.change(&promo, &json!({ "id": promo["id"] })).await, 422, "invalid_body", Some("id"));
    shop.promo(json!({ "code": "LAIN", "kind": "DEPOSIT_FIXED", "value": 5_000 })).await;
    refused(&shop.change(&promo, &json!({ "code": "lain" })).await, 409, "promo_code_taken", None);

    assert_eq!(shop.place(&shop.me, "hemat10", "k").await.status, StatusCode::CREATED);
    for change in [json!({ "value": 11 }), json!({ "kind": "ORDER_FIXED" }), json!({ "code": "BARU" })] {
        refused(&shop.change(&promo, &change).await, 409, "promo_in_use", None);
    }
    let stranger = shop.user(Role::Customer).await;
    assert_eq!(shop.place(&stranger, "hemat10", "k").await.status, StatusCode::CREATED);
    refused(&shop.change(&promo, &json!({ "global_limit": 1 })).await, 409, "promo_in_use", None);
    let kept = shop.admin.delete(&path(&promo)).await;
    refused(&kept, 409, "promo_in_use", None);
    assert!(kept.body["detail"].as_str().unwrap().contains("deactivate it instead"));
    let off = shop.change(&promo, &json!({ "is_active": false })).await.body;
    assert_eq!((&off["is_active"], &off["uses"], &off["reserved"]), (&json!(false), &json!(2), &json!(2)));
    let uses = support.get(&format!("{}/redemptions?limit=1", path(&promo))).await.body;
    assert_eq!((&uses["data"][0]["state"], uses["next_cursor"].is_string()), (&json!("RESERVED"), true));

    let log = format!("/admin/audit-log?object_id={}&action=promo.change", promo["id"].as_str().unwrap());
    let log = shop.admin.get(&log).await.body;
    assert_eq!(log["data"].as_array().unwrap().len(), 3);
    let last = &log["data"][0];
    assert_eq!((&last["before"]["is_active"], &last["after"]["is_active"]), (&json!(true), &json!(false)));
}

#[sqlx::test(migrations = "../migrations")]
async fn codes_are_listed_and_deleted(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (code, kind) in [("HEMAT1", "ORDER_PERCENT"), ("HEMAT2", "ORDER_FIXED"), ("BONUS1", "DEPOSIT_FIXED")]
    {
        shop.promo(json!({ "code": code, "kind": kind, "value": 10 })).await;
    }
    let codes = async |query: &str| {
        let listed = shop.admin.get(&format!("/admin/promos?{query}")).await;
        assert_eq!(listed.status, StatusCode::OK, "{query}: {:?}", listed.body);
        let codes = listed.body["data"].as_array().unwrap().iter().map(|promo| promo["code"].clone());
        (Value::from_iter(codes), listed.body["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(codes("").await.0, json!(["BONUS1", "HEMAT2", "HEMAT1"]));
    assert_eq!(codes("kind=ORDER_FIXED").await.0, json!(["HEMAT2"]));
    assert_eq!(codes("active=false").await.0, json!([]));
    assert_eq!(codes("search=hemat&active=true").await.0, json!(["HEMAT2", "HEMAT1"]));
    let (first, cursor) = codes("limit=2").await;
    let rest = codes(&format!("limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((first, rest), (json!(["BONUS1", "HEMAT2"]), (json!(["HEMAT1"]), None)));
    for bad in ["kind=GIFT", "active=maybe", "limit=0"] {
        let answer = shop.admin.get(&format!("/admin/promos?{bad}")).await;
        refused(&answer, 400, "invalid_query", None);
    }
    let listed = shop.admin.get("/admin/promos?search=BONUS").await.body;
    let gone = path(&listed["data"][0]);
    let support = shop.user(Role::Support).await;
    refused(&support.delete(&gone).await, 403, "forbidden", None);
    let deleted = shop.admin.delete(&gone).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    refused(&shop.admin.delete(&gone).await, 404, "not_found", None);
    assert_eq!(codes("search=BONUS").await.0, json!([]));
}

#[sqlx::test(migrations = "../migrations")]
async fn quote_check_order_and_invoice_agree(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut limited = ten_percent();
    limited["per_user_limit"] = json!(1);
    shop.promo(limited).await;
    let quoted = shop.me.post("/orders/quote", &shop.basket("Hemat10").await).await;
    assert_eq!(quoted.status, StatusCode::OK, "{:?}", quoted.body);
    let line = quoted.body["lines"].as_array().unwrap().last().unwrap().clone();
    assert_json_snapshot!("a_quote_with_a_promo_code", redacted(&quoted.body));
    let discount = -line["total"].as_i64().unwrap();
    // Ten percent of 387,000 less 5 percent.
    assert_eq!(discount, 36_765);
    let checked = shop.check_order(&shop.me, "hemat10").await;
    let expected = json!({
        "code": "HEMAT10", "applies": true, "message": "This code takes Rp36.765 off.", "discount": 36_765,
        "total": quoted.body["total"], "currency": "IDR",
    });
    assert_eq!(checked, expected);

    let placed = shop.place(&shop.me, "hemat10", "key").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{:?}", placed.body);
    assert_eq!(placed.body["promo"], json!({ "code": "HEMAT10", "discount": 36_765 }));
    assert_eq!(
        (&placed.body["total"], &placed.body["payment"]["amount"]),
        (&quoted.body["total"], &quoted.body["total"])
    );
    let invoice = format!("/invoices/{}", placed.body["invoice"]["id"].as_str().unwrap());
    let invoice = shop.me.get(&invoice).await.body;
    assert_eq!(
        (invoice["lines"].as_array().unwrap().last(), &invoice["total"]),
        (Some(&line), &quoted.body["total"])
    );
    // The code in another case is the same request, and answered though the code is used up for this customer.
    let again = shop.place(&shop.me, "HEMAT10", "key").await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &placed.body));
    refused(&shop.place(&shop.me, "LAIN", "key").await, 422, "idempotency_key_reused", None);
    let read = shop.me.get(&format!("/orders/{}", placed.body["id"].as_str().unwrap())).await.body;
    assert_eq!(read["promo"], placed.body["promo"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_that_does_not_apply_says_why_everywhere(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let promo = shop.promo(ten_percent()).await;
    let plain = shop.me.post("/orders/quote", &json!({
        "plan_id": shop.plan(PLAN).await, "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1.example.com",
        "term_months": 3,
    })).await;
    let everywhere = async |code: &str, reason: &str| {
        let quoted = shop.me.post("/orders/quote", &shop.basket(code).await).await;
        refused(&quoted, 422, reason, Some("promo_code"));
        let placed = shop.place(&shop.me, code, "key").await;
        refused(&placed, 422, reason, Some("promo_code"));
        let checked = shop.check_order(&shop.me, code).await;
        assert_eq!((&checked["applies"], &checked["reason"]), (&json!(false), &json!(reason)), "{checked}");
        assert!(checked["message"].as_str().unwrap().ends_with('.') && checked.get("discount").is_none());
        assert_eq!(checked["total"], plain.body["total"]);
    };
    for nobodys in ["UNKNOWN", "ab", "HEMAT10;", "HEMAT'--"] {
        everywhere(nobodys, "promo_unknown").await;
    }
    for (change, reason) in [
        (json!({ "is_active": false }), "promo_inactive"),
        (json!({ "is_active": true, "starts_at": "2099-01-01T00:00:00Z" }), "promo_not_started"),
        (json!({ "starts_at": null, "ends_at": "2020-01-01T00:00:00Z" }), "promo_expired"),
        (json!({ "ends_at": null, "min_amount": 367_651 }), "promo_minimum"),
        (json!({ "min_amount": null, "kind": "DEPOSIT_PERCENT" }), "promo_not_for_orders"),
    ] {
        let changed = shop.change(&promo, &change).await;
        assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
        everywhere("HEMAT10", reason).await;
    }
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM promo_redemptions").await, 0);

    // The first customer uses it up, for herself by her own limit, for everybody by the global one.
    let change =
        json!({ "kind": "ORDER_PERCENT", "per_user_limit": 1, "global_limit": 2, "min_amount": 367_650 });
    assert_eq!(shop.change(&promo, &change).await.status, StatusCode::OK);
    let sari = shop.user(Role::Customer).await;
    let budi = shop.user(Role::Customer).await;
    assert_eq!(shop.place(&sari, "HEMAT10", "key").await.status, StatusCode::CREATED);
    assert_eq!(shop.check_order(&sari, "HEMAT10").await["reason"], "promo_already_used");
    // To others she does not exist: what they are told says nothing of how often it was used.
    let told = shop.check_order(&shop.me, "HEMAT10").await;
    assert_eq!((&told["applies"], told.as_object().unwrap().len()), (&json!(true), 6), "{told}");
    assert_eq!(shop.place(&budi, "HEMAT10", "key").await.status, StatusCode::CREATED);
    everywhere("HEMAT10", "promo_used_up").await;
    refused(&shop.place(&sari, "HEMAT10", "another").await, 422, "promo_already_used", Some("promo_code"));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_check_wants_to_know_what_for(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(json!({ "code": "BONUS10", "kind": "DEPOSIT_PERCENT", "value": 10, "max_amount": 25_000 }))
        .await;
    let told = shop.checked(&shop.me, "bonus10", "amount=500000").await;
    let expected = json!({
        "code": "BONUS10", "applies": true, "message": "This code gives Rp25.000 on top.", "bonus": 25_000,
        "total": 525_000, "currency": "IDR",
    });
    assert_eq!(told, expected);
    assert_eq!(shop.check_order(&shop.me, "BONUS10").await["reason"], "promo_not_for_orders");
    shop.promo(ten_percent()).await;
    let told = shop.checked(&shop.me, "HEMAT10", "amount=500000").await;
    assert_eq!((&told["reason"], &told["total"]), (&json!("promo_not_for_deposits"), &json!(500_000)));

    let plan = shop.plan(PLAN).await;
    for (query, status, code) in [
        (String::new(), 400, "invalid_query"),
        (format!("plan_id={plan}"), 400, "invalid_query"),
        ("term_months=1".to_owned(), 400, "invalid_query"),
        (format!("plan_id={plan}&term_months=1&amount=50000"), 400, "invalid_query"),
        ("amount=many".to_owned(), 400, "invalid_query"),
        ("amount=9999".to_owned(), 422, "amount_out_of_range"),
        ("amount=-50000".to_owned(), 422, "amount_out_of_range"),
        ("amount=9223372036854775807".to_owned(), 422, "amount_out_of_range"),
        (format!("plan_id={plan}&term_months=2"), 422, "term_not_offered"),
        (format!("plan_id={}&term_months=1", Uuid::now_v7()), 422, "unknown_plan"),
    ] {
        let answer = shop.me.get(&format!("/promos/HEMAT10/check?{query}")).await;
        refused(&answer, status, code, None);
    }
    for odd in ["A%2FB", "%F0%9F%8E%81", "a%20b%20c"] {
        assert_eq!(shop.checked(&shop.me, odd, "amount=50000").await["reason"], "promo_unknown", "{odd}");
    }
    let nobody = shop.nobody().get("/promos/HEMAT10/check?amount=50000").await;
    refused(&nobody, 401, "token_missing", None);
}
