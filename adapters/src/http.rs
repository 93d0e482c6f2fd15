//! The HTTP client every adapter uses, and what the adapters must all know about transport errors.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::causes::in_full;
use reqwest::{
    Client, Request, RequestBuilder, Response, StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
    redirect,
};
use url::{Host, Url};

use crate::Cause;

/// Longest time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection unused for longer is not used again: the far side may be closing it just then, and a create that
/// dies on it has to be treated as if it might have worked.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait asked for by a vendor that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is no HTTP address.
    #[error("`{0}` is not an http or https URL")]
    BaseUrl(Url),
    /// The TLS library found no usable setup, such as no root certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[from] reqwest::Error),
    /// An account was set up with fewer or more secrets than its vendor has.
    #[error("{given} credentials were given where the vendor has {wanted}")]
    Credentials {
        /// How many the vendor has.
        wanted: usize,
        /// How many there were.
        given: usize,
    },
}

/// Whether a call changes anything at the vendor: only then can its loss be ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    None,
    /// It changes something.
    Changes,
}

/// What came back, whatever it says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Sends a call; an answer of any status is a success here.
pub(crate) async fn exchange(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    read(request.send().await?).await
}

/// The same, of a request that is built already.
pub(crate) async fn execute(client: &Client, request: Request) -> Result<Answer, reqwest::Error> {
    read(client.execute(request).await?).await
}

async fn read(response: Response) -> Result<Answer, reqwest::Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    match response.bytes().await {
        Ok(body) => Ok(Answer { status, headers, body: body.into() }),
        // The status says enough, but a success without its body is none.
        Err(_) if !status.is_success() => Ok(Answer { status, headers, body: Vec::new() }),
        Err(error) => Err(error),
    }
}

/// A client for one vendor at `base_url`, each call of which takes at most `timeout`. It follows no redirect (a
/// vendor's API has none; credentials stay with their host) and reaches loopback addresses without any proxy.
///
/// # Errors
/// [`SetupError`] when the address or the machine's TLS setup is unusable.
pub fn client(base_url: &Url, timeout: Duration) -> Result<Client, SetupError> {
    if !matches!(base_url.scheme(), "http" | "https") || base_url.host().is_none() {
        return Err(SetupError::BaseUrl(base_url.clone()));
    }
    let builder = Client::builder()
        .user_agent(concat!("webrana-cloud/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .timeout(timeout);
    let builder = if is_loopback(base_url) { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `base_url` with `segments` appended to its path, each escaped.
#[must_use]
pub fn join(base_url: &Url, segments: &[&str]) -> Url {
    let mut url = base_url.clone();
    // Only addresses without a host have no path, and `client` refuses those.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// True when a failed call may have reached the vendor: all but those that never got a connection.
#[must_use]
pub fn may_have_been_sent(error: &reqwest::Error) -> bool {
    !error.is_builder() && !error.is_connect()
}

/// What happened on the wire, in words with all causes but without the URL; and the error itself, likewise.
#[must_use]
pub fn described(error: reqwest::Error) -> (String, Cause) {
    let is_silence = error.is_timeout() && !error.is_connect();
    let cause = Cause::from(error);
    (if is_silence { "no answer in time".to_owned() } else { in_full(&cause) }, cause)
}

/// The `Retry-After` header, in seconds or as a date (RFC 9110 section 10.2.3), an hour at most. A date is read by the
/// clock it was written by: the answer's `Date`.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (date(text)? - answered_at(headers)).to_std().unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// When an answer was given, by its server's clock; by ours when it does not say.
#[expect(clippy::disallowed_methods, reason = "a server that tells no time leaves only ours")]
fn answered_at(headers: &HeaderMap) -> DateTime<Utc> {
    headers.get(DATE).and_then(|at| date(at.to_str().ok()?)).unwrap_or_else(Utc::now)
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_http_addresses_make_a_client() {
        for bad in ["file:///etc/hosts", "mailto:a@example.com", "ftp://example.com"] {
            assert!(
                matches!(client(&url(bad), Duration::from_secs(1)), Err(SetupError::BaseUrl(_))),
                "{bad}"
            );
        }
        // Also without a process-wide crypto provider.
        assert!(client(&url("https://api.digitalocean.com"), Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn paths_are_appended_and_escaped() {
        let joined = |base: &str| join(&url(base), &["v2", "a/b c"]).to_string();
        assert_eq!(joined("http://h:1"), "http://h:1/v2/a%2Fb%20c");
        assert_eq!(joined("http://h:1/prefix/"), "http://h:1/prefix/v2/a%2Fb%20c");
        assert_eq!(joined("http://h:1/prefix"), "http://h:1/prefix/v2/a%2Fb%20c");
    }

    #[test]
    fn loopback_is_recognised() {
        for near in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://sim.localhost"] {
            assert!(is_loopback(&url(near)), "{near}");
        }
        assert!(!is_loopback(&url("https://api.digitalocean.com")));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            headers.insert(DATE, HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"));
            retry_after(&headers)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Wed, 31 Dec 2025 23:59:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_refused_connection_was_never_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = url(&format!("http://{}", listener.local_addr().unwrap()));
        drop(listener);
        let error = client(&base, Duration::from_secs(5)).unwrap().get(base).send().await.unwrap_err();
        assert!(!may_have_been_sent(&error));
        let (words, cause) = described(error);
        assert!(!words.contains("127.0.0.1:") && !in_full(&cause).contains("127.0.0.1:"), "{words}");
    }

    #[tokio::test]
    async fn silence_may_have_been_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = url(&format!("http://{}", listener.local_addr().unwrap()));
        let error = client(&base, Duration::from_millis(50)).unwrap().get(base).send().await.unwrap_err();
        assert!(may_have_been_sent(&error));
        let (words, cause) = described(error);
        assert_eq!(words, "no answer in time");
        assert!(!format!("{cause:?}").contains("127.0.0.1"), "{cause:?}");
    }
}
