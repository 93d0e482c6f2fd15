use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::Answer;

use crate::{PATIENT, Shop, TOKEN, text};

/// What changes when money arrives; nothing of it may change otherwise.
const TRACES: &[&str] = &[
    "SELECT count(*) FROM payments WHERE status <> 'PENDING'",
    "SELECT count(*) FROM orders WHERE status <> 'PENDING_PAYMENT'",
    "SELECT count(*) FROM ledger_movements",
    "SELECT count(*) FROM outbox WHERE kind <> 'start_order'",
];

impl Shop {
    async fn by_xendit(pool: PgPool) -> Self {
        Self::through(pool, "xendit", PATIENT).await
    }

    async fn pay_by_xendit(&self, order: &Value, extra: Value) -> Vec<u64> {
        let mut pay = json!({ "reference_id": order["payment"]["gateway_order_id"] });
        pay.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.pay_at("xendit", &pay).await
    }

    /// Posts a webhook as anybody could who saw the token.
    async fn told(&self, token: &str, body: &Value) -> Answer {
        self.webhook("xendit").header("x-callback-token", token).json(body).await
    }

    /// The gateway's name for an order's payment.
    async fn payment_request(&self, order: &Value) -> String {
        sqlx::query_scalar("SELECT gateway_transaction_id FROM payments WHERE gateway_order_id = $1")
            .bind(text(&order["payment"], "gateway_order_id"))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn assert_nothing_moved(&self) {
        for sql in TRACES {
            assert_eq!(self.count(sql).await, 0, "{sql}");
        }
    }
}

fn capture(order: &Value, payment_request_id: &str) -> Value {
    json!({
        "event": "payment.capture",
        "data": {
            "payment_id": "py-1fdaf346-dd2e-4b6c-b938-124c7167a822",
            "payment_request_id": payment_request_id,
            "reference_id": order["payment"]["gateway_order_id"],
            "status": "SUCCEEDED",
            "request_amount": order["payment"]["amount"],
            "currency": "IDR",
            "channel_code": "QRIS",
        },
    })
}

#[sqlx::test(migrations = "../migrations")]
async fn what_xendit_confirms_pays_the_order_once(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    let order = shop.order().await;
    assert!(text(&order["payment"], "qr_string").starts_with("000201"));
    assert_eq!(shop.pay_by_xendit(&order, json!({ "duplicates": 20 })).await, [200; 20]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    for (sql, expected) in [
        ("SELECT count(*) FROM payments WHERE outcome = 'APPLIED' AND gateway = 'xendit'", 1),
        ("SELECT count(*) FROM ledger_movements", 1),
        ("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'", 1),
        ("SELECT count(*) FROM webhook_events WHERE gateway = 'xendit' AND outcome = 'APPLIED'", 1),
        ("SELECT count(*) FROM webhook_events", 1),
    ] {
        assert_eq!(shop.count(sql).await, expected, "{sql}");
    }
    assert!(shop.calls("xendit", "GET /v3/payment_requests/{payment_request_id}") >= 20);
}

#[sqlx::test(migrations = "../migrations")]
async fn without_the_token_nobody_is_even_asked(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    shop.expect_alert("webhook.bad_signature");
    let order = shop.order().await;
    assert_eq!(shop.pay_by_xendit(&order, json!({ "tamper": "token" })).await, [401]);
    let body = capture(&order, &shop.payment_request(&order).await);
    for token in ["", "xendits-callback-tokem", "xendits-callback-toke"] {
        let refused = shop.told(token, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (401, "bad_signature"), "{token}");
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(shop.calls("xendit", "GET /v3/payment_requests/{payment_request_id}"), 0);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'BAD_SIGNATURE'").await, 4);
    shop.assert_nothing_moved().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_webhook_that_the_gateway_does_not_confirm_moves_nothing(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    shop.expect_alert("webhook.unconfirmed");
    let order = shop.order().await;
    let ours = shop.payment_request(&order).await;
    // Nobody paid: the gateway says so.
    let unpaid = shop.told(TOKEN, &capture(&order, &ours)).await;
    assert_eq!((unpaid.status.as_u16(), &unpaid.body["status"]), (200, &json!("ignored")));
    // No such payment request; and one that is paid, but another's.
    let paid = shop.order_again("another", "another").await;
    assert_eq!(shop.pay_by_xendit(&paid, json!({})).await, [200]);
    for theirs in ["pr-00000000-0000-0000-0000-000000000000", &shop.payment_request(&paid).await] {
        let refused = shop.told(TOKEN, &capture(&order, theirs)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "unconfirmed_payment"), "{theirs}");
    }
    let unconfirmed =
        "SELECT count(*) FROM webhook_events WHERE outcome = 'UNCONFIRMED' AND dedupe_key IS NULL";
    assert_eq!(shop.count(unconfirmed).await, 2);
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    // The webhook that came too early does not stand in the way of the same one come in time.
    assert_eq!(shop.pay_by_xendit(&order, json!({})).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_is_kept_and_moves_nothing(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    shop.expect_alert("webhook.mismatch");
    let order = shop.order().await;
    for odd in [json!({ "tamper": "amount" }), json!({ "amount": 1 }), json!({ "amount": "143190.50" })] {
        assert_eq!(shop.pay_by_xendit(&order, odd.clone()).await, [422], "{odd}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'MISMATCH'").await, 3);
    shop.assert_nothing_moved().await;
    assert_eq!(shop.pay_by_xendit(&order, json!({})).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn while_the_gateway_can_not_be_asked_it_is_to_come_back(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    let order = shop.order().await;
    let fault =
        json!({ "route": "GET /v3/payment_requests/{payment_request_id}", "kind": "status", "status": 503 });
    shop.control_at("xendit", "faults", &fault).await;
    assert_eq!(shop.pay_by_xendit(&order, json!({})).await, [503]);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events").await, 0);
    shop.assert_nothing_moved().await;
    assert_eq!(shop.pay_by_xendit(&order, json!({})).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_end_at_the_gateway_closes_the_attempt_never_the_order(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    let order = shop.order().await;
    for (outcome, status) in [("pending", "PENDING"), ("expire", "EXPIRED")] {
        assert_eq!(shop.pay_by_xendit(&order, json!({ "outcome": outcome })).await, [200], "{outcome}");
        let read = shop.read(&order).await;
        assert_eq!((text(&read, "status"), text(&read["payment"], "status")), ("PENDING_PAYMENT", status));
    }
    shop.pay_by_xendit(&order, json!({})).await;
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    // What is told late changes nothing.
    assert_eq!(shop.pay_by_xendit(&order, json!({ "outcome": "expire" })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_about_no_payment_and_what_can_not_be_read_is_kept(pool: PgPool) {
    let shop = Shop::by_xendit(pool).await;
    shop.expect_alert("webhook.unreadable");
    shop.order().await;
    let refund = json!({ "event": "refund.succeeded", "data": { "id": "rfd-1", "status": "SUCCEEDED" } });
    let ignored = shop.told(TOKEN, &refund).await;
    assert_eq!((ignored.status.as_u16(), &ignored.body["status"]), (200, &json!("ignored")));
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'IGNORED'").await, 1);
    // The token came with it: somebody has to look into it.
    let unreadable = [
        json!({}),
        json!([]),
        json!({ "event": "payment.capture" }),
        json!({ "event": "payment.chargeback", "data": {} }),
    ];
    for body in &unreadable {
        let refused = shop.told(TOKEN, body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "unreadable_notification"), "{body}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNREADABLE'").await, 4);
    shop.assert_nothing_moved().await;
}
