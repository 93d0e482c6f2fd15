//! Accounts, rotating refresh tokens, and keys.

use std::time::Duration;

use domain::{api_key::Scope, email::EmailKey, ids::UserId, role::Role};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    Store, StoreError,
    api_keys::NewApiKey,
    audit::{Actor, Origin},
    opaque_token,
    page::PageRequest,
    sessions::{NewSession, Opened, Rotation, SessionHolder, SessionPolicy},
    throttles::Admission,
    users::{EMAIL_CONSTRAINT, NewUser, User},
};
use testkit::TestApp;

pub(crate) const POLICY: SessionPolicy = SessionPolicy {
    refresh_ttl: Duration::from_secs(3600),
    longest: Duration::from_secs(90 * 86_400),
    grace: Duration::from_secs(10),
};
pub(crate) const HOME: &str = "203.0.113.7";
pub(crate) const EMAIL: &str = "Siti@example.com";

pub(crate) fn origin() -> Origin {
    Origin { actor: Actor::System, ip: Some("203.0.113.7".into()), request_id: Some("req-1".into()) }
}

pub(crate) fn siti() -> NewUser {
    NewUser {
        email: EMAIL.into(),
        full_name: "Siti Aminah".into(),
        password_hash: "$argon2id$".into(),
        role: Role::Customer,
        email_verified: false,
    }
}

fn session() -> NewSession {
    NewSession { user_agent: Some("test".into()), network: HOME.into(), policy: POLICY }
}

const fn key(name: &str) -> NewApiKey<'_> {
    NewApiKey { name, scopes: Scope::ALL, life: None }
}

pub(crate) async fn registered(store: &Store) -> Opened {
    store.register(&siti(), &session(), &origin()).await.unwrap()
}

pub(crate) async fn rotate(store: &Store, token: &str) -> Rotation {
    store.rotate_refresh_token(token, &POLICY, &origin()).await.unwrap()
}

pub(crate) fn rotated(rotation: Rotation) -> Opened {
    match rotation {
        Rotation::Rotated(opened) => *opened,
        other => panic!("{other:?}"),
    }
}

/// Logs in as somebody who knows the password.
pub(crate) async fn logged_in(store: &Store, user: User) -> Opened {
    let email = EmailKey::of(&user.email);
    let Admission::Admitted(attempt) = store.admit_login(&email, HOME, &origin()).await.unwrap() else {
        panic!("locked")
    };
    store.login(user, &attempt, &session(), &origin()).await.unwrap()
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
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let opened = registered(&store).await;
    let again = NewUser { email: EMAIL.to_uppercase(), ..siti() };
    match store.create_user(&again, &origin()).await {
        Err(StoreError::Taken { constraint }) => assert_eq!(constraint, EMAIL_CONSTRAINT),
        other => panic!("{other:?}"),
    }
    let found = store.credentials(&EmailKey::of("siti@EXAMPLE.com")).await.unwrap().unwrap();
    assert_eq!((found.user.id, found.password_hash.as_str()), (opened.user.id, "$argon2id$"));
    assert_eq!(acts(&pool, "user.created").await, [("user".into(), Some(opened.user.id.0))]);
}

#[sqlx::test(migrations = "../migrations")]
async fn no_plaintext_is_stored(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let opened = registered(&store).await;
    let (_, key) = store.create_api_key(&key("monitoring"), &origin()).await.unwrap();
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
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let first = registered(&store).await;
    let second = rotated(rotate(&store, &first.refresh_token).await);
    assert_eq!((second.session, second.user.id), (first.session, first.user.id));
    let third = rotated(rotate(&store, &second.refresh_token).await);

    // What came of the first one was used: the grace is over.
    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Reused));
    assert!(matches!(rotate(&store, &third.refresh_token).await, Rotation::Invalid), "the family is revoked");
    assert!(holder(&store, &first).await.revoked);
    assert_eq!(acts(&pool, "auth.refresh_token_reused").await, [("user".into(), Some(first.user.id.0))]);
    assert!(matches!(rotate(&store, "wbr_unknown").await, Rotation::Invalid));
}

