use std::time::Instant;

use domain::{
    Rupiah,
    pricing::{BilledItem, LineDescription},
    rate_limit::{Lane, Window},
    role::Role,
};

use super::*;
use crate::{
    Store, StoreError,
    audit::{Actor, Origin},
    idempotency::Idempotency,
    invoices::NewDraft,
    numbers,
    outbox::Room,
    users::NewUser,
};

/// Bounds that a test need not wait long for.
fn impatient() -> PoolSettings {
    PoolSettings {
        max_connections: 4,
        acquire_timeout: Duration::from_secs(10),
        lock_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(400),
        idle_in_transaction_timeout: Duration::from_millis(300),
        pooled: false,
    }
}

async fn pool(options: PgConnectOptions) -> Pool {
    Pool::connect(options, &impatient()).await.unwrap()
}

/// How the server calls the error, after checking that it counts as passing.
fn code(error: sqlx::Error) -> Option<String> {
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    assert!(StoreError::from(error).is_transient(), "{code:?}");
    code
}

#[sqlx::test(migrations = "../migrations")]
async fn every_session_is_bounded_kept_alive_and_in_utc(_: PgPoolOptions, options: PgConnectOptions) {
    // What an address says besides must not lift the bounds.
    let pool = pool(options.options([("lock_timeout", "0"), ("TimeZone", "Asia/Jakarta")])).await;
    let shown = "SELECT concat_ws(' ', current_setting('lock_timeout'), current_setting('statement_timeout'),
                 current_setting('idle_in_transaction_session_timeout'), current_setting('TimeZone'))";
    let settings: String = sqlx::query_scalar(shown).fetch_one(&pool).await.unwrap();
    assert_eq!(settings, "200ms 400ms 300ms UTC");
    let probes = "SELECT concat_ws(' ', current_setting('tcp_keepalives_idle'),
                  current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'))";
    let probes: String = sqlx::query_scalar(probes).fetch_one(&pool).await.unwrap();
    assert_eq!(probes, "10 5 3");
    let mut long = pool.begin_long().await.unwrap();
    let settings: String = sqlx::query_scalar(shown).fetch_one(&mut *long).await.unwrap();
    assert_eq!(settings, "200ms 10min 300ms UTC");
}

