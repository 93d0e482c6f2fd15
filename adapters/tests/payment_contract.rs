//! What every payment gateway's adapter must do, asked through `&dyn PaymentGateway` against its simulator.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use adapters::payments::{
    Charge, GatewayError, Instructions, PaymentGateway, WebhookError,
    midtrans::{Midtrans, MidtransConfig},
};
use chrono::Utc;
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use simulators::midtrans::{Config, Handle};

const KEY: &str = "SB-Mid-server-contract";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A gateway's adapter with the simulator it talks to.
struct Vendor {
    gateway: Box<dyn PaymentGateway>,
    simulator: Handle,
    http: reqwest::Client,
}

impl Vendor {
    async fn midtrans() -> Self {
        Self::with(KEY, TIMEOUT).await
    }

    async fn with(key: &str, timeout: Duration) -> Self {
        let config = Config { server_key: KEY.to_owned(), ..Config::default() };
        let simulator = Handle::start(config).await.unwrap();
        let gateway = midtrans(&simulator.url(), key, timeout);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let vendor = Self { gateway, simulator, http };
        // Nobody listens there: these tests read the notification from the answer to `/__sim/pay`.
        vendor
            .control(
                "config",
                json!({ "notification_url": "http://127.0.0.1:9/", "retry_interval_seconds": 60 }),
            )
            .await;
        vendor
    }

