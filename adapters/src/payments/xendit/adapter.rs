//! Talking to Xendit: <https://docs.xendit.co/apidocs>.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use domain::{
    gateway::{GatewayReport, Instructions, WebhookEvent},
    money::CURRENCY,
};
use reqwest::{Client, RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    SLUG, mapper,
    types::{Payment, PaymentRequest, PaymentRequestList, Refund as WireRefund, RefundRequest, Webhook},
};
use crate::{
    http::{self, Effect, SetupError},
    payments::{
        Attempt, Charge, GatewayError, PaymentGateway, Refund, Refunded, WebhookError, constant_time_eq,
    },
};

/// The version of the API that this adapter speaks.
const API_VERSION: &str = "2024-11-11";

/// Where Xendit puts the token that a webhook proves itself by.
const TOKEN_HEADER: &str = "x-callback-token";

/// How to reach Xendit.
#[derive(Debug, Clone)]
pub struct XenditConfig {
    /// Where the API is, such as `https://api.xendit.co`.
    pub base_url: Url,
    /// The merchant's secret key: proves us to Xendit.
    pub secret_key: SecretString,
    /// The webhook verification token: proves Xendit to us.
    pub callback_token: SecretString,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// Xendit's Payments API.
#[derive(Debug)]
pub struct Xendit {
    http: Client,
    config: XenditConfig,
}

impl Xendit {
    /// A gateway that talks to the API at `config.base_url`.
    ///
    /// # Errors
    /// [`SetupError`] when the address or the machine's TLS setup is unusable.
    pub fn new(config: XenditConfig) -> Result<Self, SetupError> {
        Ok(Self { http: http::client(&config.base_url, config.timeout)?, config })
    }

    fn url(&self, segments: &[&str]) -> Url {
        http::join(&self.config.base_url, segments)
    }

    /// Sends a request and reads the answer if it is a success.
    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<T, GatewayError> {
        let request = request
            .basic_auth(self.config.secret_key.expose_secret(), Some(""))
            .header("api-version", API_VERSION);
        let answer = http::exchange(request).await;
        mapper::verdict(&answer.map_err(|error| GatewayError::transport(SLUG, error, effect))?, effect)
    }

    async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, GatewayError> {
        self.send(self.http.get(self.url(segments)), Effect::None).await
    }

    /// The payment request of an attempt: by Xendit's id if it is known, else by ours.
    async fn payment_request(&self, attempt: Attempt<'_>) -> Result<PaymentRequest, GatewayError> {
        let found = match attempt.transaction_id {
            Some(id) => vec![self.get(&["v3", "payment_requests", id]).await?],
            None => self.payment_requests_named(attempt.gateway_order_id).await?,
        };
        // Only what bears our name is ours: an id may come from a webhook.
        let ours = |request: &PaymentRequest| request.reference_id == attempt.gateway_order_id;
        found.into_iter().find(ours).ok_or(GatewayError::NotFound { gateway: SLUG })
    }

    async fn payment(&self, id: &str) -> Result<Payment, GatewayError> {
        self.get(&["v3", "payments", id]).await
    }

    /// What a payment request says together with its latest payment.
    async fn report(&self, request: &PaymentRequest) -> Result<GatewayReport, GatewayError> {
        let payment = match &request.latest_payment_id {
            Some(id) => Some(self.payment(id).await?),
            None => None,
        };
        Ok(mapper::report(request, payment.as_ref()))
    }

    async fn payment_requests_named(&self, reference: &str) -> Result<Vec<PaymentRequest>, GatewayError> {
        let list = self.http.get(self.url(&["v3", "payment_requests"])).query(&[("reference_id", reference)]);
        match self.send::<PaymentRequestList>(list, Effect::None).await {
            Ok(list) => Ok(list.data),
            // The list is not there, which says nothing about what would be in it.
            Err(GatewayError::NotFound { .. }) => Err(mapper::not_told("payment requests can't be listed")),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl PaymentGateway for Xendit {
    fn slug(&self) -> &'static str {
        SLUG
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the vendor wants a moment for a length of time, and judges it itself"
    )]
    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError> {
        let request = mapper::create_request(charge, Utc::now())?;
        let url = self.url(&["v3", "payment_requests"]);
        let answer: PaymentRequest = self.send(self.http.post(url).json(&request), Effect::Changes).await?;
        mapper::created(charge, &answer)
    }

    async fn status(&self, attempt: Attempt<'_>) -> Result<GatewayReport, GatewayError> {
        let request = self.payment_request(attempt).await?;
        self.report(&request).await
    }

    async fn status_by_refund(&self, refund_id: &str) -> Result<(String, GatewayReport), GatewayError> {
        let refund: WireRefund = self.get(&["refunds", refund_id]).await?;
        let request_id = match (&refund.payment_request_id, &refund.payment_id) {
            (Some(id), _) => id.clone(),
            (None, Some(id)) => self.payment(id).await?.payment_request_id,
            (None, None) => return Err(GatewayError::NotFound { gateway: SLUG }),
        };
        let request: PaymentRequest = self.get(&["v3", "payment_requests", &request_id]).await?;
        let report = self.report(&request).await?;
        let reversals = mapper::reversal(&refund)?.into_iter().collect();
        Ok((request.reference_id, GatewayReport { reversals, ..report }))
    }

    async fn cancel(&self, attempt: Attempt<'_>) -> Result<(), GatewayError> {
        let request = self.payment_request(attempt).await?;
        let url = self.url(&["v3", "payment_requests", &request.payment_request_id, "cancel"]);
        let _: PaymentRequest = self.send(self.http.post(url), Effect::Changes).await?;
        Ok(())
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, GatewayError> {
        mapper::refundable(refund)?;
        let paid = self.payment_request(refund.attempt).await?;
        let request = RefundRequest {
            payment_request_id: &paid.payment_request_id,
            reference_id: refund.refund_key,
            currency: CURRENCY,
            amount: refund.amount.get(),
            reason: "REQUESTED_BY_CUSTOMER",
        };
        let sending = self.http.post(self.url(&["refunds"])).header("idempotency-key", refund.refund_key);
        let answer: WireRefund = self.send(sending.json(&request), Effect::Changes).await?;
        mapper::refunded(answer)
    }

    async fn find_refund(
        &self,
        _: &Refund<'_>,
        refund_id: Option<&str>,
    ) -> Result<Option<Refunded>, GatewayError> {
        // Xendit finds no refund by our name, so without its own nothing is certain.
        let Some(id) = refund_id else {
            return Err(mapper::not_told("refunds can't be looked up by our name"));
        };
        let answer = self.get::<WireRefund>(&["refunds", id]).await.map_err(GatewayError::of_question)?;
        mapper::refunded(answer).map(Some)
    }

    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        let token = headers.get(TOKEN_HEADER).map(|value| value.as_bytes()).unwrap_or_default();
        let expected = self.config.callback_token.expose_secret().as_bytes();
        if expected.is_empty() || !constant_time_eq(expected, token) {
            return Err(WebhookError::BadSignature);
        }
        self.read_kept_webhook(body)
    }

    fn read_kept_webhook(&self, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        let webhook: Webhook = serde_json::from_slice(body).map_err(WebhookError::unread)?;
        mapper::webhook_event(webhook, body)
    }
}
