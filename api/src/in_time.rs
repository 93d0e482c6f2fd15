//! How long a request may take: its body to arrive, and everything together.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::{
    AppState, Limits, customer,
    problem::{Code, Problem},
};

/// The layer's function. What takes too long is given up: a body with 408, the rest with 503. Then the
/// database changes no more: what could end later is not begun ([`store::deadline`]), and open transactions are rolled back.
/// A charge that a commit led to goes on, and its answer is kept.
pub(crate) async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (arrival, longest) = times(&state.limits, &request);
    let end = Instant::now() + longest;
    let late = Late::default();
    let request = request.map(|body| Body::new(Arriving::new(body, arrival, late.clone())));
    let answer = store::deadline::until(end, next.run(request));
    let answer = tokio::time::timeout_at(end.into(), answer).await;
    if late.has_come() {
        let detail = "the request's body took too long to arrive";
        return Problem::new(Code::RequestTimeout, detail).into_response();
    }
    answer.unwrap_or_else(|_| {
        let detail = "this took too long; please try again, with the same Idempotency-Key where there is one";
        Problem::new(Code::Timeout, detail).retry_after(1).into_response()
    })
}

/// How long the body may take, and the whole request.
fn times(limits: &Limits, request: &Request) -> (Duration, Duration) {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if request.method() == Method::POST && route == Some(customer::proofs::UPLOAD) {
        // What is done with a file begins when it is there.
        return (limits.upload_timeout, limits.upload_timeout + limits.request_timeout);
    }
    (limits.body_timeout, limits.request_timeout)
}

/// Whether a body came too late. Its handler sees an error as if the client had hung up; here it is known what it was.
#[derive(Debug, Clone, Default)]
struct Late(Arc<AtomicBool>);

impl Late {
    fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that ends with an error when it is not there in time.
struct Arriving {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    late: Late,
}

impl Arriving {
    fn new(body: Body, within: Duration, late: Late) -> Self {
        Self { body, deadline: Box::pin(tokio::time::sleep(within)), late }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.deadline.as_mut().poll(cx).is_pending() {
            return frame;
        }
        self.late.0.store(true, Ordering::Relaxed);
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the body takes too long");
        Poll::Ready(Some(Err(axum::Error::new(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
