//! What the owner of an account is told for its safety.

use domain::{email::EmailKey, event::Event, language::Language};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    Store,
    page::PageRequest,
    sessions::{NewSession, Opened, Rotation},
    throttles::Admission,
};
use testkit::TestApp;

use crate::identity::{EMAIL, HOME, POLICY, logged_in, origin, registered, rotate, rotated};

/// What a person is told in the app, newest first.
async fn told(store: &Store, person: &Opened) -> Vec<Event> {
    let all = PageRequest { before: None, limit: 10 };
    let page = store.notifications(person.user.id, false, all).await.unwrap();
    page.data.into_iter().map(|notification| notification.event.unwrap()).collect()
}

async fn change_password(store: &Store, who: &Opened, to: &str) {
    let Admission::Admitted(attempt) =
        store.admit_login(&EmailKey::of(EMAIL), HOME, &origin()).await.unwrap()
    else {
        panic!("locked")
    };
    store.change_password(who.user.id, &attempt, to, who.session, &origin()).await.unwrap();
}

/// Nothing that opens anything, and nothing of where somebody is, stands in an event.
fn assert_tells_no_secrets(event: &Event, secrets: &[&str]) {
    let data = event.data().unwrap().to_string();
    let words = messages::email(event, Language::Indonesian).unwrap();
    for secret in secrets.iter().copied().chain([EMAIL, HOME, "Siti", "argon2"]) {
        assert!(!data.contains(secret), "{secret} in {data}");
        assert!(!words.message.contains(secret), "{secret} in {}", words.message);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn each_change_of_a_password_is_told_once(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store).await;
    let elsewhere = logged_in(&store, opened.user.clone()).await;
    assert!(told(&store, &opened).await.is_empty(), "a login is no news");

    change_password(&store, &opened, "$argon2id$second").await;
    let [Event::PasswordChanged(first)] = &told(&store, &opened).await[..] else { panic!("one notice") };
    assert_eq!(first.user_id, opened.user.id);
    assert!(matches!(rotate(&store, &elsewhere.refresh_token).await, Rotation::Invalid));

    change_password(&store, &opened, "$argon2id$third").await;
    let notices = told(&store, &opened).await;
    let [Event::PasswordChanged(second), Event::PasswordChanged(again)] = &notices[..] else {
        panic!("{notices:?}")
    };
    assert_eq!(again, first);
    assert!(second.changed_at > first.changed_at);
    assert_tells_no_secrets(&notices[0], &[&opened.refresh_token]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_shown_again_is_told_once_however_often_it_is_shown(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let first = registered(&store).await;
    let second = rotated(rotate(&store, &first.refresh_token).await);
    let third = rotated(rotate(&store, &second.refresh_token).await);
    assert!(told(&store, &first).await.is_empty(), "what its owner does is no news");

    let shown = join_all((0..5).map(|_| rotate(&store, &first.refresh_token))).await;
    assert_eq!(shown.iter().filter(|outcome| matches!(outcome, Rotation::Reused)).count(), 1, "{shown:?}");
    let notices = told(&store, &first).await;
    let [Event::SessionsRevoked(ended)] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(ended.session_id, first.session);
    assert_tells_no_secrets(
        &notices[0],
        &[&first.refresh_token, &second.refresh_token, &third.refresh_token],
    );
}

/// A log-out of one's own, and a token whose time was over, are no danger.
#[sqlx::test(migrations = "../migrations")]
async fn an_end_that_was_asked_for_is_not_told(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let first = registered(&store).await;
    let second = logged_in(&store, first.user.clone()).await;
    store.revoke_session(first.user.id, second.session, &origin()).await.unwrap();
    store.revoke_all_sessions(first.user.id, &origin()).await.unwrap();
    assert!(matches!(rotate(&store, &first.refresh_token).await, Rotation::Invalid));
    assert!(told(&store, &first).await.is_empty());
}

/// Who logs in from a browser or a network that the account does not know is told of, but not of the first login.
#[sqlx::test(migrations = "../migrations")]
async fn a_login_from_elsewhere_is_told(pool: PgPool) {
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";
    let app = TestApp::unseeded(pool);
    let store = app.store.clone();
    let opened = registered(&store).await;
    let log_in = async |network: &str, user_agent: &str| {
        let key = EmailKey::of(EMAIL);
        let Admission::Admitted(attempt) = store.admit_login(&key, network, &origin()).await.unwrap() else {
            panic!("locked")
        };
        let (network, user_agent) = (network.to_owned(), Some(user_agent.to_owned()));
        let session = NewSession { user_agent, network, policy: POLICY };
        store.login(opened.user.clone(), &attempt, &session, &origin()).await.unwrap()
    };
    log_in(HOME, "test").await;
    assert!(told(&store, &opened).await.is_empty(), "as at the registration");
    let there = log_in(HOME, FIREFOX).await;
    let notices = told(&store, &opened).await;
    let [Event::NewDeviceLogin(login)] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((login.session_id, login.device.as_deref()), (there.session, Some("Firefox (Linux)")));
    assert_tells_no_secrets(&notices[0], &[&there.refresh_token]);
    log_in(HOME, &FIREFOX.replace("127.0", "128.0")).await;
    assert_eq!(told(&store, &opened).await.len(), 1, "a new version is no new device");
    log_in("198.51.100.9", FIREFOX).await;
    assert_eq!(told(&store, &opened).await.len(), 2, "a new network");
    log_in("198.51.100.9", FIREFOX).await;
    assert_eq!(told(&store, &opened).await.len(), 2);
    app.run("UPDATE sessions SET created_at = now() - interval '91 days'").await;
    log_in("198.51.100.9", FIREFOX).await;
    assert_eq!(told(&store, &opened).await.len(), 3, "it was long ago");
    assert_eq!(
        app.count("SELECT count(*) FROM audit_log WHERE action = 'auth.login_from_new_device'").await,
        3
    );
}
