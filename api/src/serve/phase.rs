//! What a connection is at: the one thing that its transport, its requests and its end must agree on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

/// A head is arriving, or is to arrive first.
const HEAD: u8 = 0;
/// A request is being answered.
const ANSWER: u8 = 1;
/// Between two requests.
const IDLE: u8 = 2;
/// It speaks another protocol now.
const UPGRADED: u8 = 3;

/// Shared by all that deal with one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    at: AtomicU8,
    head_was_late: AtomicBool,
    cut_short: AtomicBool,
}

impl Phase {
    /// A request's head is there.
    pub(super) fn begin(&self) {
        self.0.at.store(ANSWER, Ordering::Relaxed);
    }

    /// Its answer is written, or given up.
    pub(super) fn end(&self) {
        let _ = self.0.at.compare_exchange(ANSWER, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The connection speaks another protocol from now on.
    pub(super) fn upgrade(&self) {
        self.0.at.store(UPGRADED, Ordering::Relaxed);
    }

    /// Bytes arrived: `true` when they are the first of a head.
    pub(super) fn arrived(&self) -> bool {
        self.0.at.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether a head is awaited to its end.
    pub(super) fn is_in_head(&self) -> bool {
        self.0.at.load(Ordering::Relaxed) == HEAD
    }

    /// The head did not arrive in time.
    pub(super) fn give_up_head(&self) {
        self.0.head_was_late.store(true, Ordering::Relaxed);
    }

    /// Whether it ended because a head did not arrive in time.
    pub(super) fn head_was_late(&self) -> bool {
        self.0.head_was_late.load(Ordering::Relaxed)
    }

    /// The connection is closed although its request was not read to the end.
    pub(super) fn cut_short(&self) {
        self.0.cut_short.store(true, Ordering::Relaxed);
    }

    /// Whether a client may still be writing what nobody will read.
    pub(super) fn is_cut_short(&self) -> bool {
        self.0.cut_short.load(Ordering::Relaxed)
    }

    /// Resolves when nothing was asked for `long`.
    pub(super) async fn quiet(&self, long: Duration) {
        loop {
            tokio::time::sleep(long).await;
            if self.0.at.load(Ordering::Relaxed) != ANSWER {
                return;
            }
        }
    }
}
