//! Register, log in, refresh, log out, profile, password, sessions.

use std::net::SocketAddr;

use axum::{Extension, extract::ConnectInfo};
use domain::role::Role;
use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    calls::TestApp,
    support::{App, As, PASSWORD, origin, state},
};

#[sqlx::test(migrations = "../migrations")]
async fn registering_answers_with_the_user_and_tokens(pool: PgPool) {
    let app = TestApp::new(pool);
    let body = json!({ "email": "Siti@Example.com", "password": PASSWORD, "full_name": "  Siti Aminah " });
    let answer = app.post("/auth/register").json(&body).send().await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.body["expires_in"], 900);
    let user = &answer.body["user"];
    assert_eq!(user["email"], "Siti@Example.com");
    assert_eq!(user["full_name"], "Siti Aminah");
    assert_eq!(user["role"], "customer");
    assert_eq!(user["email_verified"], false);
    assert_eq!(user["language"], "id");
    assert!(user["id"].is_string() && user["created_at"].is_string());
    assert!(!answer.body.to_string().contains("argon2"));

    let me = app.get("/auth/me").bearer(answer.body["access_token"].as_str().unwrap()).send().await;
    assert_eq!((me.status, &me.body), (200, user));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_has_one_account_whatever_its_case(pool: PgPool) {
    let app = TestApp::new(pool);
    app.register("siti@example.com").await;
    let body = json!({ "email": "SITI@example.com", "password": PASSWORD, "full_name": "Siti" });
    let answer = app.post("/auth/register").json(&body).send().await;
    assert_eq!(answer.problem(), (409, "email_taken"));
    assert_eq!(app.try_login("sItI@example.com", PASSWORD).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_registration_that_we_do_not_accept_names_the_field(pool: PgPool) {
    let app = TestApp::new(pool);
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
        let answer = app.post("/auth/register").json(&body).send().await;
        assert_eq!(answer.problem(), (422, "validation_failed"), "{body}");
        assert!(answer.fields().iter().all(|named| *named == field), "{body}");
        assert!(!answer.body.to_string().contains("SITI@example.com"), "a password is never echoed");
    }
    assert_eq!(app.post("/auth/register").json(&good).send().await.status, 201, "nothing was changed before");
}

#[sqlx::test(migrations = "../migrations")]
async fn unknown_addresses_and_wrong_passwords_get_the_same_answer(pool: PgPool) {
    let app = TestApp::new(pool);
    app.register("siti@example.com").await;
    let mut wrong = app.try_login("siti@example.com", "wrong-password").await;
    let mut unknown = app.try_login("nobody@example.com", "wrong-password").await;
    assert_eq!(wrong.problem(), (401, "invalid_credentials"));
    assert!(wrong.header("www-authenticate").is_some());
    for answer in [&mut wrong, &mut unknown] {
        answer.body["instance"] = json!(null);
        answer.headers.remove("x-request-id");
    }
    assert_eq!((wrong.status, wrong.body, wrong.headers), (unknown.status, unknown.body, unknown.headers));
}

#[sqlx::test(migrations = "../migrations")]
async fn guessing_is_slowed_down_whether_or_not_the_account_exists(pool: PgPool) {
    let app = TestApp::new(pool);
    app.register("siti@example.com").await;
    for email in ["siti@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(app.try_login(email, "wrong-password").await.status, 401);
        }
        let locked = app.try_login(&email.to_uppercase(), PASSWORD).await;
        assert_eq!(locked.problem(), (429, "login_locked"));
        let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((25..=30).contains(&wait), "{wait}");
    }
}

