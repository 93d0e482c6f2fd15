//! Accounts, rotating refresh tokens, the back-off after failed logins, and keys.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::time::Duration;

use domain::{ids::UserId, role::Role};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    Store, StoreError,
    audit::{Actor, Origin},
    opaque_token,
    page::PageRequest,
    sessions::{Login, NewSession, Opened, Rotation},
    users::{EMAIL_CONSTRAINT, NewUser},
};

const TTL: Duration = Duration::from_secs(3600);
const EMAIL: &str = "Siti@example.com";

fn origin() -> Origin {
    Origin { actor: Actor::System, ip: Some("203.0.113.7".into()), request_id: Some("req-1".into()) }
}

fn siti() -> NewUser {
    NewUser {
        email: EMAIL.into(),
        full_name: "Siti Aminah".into(),
        password_hash: "$argon2id$".into(),
        role: Role::Customer,
        email_verified: false,
    }
}

fn session() -> NewSession {
    NewSession { user_agent: Some("test".into()), refresh_ttl: TTL }
}

async fn registered(store: &Store) -> Opened {
    store.register(&siti(), &session(), &origin()).await.unwrap()
}

async fn rotate(store: &Store, token: &str) -> Rotation {
    store.rotate_refresh_token(token, TTL, &origin()).await.unwrap()
}

fn rotated(rotation: Rotation) -> Opened {
    match rotation {
        Rotation::Rotated(opened) => *opened,
        other => panic!("{other:?}"),
    }
}

