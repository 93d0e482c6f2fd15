use domain::role::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, Method, User, redacted};

use crate::{PATIENT, Shop, text};

/// A shop with an administrator, whom alerts go to.
struct Desk {
    shop: Shop,
    admin: User,
}

impl Desk {
    async fn open(pool: PgPool, gateway: &'static str) -> Self {
        let shop = Shop::through(pool, gateway, PATIENT).await;
        let admin = shop.user(Role::Admin).await;
        Self { shop, admin }
    }

    /// A paid order and its payment's name.
    async fn paid(&self, gateway: &str) -> (Value, Value) {
        let order = self.shop.order_again(&format!("order-{}", uuid::Uuid::now_v7()), "web-1").await;
        let name = order["payment"]["gateway_order_id"].clone();
        let paid = self.shop.pay_at(gateway, &json!({ "order_id": name })).await;
        assert_eq!(paid, [200]);
        (order, name)
    }

    /// Has the gateway do something without our asking; answers with what we said to its notification.
    async fn happens(&self, gateway: &str, what: &str, body: Value) -> Vec<u64> {
        let answer = self.shop.control_at(gateway, what, &body).await;
        answer["deliveries"].as_array().unwrap().iter().map(|d| d["status"].as_u64().unwrap()).collect()
    }

    async fn disputes(&self, filter: &str) -> Vec<Value> {
        let answer = self.admin.get(&format!("/admin/disputes{filter}")).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body["data"].as_array().unwrap().clone()
    }

    async fn decide(&self, who: &User, dispute: &Value, how: &str, key: Option<&str>, body: Value) -> Answer {
        let path = format!("/admin/disputes/{}/{how}", text(dispute, "id"));
        let request = who.request(Method::POST, &path).json(&body);
        key.into_iter().fold(request, |request, key| request.key(key)).await
    }

