//! A client of the REST API, as a customer or an admin has one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{cloud::Cloud, stack::Stack, wait_until::until};

/// An answer: its status and its body (null when there is none).
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The body, when the status is as expected.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "unexpected answer: {}", self.body);
        self.body
    }

    /// Asserts a problem of this status and code.
    pub fn expect_problem(self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }
}

/// Somebody with an access token.
#[derive(Debug, Clone)]
pub struct Customer<'a> {
    /// The system they use.
    pub stack: &'a Stack,
    /// The API they call: the system's, unless they were sent to another process.
    api_url: String,
    http: reqwest::Client,
    /// Their access token.
    pub token: String,
}

impl<'a> Customer<'a> {
    /// Registers a new customer.
    pub async fn register(stack: &'a Stack) -> Self {
        let mut customer = Self::nobody(stack);
        let email = format!("{}@example.test", uuid::Uuid::now_v7().simple());
        let body =
            json!({ "email": email, "password": "correct-horse-battery", "full_name": "Budi Santoso" });
        let answer = customer.post("/auth/register", &body).await.expect(201);
        customer.token = answer["access_token"].as_str().expect("a token").to_owned();
        customer
    }

    /// Somebody without a token.
    fn nobody(stack: &'a Stack) -> Self {
        let (api_url, http) = (stack.api_url.clone(), reqwest::Client::new());
        Self { stack, api_url, http, token: String::new() }
    }

    /// The same person at the API of another process.
    pub fn at(&self, api_url: &str) -> Self {
        Self { api_url: api_url.to_owned(), ..self.clone() }
    }

    /// Logs the system's admin in.
    pub async fn admin(stack: &'a Stack) -> Self {
        let mut admin = Self::nobody(stack);
        let body = json!({ "email": stack.admin.0, "password": stack.admin.1 });
        let answer = admin.post("/auth/login", &body).await.expect(200);
        admin.token = answer["access_token"].as_str().expect("a token").to_owned();
        admin
    }

