//! What is asked of every system when its test is over.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use store::Store;

use crate::stack::{Options, RUNTIME, connect};

/// How long the dispatcher may take for what a test left.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Longest time for all of it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The audit of a system: its books are sound, unless the test said [`Self::expect_unsound_books`], and, where its dispatcher runs in this process, that one empties the outbox within a
/// bound and gives nothing up, unless the test said [`Self::leave_undelivered`]. Alerts are not asked about: the systems of a test
/// program log to one subscriber, which can't tell whose an alert is.
#[derive(Debug)]
pub struct Audit {
    is_dispatched: bool,
    undelivered: AtomicBool,
    unsound_books: AtomicBool,
}

impl Audit {
    pub(crate) fn of(options: &Options) -> Self {
        let is_dispatched = options.worker_inside;
        Self { is_dispatched, undelivered: AtomicBool::new(false), unsound_books: AtomicBool::new(false) }
    }

    /// The test leaves books that are not sound. That they are in the end fails it.
    pub fn expect_unsound_books(&self) {
        self.unsound_books.store(true, Ordering::Relaxed);
    }

    /// The test leaves messages that nobody delivers; nothing is asked about them.
    pub fn leave_undelivered(&self) {
        self.undelivered.store(true, Ordering::Relaxed);
    }

    /// What is wrong with the system on this database. The test stands still meanwhile, the system does not.
    pub(crate) fn findings(&self, database_url: &str) -> Vec<String> {
        let is_drained = self.is_dispatched && !self.undelivered.load(Ordering::Relaxed);
        let is_unsound_expected = self.unsound_books.load(Ordering::Relaxed);
        let database_url = database_url.to_owned();
        let audited = std::thread::spawn(move || {
            RUNTIME.block_on(async {
                let asking = findings(&database_url, is_drained, is_unsound_expected);
                tokio::time::timeout(TIMEOUT, asking).await
            })
        });
        match audited.join() {
            Ok(Ok(Ok(wrong))) => wrong,
            Ok(Ok(Err(error))) => vec![format!("it can't be audited: {error:#}")],
            Ok(Err(_)) => vec![format!("the audit took longer than {TIMEOUT:?}")],
            Err(_) => vec!["the audit panicked".to_owned()],
        }
    }
}

async fn findings(database_url: &str, is_drained: bool, is_unsound_expected: bool) -> Result<Vec<String>> {
    let store = connect(database_url).await?;
    let mut wrong = Vec::new();
    if is_drained {
        wrong.extend(left(&store).await?);
    }
    let report = store.check_ledger().await?;
    if report.sound == is_unsound_expected {
        wrong.push(format!("that the books are sound is {}: {:#?}", report.sound, report.findings));
    }
    store.close().await;
    Ok(wrong)
}

/// What is not delivered in time.
async fn left(store: &Store) -> Result<Option<String>> {
    let begun = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    loop {
        pause.tick().await;
        let backlog = store.outbox_backlog().await?;
        if backlog.dead > 0 {
            return Ok(Some(format!("{} messages are dead", backlog.dead)));
        }
        if backlog.waiting == 0 {
            return Ok(None);
        }
        if begun.elapsed() > DRAINED_WITHIN {
            return Ok(Some(format!("{} messages are undelivered", backlog.waiting)));
        }
    }
}
