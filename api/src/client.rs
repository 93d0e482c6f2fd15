//! Where a request came from: worked out once per request, before anything else looks at it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use ipnet::IpNet;
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
    pub(crate) fn of(request: &Request, trusted_proxies: &[IpNet]) -> Self {
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

    /// What it is counted by.
    #[must_use]
    pub(crate) fn network(&self) -> Network {
        Network::of(self.ip)
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
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::failed("the request has no client"))
    }
}

/// Whom requests are counted by: an IPv4 address, or an IPv6 /64, since that is what a household has. Requests without an
/// address count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    /// Everybody without an address.
    pub(crate) fn unknown() -> Self {
        Self::of(None)
    }

    /// An address that stands for all of it.
    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }

    pub(crate) fn of(ip: Option<IpAddr>) -> Self {
        Self(match ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V6(v6)) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            Some(v4) => v4,
            None => Ipv6Addr::UNSPECIFIED.into(),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
            IpAddr::V4(v4) => write!(f, "{v4}"),
        }
    }
}

/// The address that the nearest trusted proxy saw: the rightmost of `X-Forwarded-For` that is no trusted proxy's. Entries
/// further left are whatever a client cared to write.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    let mut nearest = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        // What is not text may hide any number of hops.
        let Ok(value) = value.to_str() else { return nearest };
        for hop in value.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
            if !is_trusted(nearest) {
                return nearest;
            }
            let Some(ip) = forwarded_address(hop) else {
                tracing::warn!(
                    event = "client.bad_forwarded_for",
                    proxy = %nearest,
                    "a proxy forwards for something that is no address"
                );
                return nearest;
            };
            nearest = ip.to_canonical();
        }
    }
    nearest
}

/// One entry: an address, with a port as some load balancers add it, IPv6 with or without brackets.
fn forwarded_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let bare = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(bare)
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

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let headers = forwarded(&["1.2.3.4"]);
        assert_eq!(behind_proxies(ip("203.0.113.9"), &headers, &[]), ip("203.0.113.9"));
        assert_eq!(behind_proxies(ip("203.0.113.9"), &headers, &nets(&["10.0.0.1/32"])), ip("203.0.113.9"));
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        let proxies = nets(&["10.0.0.0/8", "2001:db8:ffff::/48"]);
        let seen = |values: &[&str]| behind_proxies(ip("10.0.0.1"), &forwarded(values), &proxies);
        assert_eq!(seen(&["1.2.3.4, 203.0.113.9", "10.0.0.2"]), ip("203.0.113.9"));
        assert_eq!(seen(&["203.0.113.9", "2001:db8:ffff::1,10.200.0.2"]), ip("203.0.113.9"));
        assert_eq!(seen(&["  203.0.113.9  ,, 10.0.0.2 , "]), ip("203.0.113.9"), "blanks and empty entries");
        assert_eq!(
            seen(&["1.2.3.4", "junk"]),
            ip("10.0.0.1"),
            "nothing behind what is not understood counts"
        );
        assert_eq!(seen(&["1.2.3.4, unknown, 10.0.0.2"]), ip("10.0.0.2"));
        assert_eq!(seen(&[]), ip("10.0.0.1"));
        assert_eq!(seen(&["10.0.0.3"]), ip("10.0.0.3"), "a request of the proxies' own");
        let mut headers = forwarded(&["203.0.113.9"]);
        headers.append("x-forwarded-for", axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(behind_proxies(ip("10.0.0.1"), &headers, &proxies), ip("10.0.0.1"));
    }

    #[test]
    fn ports_and_brackets_are_read() {
        let proxies = nets(&["10.0.0.1/32"]);
        for (hop, expected) in [
            ("203.0.113.5:51234", "203.0.113.5"),
            ("[2001:db8::5]:51234", "2001:db8::5"),
            ("[2001:db8::5]", "2001:db8::5"),
            ("2001:db8::5", "2001:db8::5"),
            ("\"[2001:db8::5]:51234\"", "2001:db8::5"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
        ] {
            assert_eq!(behind_proxies(ip("10.0.0.1"), &forwarded(&[hop]), &proxies), ip(expected), "{hop}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let network = |text: &str| Network::of(Some(ip(text)));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_eq!(network("::ffff:192.0.2.1").to_string(), "192.0.2.1");
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
