//! How often one client may ask, by class of what is asked for ([`class`]): a network, and once it is known who asks, the account or
//! the API token besides. Budgets are shared by all processes ([`shared`]); what must answer without a database is counted by
//! each process alone ([`local`]). Told to the client in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds), of
//! the budget that is nearest its end.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::HeaderValue,
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    AppState, AuthConfig, Limits,
    auth::{Caller, caller},
    client::{Client, Network},
    problem::{Code, Problem},
};

mod class;
mod local;
mod shared;

use class::{Class, class};
use local::Limiter;
use shared::{Budget, Shared};

/// Many customers share an address, a carrier's or a company's: together they may change, and move money, this many times as often as
/// one of them.
const SHARING: u32 = 5;

/// Who is counted, as a digest: addresses are personal data, and stand in the database.
type Key = [u8; 16];

/// The budgets of one port of this process.
#[derive(Clone)]
pub(crate) struct RateLimits {
    limits: Arc<Limits>,
    auth: Arc<AuthConfig>,
    shared: Shared,
    health: Option<Arc<Limiter>>,
    is_internal: bool,
}

impl RateLimits {
    /// Those of the public port.
    pub(crate) fn new(state: &AppState) -> Self {
        Self::of(state, state.limits.per_minute, false)
    }

    /// Those of the internal port, whose callers are few and ask much.
    pub(crate) fn of_the_internal_port(state: &AppState) -> Self {
        Self::of(state, state.limits.internal_per_minute, true)
    }

    fn of(state: &AppState, health: u32, is_internal: bool) -> Self {
        Self {
            limits: Arc::clone(&state.limits),
            auth: Arc::clone(&state.auth),
            shared: Shared::new(state.store.clone()),
            health: NonZeroU32::new(health).map(|per_minute| Arc::new(Limiter::new(per_minute))),
            is_internal,
        }
    }

    /// What a request counts for; `None` where it is not counted.
    fn asked(&self, request: &Request) -> Option<Asked> {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        Some(Asked {
            class: class(request.method(), request.uri().path(), route)?,
            network: request.extensions().get::<Client>().map_or_else(Network::unknown, Client::network),
            caller: if self.is_internal { None } else { caller(request.headers(), &self.auth) },
        })
    }

    /// Takes a request of all budgets that it counts for. Answers with the one that is nearest its end; `None` where there is
    /// none.
    async fn take(&self, asked: Asked) -> Option<Standing> {
        let Asked { class, network, caller } = asked;
        let kind = if self.is_internal { "internal" } else { "network" };
        if class == Class::Health {
            return Some(self.health.as_ref()?.take(self.key(kind, network)));
        }
        let here = self.take_as(class, self.by_network(class), kind, network).await;
        // Who is turned away by address takes nothing from the account.
        if here.is_some_and(|here| here.wait.is_some()) {
            return here;
        }
        let most = self.by_account(class);
        let who = match caller {
            Some(Caller::User(user)) => self.take_as(class, most, "account", user).await,
            Some(Caller::Token(hash)) => self.take_as(class, most, "token", hex(&hash)).await,
            None => None,
        };
        match (here, who) {
            (Some(here), Some(who)) => Some(here.tighter(who)),
            (here, who) => here.or(who),
        }
    }

    async fn take_as(
        &self,
        class: Class,
        per_minute: u32,
        kind: &str,
        who: impl std::fmt::Display,
    ) -> Option<Standing> {
        let budget = Budget { class, per_minute: NonZeroU32::new(per_minute)? };
        Some(self.shared.take(budget, self.key(kind, who)).await)
    }

    fn by_network(&self, class: Class) -> u32 {
        if self.is_internal {
            return self.limits.internal_per_minute;
        }
        match class {
            Class::Read | Class::Health => self.limits.per_minute,
            Class::Write => self.limits.writes_per_minute.saturating_mul(SHARING),
            Class::Money => self.limits.money_per_minute.saturating_mul(SHARING),
            Class::Credentials => self.limits.auth_per_minute,
            Class::Sessions => self.limits.refresh_per_minute,
        }
    }

    /// Of an account from wherever, and of an API token. Refreshes show no account.
    fn by_account(&self, class: Class) -> u32 {
        match class {
            Class::Read => self.limits.account_per_minute,
            Class::Write => self.limits.writes_per_minute,
            Class::Money => self.limits.money_per_minute,
            Class::Credentials => self.limits.auth_per_minute,
            Class::Sessions | Class::Health => 0,
        }
    }

    /// The digest is under the secret of access tokens, which all processes have: without it, four billion addresses are soon
    /// tried.
    fn key(&self, kind: &str, who: impl std::fmt::Display) -> Key {
        let digest = Sha256::new()
            .chain_update("request budget\0")
            .chain_update(self.auth.jwt_secret.expose_secret())
            .chain_update(format!("\0{kind}\0{who}"))
            .finalize();
        let mut key = Key::default();
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        key
    }
}

/// What a request counts for.
struct Asked {
    class: Class,
    network: Network,
    caller: Option<Caller>,
}

/// Where a client stands after a request.
#[derive(Debug, Clone, Copy)]
struct Standing {
    limit: u32,
    remaining: u32,
    /// Until the budget is full again.
    reset: Duration,
    /// Until the next request is let through; `None` when this one was.
    wait: Option<Duration>,
}

impl Standing {
    /// Whichever lets less through.
    fn tighter(self, other: Self) -> Self {
        match (self.wait, other.wait) {
            (Some(one), Some(another)) if another > one => other,
            (Some(_), _) => self,
            (None, Some(_)) => other,
            (None, None) if other.remaining < self.remaining => other,
            (None, None) => self,
        }
    }
}

/// The layer's function.
pub(crate) async fn limit(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    let standing = match limits.asked(&request) {
        Some(asked) => limits.take(asked).await,
        None => None,
    };
    let Some(standing) = standing else { return next.run(request).await };
    let mut response = match standing.wait {
        None => next.run(request).await,
        Some(wait) => Problem::new(Code::RateLimited, "too many requests; slow down")
            .retry_after(whole_seconds(wait))
            .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(whole_seconds(standing.reset)));
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rounded up, at least one.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}
