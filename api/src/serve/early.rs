//! Answers that come before the request was read to its end. On a connection that stays open the rest of the body would
//! be taken for the next request, so a small rest is read first; with a large or slow one the answer says that the
//! connection is closed.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::phase::Phase;

/// The rest of a body that is read after the answer is known.
const SMALL: u64 = 64 * 1024;
/// How long the rest may take to arrive.
const SOON: Duration = Duration::from_millis(500);

/// Answers `request` by `handler`, and leaves the connection so that it can be gone on with, or says that it can't.
pub(super) async fn answer<F>(
    request: Request<Incoming>,
    phase: &Phase,
    handler: impl FnOnce(Request<Body>) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let finishing = Finishing(phase.clone());
    // Who asks to be told whether to send the body has not sent it, and must not be made to.
    let waits = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let rest = Rest::default();
    let arriving = Arriving::new(body, rest.clone());
    let mut response = handler(Request::from_parts(parts, Body::new(arriving))).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        phase.upgrade();
        return response;
    }
    if !rest.is_read() && (waits || !rest.read().await) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        phase.cut_short();
    }
    response.map(|body| Body::new(Leaving { body, _finishing: finishing }))
}

/// What is left of a request's body when its handler is done with it.
#[derive(Debug, Clone, Default)]
struct Rest(Arc<Left>);

#[derive(Debug, Default)]
struct Left {
    body: Mutex<Option<Incoming>>,
    is_read: AtomicBool,
}

impl Rest {
    fn is_read(&self) -> bool {
        self.0.is_read.load(Ordering::Relaxed)
    }

    /// Reads the rest if it is small and comes soon; `false` when it is not or does not.
    async fn read(&self) -> bool {
        let Some(mut body) = self.0.body.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return false;
        };
        if http_body::Body::size_hint(&body).lower() > SMALL {
            return false;
        }
        let to_its_end = async {
            let mut read = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                read += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                if read > SMALL {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(SOON, to_its_end).await.unwrap_or(false)
    }
}

/// A request's body, which leaves behind what was not read of it.
struct Arriving {
    body: Option<Incoming>,
    rest: Rest,
}

impl Arriving {
    fn new(body: Incoming, rest: Rest) -> Self {
        rest.0.is_read.store(http_body::Body::is_end_stream(&body), Ordering::Relaxed);
        Self { body: Some(body), rest }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        let is_read = frame.is_none() || http_body::Body::is_end_stream(body);
        if is_read || matches!(frame, Some(Err(_))) {
            self.body = None;
        }
        self.rest.0.is_read.store(is_read, Ordering::Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        *self.rest.0.body.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}

/// An answer's body; when it is gone the connection waits for the next request.
struct Leaving {
    body: Body,
    _finishing: Finishing,
}

struct Finishing(Phase);

impl Drop for Finishing {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