    async fn control(&self, call: &str, body: Value) -> Value {
        let url = format!("{}/__sim/{call}", self.simulator.url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{call}: {answer:?}");
        answer.json().await.unwrap_or_default()
    }

    async fn fault(&self, fault: Value) {
        self.control("faults", fault).await;
    }

    /// The notification of an outcome, as it would be sent.
    async fn notification(&self, pay: Value) -> Vec<u8> {
        self.control("pay", pay).await["notification"].to_string().into_bytes()
    }

    async fn create(&self, method: PaymentMethod, bank: Option<Bank>) -> Result<Instructions, GatewayError> {
        self.gateway.create(&charge(method, bank)).await
    }
}

fn midtrans(url: &str, key: &str, timeout: Duration) -> Box<dyn PaymentGateway> {
    let config = MidtransConfig { base_url: url.parse().unwrap(), server_key: key.into(), timeout };
    Box::new(Midtrans::new(config).unwrap())
}

/// One name per way to pay.
fn charge(method: PaymentMethod, bank: Option<Bank>) -> Charge {
    Charge {
        gateway_order_id: format!("WB-{method}-{}", bank.map_or("none", Bank::as_str)).replace('_', "-"),
        amount: Rupiah::new(133_200),
        method,
        bank,
        pay_within: Duration::from_secs(3_600),
    }
}

const QRIS: &str = "WB-QRIS-none";

#[tokio::test]
async fn every_way_to_pay_comes_with_instructions() {
    let vendor = Vendor::midtrans().await;
    let qris = vendor.create(PaymentMethod::Qris, None).await.unwrap();
    assert!(qris.qr_string.is_some() && qris.va_number.is_none() && !qris.transaction_id.is_empty());
    let left = qris.expires_at.unwrap() - Utc::now();
    assert!((3_500..=3_600).contains(&left.num_seconds()), "{left}");
    for bank in Bank::ALL {
        let va = vendor.create(PaymentMethod::VirtualAccount, Some(*bank)).await.unwrap();
        if *bank == Bank::Mandiri {
            assert!(va.bill_key.is_some() && va.biller_code.is_some() && va.va_number.is_none());
        } else {
            assert!(va.va_number.is_some() && va.bill_key.is_none(), "{bank}");
        }
    }
    assert_eq!(vendor.simulator.calls("POST /v2/charge"), 6);
}

#[tokio::test]
async fn what_became_of_an_attempt_can_be_asked() {
    let vendor = Vendor::midtrans().await;
    let unknown = vendor.gateway.status(QRIS).await;
    assert!(matches!(unknown, Err(GatewayError::NotFound { .. })), "{unknown:?}");
    let created = vendor.create(PaymentMethod::Qris, None).await.unwrap();
    let report = vendor.gateway.status(QRIS).await.unwrap();
    assert_eq!((report.status, report.amount), (PaymentStatus::Pending, Some(Rupiah::new(133_200))));
    assert_eq!(report.transaction_id, Some(created.transaction_id));
    for (outcome, status) in [("expire", PaymentStatus::Expired), ("settlement", PaymentStatus::Paid)] {
        vendor.notification(json!({ "order_id": QRIS, "outcome": outcome })).await;
        assert_eq!(vendor.gateway.status(QRIS).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_pending_attempt_can_be_called_off() {
    let vendor = Vendor::midtrans().await;
    vendor.create(PaymentMethod::Qris, None).await.unwrap();
    vendor.gateway.cancel(QRIS).await.unwrap();
    assert_eq!(vendor.gateway.status(QRIS).await.unwrap().status, PaymentStatus::Cancelled);
    let again = vendor.gateway.cancel(QRIS).await;
    assert!(matches!(&again, Err(GatewayError::Refused { code, .. }) if code == "412"), "{again:?}");
    let unknown = vendor.gateway.cancel("WB-nobody-1").await;
    assert!(matches!(unknown, Err(GatewayError::NotFound { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_denied_attempt_is_reported_as_such() {
    let vendor = Vendor::midtrans().await;
    vendor.create(PaymentMethod::Qris, None).await.unwrap();
    vendor.notification(json!({ "order_id": QRIS, "outcome": "deny" })).await;
    assert_eq!(vendor.gateway.status(QRIS).await.unwrap().status, PaymentStatus::Denied);
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    for fault in [
        json!({ "route": "POST /v2/charge", "kind": "delay", "seconds": 20 }),
        json!({ "route": "POST /v2/charge", "kind": "drop_after_create" }),
    ] {
        let vendor = Vendor::with(KEY, Duration::from_millis(500)).await;
        vendor.fault(fault.clone()).await;
        let open = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
        assert!(open.is_ambiguous(), "{fault}: {open:?}");
        // The attempt exists all the same, and asking for it again does not make a second one.
        assert_eq!(vendor.gateway.status(QRIS).await.unwrap().status, PaymentStatus::Pending);
        let again = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
        assert!(matches!(again, GatewayError::Duplicate { .. }) && again.is_ambiguous(), "{again:?}");
    }
}

#[tokio::test]
async fn trouble_at_the_gateway_is_sorted_by_what_is_known_of_the_money() {
    let vendor = Vendor::midtrans().await;
    for (status, ambiguous) in [(500, true), (503, true), (400, false), (429, false), (402, false)] {
        vendor.fault(json!({ "route": "POST /v2/charge", "kind": "status", "status": status })).await;
        let error = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
        assert_eq!(error.is_ambiguous(), ambiguous, "{status}: {error:?}");
    }
    let page =
        json!({ "route": "POST /v2/charge", "kind": "status", "status": 502, "body": "<html>Bad gateway" });
    vendor.fault(page).await;
    assert!(vendor.create(PaymentMethod::Qris, None).await.unwrap_err().is_ambiguous());
}

#[tokio::test]
async fn a_wrong_key_is_named_and_not_shown() {
    let vendor = Vendor::with("SB-Mid-server-wrong", TIMEOUT).await;
    let refused = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
    assert!(matches!(refused, GatewayError::Credentials { .. }), "{refused:?}");
    assert!(!refused.is_ambiguous());
    assert!(!format!("{refused} {refused:?} {:?}", vendor.gateway).contains("SB-Mid-server-wrong"));
}

#[tokio::test]
async fn without_a_connection_nothing_was_charged() {
    let vendor = Vendor::midtrans().await;
    let gateway = midtrans(&vendor.simulator.url(), KEY, TIMEOUT);
    vendor.simulator.stop().await.unwrap();
    let refused = gateway.create(&charge(PaymentMethod::Qris, None)).await.unwrap_err();
    assert!(matches!(refused, GatewayError::Unreachable { .. }), "{refused:?}");
    assert!(!refused.is_ambiguous());
}

#[tokio::test]
async fn a_notification_is_believed_if_it_is_signed() {
    let vendor = Vendor::midtrans().await;
    vendor.create(PaymentMethod::Qris, None).await.unwrap();
    let verify = |body: &[u8]| vendor.gateway.verify_webhook(&HeaderMap::new(), body);
    for (outcome, status) in [
        ("pending", PaymentStatus::Pending),
        ("expire", PaymentStatus::Expired),
        ("deny", PaymentStatus::Denied),
        ("cancel", PaymentStatus::Cancelled),
        ("settlement", PaymentStatus::Paid),
    ] {
        let body = vendor.notification(json!({ "order_id": QRIS, "outcome": outcome })).await;
        let notification = verify(&body).unwrap();
        assert_eq!((notification.gateway_order_id.as_str(), notification.report.status), (QRIS, status));
        assert_eq!(notification.report.amount, Some(Rupiah::new(133_200)));
    }
    let odd = vendor.notification(json!({ "order_id": QRIS, "amount": "5539.50" })).await;
    assert_eq!(verify(&odd).unwrap().report.amount, None);
    for tamper in ["amount", "signature"] {
        let forged = vendor.notification(json!({ "order_id": QRIS, "tamper": tamper })).await;
        assert_eq!(verify(&forged), Err(WebhookError::BadSignature), "{tamper}");
    }
    for malformed in [&b"{"[..], b"[]", b"{}", br#"{"order_id":7}"#] {
        assert!(matches!(verify(malformed), Err(WebhookError::Malformed(_))));
    }
}

#[tokio::test]
async fn the_same_event_has_the_same_key() {
    let vendor = Vendor::midtrans().await;
    vendor.create(PaymentMethod::Qris, None).await.unwrap();
    let mut keys = Vec::new();
    for outcome in ["settlement", "settlement", "expire"] {
        let body = vendor.notification(json!({ "order_id": QRIS, "outcome": outcome })).await;
        keys.push(vendor.gateway.verify_webhook(&HeaderMap::new(), &body).unwrap().dedupe_key);
    }
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}