/// Of many guesses at once as many are checked as may be; the others learn nothing, the right one among them neither.
#[sqlx::test(migrations = "../migrations")]
async fn guesses_at_once_are_counted_before_they_are_checked(pool: PgPool) {
    let app = TestApp::new(pool);
    app.register("siti@example.com").await;
    // In whatever case, and with blanks: it is one address.
    let emails = ["SITI@example.com", " siti@EXAMPLE.com"];
    let guesses = (0..99).map(|n| app.try_login(emails[n % 2], "wrong-password"));
    let mut answers = join_all(guesses).await;
    answers.push(app.try_login("siti@example.com", PASSWORD).await);
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
    let app = TestApp::new(pool);
    app.register("siti@example.com").await;
    let answers = join_all((0..12).map(|_| app.try_login("siti@example.com", PASSWORD))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

/// Not the owner at home, and not a session that proves itself.
#[sqlx::test(migrations = "../migrations")]
async fn strangers_lock_out_nobody_but_themselves(pool: PgPool) {
    let mut state = state(&pool);
    std::sync::Arc::make_mut(&mut state.limits).trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let mut app = TestApp::with(state);
    app.router = app.router.layer(Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1)))));
    let login = |from: String, password: &'static str| {
        let body = json!({ "email": "siti@example.com", "password": password });
        app.post("/auth/login").header("x-forwarded-for", &from).json(&body).send()
    };
    let owner = app.register("siti@example.com").await;
    for stranger in 0..50 {
        assert_eq!(login(format!("198.51.100.{stranger}:4711"), "wrong-password").await.status, 401);
    }
    assert_eq!(login("192.0.2.1".to_owned(), PASSWORD).await.problem(), (429, "login_locked"));
    assert_eq!(
        app.try_login("siti@example.com", PASSWORD).await.status,
        200,
        "from where the owner was before"
    );
    let body = json!({ "current_password": PASSWORD, "new_password": "gajah-biru-9" });
    let change = app.call("PUT", "/auth/me/password").bearer(&owner.access_token).json(&body).send().await;
    assert_eq!(change.status, 204);
    assert_eq!(app.refresh(&owner.refresh_token).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_stolen_session_does_not_guess_the_password(pool: PgPool) {
    let app = TestApp::new(pool);
    let login = app.register("siti@example.com").await;
    let change = |old: &str| {
        let body = json!({ "current_password": old, "new_password": "gajah-biru-9" });
        app.call("PUT", "/auth/me/password").bearer(&login.access_token).json(&body).send()
    };
    for _ in 0..5 {
        assert_eq!(change("wrong-password").await.problem(), (422, "wrong_password"));
    }
    assert_eq!(change(PASSWORD).await.problem(), (429, "login_locked"));
    assert_eq!(app.try_login("siti@example.com", PASSWORD).await.status, 200, "the account is not locked");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_used_refresh_token_ends_its_session(pool: PgPool) {
    let app = TestApp::new(pool);
    let first = app.register("siti@example.com").await;
    let second = app.refresh(&first.refresh_token).await;
    assert_eq!(second.status, 200, "{:?}", second.body);
    assert_eq!(second.body["user"]["email"], "siti@example.com");
    let third = app.refresh(second.body["refresh_token"].as_str().unwrap()).await;
    let (access, refresh) =
        (third.body["access_token"].as_str().unwrap(), third.body["refresh_token"].as_str());
    assert_eq!(app.get("/auth/me").bearer(access).send().await.status, 200);

    // A thief shows the first one again: the whole family ends.
    assert_eq!(app.refresh(&first.refresh_token).await.problem(), (401, "refresh_token_reused"));
    assert_eq!(app.refresh(refresh.unwrap()).await.problem(), (401, "refresh_token_invalid"));
    assert_eq!(app.get("/auth/me").bearer(access).send().await.problem(), (401, "session_revoked"));
    assert_eq!(app.refresh("wbr_made_up").await.problem(), (401, "refresh_token_invalid"));
}

#[sqlx::test(migrations = "../migrations")]
async fn refreshes_at_once_all_go_on(pool: PgPool) {
    let app = TestApp::new(pool);
    let login = app.register("siti@example.com").await;
    let answers = join_all((0..12).map(|_| app.refresh(&login.refresh_token))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    let again = answers.iter().map(|answer| app.refresh(answer.body["refresh_token"].as_str().unwrap()));
    assert!(join_all(again).await.iter().all(|answer| answer.status == 200));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_reaches_its_longest_life(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let login = app.register("siti@example.com").await;
    sqlx::query("UPDATE sessions SET created_at = now() - interval '91 days'").execute(&pool).await.unwrap();
    let me = app.get("/auth/me").bearer(&login.access_token).send().await;
    assert_eq!(me.problem(), (401, "session_ended"));
    assert_eq!(app.refresh(&login.refresh_token).await.problem(), (401, "session_ended"));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expired_refresh_token_is_named_so(pool: PgPool) {
    let mut state = state(&pool);
    std::sync::Arc::make_mut(&mut state.auth).sessions.refresh_ttl = std::time::Duration::ZERO;
    let app = TestApp::with(state);
    let login = app.register("siti@example.com").await;
    assert_eq!(app.refresh(&login.refresh_token).await.problem(), (401, "refresh_token_expired"));
}

#[sqlx::test(migrations = "../migrations")]
async fn each_way_an_access_token_is_wrong_has_its_own_problem(pool: PgPool) {
    let mut ended = state(&pool);
    std::sync::Arc::make_mut(&mut ended.auth).access_ttl = std::time::Duration::ZERO;
    let app = TestApp::with(ended);
    let login = app.register("siti@example.com").await;

    let missing = app.get("/auth/me").send().await;
    assert_eq!(missing.problem(), (401, "token_missing"));
    assert_eq!(missing.header("www-authenticate"), Some(r#"Bearer realm="webrana""#));
    let basic = app.get("/auth/me").header("authorization", "Basic c2l0aTpwdw==").send().await;
    assert_eq!(basic.problem(), (401, "token_missing"));

    let expired = app.get("/auth/me").bearer(&login.access_token).send().await;
    assert_eq!(expired.problem(), (401, "token_expired"));
    assert!(expired.header("www-authenticate").unwrap().contains("invalid_token"));

    let tampered = format!("{}x", login.access_token);
    for bad in [tampered.as_str(), "", "nonsense", &login.refresh_token] {
        assert_eq!(app.get("/auth/me").bearer(bad).send().await.problem(), (401, "token_invalid"), "{bad}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn logging_out_ends_the_access_token_too(pool: PgPool) {
    let app = TestApp::new(pool);
    let here = app.register("siti@example.com").await;
    let there = app.try_login("siti@example.com", PASSWORD).await;
    let there = there.body["access_token"].as_str().unwrap();

    assert_eq!(app.post("/auth/logout").bearer(&here.access_token).send().await.status, 204);
    assert_eq!(
        app.get("/auth/me").bearer(&here.access_token).send().await.problem(),
        (401, "session_revoked")
    );
    assert_eq!(app.refresh(&here.refresh_token).await.problem(), (401, "refresh_token_invalid"));
    assert_eq!(app.get("/auth/me").bearer(there).send().await.status, 200);

    let third = app.try_login("siti@example.com", PASSWORD).await;
    assert_eq!(app.post("/auth/logout-all").bearer(there).send().await.status, 204);
    for token in [there, third.body["access_token"].as_str().unwrap()] {
        assert_eq!(app.get("/auth/me").bearer(token).send().await.problem(), (401, "session_revoked"));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_suspended_account_can_do_nothing(pool: PgPool) {
    let app = TestApp::new(pool);
    let login = app.register("siti@example.com").await;
    let user = login.user_id.parse().unwrap();
    app.state.store.set_suspended(user, true, &origin()).await.unwrap();
    let me = || app.get("/auth/me").bearer(&login.access_token).send();
    assert_eq!(me().await.problem(), (403, "account_suspended"));
    assert_eq!(app.refresh(&login.refresh_token).await.problem(), (403, "account_suspended"));
    assert_eq!(app.try_login("siti@example.com", PASSWORD).await.problem(), (403, "account_suspended"));
    assert_eq!(
        app.try_login("siti@example.com", "wrong-password").await.problem(),
        (401, "invalid_credentials")
    );

    app.state.store.set_suspended(user, false, &origin()).await.unwrap();
    assert_eq!(me().await.status, 200);
    assert_eq!(app.refresh(&login.refresh_token).await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_profile_changes_field_by_field(pool: PgPool) {
    let app = TestApp::new(pool);
    let login = app.register("siti@example.com").await;
    let patch = |body| app.call("PATCH", "/auth/me").bearer(&login.access_token).json(&body).send();
    let answer = patch(json!({ "language": "en" })).await;
    assert_eq!((answer.status, &answer.body["language"]), (200, &json!("en")));
    let answer = patch(json!({ "full_name": " Siti A. " })).await;
    assert_eq!(answer.body["full_name"], "Siti A.");
    assert_eq!(answer.body["language"], "en");
    assert_eq!(patch(json!({ "language": "fr" })).await.problem(), (422, "invalid_body"));
    assert_eq!(patch(json!({ "full_name": "" })).await.problem(), (422, "validation_failed"));
    assert_eq!(patch(json!({ "role": "superadmin" })).await.problem(), (422, "invalid_body"));
    assert_eq!(app.get("/auth/me").bearer(&login.access_token).send().await.body["role"], "customer");
}

#[sqlx::test(migrations = "../migrations")]
async fn changing_the_password_needs_the_old_one_and_ends_other_sessions(pool: PgPool) {
    let app = TestApp::new(pool);
    let here = app.register("siti@example.com").await;
    let there = app.try_login("siti@example.com", PASSWORD).await;
    let change = |old: &str, new: &str| {
        let body = json!({ "current_password": old, "new_password": new });
        app.call("PUT", "/auth/me/password").bearer(&here.access_token).json(&body).send()
    };
    assert_eq!(change("wrong-password", "gajah-biru-9").await.problem(), (422, "wrong_password"));
    assert_eq!(change(PASSWORD, "short").await.problem(), (422, "validation_failed"));
    assert_eq!(change(PASSWORD, "Siti@Example.com").await.problem(), (422, "validation_failed"));
    assert_eq!(change(PASSWORD, "password1234").await.fields(), ["new_password"]);
    assert_eq!(change(PASSWORD, "gajah-biru-9").await.status, 204);

    assert_eq!(app.get("/auth/me").bearer(&here.access_token).send().await.status, 200);
    let there = app.get("/auth/me").bearer(there.body["access_token"].as_str().unwrap()).send().await;
    assert_eq!(there.problem(), (401, "session_revoked"));
    assert_eq!(app.try_login("siti@example.com", PASSWORD).await.status, 401);
    assert_eq!(app.try_login("siti@example.com", "gajah-biru-9").await.status, 200);
}

#[sqlx::test(migrations = "../migrations")]
async fn sessions_are_listed_and_revoked_by_their_owner_only(pool: PgPool) {
    let app = TestApp::new(pool);
    let first = app.register("siti@example.com").await;
    let body = json!({ "email": "siti@example.com", "password": PASSWORD });
    app.post("/auth/login").header("user-agent", "Firefox").json(&body).send().await;
    let list = app.get("/auth/me/sessions").bearer(&first.access_token).send().await;
    let data = list.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 2);
    assert_eq!((&data[0]["user_agent"], &data[0]["current"]), (&json!("Firefox"), &json!(false)));
    assert_eq!(data[1]["current"], true);

    let path = format!("/auth/me/sessions/{}", data[0]["id"].as_str().unwrap());
    let stranger = app.register("budi@example.com").await;
    let revoke = |token: String| app.call("DELETE", &path).bearer(&token).send();
    assert_eq!(revoke(stranger.access_token).await.problem(), (404, "not_found"));
    assert_eq!(revoke(first.access_token.clone()).await.status, 204);
    assert_eq!(revoke(first.access_token.clone()).await.problem(), (404, "not_found"));

    let page = app.get("/auth/me/sessions?limit=1").bearer(&first.access_token).send().await;
    assert_eq!(page.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(page.body["next_cursor"], json!(null));
}

#[sqlx::test(migrations = "../migrations")]
async fn roles_come_from_the_database(pool: PgPool) {
    let app = App::new(state(&pool));
    let (_, token) = app.user(Role::Admin).await;
    let me = app.get("/auth/me", As::Token(&token)).await;
    assert_eq!((&me.body["role"], &me.body["email_verified"]), (&json!("admin"), &json!(true)));
}
