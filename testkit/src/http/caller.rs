//! [`client`] for tests: where no answer comes, or another than was expected, the test fails.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use client::{Answer, Call, Client, Error, Method, Reply};
use serde_json::Value;

/// Somebody who calls the API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Client);

impl Caller {
    /// Whom the client stands for.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// The same person at another address.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self(self.0.at(base))
    }

    /// Nobody, at the same address.
    #[must_use]
    pub fn as_nobody(&self) -> Self {
        Self(self.0.as_nobody())
    }

    /// A user by access token, at the same address.
    #[must_use]
    pub fn as_user(&self, token: &str) -> Self {
        Self(self.0.as_user(token))
    }

    /// A program by API key, at the same address.
    #[must_use]
    pub fn with_key(&self, api_key: &str) -> Self {
        Self(self.0.with_key(api_key))
    }

    /// The same person, who reads this language, or says nothing of it.
    #[must_use]
    pub fn reading(&self, language: Option<&str>) -> Self {
        Self(self.0.reading(language))
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Request {
        Request(self.0.get(path))
    }

    /// `POST` with an idempotency key like no other, and this JSON body, or none where it is null.
    pub fn post(&self, path: &str, body: &Value) -> Request {
        let call = self.0.post(path, body);
        Request(if body.is_null() { call.without_body() } else { call })
    }

    /// `PUT` of a JSON body.
    pub fn put(&self, path: &str, body: &Value) -> Request {
        Request(self.0.put(path, body))
    }

    /// `PATCH` with a JSON body.
    pub fn patch(&self, path: &str, body: &Value) -> Request {
        Request(self.0.patch(path, body))
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Request {
        Request(self.0.delete(path))
    }

    /// A request without body, and without idempotency key whatever its method.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request(self.0.request(method, path))
    }
}

/// A request to be sent: awaited, it gives the answer, or fails the test where none comes.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request(Call);

impl Request {
    /// With this idempotency key.
    pub fn key(self, key: &str) -> Self {
        Self(self.0.key(key))
    }

    /// With this header, instead of another of the same name.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// With this JSON body, or none where it is null.
    pub fn json(self, body: &Value) -> Self {
        if body.is_null() { self } else { Self(self.0.json(body)) }
    }

    /// With a body as it is.
    pub fn body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(media_type, body.into()))
    }

    /// Sends it, where no answer is an answer too.
    ///
    /// # Errors
    /// When none comes.
    pub async fn attempt(&self) -> Result<Answer, Error> {
        self.0.answer().await
    }

    /// Sends it; what comes need not be JSON.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn reply(&self) -> Reply {
        self.0.send().await.unwrap_or_else(|error| panic!("an answer: {error:?}"))
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.reply().await.into() })
    }
}

/// What a test expects of an answer.
pub trait Expect: Sized {
    /// The body, when the status is this one.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    fn expect(self, status: u16) -> Value;

    /// The body of any success.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    fn expect_success(self) -> Value;

    /// A problem of this status and code; answers with its body.
    ///
    /// # Panics
    /// When it is another answer, or no whole problem.
    #[track_caller]
    fn expect_problem(self, status: u16, code: &str) -> Value;

    /// A problem's status and code.
    ///
    /// # Panics
    /// When the answer is no problem with all that every problem says.
    #[track_caller]
    fn problem(&self) -> (u16, &str);

    /// Names of the fields that a problem is about.
    fn fields(&self) -> Vec<&str>;

    /// A header, if it is there.
    ///
    /// # Panics
    /// When it is no text.
    #[track_caller]
    fn header(&self, name: &str) -> Option<&str>;
}

impl Expect for Answer {
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{} was answered with {}", self.called, self.body);
        self.body
    }

    fn expect_success(self) -> Value {
        assert!(self.status.is_success(), "{} was answered with {}: {}", self.called, self.status, self.body);
        self.body
    }

    fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.problem(), (status, code), "{} was answered with {}", self.called, self.body);
        self.body
    }

    fn problem(&self) -> (u16, &str) {
        let (called, body) = (&self.called, &self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{called}: {body}");
        assert_eq!(body["status"], self.status.as_u16(), "{called}: {body}");
        assert_eq!(body["instance"].as_str(), self.header("x-request-id"), "{called}: {body}");
        let code = self.code();
        assert_eq!(body["type"], format!("https://webrana.id/problems/{code}"), "{called}: {body}");
        for words in ["title", "detail"] {
            assert!(body[words].as_str().is_some_and(|words| !words.is_empty()), "{called}: {body}");
        }
        (self.status.as_u16(), code)
    }

    fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().expect("a field")).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a text"))
    }
}