#[sqlx::test(migrations = "../migrations")]
async fn locks_statements_and_pauses_end(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool(options).await;
    let mut first = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE invoice_counters").execute(&mut *first).await.unwrap();
    let locked = sqlx::query("SELECT FROM invoice_counters").execute(&pool).await.unwrap_err();
    assert_eq!(code(locked).as_deref(), Some("55P03"));
    let slow = sqlx::query("SELECT pg_sleep(60)").execute(&pool).await.unwrap_err();
    assert_eq!(code(slow).as_deref(), Some("57014"));

    // Whoever forgot the lock loses it, and those who wait get it.
    loop {
        match sqlx::query("SELECT FROM invoice_counters").execute(&pool).await {
            Ok(_) => break,
            Err(error) => assert_eq!(code(error).as_deref(), Some("55P03")),
        }
    }
    let ended = sqlx::query("SELECT 1").execute(&mut *first).await.unwrap_err();
    assert!(StoreError::from(ended).is_transient());
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_begins_that_could_end_too_late(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool(options).await;
    let late = |error: sqlx::Error| assert!(matches!(error, sqlx::Error::PoolTimedOut), "{error}");
    let soon = Instant::now() + Duration::from_secs(5);
    deadline::until(soon, async {
        late(sqlx::query("SELECT 1").execute(&pool).await.unwrap_err());
        late(pool.begin().await.map(drop).unwrap_err());
        late(pool.acquire().await.map(drop).unwrap_err());
    })
    .await;

    // A commit has its connection, and needs only the time of a statement.
    let write = async |left: Duration| {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO invoice_counters (year, last) VALUES (1999, 1)")
            .execute(&mut *tx)
            .await
            .unwrap();
        deadline::until(Instant::now() + left, tx.commit()).await
    };
    late(write(Duration::from_millis(300)).await.unwrap_err());
    let written = "SELECT count(*) FROM invoice_counters";
    assert_eq!(sqlx::query_scalar::<_, i64>(written).fetch_one(&pool).await.unwrap(), 0);
    write(Duration::from_secs(5)).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(written).fetch_one(&pool).await.unwrap(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_transaction_that_is_given_up_keeps_its_place_until_it_is_over(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let patient = PoolSettings {
        lock_timeout: Duration::from_secs(60),
        statement_timeout: Duration::from_secs(60),
        idle_in_transaction_timeout: Duration::from_secs(60),
        ..impatient()
    };
    let pool = Pool::connect(options, &patient).await.unwrap();
    // Connected beforehand: what is given up below is the wait for the lock, not for a connection.
    drop([pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()]);
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE invoice_counters IN EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    let write = async || {
        let mut tx = pool.begin().await?;
        sqlx::query("INSERT INTO invoice_counters (year, last) VALUES (1999, 1)").execute(&mut *tx).await?;
        tx.commit().await
    };
    for _ in 0..2 {
        // One hangs up while its statement waits.
        assert!(tokio::time::timeout(Duration::from_millis(100), write()).await.is_err());
    }
    assert_eq!(pool.places.available_permits(), 0, "three of four connections are in transactions");
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    holder.commit().await.unwrap();
    // Nothing of what was given up is committed, and there is room again.
    let _all = pool.places.acquire_many(3).await.unwrap();
    let written = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM invoice_counters").fetch_one(&pool);
    assert_eq!(written.await.unwrap(), 0);
}

/// A primary that was demoted goes on answering.
#[sqlx::test(migrations = "../migrations")]
async fn a_connection_whose_server_takes_no_writes_any_more_is_left(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let one = PoolSettings { max_connections: 1, ..impatient() };
    let pool = Pool::connect(options, &one).await.unwrap();
    let write = "INSERT INTO invoice_counters (year, last) VALUES (1999, 1)";
    let demote = async || {
        sqlx::query("SET default_transaction_read_only = on").execute(&pool).await.unwrap();
    };
    demote().await;
    let refused = sqlx::query(write).execute(&pool).await.unwrap_err();
    assert_eq!(code(refused).as_deref(), Some("25006"));
    sqlx::query(write).execute(&pool).await.unwrap();

    demote().await;
    let mut tx = pool.begin().await.unwrap();
    let refused = sqlx::query("DELETE FROM invoice_counters").execute(&mut *tx).await.unwrap_err();
    assert_eq!(code(refused).as_deref(), Some("25006"));
    drop(tx);
    sqlx::query("DELETE FROM invoice_counters").execute(&pool).await.unwrap();
}

/// What a session keeps from one transaction to the next, of all kinds there are.
const KEPT: &str = "SELECT concat_ws(' ',
    (SELECT string_agg(name, ' ') FROM pg_settings WHERE source = 'session'),
    (SELECT string_agg(channel, ' ') FROM pg_listening_channels() channel),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't'))";

async fn issue_an_invoice(store: &Store) {
    let origin = Origin { actor: Actor::System, ip: None, request_id: None };
    let new = NewUser {
        email: "sari@example.com".to_owned(),
        full_name: "Sari".to_owned(),
        password_hash: "x".to_owned(),
        role: Role::Customer,
        email_verified: true,
    };
    let customer = store.create_user(&new, &origin).await.unwrap().id;
    let description = LineDescription::Written("an hour".to_owned());
    let items = [BilledItem { description, quantity: 1, unit_price: Rupiah::new(250_000) }];
    let draft = NewDraft { by: customer, customer, items: &items, note: None };
    let request = Idempotency::new("draft", "one", &()).unwrap();
    let drafted = store.draft_invoice(&draft, &origin, &request).await.unwrap();
    store.issue_invoice(drafted.id, 7, &origin).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_left_in_a_session_for_the_next_transaction(
    pools: PgPoolOptions,
    options: PgConnectOptions,
) {
    let one = pools.max_connections(1).connect_with(options).await.unwrap();
    let kept = async || sqlx::query_scalar::<_, String>(KEPT).fetch_one(&one).await.unwrap();
    assert_eq!(kept().await, "0 0");
    let store = Store::new(one.clone());
    // Whatever sets something for a transaction.
    store.seed().await.unwrap();
    store.check_ledger().await.unwrap();
    store.claim_outbox(Room::of(1), 30.0).await.unwrap();
    const TEN: Window = Window { calls: 10, period: Duration::from_secs(1) };
    let lane = Lane::new("all", &[TEN]);
    store.skip_call("digitalocean", &lane).await.unwrap();
    issue_an_invoice(&store).await;
    let mut tx = store.pool.begin().await.unwrap();
    numbers::take_for_credit_note(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    store.pool.begin_long().await.unwrap().commit().await.unwrap();
    assert_eq!(kept().await, "0 0", "behind a pooler the next transaction is somebody else's");

    sqlx::query("SELECT set_config('lock_timeout', '1s', false)").execute(&one).await.unwrap();
    assert_eq!(kept().await, "lock_timeout 0 0", "and it would show");
}

#[sqlx::test(migrations = "../migrations")]
async fn behind_a_pooler_the_database_has_the_bounds_or_it_is_said_how(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let pooled = PoolSettings { pooled: true, ..impatient() };
    let store = Store::connect_with(options.clone(), &pooled).await.unwrap();
    let problems = store.session_problems(&pooled).await.unwrap().join("; ");
    for wanted in ["lock_timeout = '200ms'", "statement_timeout = '400ms'"] {
        assert!(problems.contains(wanted), "{problems}");
    }
    for (name, value) in pooled.session() {
        let sql = format!(r#"ALTER DATABASE "{}" SET {name} = '{value}'"#, options.get_database().unwrap());
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.pool).await.unwrap();
    }
    let again = Store::connect_with(options, &pooled).await.unwrap();
    assert_eq!(again.session_problems(&pooled).await.unwrap(), [""; 0]);
    assert!(again.most_connections().await.unwrap() > 0);
}
