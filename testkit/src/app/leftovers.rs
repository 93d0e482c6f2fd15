//! Rows that no method of `Store` writes: of other versions of the program, and of ones that were cut off in the middle. For tests
//! of what becomes of them.

use sqlx::{PgExecutor, postgres::PgQueryResult};
use uuid::Uuid;

/// An event of each order, shown on its timeline and told to its customer, that this version has no words for.
///
/// # Panics
/// When the database refuses it.
pub async fn event_of_another_version(database: impl PgExecutor<'_>) {
    let sql = "WITH event AS (
             INSERT INTO events (kind, data, dedupe_key, order_id, step, status)
             SELECT 'server_painted', '{}', 'painted', id, 'server_painted', 'done' FROM orders RETURNING id)
         INSERT INTO in_app_notifications (id, user_id, event_id, type)
         SELECT gen_random_uuid(), user_id, event.id, 'VPS_PAINTED' FROM event, orders";
    written(sqlx::query(sql).execute(database).await);
}

/// So many messages that start workflows of orders nobody pays, after the one that is there. Answers with how many there are.
///
/// # Panics
/// When the database refuses them.
pub async fn unpaid_starts(database: impl PgExecutor<'_>, number: i64) -> u64 {
    let sql = "INSERT INTO outbox (id, workflow_id, kind, class, payload)
         SELECT n.id, 'order/' || n.id, m.kind, m.class,
                jsonb_set(jsonb_set(m.payload, '{body,order_id}', to_jsonb(n.id)), '{body,customer_id}', to_jsonb(n.id))
         FROM outbox m, (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) n WHERE m.kind = 'start_order'";
    written(sqlx::query(sql).bind(number).execute(database).await)
}

/// Two messages that can never be delivered: one that nobody can read, before everything else that is said to an order's
/// workflow, and one that the engine refuses, since its workflow's name is too long.
///
/// # Panics
/// When the database refuses them.
pub async fn undeliverable_messages(database: impl PgExecutor<'_>) {
    let sql = "INSERT INTO outbox (id, workflow_id, kind, payload)
         SELECT '00000000-0000-7000-8000-000000000000', 'order/' || id, 'from_the_future', '{}' FROM orders
         UNION ALL
         SELECT gen_random_uuid(), 'catalog-sync/x', 'sync_catalog', jsonb_build_object('kind', 'sync_catalog', 'body',
             jsonb_build_object('sync_id', gen_random_uuid(), 'provider', repeat('x', 2000)))";
    written(sqlx::query(sql).execute(database).await);
}

/// An action on a server that a workflow had begun when it was lost: to power it off. Answers with its id.
///
/// # Panics
/// When the database refuses it.
pub async fn action_under_way(database: impl PgExecutor<'_>, instance: Uuid) -> &'static str {
    let sql = "INSERT INTO instance_actions (id, instance_id, action, status, requested_by, request_hash, started_at)
             VALUES ('00000000-0000-7000-8000-000000000000', $1, 'power_off', 'in_progress', 'system', '', now())";
    written(sqlx::query(sql).bind(instance).execute(database).await);
    "00000000-0000-7000-8000-000000000000"
}

/// Something that a person is told, which this version has no words for, in a transaction that may be ended later. Answers with the
/// notification's id.
///
/// # Panics
/// When the database refuses it.
pub async fn told(database: impl PgExecutor<'_>, person: Uuid) -> Uuid {
    let sql = "WITH event AS (
             INSERT INTO events (kind, data, dedupe_key) VALUES ('server_painted', '{}', gen_random_uuid()::text) RETURNING id)
         INSERT INTO in_app_notifications (id, user_id, event_id, type)
         SELECT gen_random_uuid(), $1, event.id, 'VPS_PAINTED' FROM event RETURNING id";
    sqlx::query_scalar(sql).bind(person).fetch_one(database).await.expect("a notification")
}

fn written(outcome: sqlx::Result<PgQueryResult>) -> u64 {
    outcome.expect("rows").rows_affected()
}
