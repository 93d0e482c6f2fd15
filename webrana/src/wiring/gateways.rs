//! Payment gateways: from settings to adapters.

use crate::config::payments::PaymentsConfig;
use crate::config::vendor_setting::possessive;
use activities::credentials_watch::watched;
use adapters::payments::{Account, Gateways};
use anyhow::{Context, Result};
use api::PaymentConfig;
use store::Store;
use temporal::worker::PaymentWork;

/// Every gateway that has credentials. Whether it accepts them is kept in the database.
///
/// # Errors
/// When an adapter cannot be made.
fn gateways(config: &PaymentsConfig, store: &Store) -> Result<Gateways> {
    let mut gateways = Gateways::new();
    for (gateway, account, credentials) in config.gateways.usable() {
        let account = Account {
            base_url: account.url.clone(),
            credentials: credentials.into_iter().cloned().collect(),
            timeout: config.request_timeout,
        };
        let adapter = (gateway.connect)(account)
            .with_context(|| format!("{} adapter cannot be made", possessive(gateway.name)))?;
        gateways.insert(gateway.slug, adapter);
    }
    Ok(watched(gateways, store))
}

/// What the API charges through. A method whose gateway has no credentials is not offered.
///
/// # Errors
/// When an adapter cannot be made.
pub fn payments(config: &PaymentsConfig, store: &Store) -> Result<PaymentConfig> {
    let gateways = gateways(config, store)?;
    let served = config.by_method().map(|(method, gateway)| (method, gateway.slug));
    let by_method = served.into_iter().filter(|(_, slug)| gateways.contains_key(slug)).collect();
    let refund_policy = config.refund_policy();
    Ok(PaymentConfig { gateways, by_method, charge_timeout: config.charge_timeout, refund_policy })
}

/// What a worker asks the gateways.
///
/// # Errors
/// When an adapter cannot be made.
pub fn payment_work(config: &PaymentsConfig, store: &Store) -> Result<PaymentWork> {
    Ok(PaymentWork { gateways: gateways(config, store)?, checks: Some(config.checks()) })
}

#[cfg(test)]
mod tests {
    /// A gateway that stands in the registry and can't notify is found here.
    #[test]
    fn every_gateway_has_a_route_for_its_notifications() {
        let document = serde_json::to_value(api::document()).unwrap();
        for gateway in adapters::payments::ALL {
            let path = format!("/api/v1/webhooks/{}", gateway.slug);
            assert!(document["paths"].get(&path).is_some(), "{path}");
        }
    }
}
