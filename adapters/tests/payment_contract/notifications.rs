//! What gateways tell, and what of it is believed.

use super::*;

pub(crate) async fn a_notification_is_believed_if_it_is_proven(who: Who) {
    for (outcome, status) in [
        ("pending", PaymentStatus::Pending),
        ("expire", PaymentStatus::Expired),
        ("deny", PaymentStatus::Denied),
        ("cancel", PaymentStatus::Cancelled),
        ("settlement", PaymentStatus::Paid),
    ] {
        let vendor = Vendor::of(who).await;
        let transaction_id = vendor.qris().await;
        let told = vendor.believed(QRIS, json!({ "outcome": outcome })).await;
        assert!(told.evidence.is_some());
        assert_eq!((told.about.name(), told.report.status), (QRIS, status));
        assert_eq!((told.report.amount, told.report.transaction_id), (Some(AMOUNT), Some(transaction_id)));
    }
    let vendor = Vendor::of(who).await;
    for malformed in [&b"{"[..], b"[]", b"{}", br#"{"order_id":7,"event":7}"#] {
        let read = vendor.read(malformed);
        // A token came with it; a signature would be in it.
        match who.proof {
            Proof::Signature => assert!(matches!(read, Err(WebhookError::Malformed { .. })), "{read:?}"),
            Proof::Token => assert!(matches!(read, Err(WebhookError::Unreadable { .. })), "{read:?}"),
        }
    }
    // What one merchant is told of is nothing to another.
    let stranger = Vendor::of(who).await;
    stranger.qris().await;
    let told = vendor.read(&stranger.told(QRIS, json!({})).await).unwrap();
    match confirm(&*vendor.gateway, told).await {
        Ok(told) => assert_eq!(who.proof, Proof::Signature, "{told:?}"),
        Err(error) => assert!(matches!(error, GatewayError::NotFound { .. }), "{error:?}"),
    }
}

pub(crate) async fn a_notification_that_was_changed_moves_nothing(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    let changed = vendor.told(QRIS, json!({ "tamper": "amount" })).await;
    match who.proof {
        Proof::Signature => assert_eq!(vendor.read(&changed), Err(WebhookError::BadSignature)),
        Proof::Token => {
            let told = confirm(&*vendor.gateway, vendor.read(&changed).unwrap()).await.unwrap();
            assert_eq!(told.report.amount, None);
        }
    }
    let body = vendor.told(QRIS, json!({ "tamper": true })).await;
    // A signature is in the body, a token in a header.
    for token in [None, Some(""), Some("the-contracts-callback-tokem")] {
        let headers: HeaderMap = token
            .map(|token| ("x-callback-token".parse().unwrap(), HeaderValue::from_static(token)))
            .into_iter()
            .collect();
        assert_eq!(vendor.gateway.verify_webhook(&headers, &body), Err(WebhookError::BadSignature));
    }
}

pub(crate) async fn the_same_event_has_the_same_key(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    let mut keys = Vec::new();
    for outcome in ["settlement", "settlement", "expire"] {
        keys.push(vendor.believed(QRIS, json!({ "outcome": outcome })).await.dedupe_key);
    }
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}
