//! Requests put together piece by piece, and answers with their headers.

use api::AppState;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, request::Builder},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt;

use crate::support::{PASSWORD, state};

/// The API under test.
pub struct TestApp {
    pub state: AppState,
    pub router: Router,
}

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct Login {
    pub user_id: String,
    pub access_token: String,
    pub refresh_token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when the body is empty; a string when it is not JSON.
    pub body: Value,
}

/// A request being put together.
pub struct Call<'a> {
    app: &'a TestApp,
    builder: Builder,
    body: Body,
}

impl TestApp {
    /// The API with the usual settings.
    pub fn new(pool: PgPool) -> Self {
        Self::with(state(&pool))
    }

    /// The API with settings of the test's own.
    pub fn with(state: AppState) -> Self {
        Self { router: api::router(state.clone()), state }
    }

    /// Begins a request; `path` is relative to `/api/v1` unless it begins with `//`.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let uri = match path.strip_prefix('/') {
            Some(absolute) if absolute.starts_with('/') => absolute.to_owned(),
            _ => format!("/api/v1{path}"),
        };
        Call { app: self, builder: Request::builder().method(method).uri(uri), body: Body::empty() }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    /// Asks until the answer has the wanted status: how the database is must be told within 80 ms, which a busy
    /// machine does not always manage.
    pub async fn get_until(&self, path: &str, status: u16) -> Answer {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.get(path).send().await;
            if answer.status == status {
                return answer;
            }
            assert!(begun.elapsed().as_secs() < 30, "{path} answers {}: {}", answer.status, answer.body);
        }
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// Registers a customer.
    pub async fn register(&self, email: &str) -> Login {
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Siti Aminah" });
        let answer = self.post("/auth/register").json(&body).send().await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        answer.login()
    }

    pub async fn try_login(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login").json(&json!({ "email": email, "password": password })).send().await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/auth/refresh").json(&json!({ "refresh_token": token })).send().await
    }
}

impl Call<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw(&body.to_string())
    }

    /// A body as it is, declared to be JSON.
    pub fn raw(self, body: &str) -> Self {
        let mut call = self.header("content-type", "application/json");
        call.body = Body::from(body.to_owned());
        call
    }

    pub async fn send(self) -> Answer {
        let request = self.builder.body(self.body).unwrap();
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Answer { status, headers, body }
    }
}

impl Answer {
    /// Status and problem code, after checking that the body is a problem that says so.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{:?}", self.body);
        assert_eq!(self.body["status"], self.status);
        assert_eq!(self.body["instance"].as_str(), self.header("x-request-id"));
        let code = self.body["code"].as_str().unwrap();
        assert_eq!(self.body["type"], format!("https://webrana.id/problems/{code}"));
        assert!(!self.body["title"].as_str().unwrap().is_empty());
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
        (self.status, code)
    }

    /// Names of the fields that the problem is about.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn login(&self) -> Login {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Login {
            user_id: text(&self.body["user"]["id"]),
            access_token: text(&self.body["access_token"]),
            refresh_token: text(&self.body["refresh_token"]),
        }
    }
}
