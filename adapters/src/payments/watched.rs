//! Gateways under watch: somebody wants to know whether they accept our credentials, whoever calls them for whatever.

use domain::gateway::{GatewayReport, Instructions, WebhookEvent};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderMap;

use super::{Attempt, Charge, GatewayError, PaymentGateway, Refund, Refunded, WebhookError};

/// Learns whether gateways accept our credentials. What it does about it must not fail the call it learned it from.
#[async_trait]
pub trait CredentialsWatch: Send + Sync + std::fmt::Debug {
    /// A gateway does not accept them, in its own words.
    async fn refused(&self, gateway: &'static str, message: &str);

    /// A gateway accepts them.
    async fn accepted(&self, gateway: &'static str);
}

/// A gateway of which every answer is watched.
#[derive(Debug)]
pub struct Watched {
    gateway: Arc<dyn PaymentGateway>,
    watch: Arc<dyn CredentialsWatch>,
}

impl Watched {
    /// Puts a gateway under watch.
    #[must_use]
    pub fn new(gateway: Arc<dyn PaymentGateway>, watch: Arc<dyn CredentialsWatch>) -> Self {
        Self { gateway, watch }
    }

    /// Passes an answer on, and what it says of our credentials to the watch.
    async fn heard<T: Send>(&self, answer: Result<T, GatewayError>) -> Result<T, GatewayError> {
        match &answer {
            Err(GatewayError::Credentials { gateway, message }) => self.watch.refused(gateway, message).await,
            Err(error) if !error.proves_credentials() => {}
            Ok(_) | Err(_) => self.watch.accepted(self.gateway.slug()).await,
        }
        answer
    }
}

#[async_trait]
impl PaymentGateway for Watched {
    fn slug(&self) -> &'static str {
        self.gateway.slug()
    }

    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError> {
        self.heard(self.gateway.create(charge).await).await
    }

    async fn status(&self, attempt: Attempt<'_>) -> Result<GatewayReport, GatewayError> {
        self.heard(self.gateway.status(attempt).await).await
    }

    async fn cancel(&self, attempt: Attempt<'_>) -> Result<(), GatewayError> {
        self.heard(self.gateway.cancel(attempt).await).await
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, GatewayError> {
        self.heard(self.gateway.refund(refund).await).await
    }

    async fn find_refund(
        &self,
        refund: &Refund<'_>,
        refund_id: Option<&str>,
    ) -> Result<Option<Refunded>, GatewayError> {
        self.heard(self.gateway.find_refund(refund, refund_id).await).await
    }

    async fn status_by_refund(&self, refund_id: &str) -> Result<(String, GatewayReport), GatewayError> {
        self.heard(self.gateway.status_by_refund(refund_id).await).await
    }

    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        self.gateway.verify_webhook(headers, body)
    }

    fn read_kept_webhook(&self, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        self.gateway.read_kept_webhook(body)
    }
}