async fn acts(pool: &PgPool, action: &str) -> Vec<(String, Option<uuid::Uuid>)> {
    sqlx::query_as("SELECT actor_kind, actor_id FROM audit_log WHERE action = $1 AND request_id = 'req-1'")
        .bind(action)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_is_taken_once_in_any_case(pool: PgPool) {
    let store = Store::new(pool.clone());
    let opened = registered(&store).await;
    let again = NewUser { email: EMAIL.to_uppercase(), ..siti() };
    match store.create_user(&again, &origin()).await {
        Err(StoreError::Taken { constraint }) => assert_eq!(constraint, EMAIL_CONSTRAINT),
        other => panic!("{other:?}"),
    }
    let found = store.credentials("siti@EXAMPLE.com").await.unwrap().unwrap();
    assert_eq!((found.user.id, found.password_hash.as_str()), (opened.user.id, "$argon2id$"));
    assert_eq!(acts(&pool, "user.created").await, [("user".into(), Some(opened.user.id.0))]);
}

#[sqlx::test(migrations = "../migrations")]
async fn no_plaintext_is_stored(pool: PgPool) {
    let store = Store::new(pool.clone());
    let opened = registered(&store).await;
    let (_, key) = store.create_api_key("monitoring", &origin()).await.unwrap();
    for (secret, query) in [
        (&opened.refresh_token, "SELECT token_hash FROM refresh_tokens"),
        (&key, "SELECT key_hash FROM api_keys"),
    ] {
        assert_eq!(secret.len(), 4 + 64);
        let stored: Vec<u8> = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        assert_eq!(stored, opaque_token::hash(secret.as_bytes()));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn rotation_and_reuse(pool: PgPool) {
    let store = Store::new(pool.clone());
    let first = registered(&store).await;
    let second = rotated(rotate(&store, &first.refresh_token).await);
    assert_eq!((second.session, second.user.id), (first.session, first.user.id));
    let third = rotated(rotate(&store, &second.refresh_token).await);

    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Reused));
    assert!(matches!(rotate(&store, &third.refresh_token).await, Rotation::Invalid), "the family is revoked");
    assert!(store.session_holder(first.session, first.user.id).await.unwrap().unwrap().revoked);
    assert_eq!(acts(&pool, "auth.refresh_token_reused").await, [("user".into(), Some(first.user.id.0))]);
    assert!(matches!(rotate(&store, "wbr_unknown").await, Rotation::Invalid));
}

#[sqlx::test(migrations = "../migrations")]
async fn of_refreshes_at_the_same_time_one_wins_and_the_session_lives(pool: PgPool) {
    let store = Store::new(pool);
    let opened = registered(&store).await;
    let results = join_all((0..20).map(|_| rotate(&store, &opened.refresh_token))).await;
    let (winners, losers): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|r| matches!(r, Rotation::Rotated(_)));
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|r| matches!(r, Rotation::Raced)), "{losers:?}");
    let winner = rotated(winners.into_iter().next().unwrap());
    rotated(rotate(&store, &winner.refresh_token).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn expired_and_suspended(pool: PgPool) {
    let store = Store::new(pool);
    let opened = registered(&store).await;
    let short = store.rotate_refresh_token(&opened.refresh_token, Duration::ZERO, &origin()).await.unwrap();
    let short = rotated(short);
    assert!(matches!(rotate(&store, &short.refresh_token).await, Rotation::Expired));

    let Login::Opened(login) = store.login(opened.user.clone(), &session(), &origin()).await.unwrap() else {
        panic!("not locked")
    };
    store.set_suspended(opened.user.id, true, &origin()).await.unwrap();
    assert!(matches!(rotate(&store, &login.refresh_token).await, Rotation::Suspended));
    store.set_suspended(opened.user.id, false, &origin()).await.unwrap();
    rotated(rotate(&store, &login.refresh_token).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn logging_out(pool: PgPool) {
    let store = Store::new(pool);
    let first = registered(&store).await;
    let user = first.user.id;
    let Login::Opened(second) = store.login(first.user, &session(), &origin()).await.unwrap() else {
        panic!("not locked")
    };
    let all = PageRequest { before: None, limit: 10 };
    let listed: Vec<_> = store.sessions(user, all).await.unwrap().data.iter().map(|s| s.id).collect();
    assert_eq!(listed, [second.session, first.session]);

    let stranger = UserId(uuid::Uuid::now_v7());
    assert!(matches!(
        store.revoke_session(stranger, first.session, &origin()).await,
        Err(StoreError::NotFound("session"))
    ));
    store.revoke_session(user, first.session, &origin()).await.unwrap();
    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Invalid));
    assert_eq!(store.sessions(user, all).await.unwrap().data.len(), 1);
    assert_eq!(store.revoke_all_sessions(user, &origin()).await.unwrap(), 1);
    assert!(store.session_holder(second.session, user).await.unwrap().unwrap().revoked);
    assert!(store.session_holder(second.session, stranger).await.unwrap().is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn failures_lock_longer_and_longer(pool: PgPool) {
    let store = Store::new(pool.clone());
    let user = registered(&store).await.user;
    let fail = || async { store.login_failed(EMAIL, Some(user.id), &origin()).await.unwrap() };
    for _ in 0..4 {
        fail().await;
        assert_eq!(store.login_wait(EMAIL).await.unwrap(), None);
    }
    let mut waits = Vec::new();
    for _ in 0..8 {
        fail().await;
        waits.push(store.login_wait("siti@EXAMPLE.com").await.unwrap().unwrap());
    }
    for (wait, expected) in waits.iter().zip([30, 60, 120, 240, 480, 900, 900, 900]) {
        assert!((expected - 5..=expected).contains(wait), "{waits:?}");
    }
    assert_eq!(acts(&pool, "auth.login_locked").await.len(), 1);
    assert_eq!(store.login_wait("budi@example.com").await.unwrap(), None);

    // The right password, checked while others failed, does not get in either.
    assert!(matches!(store.login(user.clone(), &session(), &origin()).await.unwrap(), Login::Locked));
    sqlx::query("UPDATE login_throttles SET locked_until = now() - interval '1 second'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(matches!(store.login(user, &session(), &origin()).await.unwrap(), Login::Opened(_)));
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM login_throttles").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0, "a right password forgives the failures before it");
}

#[sqlx::test(migrations = "../migrations")]
async fn failures_at_the_same_time_are_all_counted(pool: PgPool) {
    let store = Store::new(pool.clone());
    let origin = &origin();
    join_all((0..10).map(|_| store.login_failed(EMAIL, None, origin))).await;
    let failures: i32 =
        sqlx::query_scalar("SELECT failures FROM login_throttles").fetch_one(&pool).await.unwrap();
    assert_eq!(failures, 10);
    assert!(store.login_wait(EMAIL).await.unwrap().is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_hour_without_failures_forgives_them(pool: PgPool) {
    let store = Store::new(pool.clone());
    for _ in 0..4 {
        store.login_failed(EMAIL, None, &origin()).await.unwrap();
    }
    sqlx::query("UPDATE login_throttles SET updated_at = now() - interval '61 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    store.login_failed(EMAIL, None, &origin()).await.unwrap();
    assert_eq!(store.login_wait(EMAIL).await.unwrap(), None);
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_made_rotated_used_and_revoked(pool: PgPool) {
    let store = Store::new(pool.clone());
    let find = async |key: &str| store.find_api_key(&opaque_token::hash(key.as_bytes())).await.unwrap();
    let (id, first) = store.create_api_key("provider service", &origin()).await.unwrap();
    assert!(matches!(
        store.create_api_key("provider service", &origin()).await,
        Err(StoreError::Taken { .. })
    ));
    let found = find(&first).await.unwrap();
    assert_eq!(found.id, id);
    store.touch_api_key(&found).await.unwrap();
    let used = store.api_keys().await.unwrap()[0].last_used_at.unwrap();
    store.touch_api_key(&found).await.unwrap();
    assert_eq!(store.api_keys().await.unwrap()[0].last_used_at, Some(used), "noted once a minute");

    let (same, second) = store.rotate_api_key("provider service", &origin()).await.unwrap();
    assert_eq!(same, id);
    assert!(find(&first).await.is_none());
    assert!(find(&second).await.is_some());
    store.revoke_api_key(id, &origin()).await.unwrap();
    assert!(find(&second).await.is_none());
    assert!(matches!(store.revoke_api_key(id, &origin()).await, Err(StoreError::NotFound(_))));
    for action in ["api_key.created", "api_key.rotated", "api_key.revoked"] {
        assert_eq!(acts(&pool, action).await.len(), 1, "{action}");
    }
}
