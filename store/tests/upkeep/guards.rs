//! What people are told is recorded as data that the database takes.

use domain::event::Event;
use sqlx::PgPool;

#[sqlx::test(migrations = "../migrations")]
async fn no_event_has_a_key_or_a_path_that_the_database_refuses(pool: PgPool) {
    for kind in domain::event::EventKind::ALL {
        let event = Event::example(*kind);
        let written = sqlx::query("INSERT INTO events (kind, data, dedupe_key) VALUES ($1, $2, $3)")
            .bind(kind.as_str())
            .bind(event.data().unwrap())
            .bind(event.facts().dedupe_key)
            .execute(&pool)
            .await;
        assert!(written.is_ok(), "{kind}: {written:?}");
    }
    let rows: Vec<(String, serde_json::Value)> =
        sqlx::query_as("SELECT kind, data FROM events").fetch_all(&pool).await.unwrap();
    for (kind, data) in rows {
        let event = Event::read(&kind, data).unwrap();
        assert_eq!(event, Event::example(event.kind()), "JSON of the database is the same event");
    }
}
