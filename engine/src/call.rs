//! Calls to the engine's services, each with a bound.

use std::time::Duration;

use tonic::{Code, IntoRequest, Request, Status};

/// Longest wait for the engine's answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request that is given up after ten seconds.
#[must_use]
pub fn timed<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request.set_timeout(TIMEOUT);
    request
}

/// Whether the engine keeps a call from us for good: whoever runs it for others makes namespaces, search attributes and
/// schedules himself, or does not offer the service at all.
#[must_use]
pub fn is_not_ours(status: &Status) -> bool {
    matches!(status.code(), Code::PermissionDenied | Code::Unimplemented)
}