    async fn alerts(&self, kind: &'static str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM in_app_notifications WHERE type = $1")
            .bind(kind)
            .fetch_one(&self.shop.pool)
            .await
            .unwrap()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_gateway_takes_back_is_told_once_shown_and_decided(pool: PgPool) {
    let desk = Desk::open(pool, "midtrans").await;
    desk.shop.expect_alert("payment.disputed");
    let (order, name) = desk.paid("midtrans").await;
    assert_eq!(
        desk.happens("midtrans", "refund", json!({ "order_id": name, "amount": 10_000 })).await,
        [200]
    );
    assert_eq!(desk.happens("midtrans", "chargeback", json!({ "order_id": name })).await, [200]);
    let all = desk.disputes("").await;
    let said: Vec<_> = all.iter().map(|d| (text(d, "kind"), &d["amount"], text(d, "status"))).collect();
    let rest = order["payment"]["amount"].as_i64().unwrap() - 10_000;
    assert_eq!(said, [("CHARGEBACK", &json!(rest), "OPEN"), ("REFUND", &json!(10_000), "OPEN")]);
    assert_eq!(desk.alerts("PAYMENT_DISPUTED").await, 2);
    assert_eq!(desk.disputes("?kind=REFUND&status=OPEN&gateway=midtrans").await, [all[1].clone()]);
    assert_eq!(desk.disputes("?limit=1").await, [all[0].clone()]);

    let shown = desk.admin.get(&format!("/admin/orders/{}", text(&order, "id"))).await.body;
    assert_eq!(shown["disputes"], json!(all));
    assert_eq!(shown["payments"][0]["disputed"], order["payment"]["amount"]);
    assert_eq!(shown["payments"][0]["open_disputes"], 2);
    let path = format!("/admin/disputes/{}", text(&all[0], "id"));
    assert_eq!(desk.admin.get(&path).await.body, all[0]);

    let dismissed =
        desk.decide(&desk.admin, &all[1], "dismiss", Some("d"), json!({ "reason": "settled" })).await;
    assert_eq!((dismissed.status.as_u16(), text(&dismissed.body, "status")), (200, "DISMISSED"));
    let accepted = desk.decide(&desk.admin, &all[0], "accept", Some("a"), json!({ "note": "gone" })).await;
    assert_eq!(accepted.status, 200, "{:?}", accepted.body);
    assert_json_snapshot!("an_accepted_dispute", redacted(&accepted.body), { ".name" => "[the gateway's name]" });
    let again = desk.decide(&desk.admin, &all[0], "accept", Some("a"), json!({ "note": "gone" })).await;
    assert_eq!(again.body, accepted.body);
    let other = desk.decide(&desk.admin, &all[0], "accept", Some("b"), json!({})).await;
    assert_eq!((other.status.as_u16(), other.code()), (409, "dispute_conflict"));
    let report = desk.shop.store.check_ledger().await.unwrap();
    assert!(report.sound, "{:#?}", report.findings);
}

#[sqlx::test(migrations = "../migrations")]
async fn xendits_refunds_and_withdrawals_are_disputes_and_ours_are_not(pool: PgPool) {
    let desk = Desk::open(pool, "xendit").await;
    desk.shop.expect_alert("payment.disputed");
    let (_, name) = desk.paid("xendit").await;
    assert_eq!(
        desk.happens("xendit", "refund", json!({ "reference_id": name, "amount": 10_000 })).await,
        [200]
    );
    assert_eq!(text(&desk.disputes("").await[0], "kind"), "REFUND");
    let (_, name) = desk.paid("xendit").await;
    assert_eq!(desk.happens("xendit", "withdraw", json!({ "reference_id": name })).await, [200]);
    assert_eq!(text(&desk.disputes("").await[0], "kind"), "WITHDRAWN");
    assert_eq!(desk.disputes("").await.len(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_withdrawal_counts_only_if_the_gateway_says_so_too(pool: PgPool) {
    let desk = Desk::open(pool, "midtrans").await;
    desk.shop.expect_alert("payment.disputed");
    let (_, name) = desk.paid("midtrans").await;
    for outcome in ["deny", "expire", "cancel", "pending"] {
        // Told late or by a forger: the gateway says that it is settled.
        let told = desk.shop.pay(&json!({ "order_id": name, "outcome": outcome })).await;
        assert_eq!(told, [200], "{outcome}");
    }
    assert_eq!(desk.disputes("").await.len(), 0);
    let said = json!({ "order_id": name, "outcome": "deny" });
    assert_eq!(desk.happens("midtrans", "withdraw", said).await, [200]);
    assert_eq!(text(&desk.disputes("").await[0], "kind"), "WITHDRAWN");
    assert_eq!(desk.alerts("PAYMENT_DISPUTED").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn who_may_decide_and_what_is_refused(pool: PgPool) {
    let desk = Desk::open(pool, "midtrans").await;
    desk.shop.expect_alert("payment.disputed");
    let (_, name) = desk.paid("midtrans").await;
    desk.happens("midtrans", "withdraw", json!({ "order_id": name })).await;
    let dispute = desk.disputes("").await.remove(0);
    let support = desk.shop.user(Role::Support).await;
    for how in ["accept", "dismiss"] {
        let refused = desk.decide(&support, &dispute, how, Some("k"), json!({ "reason": "because" })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
        let keyless = desk.decide(&desk.admin, &dispute, how, None, json!({ "reason": "because" })).await;
        assert_eq!((keyless.status.as_u16(), keyless.code()), (400, "idempotency_key_required"));
    }
    for (how, body, status, code) in [
        ("dismiss", json!({}), 422, "invalid_body"),
        ("dismiss", json!({ "reason": "  " }), 422, "validation_failed"),
        ("accept", json!({ "suspend_server": "yes" }), 422, "invalid_body"),
        ("accept", json!({ "amount": 1 }), 422, "invalid_body"),
        ("accept", json!({ "suspend_server": true }), 409, "instance_conflict"),
    ] {
        let refused = desk.decide(&desk.admin, &dispute, how, Some("k"), body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{body}: {:?}", refused.body);
    }
    assert_eq!(text(&desk.disputes("").await[0], "status"), "OPEN");
    let nobody = json!({ "id": uuid::Uuid::now_v7() });
    let unknown = desk.decide(&desk.admin, &nobody, "accept", Some("n"), json!({})).await;
    assert_eq!(unknown.status, 404);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_dashboards_test_alerts_nobody(pool: PgPool) {
    let desk = Desk::open(pool, "midtrans").await;
    for gateway in ["midtrans", "xendit"] {
        assert_eq!(desk.happens(gateway, "test", json!({})).await, [200], "{gateway}");
    }
    assert_eq!(desk.alerts("PAYMENT_ALERT").await, 0);
    assert_eq!(desk.shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'IGNORED'").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn authentic_and_unreadable_is_kept_and_told_of(pool: PgPool) {
    let desk = Desk::open(pool, "midtrans").await;
    desk.shop.expect_alert("webhook.unreadable");
    let order = desk.shop.order().await;
    let name = text(&order["payment"], "gateway_order_id");
    let mut odd = crate::signed(name, "143190.00");
    odd["transaction_status"] = json!("settled_somehow");
    for _ in 0..2 {
        let refused = desk.shop.notify(odd.to_string()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "unreadable_notification"));
    }
    assert_eq!(desk.alerts("PAYMENT_ALERT").await, 1);
    // Numbers and nulls are read.
    let mut loose = crate::signed(name, "143190.00");
    loose["gross_amount"] = json!(143_190);
    loose["status_code"] = json!(200);
    loose["fraud_status"] = Value::Null;
    loose["refunds"] = Value::Null;
    assert_eq!(desk.shop.notify(loose.to_string()).await.status, 200);
    assert_eq!(text(&desk.shop.read(&order).await, "status"), "PAID");
}