async fn holder(store: &Store, opened: &Opened) -> SessionHolder {
    store.session_holder(opened.session, opened.user.id, POLICY.longest).await.unwrap().unwrap()
}

/// Two tabs, or an answer that was lost.
#[sqlx::test(migrations = "../migrations")]
async fn refreshes_at_the_same_time_each_get_a_token_that_works(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store).await;
    let results = join_all((0..12).map(|_| rotate(&store, &opened.refresh_token))).await;
    let chains: Vec<Opened> = results.into_iter().map(rotated).collect();
    assert!(chains.iter().all(|chain| chain.session == opened.session), "one family");
    let next = join_all(chains.iter().map(|chain| rotate(&store, &chain.refresh_token))).await;
    let mut tokens: Vec<String> = next.into_iter().map(|next| rotated(next).refresh_token).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 12, "each holds a token of its own");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_grace_ends_by_time_and_by_use_of_a_successor(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let first = registered(&store).await;
    rotated(rotate(&store, &first.refresh_token).await);
    let age = "UPDATE refresh_tokens SET used_at = used_at - interval '9 seconds' WHERE used_at IS NOT NULL";
    sqlx::query(age).execute(&pool).await.unwrap();
    let lost = rotated(rotate(&store, &first.refresh_token).await);
    // It runs from the first exchange.
    sqlx::query(age).execute(&pool).await.unwrap();
    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Reused));
    assert!(matches!(rotate(&store, &lost.refresh_token).await, Rotation::Invalid));
}

