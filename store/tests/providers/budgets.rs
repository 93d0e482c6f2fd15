//! Leasing calls: several processes on one row, longer windows, silence.

use std::time::{Duration, Instant};

use domain::{
    ids::UserId,
    rate_limit::{Caller, HeldBy, Lane, Party, Shares, Window},
};
use sqlx::PgPool;
use store::{
    Store,
    provider_budgets::{Leased, NoShare, Wish},
};
use testkit::TestApp;
use uuid::Uuid;

const SECOND: Window = Window { calls: 30, period: Duration::from_secs(1) };
const HOUR: Window = Window { calls: 200, period: Duration::from_secs(3_600) };
const SHORT: Lane = Lane::new("all", &[SECOND]);
const BOTH: Lane = Lane::new("all", &[SECOND, HOUR]);

async fn lease(store: &Store, lane: &Lane, caller: Caller, wanted: u32) -> Leased {
    let wish = Wish { caller, wanted, shares: Shares::STANDARD };
    store.lease_calls("vendor", lane, &wish).await.unwrap()
}

fn party(number: u128) -> Party {
    UserId(Uuid::from_u128(number)).into()
}

fn action(number: u128) -> Caller {
    Caller::Action(party(number))
}

/// When the calls of a lease may be made.
fn moments(leased: Leased) -> Vec<Instant> {
    match leased {
        Leased::Slots(lease) => lease.delays.iter().map(|delay| lease.read_at + *delay).collect(),
        held => panic!("{held:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_that_lease_at_once_never_get_more_than_a_window_holds(pool: PgPool) {
    let _app = TestApp::unseeded(pool.clone());
    let leasing = (0..4u128).map(|process| {
        let store = Store::new(pool.clone());
        async move {
            let mut all = Vec::new();
            for round in 0..25 {
                // Each by another customer: what one may take is a matter of its own.
                let caller =
                    if (round + process) % 8 == 0 { action(round * 4 + process) } else { Caller::Servers };
                if let leased @ Leased::Slots(_) = lease(&store, &SHORT, caller, 8).await {
                    all.extend(moments(leased));
                }
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
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    match lease(&store, &SHORT, Caller::Servers, 1).await {
        Leased::Slots(lease) => assert_eq!(lease.delays, [Duration::ZERO]),
        held => panic!("{held:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_long_window_is_counted_and_forgets(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let mut given = 0;
    let held = loop {
        match lease(&store, &BOTH, Caller::Servers, 5).await {
            Leased::Slots(lease) => given += lease.delays.len(),
            Leased::Held(held) => break held,
            Leased::NoShare(none) => panic!("servers need no share: {none:?}"),
        }
    };
    assert_eq!(given, 192, "all but the reserve");
    assert!(held.reason.contains("hourly") && held.retry_after == Duration::from_secs(60), "{held:?}");
    assert_eq!(moments(lease(&store, &BOTH, action(1), 9).await).len(), 1, "the reserve, one at a time");
    sqlx::query("UPDATE provider_call_minutes SET calls = 200 WHERE calls > 100")
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(lease(&store, &BOTH, action(1), 1).await, Leased::Held(_)));

    sqlx::query("UPDATE provider_call_minutes SET minute = minute - interval '59 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(lease(&store, &BOTH, action(1), 1).await, Leased::Held(_)));
    sqlx::query("UPDATE provider_call_minutes SET minute = minute - interval '4 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(moments(lease(&store, &BOTH, Caller::Servers, 1).await).len(), 1);
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM provider_call_minutes").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 1, "what no window needs is dropped");
}

#[sqlx::test(migrations = "../migrations")]
async fn silence_holds_all_and_long_silence_sends_them_away(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    moments(lease(&store, &SHORT, Caller::Servers, 1).await);
    store.silence_lane("vendor", &SHORT, Duration::from_secs(5)).await.unwrap();
    let wait = |leased| moments(leased)[0] - Instant::now();
    assert!(wait(lease(&store, &SHORT, action(1), 1).await) > Duration::from_secs(4));
    store.silence_lane("vendor", &SHORT, Duration::from_secs(900)).await.unwrap();
    let Leased::Held(held) = lease(&store, &SHORT, action(1), 1).await else { panic!("given") };
    assert!(held.retry_after > Duration::from_secs(890), "{held:?}");
    let other = Lane { name: "other", ..SHORT };
    assert!(wait(lease(&store, &other, Caller::Servers, 1).await).is_zero(), "lanes are apart");
}

const MINUTE: Window = Window { calls: 250, period: Duration::from_secs(60) };
const MINUTES: Lane = Lane::new("all", &[MINUTE]);

/// How many calls one gets until there is none, taking turns between processes.
async fn all_of(stores: &[Store], caller: Caller) -> (usize, NoShare) {
    let mut given = 0;
    for store in stores.iter().cycle() {
        match lease(store, &MINUTES, caller, 9).await {
            Leased::Slots(lease) => given += lease.delays.len(),
            Leased::NoShare(none) => return (given, none),
            Leased::Held(held) => panic!("{held:?}"),
        }
    }
    unreachable!("somebody is refused")
}

#[sqlx::test(migrations = "../migrations")]
async fn a_share_is_one_for_all_processes_and_a_customers_part_of_it_their_own(pool: PgPool) {
    let _app = TestApp::unseeded(pool.clone());
    let stores = [Store::new(pool.clone()), Store::new(pool.clone())];
    let (one, none) = all_of(&stores, Caller::Display(party(1))).await;
    // 60 % of 15 % of 250, half of it at once; one more comes in every five seconds.
    assert!((11..=13).contains(&one), "{one}");
    assert_eq!(none.by, HeldBy::Party);
    assert!(none.retry_after <= Duration::from_secs(6), "{none:?}");
    let (other, none) = all_of(&stores, Caller::Display(party(2))).await;
    assert!((18..=22).contains(&(one + other)), "15 % of 250, half of it at once: {one} and {other}");
    assert_eq!(none.by, HeldBy::Class);
    let (actions, _) = all_of(&stores, action(1)).await;
    assert!(actions >= 3, "reads for display take nothing from actions: {actions}");
    for store in &stores {
        assert!(!moments(lease(store, &MINUTES, Caller::Servers, 9).await).is_empty());
        assert!(!moments(lease(store, &MINUTES, Caller::Records, 1).await).is_empty());
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_action_goes_ahead_of_orders_that_wait(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    for _ in 0..30 {
        moments(lease(&store, &MINUTES, Caller::Servers, 1).await);
    }
    let order = moments(lease(&store, &MINUTES, Caller::Servers, 1).await)[0] - Instant::now();
    let ahead = moments(lease(&store, &MINUTES, action(1), 1).await)[0] - Instant::now();
    assert!(ahead + Duration::from_secs(1) < order, "{ahead:?} {order:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn allowances_that_are_full_again_are_forgotten(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    moments(lease(&store, &MINUTES, Caller::Display(party(1)), 1).await);
    sqlx::query("UPDATE provider_allowances SET all_full_at = now() - interval '1 minute'")
        .execute(&pool)
        .await
        .unwrap();
    moments(lease(&store, &MINUTES, Caller::Display(party(2)), 1).await);
    let kept: Vec<(String, Option<Uuid>)> =
        sqlx::query_as("SELECT class, party FROM provider_allowances ORDER BY party NULLS FIRST")
            .fetch_all(&pool)
            .await
            .unwrap();
    let display = |party: Option<Party>| ("display".to_owned(), party.map(|party| party.as_uuid()));
    assert_eq!(kept, [display(None), display(Some(party(2)))]);
}
