//! What people are told is recorded once, and what they were told before there were events can still be read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use domain::{
    event::Event,
    ids::{InvoiceId, OrderId, UserId},
    language::Language,
    pricing::LineDescription,
};
use serde_json::json;
use sqlx::PgPool;
use store::{Store, page::PageRequest};
use uuid::Uuid;

/// The migration by which words became events.
const EVENTS: i64 = 20261129200001;

const FIRST_PAGE: PageRequest = PageRequest { before: None, limit: 50 };

async fn migrate(pool: &PgPool, wanted: impl Fn(i64) -> bool) {
    for migration in sqlx::migrate!("../migrations").iter().filter(|migration| wanted(migration.version)) {
        sqlx::raw_sql(migration.sql.clone()).execute(pool).await.unwrap();
    }
}

/// A customer with an order that was placed when its story was kept in words.
async fn order_of_before(pool: &PgPool, id: Uuid) {
    let statements = [
        "INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, 'a@example.com', 'A', 'x')",
        "INSERT INTO providers (id, slug, name) VALUES ($1, 'p', 'A cloud')",
        "INSERT INTO regions (id, provider_id, slug, provider_slug, name, country)
         VALUES ($1, $1, 'r', 'sgp1', 'Singapore', 'SG')",
        "INSERT INTO images (id, slug, name, distribution, version) VALUES ($1, 'i', 'Ubuntu', 'ubuntu', '24.04')",
        "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                            price_monthly, cost_monthly_usd)
         VALUES ($1, 'l', 'Starter', $1, 's', 1, 1024, 25, 1000, 120000, 6)",
        "INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months,
                             total, policy, expires_at)
         VALUES ($1, $1, 'PENDING_PAYMENT', $1, $1, $1, $1, 'web-1', 3, 80, '{}', now())",
        "WITH invoice AS (
             INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax, tax_bp, total, due_at)
             VALUES ($1, 'INV/2026/000001', $1, $1, 'OPEN', 60, 0, 0, 0, 60, now()) RETURNING id)
         INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_price, total)
         SELECT id, l.position, l.description, 1, 10, 10
         FROM invoice, unnest(ARRAY['Basic 1 GB, 3 months', 'Discount for 3 months', 'Promo HEMAT10',
                                    'Renewal of web-1: Basic 1 GB, 1 month', 'Consulting, 2 hours',
                                    'Promo for the family'])
              WITH ORDINALITY AS l (description, position)",
        "INSERT INTO order_timeline (order_id, key, step, status, message)
         VALUES ($1, 'order_placed', 'order_placed', 'done', 'Your order was placed.')",
        "INSERT INTO in_app_notifications (id, user_id, title, message, type, dedupe_key)
         VALUES ($1, $1, 'Order received', 'We have your order.', 'ORDER_CREATED', 'order/1')",
    ];
    for statement in statements {
        sqlx::query(statement).bind(id).execute(pool).await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn what_was_told_and_billed_in_words_can_still_be_read(pool: PgPool) {
    migrate(&pool, |version| version < EVENTS).await;
    let id = Uuid::now_v7();
    order_of_before(&pool, id).await;
    migrate(&pool, |version| version >= EVENTS).await;

    let store = Store::new(pool.clone());
    let told = store.notifications(UserId(id), false, FIRST_PAGE).await.unwrap().data;
    let letter = messages::in_app(told[0].event.as_ref().unwrap(), Language::Indonesian).unwrap();
    assert_eq!((told.len(), told[0].kind.as_str()), (1, "ORDER_CREATED"));
    assert_eq!((letter.title.as_str(), letter.message.as_str()), ("Order received", "We have your order."));
    let steps = store.order_timeline(OrderId(id), None).await.unwrap();
    assert_eq!((steps[0].step.as_str(), steps[0].status.as_str()), ("order_placed", "done"));
    assert_eq!((&steps[0].event, &steps[0].detail["message"]), (&None, &json!("Your order was placed.")));

    let (_, lines) = store.invoice(InvoiceId(id), UserId(id)).await.unwrap();
    let plan = "Basic 1 GB".to_owned();
    let expected = [
        LineDescription::Plan { plan: plan.clone(), months: 3 },
        LineDescription::TermDiscount { months: 3 },
        LineDescription::Promo { code: "HEMAT10".to_owned() },
        LineDescription::Renewal { server: "web-1".to_owned(), plan, months: 1 },
        LineDescription::Written("Consulting, 2 hours".to_owned()),
        LineDescription::Written("Promo for the family".to_owned()),
    ];
    assert_eq!(lines.iter().map(|line| line.description.clone()).collect::<Vec<_>>(), expected);
    let english: Vec<String> =
        lines.iter().map(|line| messages::invoice_line(&line.description, Language::English)).collect();
    let issued: Vec<String> = sqlx::query_scalar("SELECT description FROM invoice_lines ORDER BY position")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(english, issued, "the papers say what they said");
}

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
