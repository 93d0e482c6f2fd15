//! What is asked of every shop when its test is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::{Result, Store};

use super::{
    alerts::{self, ExpectedAlerts},
    outbox::undelivered,
};

/// Longest time for all of it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a test says about its end.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    pub(crate) unsound_books: AtomicBool,
    pub(crate) undelivered: AtomicBool,
    pub(crate) alerts: ExpectedAlerts,
}

/// Audits when it is dropped; a clone of it never does.
#[derive(Debug)]
pub(crate) struct Audit {
    due: Option<Due>,
}

#[derive(Debug)]
struct Due {
    server: Arc<PgConnectOptions>,
    expectations: Arc<Expectations>,
}

impl Clone for Audit {
    fn clone(&self) -> Self {
        Self { due: None }
    }
}

impl Audit {
    /// Of the shop on this database, from now on.
    pub(crate) fn of(pool: &PgPool, expectations: &Arc<Expectations>) -> Self {
        alerts::watch();
        let expectations = Arc::clone(expectations);
        Self { due: Some(Due { server: pool.connect_options(), expectations }) }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let Some(due) = self.due.take() else { return };
        if thread::panicking() {
            return;
        }
        let mut wrong = due.expectations.alerts.weigh(&alerts::taken());
        wrong.extend(on_a_thread_of_its_own(due));
        assert!(
            wrong.is_empty(),
            "the test went through, but its shop does not pass the audit:\n- {}",
            wrong.join("\n- ")
        );
    }
}

/// What is wrong with the shop. The test's own runtime stands still meanwhile: it waits for this.
fn on_a_thread_of_its_own(due: Due) -> Vec<String> {
    let audited = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::time::timeout(TIMEOUT, findings(&due)).await })
    });
    match audited.join() {
        Ok(Ok(Ok(wrong))) => wrong,
        Ok(Ok(Err(error))) => vec![format!("it can't be audited: {error}")],
        Ok(Err(_)) => vec![format!("the audit took longer than {TIMEOUT:?}")],
        Err(_) => vec!["the audit panicked".to_owned()],
    }
}

async fn findings(due: &Due) -> Result<Vec<String>> {
    let options = PgPoolOptions::new().max_connections(2).acquire_timeout(TIMEOUT);
    let pool = options.connect_with((*due.server).clone()).await?;
    let store = Store::new(pool);
    let mut wrong = books(&store, due.expectations.unsound_books.load(Ordering::Relaxed)).await?;
    if !due.expectations.undelivered.load(Ordering::Relaxed) {
        wrong.extend(undelivered(&store).await?);
    }
    store.close().await;
    Ok(wrong)
}

async fn books(store: &Store, is_unsound_expected: bool) -> Result<Vec<String>> {
    let report = store.check_ledger().await?;
    let wrong = match (report.sound, is_unsound_expected) {
        (false, false) => {
            let broken = report.findings.iter().filter(|finding| finding.count > 0);
            let broken: Vec<String> =
                broken.map(|finding| format!("{}: {}", finding.rule, finding.cases.join("; "))).collect();
            Some(format!("the books are not sound: {}", broken.join("\n    ")))
        }
        (true, true) => Some("the books are sound, though the test says that they are not".to_owned()),
        (true, false) | (false, true) => None,
    };
    Ok(wrong.into_iter().collect())
}
