//! The Vultr simulator, asked over HTTP as a client of the vendor would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod account;
mod actions;
mod control;
mod instances;

use std::time::Duration;

use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};
use simulators::{
    Handle,
    provider::{Config, Settings},
    vultr::DESCRIPTOR,
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
    /// The vendor's words, of an answer that is an error of this status.
    fn refusal(&self, status: u16) -> &str {
        assert_eq!((self.status, &self.body["status"]), (status, &json!(status)), "{}", self.body);
        self.body["error"].as_str().unwrap()
    }
}

impl Sim {
    /// Everything takes no time.
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

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Answer> {
        let request =
            self.client.request(method, format!("{}{path}", self.handle.url())).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await.unwrap()
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await.unwrap()
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await.unwrap()
    }

    async fn create(&self, change: Value) -> Answer {
        let mut body = json!({ "region": "sgp", "plan": "vc2-1c-1gb", "os_id": 2284, "hostname": "web-1" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/v2/instances", body).await
    }

    /// Creates an instance and gives its id.
    async fn made(&self, change: Value) -> String {
        let answer = self.create(change).await;
        answer.body["instance"]["id"].as_str().expect("an id").to_owned()
    }

    async fn instance(&self, id: &str) -> Value {
        self.get(&format!("/v2/instances/{id}")).await.body["instance"].clone()
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

    async fn listed(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/v2/instances{query}")).await;
        let instances = answer.body["instances"].as_array().expect("a list").clone();
        instances.iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Rate limits are for the test that is about them.
fn unlimited() -> Settings {
    Settings { rate_limits: false, ..Settings::default() }
}

/// Status, power status and server status.
fn axes(instance: &Value) -> [&str; 3] {
    ["status", "power_status", "server_status"].map(|axis| instance[axis].as_str().unwrap())
}
