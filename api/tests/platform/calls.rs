//! What these tests do again and again.

use serde_json::json;
use sqlx::PgPool;
use testkit::http::{Answer, Caller, Method, TestApi};

/// The API without a catalog, as these tests need none.
pub async fn open(pool: PgPool) -> TestApi {
    TestApi::setup(pool).unseeded().open().await
}

/// A login that may fail.
pub async fn try_login(app: &TestApi, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.nobody().request(Method::POST, "/auth/login").json(&body).await
}

/// A refresh that may fail.
pub async fn refresh(app: &TestApi, token: &str) -> Answer {
    app.nobody().request(Method::POST, "/auth/refresh").json(&json!({ "refresh_token": token })).await
}

/// Asks until the answer has the wanted status: how the database is must be told within 80 ms, which a busy machine does not
/// always manage.
pub async fn get_until(who: &Caller, path: &str, status: u16) -> Answer {
    ask_until(who, path, |answer| answer.status == status).await
}

/// The same until it is the wanted answer.
pub async fn ask_until(who: &Caller, path: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begun = std::time::Instant::now();
    loop {
        let answer = who.get(path).await;
        if is_wanted(&answer) {
            return answer;
        }
        assert!(begun.elapsed().as_secs() < 30, "{path} answers {}: {}", answer.status, answer.body);
    }
}
