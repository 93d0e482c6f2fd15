//! A customer's client: the few calls of the public API that lead from registration to a running server.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use client::{Call, Client, Method, Network, StatusCode};
use domain::Rupiah;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(15);
/// An order that is turned away for the moment (503), or can't be paid yet since the gateway did not answer in time, is sent
/// again so often, with the same key, each time after a pause.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);
/// Shown first where it is on sale: what most customers take.
const USUAL_IMAGE: &str = "ubuntu-24-04";
const PROVIDER: &str = "digitalocean";

/// A logged-in customer.
pub struct Customer {
    api: Client,
    /// The same connections, as their banking app has them: nobody, at any address.
    nobody: Client,
    /// Where they would get mail.
    pub email: String,
    /// What they log in with.
    pub password: String,
    /// Of their login.
    pub access_token: String,
}

/// What to order.
pub struct Choice {
    plan_id: String,
    /// The plan, as customers see it.
    pub plan_name: String,
    /// Processors.
    pub vcpu: u32,
    /// Memory.
    pub memory_mb: u32,
    /// Rupiah a month, before tax.
    pub price_monthly: Rupiah,
    /// Slug of the region.
    pub region: String,
    /// Slug of the image.
    pub image: String,
}

/// A placed order.
pub struct Order {
    /// Its id, also within the workflow's id.
    pub id: String,
    /// Where it stood when it was placed.
    pub status: String,
    /// Rupiah to pay.
    pub total: Rupiah,
    /// Number of its invoice.
    pub invoice_number: String,
    /// How often it was turned away for the moment, or could not be paid yet, before it was taken.
    pub turned_away: u32,
    gateway_order_id: String,
}

/// Where an order stands.
#[derive(Deserialize)]
pub struct OrderState {
    /// Its state.
    pub status: String,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Its server, once there is one.
    pub instance_id: Option<String>,
}

/// Why an order failed.
#[derive(Deserialize)]
pub struct Failure {
    /// For people.
    pub message: String,
}

/// One step of an order's story.
#[derive(Deserialize)]
pub struct TimelineEntry {
    /// Which step.
    pub step: String,
    /// When.
    pub at: DateTime<Utc>,
    /// In words a customer understands.
    pub message: String,
}

/// A server.
#[derive(Deserialize)]
pub struct Instance {
    /// Its id, also within its workflow's id.
    pub id: String,
    /// Where it stands.
    pub status: String,
    /// What the customer called it.
    pub hostname: Option<String>,
    /// Its address.
    pub ipv4: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Session {
    access_token: String,
}

#[derive(Deserialize)]
struct Plan {
    id: String,
    name: String,
    vcpu: u32,
    memory_mb: u32,
    price_monthly: Rupiah,
    regions: Vec<String>,
}

#[derive(Deserialize)]
struct Image {
    slug: String,
}

#[derive(Deserialize)]
struct Accepted {
    action: ActionState,
}

#[derive(Deserialize)]
struct ActionState {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct PlacedOrder {
    id: String,
    status: String,
    total: Rupiah,
    invoice: Invoice,
    payment: Payment,
}

/// What is to be paid at the gateway.
#[derive(Deserialize)]
struct Begun {
    payment: Payment,
}

#[derive(Deserialize)]
struct Invoice {
    number: String,
}

#[derive(Deserialize)]
struct Payment {
    gateway_order_id: String,
    qr_string: Option<String>,
}

impl Customer {
    /// Registers somebody new.
    ///
    /// # Errors
    /// When the API refuses or does not answer; so everywhere below.
    pub async fn register(api: &Url) -> Result<Self> {
        let nobody = Client::new(Network::within(TIMEOUT)?, api.join("/api/v1")?.as_str());
        let email = format!("demo-{}@example.com", Uuid::new_v4().simple());
        let password = Uuid::new_v4().to_string();
        let body = json!({"email": email, "password": password, "full_name": "Demo Customer"});
        let session: Session = answer(&nobody.post("/auth/register", &body), "registering").await?;
        let access_token = session.access_token;
        Ok(Self { api: nobody.as_user(&access_token), nobody, email, password, access_token })
    }

    /// The usual choice.
    pub async fn choose(&self) -> Result<Choice> {
        self.choose_at(PROVIDER).await
    }

    /// A provider's cheapest plan that is on sale, where it is on sale, with the usual image.
    pub async fn choose_at(&self, provider: &str) -> Result<Choice> {
        let plans: List<Plan> = self.get(&format!("/plans?provider={provider}"), "listing plans").await?;
        let on_sale = plans.data.into_iter().filter(|plan| !plan.regions.is_empty());
        let plan = on_sale.min_by_key(|plan| plan.price_monthly).context("no plan is on sale")?;
        let images: List<Image> = self.get(&format!("/images?provider={provider}"), "listing images").await?;
        let usual = images.data.iter().find(|image| image.slug.starts_with(USUAL_IMAGE));
        let image = usual.or(images.data.first()).context("there is no image to install")?.slug.clone();
        let region = plan.regions.into_iter().next().context("the plan is on sale nowhere")?;
        Ok(Choice {
            plan_id: plan.id,
            plan_name: plan.name,
            vcpu: plan.vcpu,
            memory_mb: plan.memory_mb,
            price_monthly: plan.price_monthly,
            region,
            image,
        })
    }

