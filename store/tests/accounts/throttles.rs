//! The back-off after failed attempts to prove who one is.

use std::time::Duration;

use domain::{
    email::EmailKey,
    ids::{SessionId, UserId},
    role::Role,
};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    Store, StoreError,
    audit::Origin,
    sessions::{NewSession, Opened, SessionPolicy},
    throttles::{Admission, Attempt, FREE_ATTEMPTS, FREE_ATTEMPTS_OF_STRANGERS},
    users::{NewUser, User},
};
use testkit::TestApp;

const EMAIL: &str = "Siti@example.com";
const HOME: &str = "203.0.113.7";
const ABROAD: &str = "2001:db8:1:2::/64";

fn origin() -> Origin {
    Origin::system()
}

fn siti() -> EmailKey {
    EmailKey::of(EMAIL)
}

fn session(network: &str) -> NewSession {
    let policy = SessionPolicy {
        refresh_ttl: Duration::from_secs(3600),
        longest: Duration::from_secs(7200),
        grace: Duration::from_secs(10),
    };
    NewSession { user_agent: None, network: network.into(), policy }
}

async fn registered(store: &Store, network: &str) -> Opened {
    let new = NewUser {
        email: EMAIL.into(),
        full_name: "Siti Aminah".into(),
        password_hash: "$argon2id$".into(),
        role: Role::Customer,
        email_verified: false,
    };
    store.register(&new, &session(network), &origin()).await.unwrap()
}

async fn admit(store: &Store, network: &str) -> Admission {
    store.admit_login(&siti(), network, &origin()).await.unwrap()
}

fn admitted(admission: Admission) -> Attempt {
    match admission {
        Admission::Admitted(attempt) => attempt,
        Admission::Wait(seconds) => panic!("has to wait for {seconds} s"),
    }
}

fn wait(admission: Admission) -> u64 {
    match admission {
        Admission::Wait(seconds) => seconds,
        Admission::Admitted(_) => panic!("need not wait"),
    }
}

/// Waits that are over.
async fn wait_over(pool: &PgPool) {
    sqlx::query(
        "UPDATE auth_throttles SET locked_until = now() - interval '1 second' WHERE locked_until IS NOT NULL",
    )
    .execute(pool)
    .await
    .unwrap();
}

async fn acts(pool: &PgPool, action: &str) -> Vec<Option<uuid::Uuid>> {
    sqlx::query_scalar("SELECT object_id FROM audit_log WHERE action = $1")
        .bind(action)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn of_a_hundred_at_once_as_many_are_checked_as_may_be(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let all = join_all((0..100).map(|_| admit(&store, HOME))).await;
    let checked = all.iter().filter(|one| matches!(one, Admission::Admitted(_))).count();
    assert_eq!(checked, usize::try_from(FREE_ATTEMPTS).unwrap());
    let counted: Vec<i32> = sqlx::query_scalar("SELECT failures FROM auth_throttles ORDER BY network")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(counted, [FREE_ATTEMPTS, FREE_ATTEMPTS], "those that were turned away are not counted");
    assert_eq!(acts(&pool, "auth.login_locked").await, [None], "told once, of nobody's account");
}

#[sqlx::test(migrations = "../migrations")]
async fn further_failures_lock_longer_and_longer(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let user: UserId = registered(&store, ABROAD).await.user.id;
    for _ in 0..FREE_ATTEMPTS {
        let _ = admitted(admit(&store, HOME).await);
    }
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(wait(admit(&store, HOME).await));
        wait_over(&pool).await;
        let _ = admitted(admit(&store, HOME).await);
    }
    for (wait, expected) in waits.iter().zip([30, 60, 120, 240, 480, 900, 900, 900]) {
        assert!((expected - 5..=expected).contains(wait), "{waits:?}");
    }
    assert_eq!(acts(&pool, "auth.login_locked").await, [Some(user.0)]);
    let other = store.admit_login(&EmailKey::of("budi@example.com"), HOME, &origin()).await.unwrap();
    let _ = admitted(other);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_right_password_forgives_the_failures_of_its_network(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let user: User = registered(&store, ABROAD).await.user;
    for _ in 0..FREE_ATTEMPTS - 1 {
        let _ = admitted(admit(&store, HOME).await);
    }
    // The last one that is free: what comes after it would have to wait, but it is right.
    let attempt = admitted(admit(&store, HOME).await);
    store.login(user, &attempt, &session(HOME), &origin()).await.unwrap();
    let left: Vec<(String, i32)> =
        sqlx::query_as("SELECT network, failures FROM auth_throttles").fetch_all(&pool).await.unwrap();
    assert_eq!(left, [(String::new(), FREE_ATTEMPTS - 1)], "strangers' failures stay");
    let _ = admitted(admit(&store, HOME).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn strangers_of_many_networks_are_stopped_and_the_owner_is_not(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let user = registered(&store, HOME).await.user;
    for stranger in 0..FREE_ATTEMPTS_OF_STRANGERS {
        let _ = admitted(admit(&store, &format!("198.51.100.{stranger}")).await);
    }
    wait(admit(&store, "192.0.2.1").await);
    let attempt = admitted(admit(&store, HOME).await);
    store.login(user, &attempt, &session(HOME), &origin()).await.unwrap();
    wait(admit(&store, "192.0.2.1").await);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_is_bound_by_its_own_failures_only(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store, HOME).await;
    for _ in 0..FREE_ATTEMPTS {
        let _ = admitted(admit(&store, HOME).await);
    }
    wait(admit(&store, HOME).await);
    for _ in 0..FREE_ATTEMPTS {
        let _ = admitted(store.admit_proof(opened.session).await.unwrap());
    }
    wait(store.admit_proof(opened.session).await.unwrap());
    let other = SessionId(uuid::Uuid::now_v7());
    let _ = admitted(store.admit_proof(other).await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_hour_without_failures_forgives_them(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    for _ in 0..FREE_ATTEMPTS - 1 {
        let _ = admitted(admit(&store, HOME).await);
    }
    sqlx::query("UPDATE auth_throttles SET updated_at = now() - interval '61 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    for _ in 0..FREE_ATTEMPTS {
        let _ = admitted(admit(&store, HOME).await);
    }
    wait(admit(&store, HOME).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lock_can_be_lifted_and_that_is_audited(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let user = registered(&store, HOME).await.user.id;
    for _ in 0..FREE_ATTEMPTS {
        let _ = admitted(admit(&store, HOME).await);
        let _ = admitted(admit(&store, ABROAD).await);
    }
    assert!(store.unlock_logins(&siti(), &origin()).await.unwrap());
    for network in [HOME, ABROAD] {
        let _ = admitted(admit(&store, network).await);
    }
    assert_eq!(acts(&pool, "auth.login_unlocked").await, [Some(user.0)]);
    let unknown = store.unlock_logins(&EmailKey::of("nobody@example.com"), &origin()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
}
