//! How every adapter sends its calls: past the circuits and through the pacer, then the HTTP client, and the pacer is
//! told how it went.

use domain::{circuit::CircuitScope, rate_limit::Caller};
use reqwest::{Client, Method, Request, RequestBuilder, StatusCode, header::HeaderMap};
use url::Url;

use super::{
    ProviderError,
    error::{NO_VERDICT, Refuses},
    pacing::{Call, CallOutcome, Health, Paced, Quota},
};
use crate::http::{self, Answer, Effect, execute};

/// The turn of one create, given by [`super::CloudProvider::ready_to_create`].
#[derive(Debug)]
pub struct CreateTicket(());

/// What the channel must know of a vendor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Slug of the provider.
    pub provider: &'static str,
    /// Which calls have their trouble in common, by method and path.
    pub scope: fn(&Method, &[&str]) -> CircuitScope,
    /// The body of a success, or the vendor's error, sorted.
    pub sort: fn(Answer, Effect) -> Result<Vec<u8>, ProviderError>,
    /// What the vendor's headers tell about the limit that a lane counts against.
    pub quota: fn(&HeaderMap) -> Option<Quota>,
}

/// The way to one vendor's account, for one caller.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    client: Client,
    pacer: Paced,
    manners: Manners,
}

impl Channel {
    pub fn new(client: Client, pacer: Paced, manners: Manners) -> Self {
        Self { client, pacer, manners }
    }

    /// The same connections and the same budget, for another caller.
    pub fn called_by(&self, caller: Caller) -> Self {
        Self { pacer: self.pacer.called_by(caller), ..self.clone() }
    }

    /// A call to be sent by [`Self::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Waits for the turn of a create.
    pub async fn ticket(&self, lane: &'static str) -> Result<CreateTicket, ProviderError> {
        self.admit(lane, CircuitScope::Creates, Call::Create).await?;
        Ok(CreateTicket(()))
    }

    /// Sends a call when its turn has come, and gives the body of its success.
    pub async fn send(
        &self,
        lane: &'static str,
        request: RequestBuilder,
        effect: Effect,
    ) -> Result<Vec<u8>, ProviderError> {
        let request = self.build(request)?;
        let scope = self.scope(&request);
        self.admit(lane, scope, Call::Other).await?;
        self.send_now(lane, scope, request, effect).await
    }

    /// Sends the create that a ticket was given for.
    pub async fn send_with(
        &self,
        _ticket: CreateTicket,
        lane: &'static str,
        request: RequestBuilder,
    ) -> Result<Vec<u8>, ProviderError> {
        let request = self.build(request)?;
        self.send_now(lane, CircuitScope::Creates, request, Effect::Changes).await
    }

    fn build(&self, request: RequestBuilder) -> Result<Request, ProviderError> {
        request.build().map_err(|error| ProviderError::unsendable(self.manners.provider, error))
    }

    fn scope(&self, request: &Request) -> CircuitScope {
        let segments: Vec<&str> = request.url().path().split('/').collect();
        (self.manners.scope)(request.method(), &segments)
    }

    async fn admit(&self, lane: &'static str, scope: CircuitScope, call: Call) -> Result<(), ProviderError> {
        let provider = self.manners.provider;
        if let Some(shut) = self.pacer.known_shut(scope) {
            return Err(ProviderError::shut(provider, shut));
        }
        self.pacer.admit(lane, call).await.map_err(|held| ProviderError::not_admitted(provider, held))?;
        self.pacer.enter(scope).await.map_err(|shut| ProviderError::shut(provider, shut))
    }

    async fn send_now(
        &self,
        lane: &'static str,
        scope: CircuitScope,
        request: Request,
        effect: Effect,
    ) -> Result<Vec<u8>, ProviderError> {
        let (outcome, sorted) = match execute(&self.client, request).await {
            Ok(answer) => (self.outcome(&answer), (self.manners.sort)(answer, effect)),
            Err(error) => {
                (CallOutcome::Silent, Err(ProviderError::transport(self.manners.provider, error, effect)))
            }
        };
        self.pacer.report(lane, &outcome).await;
        self.pacer.left(scope, &health(scope, &sorted, effect)).await;
        sorted
    }

    fn outcome(&self, answer: &Answer) -> CallOutcome {
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => CallOutcome::RateLimited(http::retry_after(&answer.headers)),
            status if status.is_server_error() => CallOutcome::Silent,
            _ => CallOutcome::Answered((self.manners.quota)(&answer.headers)),
        }
    }
}

/// What an answer, or none, says of the vendor and our account.
fn health(scope: CircuitScope, sorted: &Result<Vec<u8>, ProviderError>, effect: Effect) -> Health {
    let Err(error) = sorted else { return Health::Answered };
    let status = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    match (error.refuses, status) {
        (Some(Refuses::Account), _) => Health::Refused(CircuitScope::Account, error.message.clone()),
        (Some(Refuses::Kind), _) if scope.is_refused_for_all() => {
            Health::Refused(scope, error.message.clone())
        }
        (Some(Refuses::Kind), _) => Health::Failed(error.message.clone()),
        (None, Some(StatusCode::TOO_MANY_REQUESTS)) => Health::Answered,
        (None, Some(StatusCode::INTERNAL_SERVER_ERROR)) if effect == Effect::Changes => Health::Unclear,
        (None, Some(status)) if !status.is_server_error() && error.class != NO_VERDICT => Health::Answered,
        (None, _) => Health::Failed(error.message.clone()),
    }
}