    /// `GET` below `/api/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of a JSON body below `/api/v1`, with a fresh idempotency key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with_key(path, body, &uuid::Uuid::now_v7().to_string()).await
    }

    /// `POST` with a given idempotency key.
    pub async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.send(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// `POST` to an internal endpoint with the system's API key.
    pub async fn post_internal(&self, path: &str) -> Answer {
        let url = format!("{}/api/v1/internal{path}", self.stack.api_url);
        self.send(self.http.post(url).header("X-API-Key", &self.stack.api_key)).await
    }

    /// A call of the internal API, on its own port, with the system's API key.
    pub async fn call_internal(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.http.request(method, format!("{}/internal{path}", self.stack.internal_url));
        let request = request.header("X-API-Key", &self.stack.api_key);
        self.send(body.into_iter().fold(request, |request, body| request.json(body))).await
    }

    /// A request below `/api/v1` with this customer's token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.api_url));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the API answers");
        let status = response.status();
        let bytes = response.bytes().await.expect("the body arrives");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, body }
    }

    /// An order that the API accepts: DigitalOcean's first plan in its first region, by QRIS.
    pub async fn good_order(&self) -> Value {
        self.good_order_at(Cloud::DIGITALOCEAN).await
    }

    /// The same at a provider of choice.
    pub async fn good_order_at(&self, cloud: Cloud) -> Value {
        let plans = self.get(&format!("/plans?provider={}", cloud.slug())).await.expect(200);
        let plan = &plans["data"][0];
        json!({
            "plan_id": plan["id"], "region": plan["regions"][0], "image": "ubuntu-24-04", "hostname": "web-1",
            "term_months": 1, "payment_method": "QRIS",
        })
    }

    /// Places an order and answers with its body.
    pub async fn place_order(&self) -> Value {
        let order = self.good_order().await;
        self.post("/orders", &order).await.expect(201)
    }

    /// The same by virtual account, whose number a gateway tells again when it is asked, as it does not with QR codes.
    pub async fn place_order_by_virtual_account(&self) -> Value {
        let order = self.good_order_by_virtual_account().await;
        self.post("/orders", &order).await.expect(201)
    }

    /// An order that the API accepts, by virtual account.
    pub async fn good_order_by_virtual_account(&self) -> Value {
        let mut order = self.good_order().await;
        order["payment_method"] = json!("VIRTUAL_ACCOUNT");
        order["bank"] = json!("BCA");
        order
    }

    /// The same at a provider of choice.
    pub async fn place_order_at(&self, cloud: Cloud) -> Value {
        let order = self.good_order_at(cloud).await;
        self.post("/orders", &order).await.expect(201)
    }

    /// Pays an order as placed, through the gateway's simulator; the notification has been answered with 2xx.
    pub async fn pay(&self, order: &Value) {
        let report = self.pay_with(order, json!({})).await;
        let delivered = report["deliveries"].as_array().expect("deliveries");
        assert!(!delivered.is_empty() && delivered.iter().all(|d| d["status"] == 200), "{report}");
    }

    /// Lets the gateway's simulator send a notification with these particulars; answers with its report.
    pub async fn pay_with(&self, order: &Value, particulars: Value) -> Value {
        let mut body = particulars;
        body["order_id"] = order["payment"]["gateway_order_id"].clone();
        let url = format!("{}/__sim/pay", self.stack.gateway.simulator.url());
        let response = self.http.post(url).json(&body).send().await.expect("the gateway answers");
        assert!(response.status().is_success(), "{}", response.text().await.unwrap_or_default());
        response.json().await.expect("a report")
    }

    /// Waits until an order has the wanted status; answers with the order.
    pub async fn await_status(&self, order: &Value, wanted: &str) -> Value {
        let id = order["id"].as_str().expect("an id");
        until(&format!("order {id} becomes {wanted}"), || async {
            let now = self.get(&format!("/orders/{id}")).await.expect(200);
            (now["status"] == wanted).then_some(now)
        })
        .await
    }

    /// Asks for an action on a server and waits for its end; answers with the action.
    pub async fn act(&self, instance: &str, request: &Value) -> Value {
        let accepted = self.post(&format!("/instances/{instance}/actions"), request).await.expect(202);
        let id = accepted["action"]["id"].as_str().expect("an id").to_owned();
        until(&format!("action {id} ends"), || async {
            let now = self.get(&format!("/instances/{instance}/actions/{id}")).await.expect(200);
            (now["status"] == "completed" || now["status"] == "failed").then_some(now)
        })
        .await
    }

    /// The steps of an order's timeline.
    pub async fn timeline(&self, order: &Value) -> Vec<String> {
        let id = order["id"].as_str().expect("an id");
        let timeline = self.get(&format!("/orders/{id}/timeline")).await.expect(200);
        let steps = timeline["data"].as_array().expect("steps").iter();
        steps.map(|step| step["step"].as_str().expect("a step").to_owned()).collect()
    }

    /// How many notifications of one kind this customer has, of however many.
    pub async fn notifications_of(&self, kind: &str) -> usize {
        let (mut count, mut path) = (0, "/notifications?limit=100".to_owned());
        loop {
            let page = self.get(&path).await.expect(200);
            let all = page["data"].as_array().expect("notifications").iter();
            count += all.filter(|n| n["type"] == kind).count();
            let Some(next) = page["next_cursor"].as_str() else { return count };
            path = format!("/notifications?limit=100&cursor={next}");
        }
    }

    /// The kinds of this customer's notifications, oldest first.
    pub async fn notifications(&self) -> Vec<String> {
        let page = self.get("/notifications?limit=100").await.expect(200);
        let all = page["data"].as_array().expect("notifications").iter().rev();
        all.map(|n| n["type"].as_str().expect("a type").to_owned()).collect()
    }
}
