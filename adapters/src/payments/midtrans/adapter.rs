//! Talking to Midtrans: <https://docs.midtrans.com/reference>.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    mapper::{self, SLUG},
    types::{Answer, NotificationBody, RefundRequest},
};
use crate::{
    http::{self, SetupError},
    payments::{
        Attempt, Charge, GatewayError, Instructions, Notification, PaymentGateway, Refund, Refunded, Report,
        WebhookError, constant_time_eq,
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
    async fn send(&self, request: RequestBuilder) -> Result<Answer, GatewayError> {
        let response = request
            .basic_auth(self.config.server_key.expose_secret(), Some(""))
            .send()
            .await
            .map_err(mapper::transport)?;
        let http_status = response.status();
        let body = response.bytes().await.map_err(mapper::transport)?;
        let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
            return Err(mapper::unreadable(http_status));
        };
        let http_code = http_status.as_u16().to_string();
        let code = answer.status_code.clone().unwrap_or(http_code);
        if http_status.is_success() && matches!(code.as_str(), "200" | "201") || is_report(&answer) {
            Ok(answer)
        } else {
            Err(mapper::refusal(&code, &answer))
        }
    }
}

/// A closed attempt is reported with a code that would be an error elsewhere: 202 for denied, 407 for expired.
fn is_report(answer: &Answer) -> bool {
    answer.transaction_status.is_some() && matches!(answer.status_code.as_deref(), Some("202" | "407"))
}

#[async_trait]
impl PaymentGateway for Midtrans {
    fn slug(&self) -> &'static str {
        SLUG
    }

    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError> {
        let request = mapper::charge_request(charge)?;
        let answer = self.send(self.http.post(self.url(&["v2", "charge"])).json(&request)).await?;
        if is_report(&answer) {
            return Err(mapper::refusal(answer.status_code.as_deref().unwrap_or_default(), &answer));
        }
        mapper::instructions(charge, answer)
    }

    async fn status(&self, attempt: Attempt<'_>) -> Result<Report, GatewayError> {
        let answer = self.send(self.http.get(self.url(&["v2", attempt.gateway_order_id, "status"]))).await?;
        Ok(mapper::report(answer))
    }

    async fn cancel(&self, attempt: Attempt<'_>) -> Result<(), GatewayError> {
        self.send(self.http.post(self.url(&["v2", attempt.gateway_order_id, "cancel"]))).await?;
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
        match self.send(self.http.post(url).json(&request)).await {
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
        let status = self.url(&["v2", refund.attempt.gateway_order_id, "status"]);
        let answer = self.send(self.http.get(status)).await?;
        Ok(mapper::earlier_refund(&answer, refund))
    }

    fn verify_webhook(&self, _headers: &HeaderMap, body: &[u8]) -> Result<Notification, WebhookError> {
        self.read_kept_webhook(body)
    }

    fn read_kept_webhook(&self, body: &[u8]) -> Result<Notification, WebhookError> {
        let body: NotificationBody =
            serde_json::from_slice(body).map_err(|error| WebhookError::Malformed(error.to_string()))?;
        let expected = mapper::signature(
            &body.order_id,
            &body.status_code,
            &body.gross_amount,
            self.config.server_key.expose_secret(),
        );
        let received = body.signature_key.to_ascii_lowercase();
        if constant_time_eq(expected.as_bytes(), received.as_bytes()) {
            Ok(mapper::notification(&body))
        } else {
            Err(WebhookError::BadSignature)
        }
    }
}
