//! Somebody who uses the REST API, as a customer or an admin does.

use std::{ops::Deref, time::Duration};

use client::{Client, Network};
use serde_json::{Value, json};
pub use testkit::http::{Answer, Expect};
use testkit::http::{Caller, Method, control};

use crate::{
    cloud::Cloud,
    stack::{Stack, Visit},
    wait_until::until,
};

/// The longest wait for an answer: longer than the API works on any request.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Somebody with an access token. What they call is below `/api/v1`.
#[derive(Debug, Clone)]
pub struct Customer<'a> {
    /// The system they use.
    pub stack: &'a Stack,
    api: Caller,
    /// What their login was answered with; null of nobody.
    pub session: Value,
    _visit: Option<Visit>,
}

impl Deref for Customer<'_> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.api
    }
}

impl<'a> Customer<'a> {
    /// Registers a new customer.
    pub async fn register(stack: &'a Stack) -> Self {
        let email = format!("{}@example.test", uuid::Uuid::now_v7().simple());
        let body =
            json!({ "email": email, "password": "correct-horse-battery", "full_name": "Budi Santoso" });
        let nobody = Self::nobody(stack);
        let answer = nobody.post("/auth/register", &body).await.expect(201);
        nobody.holding(&answer)
    }

    /// Somebody without a token.
    fn nobody(stack: &'a Stack) -> Self {
        let network = Network::within(TIMEOUT).expect("a client");
        let api = Caller::new(Client::new(network, &format!("{}/api/v1", stack.api_url)));
        Self { stack, api, session: Value::Null, _visit: Visit::of(stack) }
    }

    /// The same person with the token of a session.
    fn holding(self, session: &Value) -> Self {
        let token = session["access_token"].as_str().expect("a token");
        Self { api: self.api.as_user(token), session: session.clone(), ..self }
    }

    /// The same person at the API of another process.
    pub fn at(&self, api_url: &str) -> Self {
        Self { api: self.api.at(&format!("{api_url}/api/v1")), ..self.clone() }
    }

    /// The system's API from its root, for what is not below `/api/v1`.
    pub fn at_root(&self) -> Caller {
        self.api.at(&self.stack.api_url)
    }

    /// Logs the system's admin in.
    pub async fn admin(stack: &'a Stack) -> Self {
        let admin = Self::nobody(stack);
        let body = json!({ "email": stack.admin.0, "password": stack.admin.1 });
        let answer = admin.post("/auth/login", &body).await.expect(200);
        admin.holding(&answer)
    }

    /// `POST` with a given idempotency key.
    pub async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.post(path, body).key(key).await
    }

    /// `POST` to an internal endpoint with the system's API key.
    pub async fn post_internal(&self, path: &str) -> Answer {
        let program = self.api.with_key(&self.stack.api_key);
        program.request(Method::POST, &format!("/internal{path}")).await
    }

    /// A call of the internal API, on its own port, with the system's API key.
    pub async fn call_internal(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let program =
            self.api.with_key(&self.stack.api_key).at(&format!("{}/internal", self.stack.internal_url));
        program.request(method, path).json(body.unwrap_or(&Value::Null)).await
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
        control(&self.stack.gateway.simulator).post("/pay", &body).await.expect_success()
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
