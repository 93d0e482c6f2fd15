//! Register, log in, refresh, log out, profile, password, sessions.

use std::net::SocketAddr;

use axum::{Extension, extract::ConnectInfo};
use domain::role::Role;
use futures::future::join_all;
use insta::assert_json_snapshot;
use serde_json::json;
use sqlx::PgPool;
use store::audit::Origin;
use testkit::http::{Expect, Method, PASSWORD, TestApi, redacted};

use crate::calls::{open, refresh, try_login};

#[sqlx::test(migrations = "../migrations")]
async fn registering_answers_with_the_user_and_tokens(pool: PgPool) {
    let app = open(pool).await;
    let body = json!({ "email": "Siti@Example.com", "password": PASSWORD, "full_name": "  Siti Aminah " });
    let answer = app.nobody().request(Method::POST, "/auth/register").json(&body).await;
    assert_eq!(answer.status.as_u16(), 201, "{:?}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let user = &answer.body["user"];
    assert_json_snapshot!(redacted(&answer.body));
    assert!(!answer.body.to_string().contains("argon2"));

    let me = app.nobody().as_user(answer.body["access_token"].as_str().unwrap()).get("/auth/me").await;
    assert_eq!((me.status.as_u16(), &me.body), (200, user));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_has_one_account_whatever_its_case(pool: PgPool) {
    let app = open(pool).await;
    app.register("siti@example.com").await;
    let body = json!({ "email": "SITI@example.com", "password": PASSWORD, "full_name": "Siti" });
    let answer = app.nobody().request(Method::POST, "/auth/register").json(&body).await;
    assert_eq!(answer.problem(), (409, "email_taken"));
    assert_eq!(try_login(&app, "sItI@example.com", PASSWORD).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_registration_that_we_do_not_accept_names_the_field(pool: PgPool) {
    let app = open(pool).await;
    let good = json!({ "email": "siti@example.com", "password": PASSWORD, "full_name": "Siti" });
    for (field, bad) in [
        ("email", json!("not an address")),
        ("email", json!("")),
        ("email", json!(format!("{}@example.com", "x".repeat(250)))),
        ("email", json!("a@b")),
        ("email", json!("siti@example.com.")),
        ("email", json!("siti@[192.0.2.1]")),
        ("email", json!("s\u{130}ti@example.com")),
        ("password", json!("password1234")),
        ("password", json!("qwertyuiop")),
        ("password", json!("too-short")),
        ("password", json!("x".repeat(129))),
        ("password", json!("SITI@example.com")),
        ("full_name", json!("   ")),
        ("full_name", json!("x".repeat(201))),
        ("full_name", json!("Siti\u{7}")),
        ("full_name", json!("\u{200b}\u{2060}")),
        ("full_name", json!("Siti \u{202e}hanimA")),
    ] {
        let mut body = good.clone();
        body[field] = bad;
        let answer = app.nobody().request(Method::POST, "/auth/register").json(&body).await;
        assert_eq!(answer.problem(), (422, "validation_failed"), "{body}");
        assert!(answer.fields().iter().all(|named| *named == field), "{body}");
        assert!(!answer.body.to_string().contains("SITI@example.com"), "a password is never echoed");
    }
    assert_eq!(
        app.nobody().request(Method::POST, "/auth/register").json(&good).await.status,
        201,
        "nothing was changed before"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn unknown_addresses_and_wrong_passwords_get_the_same_answer(pool: PgPool) {
    let app = open(pool).await;
    app.register("siti@example.com").await;
    let mut wrong = try_login(&app, "siti@example.com", "wrong-password").await;
    let mut unknown = try_login(&app, "nobody@example.com", "wrong-password").await;
    assert_eq!(wrong.problem(), (401, "invalid_credentials"));
    assert!(wrong.header("www-authenticate").is_some());
    for answer in [&mut wrong, &mut unknown] {
        answer.body["instance"] = json!(null);
        answer.headers.remove("x-request-id");
    }
    assert_eq!(
        (wrong.status.as_u16(), wrong.body, wrong.headers),
        (unknown.status.as_u16(), unknown.body, unknown.headers)
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn guessing_is_slowed_down_whether_or_not_the_account_exists(pool: PgPool) {
    let app = open(pool).await;
    app.register("siti@example.com").await;
    for email in ["siti@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(try_login(&app, email, "wrong-password").await.status, 401);
        }
        let locked = try_login(&app, &email.to_uppercase(), PASSWORD).await;
        assert_eq!(locked.problem(), (429, "login_locked"));
        let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((25..=30).contains(&wait), "{wait}");
    }
}

/// Of many guesses at once as many are checked as may be; the others learn nothing, the right one among them neither.
#[sqlx::test(migrations = "../migrations")]
async fn guesses_at_once_are_counted_before_they_are_checked(pool: PgPool) {
    let app = open(pool).await;
    app.register("siti@example.com").await;
    // In whatever case, and with blanks: it is one address.
    let emails = ["SITI@example.com", " siti@EXAMPLE.com"];
    let guesses = (0..99).map(|n| try_login(&app, emails[n % 2], "wrong-password"));
    let mut answers = join_all(guesses).await;
    answers.push(try_login(&app, "siti@example.com", PASSWORD).await);
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(checked, 5);
    let mut turned_away: Vec<_> = answers.into_iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(turned_away.len(), 95);
    for answer in &mut turned_away {
        assert_eq!(answer.problem().1, "login_locked");
        answer.body["instance"] = json!(null);
    }
    assert!(
        turned_away.iter().all(|answer| answer.body == turned_away[0].body),
        "the right one looks the same"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn logins_at_once_with_the_right_password_all_get_in(pool: PgPool) {
    let app = open(pool).await;
    app.register("siti@example.com").await;
    let answers = join_all((0..12).map(|_| try_login(&app, "siti@example.com", PASSWORD))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

/// Not the owner at home, and not a session that proves itself.
#[sqlx::test(migrations = "../migrations")]
async fn strangers_lock_out_nobody_but_themselves(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        std::sync::Arc::make_mut(&mut state.limits).trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        state
    });
    let proxy = Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
    let app = setup.open().await.layered(|router| router.layer(proxy));
    let login = |from: String, password: &'static str| {
        let body = json!({ "email": "siti@example.com", "password": password });
        app.nobody().request(Method::POST, "/auth/login").header("x-forwarded-for", &from).json(&body)
    };
    let owner = app.register("siti@example.com").await;
    for stranger in 0..50 {
        assert_eq!(login(format!("198.51.100.{stranger}:4711"), "wrong-password").await.status, 401);
    }
    assert_eq!(login("192.0.2.1".to_owned(), PASSWORD).await.problem(), (429, "login_locked"));
    assert_eq!(
        try_login(&app, "siti@example.com", PASSWORD).await.status,
        200,
        "from where the owner was before"
    );
    let body = json!({ "current_password": PASSWORD, "new_password": "gajah-biru-9" });
    let change = owner.put("/auth/me/password", &body).await;
    assert_eq!(change.status.as_u16(), 204);
    assert_eq!(refresh(&app, &owner.refresh_token).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_stolen_session_does_not_guess_the_password(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    let change = |old: &str| {
        let body = json!({ "current_password": old, "new_password": "gajah-biru-9" });
        login.put("/auth/me/password", &body)
    };
    for _ in 0..5 {
        assert_eq!(change("wrong-password").await.problem(), (422, "wrong_password"));
    }
    assert_eq!(change(PASSWORD).await.problem(), (429, "login_locked"));
    assert_eq!(try_login(&app, "siti@example.com", PASSWORD).await.status, 200, "the account is not locked");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_used_refresh_token_ends_its_session(pool: PgPool) {
    let app = open(pool).await;
    let first = app.register("siti@example.com").await;
    let second = refresh(&app, &first.refresh_token).await;
    assert_eq!(second.status.as_u16(), 200, "{:?}", second.body);
    assert_eq!(second.body["user"]["email"], "siti@example.com");
    let third = refresh(&app, second.body["refresh_token"].as_str().unwrap()).await;
    let (access, fresh) =
        (third.body["access_token"].as_str().unwrap(), third.body["refresh_token"].as_str());
    assert_eq!(app.nobody().as_user(access).get("/auth/me").await.status, 200);

    // A thief shows the first one again: the whole family ends.
    assert_eq!(refresh(&app, &first.refresh_token).await.problem(), (401, "refresh_token_reused"));
    assert_eq!(refresh(&app, fresh.unwrap()).await.problem(), (401, "refresh_token_invalid"));
    assert_eq!(app.nobody().as_user(access).get("/auth/me").await.problem(), (401, "session_revoked"));
    assert_eq!(refresh(&app, "wbr_made_up").await.problem(), (401, "refresh_token_invalid"));
}

#[sqlx::test(migrations = "../migrations")]
async fn refreshes_at_once_all_go_on(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    let answers = join_all((0..12).map(|_| refresh(&app, &login.refresh_token))).await;
    for answer in &answers {
        assert_eq!(answer.status.as_u16(), 200, "{:?}", answer.body);
    }
    let again = answers.iter().map(|answer| refresh(&app, answer.body["refresh_token"].as_str().unwrap()));
    assert!(join_all(again).await.iter().all(|answer| answer.status == 200));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_reaches_its_longest_life(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    app.run("UPDATE sessions SET created_at = now() - interval '91 days'").await;
    let me = login.get("/auth/me").await;
    assert_eq!(me.problem(), (401, "session_ended"));
    assert_eq!(refresh(&app, &login.refresh_token).await.problem(), (401, "session_ended"));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expired_refresh_token_is_named_so(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        std::sync::Arc::make_mut(&mut state.auth).sessions.refresh_ttl = std::time::Duration::ZERO;
        state
    });
    let app = setup.open().await;
    let login = app.register("siti@example.com").await;
    assert_eq!(refresh(&app, &login.refresh_token).await.problem(), (401, "refresh_token_expired"));
}

#[sqlx::test(migrations = "../migrations")]
async fn each_way_an_access_token_is_wrong_has_its_own_problem(pool: PgPool) {
    let setup = TestApi::setup(pool).unseeded().state(|mut state| {
        std::sync::Arc::make_mut(&mut state.auth).access_ttl = std::time::Duration::ZERO;
        state
    });
    let app = setup.open().await;
    let login = app.register("siti@example.com").await;

    let missing = app.nobody().get("/auth/me").await;
    assert_eq!(missing.problem(), (401, "token_missing"));
    assert_eq!(missing.header("www-authenticate"), Some(r#"Bearer realm="webrana""#));
    let basic = app.nobody().get("/auth/me").header("authorization", "Basic c2l0aTpwdw==").await;
    assert_eq!(basic.problem(), (401, "token_missing"));

    let expired = login.get("/auth/me").await;
    assert_eq!(expired.problem(), (401, "token_expired"));
    assert!(expired.header("www-authenticate").unwrap().contains("invalid_token"));

    let tampered = format!("{}x", login.token);
    for bad in [tampered.as_str(), "", "nonsense", &login.refresh_token] {
        assert_eq!(
            app.nobody().as_user(bad).get("/auth/me").await.problem(),
            (401, "token_invalid"),
            "{bad}"
        );
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn logging_out_ends_the_access_token_too(pool: PgPool) {
    let app = open(pool).await;
    let here = app.register("siti@example.com").await;
    let there = try_login(&app, "siti@example.com", PASSWORD).await;
    let there = there.body["access_token"].as_str().unwrap();

    assert_eq!(here.request(Method::POST, "/auth/logout").await.status, 204);
    assert_eq!(here.get("/auth/me").await.problem(), (401, "session_revoked"));
    assert_eq!(refresh(&app, &here.refresh_token).await.problem(), (401, "refresh_token_invalid"));
    assert_eq!(app.nobody().as_user(there).get("/auth/me").await.status, 200);

    let third = try_login(&app, "siti@example.com", PASSWORD).await;
    assert_eq!(app.nobody().as_user(there).request(Method::POST, "/auth/logout-all").await.status, 204);
    for token in [there, third.body["access_token"].as_str().unwrap()] {
        assert_eq!(app.nobody().as_user(token).get("/auth/me").await.problem(), (401, "session_revoked"));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_suspended_account_can_do_nothing(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    let user = login.id;
    let admin = app.admin().await;
    app.store.suspend_user(user, "spam", admin, &Origin::system()).await.unwrap();
    let me = || login.get("/auth/me");
    assert_eq!(me().await.problem(), (403, "account_suspended"));
    assert_eq!(refresh(&app, &login.refresh_token).await.problem(), (403, "account_suspended"));
    assert_eq!(try_login(&app, "siti@example.com", PASSWORD).await.problem(), (403, "account_suspended"));
    assert_eq!(
        try_login(&app, "siti@example.com", "wrong-password").await.problem(),
        (401, "invalid_credentials")
    );

    app.store.unsuspend_user(user, admin, &Origin::system()).await.unwrap();
    assert_eq!(me().await.problem(), (401, "session_revoked"));
    assert_eq!(try_login(&app, "siti@example.com", PASSWORD).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_profile_changes_field_by_field(pool: PgPool) {
    let app = open(pool).await;
    let login = app.register("siti@example.com").await;
    let patch = |body| login.patch("/auth/me", &body);
    let answer = patch(json!({ "language": "en" })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["language"]), (200, &json!("en")));
    let answer = patch(json!({ "full_name": " Siti A. " })).await;
    assert_eq!(answer.body["full_name"], "Siti A.");
    assert_eq!(answer.body["language"], "en");
    assert_eq!(answer.body["time_zone"], "Asia/Jakarta");
    assert_eq!(patch(json!({ "time_zone": "Asia/Makassar" })).await.body["time_zone"], "Asia/Makassar");
    assert_eq!(patch(json!({ "time_zone": "Asia/Atlantis" })).await.problem(), (422, "invalid_body"));
    assert_eq!(patch(json!({ "language": "fr" })).await.problem(), (422, "invalid_body"));
    assert_eq!(patch(json!({ "full_name": "" })).await.problem(), (422, "validation_failed"));
    assert_eq!(patch(json!({ "role": "superadmin" })).await.problem(), (422, "invalid_body"));
    assert_eq!(login.get("/auth/me").await.body["role"], "customer");
}

#[sqlx::test(migrations = "../migrations")]
async fn changing_the_password_needs_the_old_one_and_ends_other_sessions(pool: PgPool) {
    let app = open(pool).await;
    let here = app.register("siti@example.com").await;
    let there = try_login(&app, "siti@example.com", PASSWORD).await;
    let change = |old: &str, new: &str| {
        let body = json!({ "current_password": old, "new_password": new });
        here.put("/auth/me/password", &body)
    };
    assert_eq!(change("wrong-password", "gajah-biru-9").await.problem(), (422, "wrong_password"));
    assert_eq!(change(PASSWORD, "short").await.problem(), (422, "validation_failed"));
    assert_eq!(change(PASSWORD, "Siti@Example.com").await.problem(), (422, "validation_failed"));
    assert_eq!(change(PASSWORD, "password1234").await.fields(), ["new_password"]);
    assert_eq!(change(PASSWORD, "gajah-biru-9").await.status, 204);

    assert_eq!(here.get("/auth/me").await.status, 200);
    let there = app.nobody().as_user(there.body["access_token"].as_str().unwrap()).get("/auth/me").await;
    assert_eq!(there.problem(), (401, "session_revoked"));
    assert_eq!(try_login(&app, "siti@example.com", PASSWORD).await.status, 401);
    assert_eq!(try_login(&app, "siti@example.com", "gajah-biru-9").await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn sessions_are_listed_and_revoked_by_their_owner_only(pool: PgPool) {
    const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";
    let app = open(pool).await;
    let first = app.register("siti@example.com").await;
    let body = json!({ "email": "siti@example.com", "password": PASSWORD });
    app.nobody().request(Method::POST, "/auth/login").header("user-agent", AGENT).json(&body).await;
    let list = first.get("/auth/me/sessions").await;
    let data = list.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 2);
    assert_eq!((&data[0]["user_agent"], &data[0]["current"]), (&json!(AGENT), &json!(false)));
    assert_eq!(data[0]["device"], "Firefox (Linux)");
    assert_eq!(data[1]["current"], true);

    let path = format!("/auth/me/sessions/{}", data[0]["id"].as_str().unwrap());
    let stranger = app.register("budi@example.com").await;
    let revoke = |token: String| app.nobody().as_user(&token).delete(&path);
    assert_eq!(revoke(stranger.token).await.problem(), (404, "not_found"));
    assert_eq!(revoke(first.token.clone()).await.status, 204);
    assert_eq!(revoke(first.token.clone()).await.problem(), (404, "not_found"));

    let page = first.get("/auth/me/sessions?limit=1").await;
    assert_eq!(page.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(page.body["next_cursor"], json!(null));
}

#[sqlx::test(migrations = "../migrations")]
async fn roles_come_from_the_database(pool: PgPool) {
    let app = open(pool).await;
    let me = app.user(Role::Admin).await.get("/auth/me").await;
    assert_eq!((&me.body["role"], &me.body["email_verified"]), (&json!("admin"), &json!(true)));
}
