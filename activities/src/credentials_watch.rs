//! What gateways say of our credentials is kept in the database, where `/health` of every process reads it.

use std::sync::Arc;

use adapters::payments::{CredentialsWatch, Gateways, PaymentGateway, Watched};
use async_trait::async_trait;
use store::Store;

/// Keeps it for all processes, and has administrators told.
#[derive(Debug, Clone)]
pub struct KeptWatch {
    /// The database.
    pub store: Store,
}

/// The same gateways, watched.
#[must_use]
pub fn watched(gateways: Gateways, store: &Store) -> Gateways {
    let watch: Arc<dyn CredentialsWatch> = Arc::new(KeptWatch { store: store.clone() });
    let put = |gateway| Arc::new(Watched::new(gateway, Arc::clone(&watch))) as Arc<dyn PaymentGateway>;
    gateways.into_iter().map(|(slug, gateway)| (slug, put(gateway))).collect()
}

#[async_trait]
impl CredentialsWatch for KeptWatch {
    async fn refused(&self, gateway: &'static str, message: &str) {
        tracing::error!(
            alert = "gateway.credentials_refused",
            gateway,
            reason = message,
            "a gateway does not accept our credentials"
        );
        if let Err(error) = self.store.note_credentials_refused(gateway, message).await {
            tracing::error!(
                event = "gateway.refusal_not_noted",
                gateway,
                %error,
                "refused credentials could not be noted"
            );
        }
    }

    async fn accepted(&self, gateway: &'static str) {
        match self.store.note_credentials_accepted(gateway).await {
            Ok(true) => tracing::info!(
                event = "gateway.credentials_accepted",
                gateway,
                "a gateway accepts our credentials again"
            ),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(
                    event = "gateway.acceptance_not_noted",
                    gateway,
                    %error,
                    "accepted credentials could not be noted"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use adapters::payments::{Attempt, GatewayError};
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;
    use crate::payment_check::tests::Shop;

    #[sqlx::test(migrations = "../migrations")]
    async fn refused_credentials_are_told_of_once_and_cleared_when_they_are_mended(pool: PgPool) {
        let mut shop = Shop::open(pool.clone()).await;
        shop.expect_alert("gateway.credentials_refused");
        let store = shop.janitor.store.clone();
        for admin in ["a@example.com", "b@example.com"] {
            shop.admin().email(admin).await;
        }
        let gateways = watched(shop.janitor.gateways.clone(), &store);
        let told = async || -> i64 {
            let count = "SELECT count(*) FROM in_app_notifications WHERE type = 'GATEWAY_ALERT'";
            sqlx::query_scalar(count).fetch_one(&pool).await.unwrap()
        };
        let ask = async |gateway: &'static str| {
            let attempt = Attempt { gateway_order_id: "WB-nobody-1", transaction_id: None };
            gateways[gateway].status(attempt).await.unwrap_err()
        };
        let questions = [("midtrans", "GET /v2/{order_id}/status"), ("xendit", "GET /v3/payment_requests")];
        for (n, (gateway, route)) in questions.into_iter().enumerate() {
            let fault = |status: u16, times: u32| json!({ "route": route, "kind": "status", "status": status, "times": times });
            // Neither a page nor trouble says anything of the key.
            let page = json!({ "route": route, "kind": "status", "status": 401, "body": "<html>" });
            shop.control(gateway, "faults", page).await;
            ask(gateway).await;
            assert_eq!(store.refusing_gateways().await.unwrap(), []);

            shop.control(gateway, "faults", fault(401, 3)).await;
            for _ in 0..3 {
                assert!(matches!(ask(gateway).await, GatewayError::Credentials { .. }));
            }
            let refusing = store.refusing_gateways().await.unwrap();
            assert_eq!(refusing.iter().map(|known| known.gateway.as_str()).collect::<Vec<_>>(), [gateway]);
            assert_eq!(told().await, 2 * (i64::try_from(n).unwrap() + 1), "each administrator once");

            shop.control(gateway, "faults", fault(503, 1)).await;
            ask(gateway).await;
            assert_eq!(store.refusing_gateways().await.unwrap().len(), 1, "trouble clears nothing");
            assert!(matches!(ask(gateway).await, GatewayError::NotFound { .. }));
            assert_eq!(store.refusing_gateways().await.unwrap(), []);
        }
        // A key that comes and goes does not tell them of every call.
        shop.control(
            "midtrans",
            "faults",
            json!({ "route": questions[0].1, "kind": "status", "status": 401 }),
        )
        .await;
        ask("midtrans").await;
        assert_eq!((store.refusing_gateways().await.unwrap().len(), told().await), (1, 4));
        // Nobody pays: the janitor finds out that it is mended.
        let janitor =
            crate::payment_check::PaymentActivities { store: store.clone(), gateways: gateways.clone() };
        shop.janitor = janitor;
        shop.check().await;
        assert_eq!(store.refusing_gateways().await.unwrap(), []);
    }
}