/// A used token and one that came of it, at once: either order ends well or ends the family, and never both go on.
#[sqlx::test(migrations = "../migrations")]
async fn a_predecessor_and_its_successor_at_the_same_time_are_told_apart(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store).await;
    let next = rotated(rotate(&store, &opened.refresh_token).await);
    let (old, new) = tokio::join!(rotate(&store, &opened.refresh_token), rotate(&store, &next.refresh_token));
    match (old, new) {
        // The old one was first, within its grace.
        (Rotation::Rotated(_), Rotation::Rotated(_)) => assert!(!holder(&store, &opened).await.revoked),
        (Rotation::Reused, Rotation::Rotated(_)) => assert!(holder(&store, &opened).await.revoked),
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_ends_however_much_it_is_used(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let opened = registered(&store).await;
    sqlx::query("UPDATE sessions SET created_at = now() - interval '89 days 23 hours 30 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    let next = rotated(rotate(&store, &opened.refresh_token).await);
    let left: bool = sqlx::query_scalar(
        "SELECT max(expires_at) < now() + interval '31 minutes' FROM refresh_tokens WHERE predecessor IS NOT NULL",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(left, "no token outlives its session");
    assert!(!holder(&store, &opened).await.ended);
    sqlx::query("UPDATE sessions SET created_at = now() - interval '91 days'").execute(&pool).await.unwrap();
    assert!(matches!(rotate(&store, &next.refresh_token).await, Rotation::Ended));
    assert!(holder(&store, &opened).await.ended);
    let all = PageRequest { before: None, limit: 10 };
    assert!(store.sessions(opened.user.id, POLICY.longest, all).await.unwrap().data.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn expired_and_suspended(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store).await;
    let at_once = SessionPolicy { refresh_ttl: Duration::ZERO, ..POLICY };
    let short = store.rotate_refresh_token(&opened.refresh_token, &at_once, &origin()).await.unwrap();
    let short = rotated(short);
    assert!(matches!(rotate(&store, &short.refresh_token).await, Rotation::Expired));

    let login = logged_in(&store, opened.user.clone()).await;
    let admin = app.admin().await;
    store.suspend_user(opened.user.id, "spam", admin, &origin()).await.unwrap();
    assert!(matches!(rotate(&store, &login.refresh_token).await, Rotation::Suspended));
    // One that was under way when it was suspended.
    let under_way = logged_in(&store, opened.user.clone()).await;
    store.unsuspend_user(opened.user.id, admin, &origin()).await.unwrap();
    for token in [&login.refresh_token, &under_way.refresh_token] {
        assert!(matches!(rotate(&store, token).await, Rotation::Invalid));
    }
    let anew = logged_in(&store, opened.user.clone()).await;
    rotated(rotate(&store, &anew.refresh_token).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn logging_out(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let first = registered(&store).await;
    let user = first.user.id;
    let second = logged_in(&store, first.user).await;
    let all = PageRequest { before: None, limit: 10 };
    let listed: Vec<_> =
        store.sessions(user, POLICY.longest, all).await.unwrap().data.iter().map(|s| s.id).collect();
    assert_eq!(listed, [second.session, first.session]);

    let stranger = UserId(uuid::Uuid::now_v7());
    assert!(matches!(
        store.revoke_session(stranger, first.session, &origin()).await,
        Err(StoreError::NotFound("session"))
    ));
    store.revoke_session(user, first.session, &origin()).await.unwrap();
    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Invalid));
    assert_eq!(store.sessions(user, POLICY.longest, all).await.unwrap().data.len(), 1);
    assert_eq!(store.revoke_all_sessions(user, &origin()).await.unwrap(), 1);
    assert!(store.session_holder(second.session, user, POLICY.longest).await.unwrap().unwrap().revoked);
    assert!(store.session_holder(second.session, stranger, POLICY.longest).await.unwrap().is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_made_rotated_used_and_revoked(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let find = async |key: &str| store.find_api_key(&opaque_token::hash(key.as_bytes())).await.unwrap();
    let (id, first) = store.create_api_key(&key("provider service"), &origin()).await.unwrap();
    assert!(matches!(
        store.create_api_key(&key("provider service"), &origin()).await,
        Err(StoreError::Taken { .. })
    ));
    let found = find(&first).await.unwrap();
    assert_eq!(found.id, id);
    store.touch_api_key(&found).await.unwrap();
    let used = store.api_keys().await.unwrap()[0].last_used_at.unwrap();
    store.touch_api_key(&found).await.unwrap();
    assert_eq!(store.api_keys().await.unwrap()[0].last_used_at, Some(used), "noted once a minute");

    let (same, second) = store.rotate_api_key(&key("provider service"), &origin()).await.unwrap();
    assert_eq!(same, id);
    assert!(find(&first).await.is_none());
    assert!(find(&second).await.is_some());
    store.revoke_api_key("provider service", &origin()).await.unwrap();
    assert!(find(&second).await.is_none());
    let again = store.revoke_api_key("provider service", &origin()).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    for action in ["api_key.created", "api_key.rotated", "api_key.revoked"] {
        assert_eq!(acts(&pool, action).await.len(), 1, "{action}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_has_rights_and_an_end(pool: PgPool) {
    let app = TestApp::unseeded(pool.clone());
    let store = app.store.clone();
    let find = async |key: &str| store.find_api_key(&opaque_token::hash(key.as_bytes())).await.unwrap();
    let day = Some(Duration::from_secs(86_400));
    let reader = NewApiKey { name: "reader", scopes: &[Scope::InstancesRead], life: day };
    let (_, plaintext) = store.create_api_key(&reader, &origin()).await.unwrap();
    assert_eq!(find(&plaintext).await.unwrap().scopes, [Scope::InstancesRead]);
    assert!(!store.api_keys().await.unwrap()[0].expired);
    sqlx::query("UPDATE api_keys SET expires_at = now()").execute(&pool).await.unwrap();
    assert!(find(&plaintext).await.is_none());
    assert!(store.api_keys().await.unwrap()[0].expired);

    // Every right is known to the database, and one that it does not know is refused.
    let all = NewApiKey { scopes: Scope::ALL, life: None, ..reader };
    let (_, plaintext) = store.rotate_api_key(&all, &origin()).await.unwrap();
    assert_eq!(find(&plaintext).await.unwrap().scopes, Scope::ALL);
    for wrong in ["UPDATE api_keys SET scopes = '{everything}'", "UPDATE api_keys SET scopes = '{}'"] {
        assert!(sqlx::query(wrong).execute(&pool).await.is_err(), "{wrong}");
    }
}
