//! How what goes wrong is classed.

use super::*;

/// Every call of a gateway meets this fault, and its failure is classed as given for calls that change something and
/// for those that only read.
async fn assert_class(who: Who, fault: Value, changing: GatewayFailure, reading: GatewayFailure) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    for (call, route, changes) in vendor.calls_and_routes() {
        vendor.fault_at(route, fault.clone()).await;
        let error = vendor.failing(call).await;
        let expected = if changes { changing } else { reading };
        assert_eq!(error.class(), expected, "{call:?}, {fault}: {error:?}");
    }
}

pub(crate) const OPEN: GatewayFailure = GatewayFailure::Unknown { retry_after: None };
pub(crate) const AGAIN: GatewayFailure = GatewayFailure::Retryable { retry_after: None };
const IN_7_S: Option<Duration> = Some(Duration::from_secs(7));

pub(crate) async fn only_the_gateways_own_words_refuse(who: Who) {
    for status in [400, 402, 412] {
        let fault = json!({ "kind": "status", "status": status });
        assert_class(who, fault, GatewayFailure::Refused, GatewayFailure::Refused).await;
    }
}

pub(crate) async fn what_is_under_way_or_broken_may_have_taken_effect(who: Who) {
    for status in [409, 500, 503] {
        assert_class(who, json!({ "kind": "status", "status": status }), OPEN, AGAIN).await;
    }
}

pub(crate) async fn too_many_calls_are_made_again_when_the_gateway_says(who: Who) {
    let fault = json!({ "kind": "status", "status": 429, "seconds": 7 });
    let later = GatewayFailure::Retryable { retry_after: IN_7_S };
    assert_class(who, fault, later, later).await;
    assert_class(who, json!({ "kind": "status", "status": 429 }), AGAIN, AGAIN).await;
}

pub(crate) async fn a_proxys_page_leaves_it_open_whatever_its_status(who: Who) {
    for status in [200, 400, 401, 403, 404, 409, 429, 502, 503] {
        let page = json!({ "kind": "status", "status": status, "body": "<html>nginx</html>", "seconds": 7 });
        let reading = GatewayFailure::Retryable { retry_after: IN_7_S };
        assert_class(who, page, GatewayFailure::Unknown { retry_after: IN_7_S }, reading).await;
    }
    let made_up = json!({ "kind": "status", "status": 404, "body": { "error": "no such page" } });
    assert_class(who, made_up, OPEN, AGAIN).await;
}

pub(crate) async fn a_wrong_key_is_named_and_not_shown(who: Who) {
    let vendor = Vendor::with(who, "not-the-right-key", TIMEOUT).await;
    let refused = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
    assert!(matches!(refused, GatewayError::Credentials { .. }), "{refused:?}");
    assert_eq!(refused.class(), GatewayFailure::Refused);
    let shown = format!("{refused} {refused:?} {:?}", vendor.gateway);
    assert!(!shown.contains("not-the-right-key") && !shown.contains(TOKEN));
}

pub(crate) async fn without_a_connection_nothing_was_charged(who: Who) {
    let vendor = Vendor::of(who).await;
    let gateway = adapter(&vendor.simulated, who, KEY, TIMEOUT);
    vendor.simulated.simulator.stop().await.unwrap();
    let refused = gateway.create(&charge(PaymentMethod::Qris, None)).await.unwrap_err();
    assert_eq!(refused.class(), AGAIN, "{refused:?}");
}
