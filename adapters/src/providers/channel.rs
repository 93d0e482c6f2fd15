//! How every adapter sends its calls: through the pacer, then the HTTP client, and the pacer is told how it went.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use url::Url;

use super::{
    ProviderError,
    pacing::{Call, CallOutcome, Pacer, Quota},
};
use crate::http::{self, Answer, Effect, exchange};

/// The turn of one create, given by [`super::CloudProvider::ready_to_create`].
#[derive(Debug)]
pub struct CreateTicket(());

/// The way to one vendor's account.
#[derive(Debug)]
pub(super) struct Channel {
    provider: &'static str,
    client: Client,
    pacer: Arc<dyn Pacer>,
    /// Reads what the vendor's headers tell about the limit that a lane counts against.
    quota: fn(&HeaderMap) -> Option<Quota>,
}

impl Channel {
    pub fn new(
        provider: &'static str,
        client: Client,
        pacer: Arc<dyn Pacer>,
        quota: fn(&HeaderMap) -> Option<Quota>,
    ) -> Self {
        Self { provider, client, pacer, quota }
    }

    /// A call to be sent by [`Self::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Waits for the turn of a create.
    pub async fn ticket(&self, lane: &'static str) -> Result<CreateTicket, ProviderError> {
        self.admit(lane, Call::Create).await?;
        Ok(CreateTicket(()))
    }

    /// Sends a call when its turn has come; an answer of any status is a success here.
    pub async fn send(
        &self,
        lane: &'static str,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ProviderError> {
        self.admit(lane, Call::Other).await?;
        self.send_now(lane, request, effect).await
    }

    /// Sends the create that a ticket was given for.
    pub async fn send_with(
        &self,
        _ticket: CreateTicket,
        lane: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, ProviderError> {
        self.send_now(lane, request, Effect::Changes).await
    }

    async fn admit(&self, lane: &'static str, call: Call) -> Result<(), ProviderError> {
        self.pacer.admit(lane, call).await.map_err(|held| ProviderError::not_admitted(self.provider, held))
    }

    async fn send_now(
        &self,
        lane: &'static str,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<Answer, ProviderError> {
        let answer = exchange(request).await;
        let outcome = match &answer {
            Ok(answer) => self.judge(answer, effect),
            Err(_) => CallOutcome::Trouble,
        };
        self.pacer.report(lane, &outcome).await;
        answer.map_err(|error| ProviderError::transport(self.provider, error, effect))
    }

    fn judge(&self, answer: &Answer, effect: Effect) -> CallOutcome {
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => {
                CallOutcome::RateLimited(http::retry_after(&answer.headers, chrono::Utc::now()))
            }
            StatusCode::INTERNAL_SERVER_ERROR if effect == Effect::Changes => CallOutcome::Unclear,
            status if status.is_server_error() => CallOutcome::Trouble,
            _ => CallOutcome::Answered((self.quota)(&answer.headers)),
        }
    }
}
