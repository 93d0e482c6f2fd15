//! What the merchant is told, and how often.

use serde_json::{Value, json};

use super::{Merchant, Sim, signature};

#[tokio::test]
async fn paying_sends_a_signed_notification() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    let (status, answer) = sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    assert_eq!((status, &answer["deliveries"]), (200, &json!([{ "status": 200, "attempt": 1 }])));
    let [notification] = merchant.received().try_into().unwrap();
    assert_eq!(notification, answer["notification"]);
    assert_eq!(notification["transaction_status"], "settlement");
    assert_eq!(
        (&notification["status_code"], &notification["fraud_status"]),
        (&json!("200"), &json!("accept"))
    );
    assert_eq!(notification["signature_key"], signature(&notification));
    assert_eq!(sim.get("/v2/WB-1/status").await.1["transaction_status"], "settlement");
}

#[tokio::test]
async fn other_outcomes_tell_but_do_not_take_money_back() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    for outcome in ["pending", "expire", "settlement", "deny", "cancel"] {
        sim.post("/__sim/pay", json!({ "order_id": "WB-1", "outcome": outcome })).await;
    }
    let told: Vec<Value> = merchant.received();
    let codes: Vec<&str> = told.iter().map(|n| n["status_code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["201", "202", "200", "202", "200"]);
    assert!(told.iter().all(|n| n["signature_key"] == signature(n)));
    assert_eq!(sim.get("/v2/WB-1/status").await.1["transaction_status"], "settlement");
}

#[tokio::test]
async fn copies_other_amounts_and_tampering() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    let pay = async |extra: Value| {
        let mut body = json!({ "order_id": "WB-1" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let (status, answer) = sim.post("/__sim/pay", body).await;
        assert_eq!(status, 200, "{answer}");
        (answer["deliveries"].as_array().unwrap().len(), merchant.received())
    };
    assert_eq!(pay(json!({ "duplicates": 50 })).await.0, 50);
    for amount in [json!(1), json!("1.00")] {
        let (_, told) = pay(json!({ "amount": amount })).await;
        assert_eq!(
            (&told[0]["gross_amount"], &told[0]["signature_key"]),
            (&json!("1.00"), &json!(signature(&told[0])))
        );
    }
    for tamper in ["amount", "signature"] {
        let (_, told) = pay(json!({ "tamper": tamper })).await;
        assert_ne!(told[0]["signature_key"], signature(&told[0]), "{tamper}");
    }
}

#[tokio::test]
async fn a_refused_notification_is_sent_again_as_often_as_the_vendor_would() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    for (status, tries) in [(503, 5), (500, 2), (404, 3), (400, 3), (401, 6), (422, 6)] {
        merchant.will_answer(status, tries);
        let (_, answer) = sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
        assert_eq!(answer["deliveries"], json!([{ "status": status, "attempt": 1 }]));
        sim.settled().await;
        assert_eq!(merchant.received().len(), tries, "{status}");
    }
    merchant.will_answer(503, 2);
    sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    sim.settled().await;
    assert_eq!(merchant.received().len(), 3);
}

#[tokio::test]
async fn a_notification_can_be_overtaken() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    let held = json!({ "order_id": "WB-1", "outcome": "pending", "reorder": true });
    assert_eq!(sim.post("/__sim/pay", held).await.1["deliveries"], json!([]));
    assert!(merchant.received().is_empty());
    let (_, answer) = sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 2);
    let told: Vec<Value> =
        merchant.received().into_iter().map(|told| told["transaction_status"].clone()).collect();
    assert_eq!(told, ["settlement", "pending"]);
}
