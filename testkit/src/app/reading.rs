//! What tests look at, and what they break on purpose.

use domain::{
    event::Event,
    ids::{OrderId, PaymentId, PlanId},
    language::Language,
    order::OrderStatus,
};
use serde_json::Value;
use store::timeline::TimelineEntry;

use crate::TestApp;

/// A step of a timeline in English.
///
/// # Panics
/// When it has no words.
#[must_use]
pub fn step_words(step: &TimelineEntry) -> String {
    messages::timeline(step.event.as_ref().expect("an event"), Language::English).expect("its words")
}

impl TestApp {
    /// Runs SQL. It is for breaking things on purpose and for moving the clock; what `Store` can do is done by `Store`.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.expect("the statement runs");
    }

    /// The same about an order, which is `$1`.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn run_of(&self, sql: &'static str, order: OrderId) {
        sqlx::query(sql).bind(order.0).execute(&self.pool).await.expect("the statement runs");
    }

    /// The number that a query answers with.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a number")
    }

    /// The same about an order, which is `$1`.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn count_of(&self, sql: &'static str, order: OrderId) -> i64 {
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.expect("a number")
    }

    /// The text that a query answers with.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a text")
    }

    /// The same about an order, which is `$1`.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn text_of(&self, sql: &'static str, order: OrderId) -> String {
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.expect("a text")
    }

    /// The texts that a query answers with.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.expect("texts")
    }

    /// The plan with this slug.
    ///
    /// # Panics
    /// When there is none.
    pub async fn plan(&self, slug: &str) -> PlanId {
        let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM plans WHERE slug = $1")
            .bind(slug)
            .fetch_one(&self.pool)
            .await
            .expect("a plan");
        id.into()
    }

    /// Slugs of all providers of the catalog.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn providers(&self) -> Vec<String> {
        self.texts("SELECT slug FROM providers ORDER BY slug").await
    }

    /// Where an order stands.
    ///
    /// # Panics
    /// When there is none.
    pub async fn status(&self, order: OrderId) -> OrderStatus {
        self.store.any_order(order).await.expect("an order").status
    }

    /// Where a payment stands.
    ///
    /// # Panics
    /// When there is none.
    pub async fn payment_status(&self, payment: PaymentId) -> domain::billing::PaymentStatus {
        self.store.any_payment(payment).await.expect("a payment").status
    }

    /// The messages of all in-app notifications of a type, oldest first, in English.
    ///
    /// # Panics
    /// When one has no words.
    pub async fn told(&self, kind: &str) -> Vec<String> {
        let sql = "SELECT e.kind, e.data FROM in_app_notifications n JOIN events e ON e.id = n.event_id
                   WHERE n.type = $1 ORDER BY n.id";
        let rows: Vec<(String, Value)> =
            sqlx::query_as(sql).bind(kind).fetch_all(&self.pool).await.expect("notifications");
        let message = |(kind, data): (String, Value)| {
            let event = Event::read(&kind, data).expect("an event");
            messages::in_app(&event, Language::English).expect("its words").message
        };
        rows.into_iter().map(message).collect()
    }

    /// The names of an order's steps, oldest first.
    ///
    /// # Panics
    /// When there is none.
    pub async fn steps(&self, order: OrderId) -> Vec<String> {
        let timeline = self.store.any_timeline(order).await.expect("a timeline");
        timeline.into_iter().map(|entry| entry.step).collect()
    }

    /// What waits in the outbox or was delivered, in the order it was written: the kinds of messages.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn messages(&self) -> Vec<String> {
        self.texts("SELECT kind FROM outbox ORDER BY id").await
    }

    /// Fails when the books are not sound, in the middle of a test. At its end the audit asks anyway.
    ///
    /// # Panics
    /// When they are not sound.
    pub async fn assert_books_are_sound(&self) {
        let report = self.store.check_ledger().await.expect("the books");
        assert!(report.sound, "{:#?}", report.findings);
    }
}
