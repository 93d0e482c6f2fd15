//! Leasing calls: several processes on one row, longer windows, silence.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::time::{Duration, Instant};

use domain::rate_limit::{Lane, Priority, Window};
use sqlx::PgPool;
use store::{Store, provider_budgets::Leased};

const SECOND: Window = Window { calls: 30, period: Duration::from_secs(1) };
const HOUR: Window = Window { calls: 50, period: Duration::from_secs(3_600) };
const SHORT: Lane = Lane { name: "all", windows: &[SECOND] };
const BOTH: Lane = Lane { name: "all", windows: &[SECOND, HOUR] };

async fn lease(store: &Store, lane: &Lane, priority: Priority, wanted: u32) -> Leased {
    store.lease_calls("vendor", lane, priority, wanted).await.unwrap()
}

/// When the calls of a lease may be made.
fn moments(leased: Leased) -> Vec<Instant> {
    match leased {
        Leased::Slots(lease) => lease.delays.iter().map(|delay| lease.read_at + *delay).collect(),
        Leased::Held(held) => panic!("{held:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_that_lease_at_once_never_get_more_than_a_window_holds(pool: PgPool) {
    let leasing = (0..4).map(|process| {
        let store = Store::new(pool.clone());
        async move {
            let mut all = Vec::new();
            for round in 0..25 {
                let priority =
                    if (round + process) % 4 == 0 { Priority::Customers } else { Priority::Orders };
                all.extend(moments(lease(&store, &SHORT, priority, 8).await));
            }
            all
        }
    });
    let mut all: Vec<Instant> = futures::future::join_all(leasing).await.concat();
    all.sort_unstable();
    let full = SECOND.calls as usize;
    assert!(all.len() > 2 * full, "too few to tell: {}", all.len());
    for window in all.windows(full + 1) {
        // A database that answers late makes a lease look later than it is, by less than this.
        let tolerated = Duration::from_millis(50);
        assert!(window[full] - window[0] + tolerated >= SECOND.period, "{window:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_idle_lane_gives_its_first_call_at_once(pool: PgPool) {
    let store = Store::new(pool);
    match lease(&store, &SHORT, Priority::Orders, 1).await {
        Leased::Slots(lease) => assert_eq!(lease.delays, [Duration::ZERO]),
        Leased::Held(held) => panic!("{held:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_long_window_is_counted_and_forgets(pool: PgPool) {
    let store = Store::new(pool.clone());
    let mut given = 0;
    let held = loop {
        match lease(&store, &BOTH, Priority::Orders, 5).await {
            Leased::Slots(lease) => given += lease.delays.len(),
            Leased::Held(held) => break held,
        }
    };
    assert_eq!(given, 48, "all but the reserve");
    assert!(held.reason.contains("hourly") && held.retry_after == Duration::from_secs(60), "{held:?}");
    for _ in 0..2 {
        assert_eq!(moments(lease(&store, &BOTH, Priority::Customers, 9).await).len(), 1, "the reserve");
    }
    assert!(matches!(lease(&store, &BOTH, Priority::Customers, 1).await, Leased::Held(_)));

    sqlx::query("UPDATE provider_call_minutes SET minute = minute - interval '59 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(lease(&store, &BOTH, Priority::Customers, 1).await, Leased::Held(_)));
    sqlx::query("UPDATE provider_call_minutes SET minute = minute - interval '4 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(moments(lease(&store, &BOTH, Priority::Orders, 1).await).len(), 1);
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM provider_call_minutes").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 1, "what no window needs is dropped");
}

#[sqlx::test(migrations = "../migrations")]
async fn silence_holds_all_and_long_silence_sends_them_away(pool: PgPool) {
    let store = Store::new(pool);
    moments(lease(&store, &SHORT, Priority::Orders, 1).await);
    store.silence_lane("vendor", &SHORT, Duration::from_secs(5)).await.unwrap();
    let wait = |leased| moments(leased)[0] - Instant::now();
    assert!(wait(lease(&store, &SHORT, Priority::Customers, 1).await) > Duration::from_secs(4));
    store.silence_lane("vendor", &SHORT, Duration::from_secs(900)).await.unwrap();
    let Leased::Held(held) = lease(&store, &SHORT, Priority::Customers, 1).await else { panic!("given") };
    assert!(held.retry_after > Duration::from_secs(890), "{held:?}");
    let other = Lane { name: "other", ..SHORT };
    assert!(wait(lease(&store, &other, Priority::Orders, 1).await).is_zero(), "lanes are apart");
}
