//! Where a request came from: worked out once per request, before anything else looks at it.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use store::audit::{Actor, Origin};

use crate::problem::Problem;

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The address: the connection's, or what a trusted proxy says. `None` when the transport has none.
    pub ip: Option<IpAddr>,
    /// The request's id, ours and new for each, also sent back as `X-Request-Id`.
    pub request_id: String,
    /// What the client calls the request in `X-Request-Id`, for the log only: it may call others the same.
    pub client_request_id: Option<String>,
    /// What the client calls itself, at most 200 characters.
    pub user_agent: Option<String>,
}

impl Client {
    /// Reads the sender of `request`.
    pub(crate) fn of(request: &Request, trusted_proxies: &[IpAddr]) -> Self {
        let headers = request.headers();
        let peer =
            request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        Self {
            ip: peer.map(|peer| behind_proxies(peer, headers, trusted_proxies)),
            request_id: uuid::Uuid::now_v7().to_string(),
            client_request_id: client_request_id(headers),
            user_agent: user_agent(headers),
        }
    }

    /// The origin of an act by `actor`, for the audit log.
    #[must_use]
    pub fn origin(&self, actor: Actor) -> Origin {
        Origin { actor, ip: self.ip.map(|ip| ip.to_string()), request_id: Some(self.request_id.clone()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal(&"the request has no client"))
    }
}

/// The address that the nearest trusted proxy saw. Entries of `X-Forwarded-For` further left than the first
/// untrusted one are whatever a client cared to write.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut nearest = peer;
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        if !trusted.contains(&nearest) {
            break;
        }
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        nearest = ip.to_canonical();
    }
    nearest
}

/// A client's own id if it is short and harmless in a log.
fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let harmless = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(harmless).map(str::to_owned)
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let headers = forwarded(&["1.2.3.4"]);
        assert_eq!(behind_proxies(ip("203.0.113.9"), &headers, &[]), ip("203.0.113.9"));
        assert_eq!(behind_proxies(ip("203.0.113.9"), &headers, &[ip("10.0.0.1")]), ip("203.0.113.9"));
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        let headers = forwarded(&["1.2.3.4, 203.0.113.9", "10.0.0.2"]);
        assert_eq!(behind_proxies(ip("10.0.0.1"), &headers, &proxies), ip("203.0.113.9"));
        assert_eq!(behind_proxies(ip("10.0.0.1"), &forwarded(&["junk"]), &proxies), ip("10.0.0.1"));
        assert_eq!(behind_proxies(ip("10.0.0.1"), &HeaderMap::new(), &proxies), ip("10.0.0.1"));
    }

    #[test]
    fn only_harmless_request_ids_are_logged() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "trace-0042_a".parse().unwrap());
        assert_eq!(client_request_id(&headers).as_deref(), Some("trace-0042_a"));
        for bad in ["", "has space in it", "<script>alert(1)</script>", &"x".repeat(129)] {
            headers.insert("x-request-id", bad.parse().unwrap());
            assert_eq!(client_request_id(&headers), None, "{bad}");
        }
    }
}
