//! Talking to Midtrans: <https://docs.midtrans.com/reference>.

use std::time::Duration;

use async_trait::async_trait;
use domain::{
    billing::Evidence,
    gateway::{GatewayReport, Instructions, WebhookEvent},
};
use reqwest::{Client, RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    SLUG, mapper,
    types::{Answer, Proof, RefundRequest},
};
use crate::{
    http::{self, Effect, SetupError},
    payments::{
        Attempt, Charge, GatewayError, PaymentGateway, Refund, Refunded, WebhookError, constant_time_eq,
    },
};

/// How to reach Midtrans.
#[derive(Debug, Clone)]
pub struct MidtransConfig {
    /// Where the API is, such as `https://api.midtrans.com`.
    pub base_url: Url,
    /// The merchant's server key: proves us to Midtrans and Midtrans to us.
    pub server_key: SecretString,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// Midtrans' Core API.
#[derive(Debug)]
pub struct Midtrans {
    http: Client,
    config: MidtransConfig,
}

impl Midtrans {
    /// A gateway that talks to the API at `config.base_url`.
    ///
    /// # Errors
    /// [`SetupError`] when the address or the machine's TLS setup is unusable.
    pub fn new(config: MidtransConfig) -> Result<Self, SetupError> {
        Ok(Self { http: http::client(&config.base_url, config.timeout)?, config })
    }

    fn url(&self, segments: &[&str]) -> Url {
        http::join(&self.config.base_url, segments)
    }

    /// Sends a request and reads the answer if it is a success, by the vendor's own status code.
    async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Answer, GatewayError> {
        let request = request.basic_auth(self.config.server_key.expose_secret(), Some(""));
        let answer = http::exchange(request).await;
        mapper::verdict(&answer.map_err(|error| GatewayError::transport(SLUG, error, effect))?, effect)
    }

    /// What Midtrans has by our name for an attempt.
    async fn transaction(&self, gateway_order_id: &str) -> Result<Answer, GatewayError> {
        let status = self.http.get(self.url(&["v2", gateway_order_id, "status"]));
        mapper::transaction(self.send(status, Effect::None).await?)
    }
}

#[async_trait]
impl PaymentGateway for Midtrans {
    fn slug(&self) -> &'static str {
        SLUG
    }

    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError> {
        let request = mapper::charge_request(charge)?;
        let charging = self.http.post(self.url(&["v2", "charge"])).json(&request);
        mapper::instructions(charge, self.send(charging, Effect::Changes).await?)
    }

    async fn status(&self, attempt: Attempt<'_>) -> Result<GatewayReport, GatewayError> {
        Ok(mapper::report(self.transaction(attempt.gateway_order_id).await?))
    }

    async fn cancel(&self, attempt: Attempt<'_>) -> Result<(), GatewayError> {
        let url = self.url(&["v2", attempt.gateway_order_id, "cancel"]);
        self.send(self.http.post(url), Effect::Changes).await?;
        Ok(())
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, GatewayError> {
        mapper::refundable(refund)?;
        let request = RefundRequest {
            refund_key: refund.refund_key,
            amount: refund.amount.get(),
            reason: refund.reason,
        };
        let url = self.url(&["v2", refund.attempt.gateway_order_id, "refund"]);
        match self.send(self.http.post(url).json(&request), Effect::Changes).await {
            Ok(answer) => Ok(mapper::refunded(&answer)),
            Err(duplicate @ GatewayError::Duplicate { .. }) => {
                self.find_refund(refund, None).await?.ok_or(duplicate)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_refund(
        &self,
        refund: &Refund<'_>,
        _: Option<&str>,
    ) -> Result<Option<Refunded>, GatewayError> {
        let answer = self.transaction(refund.attempt.gateway_order_id).await;
        let answer = answer.map_err(GatewayError::of_question)?;
        Ok(mapper::earlier_refund(&answer, refund))
    }

    fn verify_webhook(&self, _headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        let proof: Proof = serde_json::from_slice(body).map_err(WebhookError::misshapen)?;
        let malformed = |field: &str| WebhookError::malformed(format!("it has no {field}"));
        let order_id = proof.order_id.ok_or_else(|| malformed("order_id"))?;
        let status_code = proof.status_code.ok_or_else(|| malformed("status_code"))?;
        let amounts = mapper::signed_amounts(&proof.gross_amount).ok_or_else(|| malformed("gross_amount"))?;
        let received = proof.signature_key.unwrap_or_default().to_ascii_lowercase();
        let key = self.config.server_key.expose_secret();
        let is_proven = amounts.iter().any(|amount| {
            let expected = mapper::signature(&order_id, &status_code, amount, key);
            constant_time_eq(expected.as_bytes(), received.as_bytes())
        });
        if !is_proven {
            return Err(WebhookError::BadSignature);
        }
        if order_id.starts_with(mapper::TEST_PREFIX) {
            return Err(WebhookError::Test);
        }
        mapper::webhook_event(body, Some(Evidence::Signed))
    }

    fn read_kept_webhook(&self, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        mapper::webhook_event(body, None)
    }
}
