//! A simulator of its own for each test, and a client of it.

use std::time::Duration;

use reqwest::{
    Client, Method,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use simulators::{
    Handle,
    digitalocean::DESCRIPTOR,
    provider::{Config, Settings},
};

pub struct Sim {
    pub handle: Handle,
    client: Client,
    pub token: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Sim {
    pub async fn start() -> Self {
        Self::with(Settings { boot_seconds: 0.0, action_seconds: 0.0, ..unlimited() }).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::of(Config { settings, ..DESCRIPTOR.config() }).await
    }

    pub async fn of(config: Config) -> Self {
        let token = config.token.clone();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { handle: DESCRIPTOR.start(config).await.unwrap(), client, token }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Answer> {
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

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await.unwrap()
    }

    pub async fn create(&self, change: Value) -> Answer {
        let mut body =
            json!({ "name": "web-1", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/v2/droplets", body).await
    }

    /// Creates a droplet and gives its id.
    pub async fn made(&self, change: Value) -> u64 {
        self.create(change).await.body["droplet"]["id"].as_u64().unwrap()
    }

    pub async fn droplet(&self, id: u64) -> Value {
        self.get(&format!("/v2/droplets/{id}")).await.body["droplet"].clone()
    }

    pub async fn act(&self, id: u64, action: Value) -> Answer {
        self.post(&format!("/v2/droplets/{id}/actions"), action).await
    }

    /// Asks `path` until its answer is as wanted, for 10 seconds at most.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) {
        let seen = async {
            while !wanted(&self.get(path).await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect(path);
    }

    pub async fn fault(&self, fault: Value) {
        assert_eq!(self.post("/__sim/faults", fault).await.status, 201);
    }

    pub async fn listed(&self, query: &str) -> Vec<u64> {
        let answer = self.get(&format!("/v2/droplets{query}")).await;
        answer.body["droplets"].as_array().unwrap().iter().map(|d| d["id"].as_u64().unwrap()).collect()
    }
}

/// Rate limits are for the test that is about them.
pub fn unlimited() -> Settings {
    Settings { rate_limits: false, ..Settings::default() }
}

pub fn header(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}
