//! What is asked of every system when its test is over.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use store::Store;
use testkit::{ExpectedAlerts, RaisedAlerts};
use tokio::runtime::Builder;

use crate::stack::{Options, connect};

/// How long the dispatcher may take for what a test left.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Longest time for all of it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The audit of a system: its books are sound, unless the test said [`Self::expect_unsound_books`], and, where its dispatcher runs in this process, that one empties the outbox within a
/// bound and gives nothing up, unless the test said [`Self::leave_undelivered`]. No alert was raised by what of it runs in this process,
/// unless the test said [`Self::expect_alert`] or [`Self::allow_alert`]; processes of their own are not listened to.
#[derive(Debug)]
pub struct Audit {
    is_dispatched: bool,
    undelivered: AtomicBool,
    unsound_books: AtomicBool,
    raised: RaisedAlerts,
    alerts: ExpectedAlerts,
}

impl Audit {
    pub(crate) fn of(options: &Options, raised: RaisedAlerts) -> Self {
        let is_dispatched = options.worker_inside;
        Self {
            is_dispatched,
            undelivered: AtomicBool::new(false),
            unsound_books: AtomicBool::new(false),
            raised,
            alerts: ExpectedAlerts::default(),
        }
    }

    /// The test leaves books that are not sound. That they are in the end fails it.
    pub fn expect_unsound_books(&self) {
        self.unsound_books.store(true, Ordering::Relaxed);
    }

    /// The test makes this alert be raised. That it never is fails it.
    pub fn expect_alert(&self, name: &'static str) {
        self.alerts.expect(name);
    }

    /// What the test does may raise this alert, depending on who comes first, or does so in a system that tests share.
    pub fn allow_alert(&self, name: &'static str) {
        self.alerts.allow(name);
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
        let audited = std::thread::spawn(move || -> Result<Vec<String>> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let asking = findings(&database_url, is_drained, is_unsound_expected);
            runtime
                .block_on(async { tokio::time::timeout(TIMEOUT, asking).await })
                .with_context(|| format!("it took longer than {TIMEOUT:?}"))?
        });
        let mut wrong = match audited.join() {
            Ok(Ok(wrong)) => wrong,
            Ok(Err(error)) => vec![format!("it can't be audited: {error:#}")],
            Err(_) => vec!["the audit panicked".to_owned()],
        };
        wrong.extend(self.alerts.weigh(&self.raised.taken()));
        wrong
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
