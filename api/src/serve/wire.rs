//! A TCP stream with deadlines: for a request's head, and for a client to take its answer.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::{Bounds, phase::Phase};

/// What hyper reads from and writes to.
pub(super) struct Wire {
    tcp: Shared,
    phase: Phase,
    head: Deadline,
    write: Deadline,
}

/// The stream, which outlives hyper's part in it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<TcpStream>>);

impl Wire {
    /// A connection that was just accepted: its first head has to come in time.
    pub(super) fn new(tcp: TcpStream, phase: Phase, bounds: &Bounds) -> (Self, Shared) {
        let tcp = Shared(Arc::new(Mutex::new(tcp)));
        let mut head = Deadline::new(bounds.head);
        head.start();
        (Self { tcp: tcp.clone(), phase, head, write: Deadline::new(bounds.write) }, tcp)
    }

    fn written(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let outcome = write(Pin::new(&mut self.tcp.lock()), cx);
        if outcome.is_ready() {
            self.write.stop();
            return outcome;
        }
        ready!(self.write.poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut *self.tcp.lock()).poll_read(cx, buf);
        if buf.filled().len() > before && self.phase.arrived() {
            self.head.start();
        }
        if !self.phase.is_in_head() {
            return outcome;
        }
        // However steadily it drips: the time for a head is one.
        if self.head.poll(cx).is_ready() {
            self.phase.give_up_head();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head takes too long")));
        }
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.written(cx, |tcp, cx| tcp.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(cx, |tcp, cx| tcp.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tcp.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.tcp.lock()).poll_shutdown(cx)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the connection takes at once.
    pub(super) fn try_write(&self, bytes: &[u8]) {
        let _ = self.lock().try_write(bytes);
    }

    /// Reads until the client is done, and forgets it.
    pub(super) async fn discard(&self) {
        let mut rest = [0; 16 * 1024];
        while std::future::poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut rest);
            let outcome = Pin::new(&mut *self.lock()).poll_read(cx, &mut buf);
            outcome.map(|outcome| outcome.is_ok() && !buf.filled().is_empty())
        })
        .await
        {}
    }
}

/// A time that runs once it is started, and again when it is started anew.
struct Deadline {
    after: Duration,
    sleep: Pin<Box<Sleep>>,
    runs: bool,
}

impl Deadline {
    fn new(after: Duration) -> Self {
        Self { after, sleep: Box::pin(sleep(after)), runs: false }
    }

    fn start(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + self.after);
        self.runs = true;
    }

    fn stop(&mut self) {
        self.runs = false;
    }

    /// Ready when the time is over; starts it if it does not run.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.runs {
            self.start();
        }
        self.sleep.as_mut().poll(cx)
    }
}
