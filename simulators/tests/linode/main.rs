//! The Linode simulator, asked over HTTP as a client of the vendor would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod faults;
mod keeping;
mod life;
mod lists;
mod refusals;

use std::time::Duration;

use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};
use simulators::{
    Handle,
    linode::DESCRIPTOR,
    provider::{Config, Settings},
};

struct Sim {
    handle: Handle,
    client: Client,
    token: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The reasons of a refusal, each with its field.
    fn reasons(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = self.body["errors"].as_array().expect("the vendor's envelope");
        errors.iter().map(|error| (text(&error["field"]), text(&error["reason"]))).collect()
    }
}

impl Sim {
    async fn start() -> Self {
        Self::with(Settings { boot_seconds: 0.0, action_seconds: 0.0, ..unlimited() }).await
    }

    async fn with(settings: Settings) -> Self {
        Self::of(Config { settings, ..DESCRIPTOR.config() }).await
    }

    async fn of(config: Config) -> Self {
        let token = config.token.clone();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { handle: DESCRIPTOR.start(config).await.unwrap(), client, token }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        filter: Option<Value>,
    ) -> reqwest::Result<Answer> {
        let request =
            self.client.request(method, format!("{}{path}", self.handle.url())).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let request = match filter {
            Some(filter) => request.header("X-Filter", filter.to_string()),
            None => request,
        };
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body), None).await.unwrap()
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body), None).await.unwrap()
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None, None).await.unwrap()
    }

    async fn filtered(&self, path: &str, filter: Value) -> Answer {
        self.call(Method::GET, path, None, Some(filter)).await.unwrap()
    }

    async fn create(&self, change: Value) -> Answer {
        let mut body = json!({
            "region": "id-cgk", "type": "g6-nanode-1", "image": "linode/debian12", "root_pass": "thisIsYourRootPassword",
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/v4/linode/instances", body).await
    }

    /// Creates a Linode and gives its path.
    async fn made(&self, change: Value) -> String {
        let answer = self.create(change).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        format!("/v4/linode/instances/{}", answer.body["id"])
    }

    /// Carries out an action on a Linode.
    async fn act(&self, linode: &str, action: &str, body: Value) {
        let answer = self.post(&format!("{linode}/{action}"), body).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.body);
    }

    /// Asks `path` until its answer is as wanted, for 10 seconds at most.
    async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let seen = async {
            loop {
                let answer = self.get(path).await;
                if wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect(path)
    }

    async fn fault(&self, fault: Value) {
        assert_eq!(self.post("/__sim/faults", fault).await.status, 201);
    }

    async fn configure(&self, change: Value) {
        assert_eq!(self.post("/__sim/config", change).await.status, 200);
    }
}

fn labels(answer: &Answer) -> Vec<&str> {
    let data = answer.body["data"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
    data.iter().map(|item| item["label"].as_str().unwrap()).collect()
}

/// Rate limits are for the test that is about them.
fn unlimited() -> Settings {
    Settings { rate_limits: false, ..Settings::default() }
}
