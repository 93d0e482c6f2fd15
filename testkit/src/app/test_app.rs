//! A shop on the database of a test.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use domain::ids::UserId;
use sqlx::PgPool;
use store::Store;
use tokio::sync::OnceCell;

use super::audit::{Audit, Expectations};

/// A shop on the database that `#[sqlx::test]` gave: its store, and what makes and reads what a test needs.
///
/// When it is dropped and the test did not fail, the shop is audited; what is found wrong fails the test:
/// - the books are sound ([`Store::check_ledger`]), unless the test said [`Self::expect_unsound_books`];
/// - no message is undelivered, unless it said [`Self::leave_undelivered`]. There is no engine in most tests, so the audit
///   takes what is left as the dispatcher would: it claims, reads and plans each message and marks it delivered. Of what was
///   claimed by the test, or put off by no fault of its own, it is as if the time had come; what is superseded needs no
///   reading; a start that lies ahead is the engine's to wait for. What can't be claimed, read or planned, what failed by its
///   own fault and what is dead is undelivered;
/// - no alert was raised on the test's thread by code that logs to no subscriber of the test's own, unless it said
///   [`Self::expect_alert`].
///
/// A clone is a handle, for tasks of their own and for what a test moves about: it works on the same shop, and what is said
/// to it counts, but only the first one audits. So that one is to be dropped last, at the test's end.
#[derive(Debug, Clone)]
pub struct TestApp {
    /// The database.
    pub pool: PgPool,
    /// The same as the program sees it.
    pub store: Store,
    shared: Arc<Shared>,
    #[expect(dead_code, reason = "it audits when it is dropped")]
    audit: Audit,
}

/// What handles of one shop share.
#[derive(Debug, Default)]
struct Shared {
    expectations: Arc<Expectations>,
    numbers: AtomicU32,
    staff: OnceCell<UserId>,
}

impl TestApp {
    /// A shop with the seeded catalog and the usual settings.
    ///
    /// # Panics
    /// When the database has no schema.
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, |store| store).await
    }

    /// The same with other settings.
    ///
    /// # Panics
    /// When the database has no schema.
    pub async fn with(pool: PgPool, settings: impl FnOnce(Store) -> Store) -> Self {
        let app = Self::unseeded_with(pool, settings);
        app.store.seed().await.expect("a seeded catalog");
        app
    }

    /// A shop with the usual settings and an empty catalog.
    #[must_use]
    pub fn unseeded(pool: PgPool) -> Self {
        Self::unseeded_with(pool, |store| store)
    }

    /// The same with other settings.
    #[must_use]
    pub fn unseeded_with(pool: PgPool, settings: impl FnOnce(Store) -> Store) -> Self {
        let store = settings(Store::new(pool.clone()));
        let shared = Arc::new(Shared::default());
        let audit = Audit::of(&pool, &shared.expectations);
        Self { pool, store, shared, audit }
    }

    /// The test leaves books that are not sound. That they are in the end fails it.
    pub fn expect_unsound_books(&self) {
        self.shared.expectations.unsound_books.store(true, Ordering::Relaxed);
    }

    /// The test leaves messages undelivered; nothing is asked about them.
    pub fn leave_undelivered(&self) {
        self.shared.expectations.undelivered.store(true, Ordering::Relaxed);
    }

    /// The test makes this alert be raised. That it never is fails it, as does any other.
    ///
    /// # Panics
    /// When alerts can't be watched, since something else in the program takes all log events.
    pub fn expect_alert(&self, name: &'static str) {
        self.shared.expectations.alerts.expect(name);
    }

    /// A number that it gave nobody before.
    pub(crate) fn next_number(&self) -> u32 {
        self.shared.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The administrator who does for a test what takes one: the first that the test made, or else one made for it.
    pub async fn staff(&self) -> UserId {
        let account = || async { self.account().admin().make_account().await };
        *self.shared.staff.get_or_init(account).await
    }

    /// Remembers an administrator as [`Self::staff`], if it is the first.
    pub(crate) fn note_staff(&self, admin: UserId) {
        let _ = self.shared.staff.set(admin);
    }
}
