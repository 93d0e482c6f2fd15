//! What comes from outside, as tests send it: keys of requests, administrators' acts, and what gateways say.

use domain::{
    billing::{Evidence, PaymentStatus},
    gateway::{About, GatewayReport, Instructions, WebhookEvent},
    ids::UserId,
};
use store::{
    audit::{Actor, Origin},
    idempotency::Idempotency,
    money_act::MoneyAct,
    payments::Payment,
};
use uuid::Uuid;

use crate::GATEWAY;

/// A request; the same key means the same one.
#[must_use]
pub fn request(key: &str) -> Idempotency {
    Idempotency::new("test", key, &key).expect("a key is JSON")
}

/// A request like no other.
#[must_use]
pub fn any_request() -> Idempotency {
    request(&Uuid::now_v7().to_string())
}

/// Somebody acts, from nowhere in particular.
#[must_use]
pub const fn by_user(user: UserId) -> Origin {
    Origin { actor: Actor::User(user), ip: None, request_id: None }
}

/// An administrator acts on somebody's money; the same key means the same request.
#[must_use]
pub fn money_act(admin: UserId, key: &str) -> MoneyAct {
    let origin = Origin { request_id: Some("review".to_owned()), ..by_user(admin) };
    MoneyAct { by: admin, origin, request: request(key) }
}

/// The same by a request like no other.
#[must_use]
pub fn new_money_act(admin: UserId) -> MoneyAct {
    money_act(admin, &Uuid::now_v7().to_string())
}

/// What Midtrans says about a payment when it is asked. `key` is its name for the event.
#[must_use]
pub fn webhook_event(payment: &Payment, status: PaymentStatus, key: &str) -> WebhookEvent {
    WebhookEvent {
        gateway: GATEWAY,
        dedupe_key: key.into(),
        about: About::Attempt(payment.gateway_order_id.clone()),
        evidence: Some(Evidence::Asked),
        body: br#"{"raw":true}"#.to_vec(),
        report: GatewayReport {
            transaction_id: Some("transaction-1".into()),
            status,
            amount: Some(payment.amount),
            payer_fee: None,
            amount_as_received: "as charged".into(),
            reversals: Vec::new(),
            instructions: Instructions::default(),
        },
    }
}
