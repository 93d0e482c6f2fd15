//! Everything of a kind as a table: what is in it, who may have it, and that it is written while it is read.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use domain::{Rupiah, role::Role};
use http_body_util::BodyExt;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Expect, TestApi, User};
use tower::ServiceExt;

const KINDS: [&str; 7] =
    ["orders", "invoices", "payments", "ledger-entries", "users", "instances", "audit-log"];

type Line = BTreeMap<String, String>;

/// A whole table, each line by the names of its columns.
async fn table(who: &User, kind: &str, query: &str) -> Vec<Line> {
    let answer = who.get(&format!("/admin/exports/{kind}.csv?{query}")).reply().await;
    assert_eq!(answer.status, 200, "{kind}: {:?}", answer.bytes);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
    read(&answer.bytes)
}

fn read(bytes: &[u8]) -> Vec<Line> {
    let mut reader = csv::Reader::from_reader(bytes);
    reader.deserialize().map(|line| line.unwrap()).collect()
}

fn column<'a>(lines: &'a [Line], name: &str) -> Vec<&'a str> {
    lines.iter().map(|line| line[name].as_str()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_has_what_its_list_has(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let sari =
        app.customer().name("=HYPERLINK(\"http://evil.example\"), \"Sari\"").email("sari@toko.example").await;
    app.deposit(sari, Rupiah::new(100_000)).await;
    let first = app.order().by(sari).active().await;
    let second = app.order().by(sari).place().await;
    let stranger = app.order().place().await;

    let orders = table(&admin, "orders", "").await;
    let ids = [first.id, second.id, stranger.id].map(|id| id.to_string());
    assert_eq!(column(&orders, "id"), ids, "the oldest first");
    assert_eq!(orders[0]["customer_name"], "'=HYPERLINK(\"http://evil.example\"), \"Sari\"");
    assert_eq!(
        orders[0]["total"],
        app.count_of("SELECT total FROM orders WHERE id = $1", first.id).await.to_string()
    );
    assert_eq!(column(&table(&admin, "orders", "status=ACTIVE").await, "id"), [first.id.to_string()]);
    assert_eq!(table(&admin, "orders", &format!("customer_id={sari}")).await.len(), 2);
    assert_eq!(table(&admin, "orders", "search=sari@toko.example").await.len(), 2);

    assert_eq!(table(&admin, "invoices", "status=PAID").await.len(), 1);
    assert_eq!(table(&admin, "payments", &format!("order_id={}", second.id)).await.len(), 1);
    let servers = table(&admin, "instances", "").await;
    assert_eq!(column(&servers, "id"), [first.server().to_string()]);
    assert_eq!(column(&table(&admin, "users", "search=toko").await, "email"), ["sari@toko.example"]);

    let entries = table(&admin, "ledger-entries", "").await;
    let sum: i64 = entries.iter().map(|entry| entry["amount"].parse::<i64>().unwrap()).sum();
    assert_eq!(
        (sum, i64::try_from(entries.len()).unwrap()),
        (0, app.count("SELECT count(*) FROM ledger_entries").await)
    );
    assert!(entries.iter().any(|entry| entry["amount"].starts_with('-')), "numbers are no formulas");
    let deposits = table(&admin, "ledger-entries", "kind=DEPOSIT&account=CUSTOMER_WALLET").await;
    assert_eq!(
        (column(&deposits, "amount"), column(&deposits, "balance_after")),
        (vec!["100000"], vec!["100000"])
    );
    assert_eq!(table(&admin, "ledger-entries", "before=2020-01-01T00:00:00Z").await.len(), 0);

    for query in ["status=GONE", "customer_id=me"] {
        let refused = admin.get(&format!("/admin/exports/orders.csv?{query}")).await;
        assert_eq!(refused.problem(), (400, "invalid_query"), "{query}");
    }
    assert_eq!(admin.get("/admin/exports/secrets.csv").await.problem(), (404, "route_not_found"));
}

#[sqlx::test(migrations = "../migrations")]
async fn who_takes_what_out_is_logged_and_support_may_not(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (support, admin) = (app.user(Role::Support).await, app.user(Role::Admin).await);
    for kind in KINDS {
        let refused = support.get(&format!("/admin/exports/{kind}.csv")).await;
        assert_eq!(refused.problem(), (403, "forbidden"), "{kind}");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_log WHERE action = 'export.started'").await, 0);
    for kind in KINDS {
        let answer = admin.get(&format!("/admin/exports/{kind}.csv")).reply().await;
        let name = answer.headers["content-disposition"].to_str().unwrap();
        assert!(
            name.starts_with(&format!("attachment; filename=\"{kind}-2")) && name.ends_with("Z.csv\""),
            "{name}"
        );
    }
    table(&admin, "orders", "status=ACTIVE&provider=vultr").await;
    let log = admin.get("/admin/audit-log?action=export.started").await.expect(200);
    let entries = log["data"].as_array().unwrap();
    assert_eq!(entries.len(), KINDS.len() + 1);
    let expected = json!({ "kind": "orders", "filters": { "status": "ACTIVE", "provider": "vultr" } });
    assert_eq!((&entries[0]["after"], &entries[0]["actor"]["id"]), (&expected, &json!(admin.id)));
}

/// The audit log with as many acts more.
async fn acts(app: &TestApi, number: i32) {
    sqlx::query(
        "INSERT INTO audit_log (id, actor_kind, action, object_kind, after)
         SELECT gen_random_uuid(), 'system', 'test.act', 'test', jsonb_build_object('text', repeat('x', 200))
         FROM generate_series(1, $1)",
    )
    .bind(number)
    .execute(&app.pool)
    .await
    .unwrap();
}

/// An answer whose body is not read yet.
async fn begun(app: &TestApi, admin: &User, kind: &str) -> Response<Body> {
    let request = Request::get(format!("/api/v1/admin/exports/{kind}.csv?action=test.act"))
        .header("authorization", format!("Bearer {}", admin.token))
        .body(Body::empty())
        .unwrap();
    app.router().oneshot(request).await.unwrap()
}

async fn frame(answer: &mut Response<Body>) -> Option<Result<Bytes, axum::Error>> {
    let frame = answer.body_mut().frame().await?;
    Some(frame.map(|frame| frame.into_data().unwrap()))
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_is_of_one_moment_and_comes_in_pieces(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    acts(&app, 4_500).await;
    let mut answer = begun(&app, &admin, "audit-log").await;
    assert_eq!(answer.status(), 200);
    let header = frame(&mut answer).await.unwrap().unwrap();
    assert_eq!(header.iter().filter(|byte| **byte == b'\n').count(), 1, "the header comes before any row");
    // What is written while somebody reads is of a later state.
    acts(&app, 10).await;
    let (mut pieces, mut all) = (Vec::new(), header.to_vec());
    while let Some(piece) = frame(&mut answer).await {
        let piece = piece.unwrap();
        pieces.push(piece.iter().filter(|byte| **byte == b'\n').count());
        all.extend(piece);
    }
    assert_eq!(pieces, [1_000, 1_000, 1_000, 1_000, 500]);
    assert_eq!(read(&all).len(), 4_500);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_that_breaks_off_does_not_look_whole(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    acts(&app, 5_000).await;
    let mut answer = begun(&app, &admin, "audit-log").await;
    frame(&mut answer).await.unwrap().unwrap();
    frame(&mut answer).await.unwrap().unwrap();
    // It waits for its reader, with two pieces at most ahead; then the database ends it.
    let waits = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND state = 'idle in transaction'";
    tokio::time::timeout(Duration::from_secs(20), async {
        while app.count(waits).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let mut rows = 1_000;
    let broken = loop {
        match frame(&mut answer).await {
            Some(Ok(piece)) => rows += piece.iter().filter(|byte| **byte == b'\n').count(),
            end => break end,
        }
    };
    assert!(matches!(broken, Some(Err(_))), "the end is no end: {broken:?}");
    assert!(rows < 5_000, "{rows} rows");
}

#[sqlx::test(migrations = "../migrations")]
async fn two_tables_at_a_time_are_enough(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    acts(&app, 5_000).await;
    let first = begun(&app, &admin, "audit-log").await;
    let second = begun(&app, &admin, "audit-log").await;
    let third = admin.get("/admin/exports/users.csv").await;
    assert_eq!(third.header("retry-after"), Some("30"));
    third.expect_problem(429, "too_many_exports");
    // Whoever hangs up makes room.
    drop((first, second));
    let again = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let answer = admin.get("/admin/exports/users.csv").reply().await;
            if answer.status != 429 {
                break answer;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(again.await.unwrap().status, 200);
    let refused = "SELECT count(*) FROM audit_log WHERE action = 'export.started'";
    assert_eq!(app.count(refused).await, 3, "what is refused takes nothing out");
}