    /// Places the order.
    pub async fn order(&self, choice: &Choice) -> Result<Order> {
        let body = json!({
            "plan_id": choice.plan_id,
            "region": choice.region,
            "image": choice.image,
            "hostname": "demo.example.com",
            "term_months": 1,
            "payment_method": "QRIS",
        });
        let (placed, turned_away) = patiently(&self.api.post("/orders", &body)).await?;
        Ok(Order {
            id: placed.id,
            status: placed.status,
            total: placed.total,
            invoice_number: placed.invoice.number,
            turned_away,
            gateway_order_id: placed.payment.gateway_order_id,
        })
    }

    /// Pays at the simulated gateway, as the customer's banking app would.
    pub async fn pay(&self, gateway: &Url, order: &Order) -> Result<()> {
        self.pay_at(gateway, &order.gateway_order_id).await
    }

    async fn pay_at(&self, gateway: &Url, gateway_order_id: &str) -> Result<()> {
        let body = json!({ "order_id": gateway_order_id });
        let call = self.nobody.at(gateway.as_str()).request(Method::POST, "/__sim/pay").json(&body);
        let _: serde_json::Value = answer(&call, "paying").await?;
        Ok(())
    }

    /// Where the order stands.
    pub async fn order_state(&self, order: &Order) -> Result<OrderState> {
        self.get(&format!("/orders/{}", order.id), "reading the order").await
    }

    /// The order's story.
    pub async fn timeline(&self, order: &Order) -> Result<Vec<TimelineEntry>> {
        // The demo speaks English, and a customer's own language is Indonesian at first.
        let call = self.api.reading(Some("en")).get(&format!("/orders/{}/timeline", order.id));
        let list: List<TimelineEntry> = answer(&call, "reading the timeline").await?;
        Ok(list.data)
    }

    /// The server.
    pub async fn instance(&self, id: &str) -> Result<Instance> {
        self.get(&format!("/instances/{id}"), "reading the server").await
    }

    /// Puts money on the balance, through the simulated gateway.
    pub async fn deposit(&self, gateway: &Url, amount: Rupiah) -> Result<()> {
        let body = json!({ "amount": amount, "payment_method": "QRIS" });
        let begun: Begun = answer(&self.api.post("/wallet/deposits", &body), "depositing").await?;
        self.pay_at(gateway, &begun.payment.gateway_order_id).await
    }

    /// Buys a further term of a server of a month, and pays it through the simulated gateway.
    pub async fn renew(&self, gateway: &Url, instance: String) -> Result<()> {
        let body = json!({ "term_months": 1, "payment_method": "QRIS" });
        let call = self.api.post(&format!("/instances/{instance}/renew"), &body);
        let begun: Begun = answer(&call, "renewing").await?;
        self.pay_at(gateway, &begun.payment.gateway_order_id).await
    }

    /// Has a server's terms renewed from the balance.
    pub async fn renew_by_itself(&self, instance: &str) -> Result<()> {
        let call = self.api.put(&format!("/instances/{instance}/auto-renew"), &json!({ "enabled": true }));
        let _: serde_json::Value = answer(&call, "wishing for renewals").await?;
        Ok(())
    }

    /// Asks for an action on a server; answers with the action's id.
    pub async fn act(&self, instance: &str, action: &str) -> Result<String> {
        let call = self.api.post(&format!("/instances/{instance}/actions"), &json!({ "action": action }));
        let accepted: Accepted = answer(&call, "asking for an action").await?;
        Ok(accepted.action.id)
    }

    /// How a read is answered, whatever the answer is.
    pub async fn status_of(&self, path: &str) -> Result<u16> {
        let reply = self.api.get(path).send().await.with_context(|| format!("reading {path}"))?;
        Ok(reply.status.as_u16())
    }

    /// Where an action stands.
    pub async fn action_status(&self, instance: &str, action: &str) -> Result<String> {
        let path = format!("/instances/{instance}/actions/{action}");
        let action: ActionState = self.get(&path, "reading the action").await?;
        Ok(action.status)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, act: &str) -> Result<T> {
        answer(&self.api.get(path), act).await
    }
}

/// Sends an order until it is taken and can be paid, always the same one; tells how often it was not.
async fn patiently(call: &Call) -> Result<(PlacedOrder, u32)> {
    for turned_away in 0..TRIES {
        let reply = call.send().await.context("ordering failed")?;
        if reply.status != StatusCode::SERVICE_UNAVAILABLE {
            let placed: PlacedOrder = reply.json().context("ordering failed")?;
            if placed.payment.qr_string.is_some() {
                return Ok((placed, turned_away));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "the order was turned away {TRIES} times, or has no QR code: the gateway's simulator does not answer"
    )
}

/// Sends a call; a refusal becomes an error with the API's own words.
async fn answer<T: DeserializeOwned>(call: &Call, act: &str) -> Result<T> {
    call.fetch().await.with_context(|| format!("{act} failed"))
}
