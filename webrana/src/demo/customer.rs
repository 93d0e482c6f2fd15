//! A customer's client: the few calls of the public API that lead from registration to a running server.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use domain::Rupiah;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
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
    http: Client,
    api: Url,
    token: String,
    /// Where they would get mail.
    pub email: String,
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
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let email = format!("demo-{}@example.com", Uuid::new_v4().simple());
        let body =
            json!({"email": email, "password": Uuid::new_v4().to_string(), "full_name": "Demo Customer"});
        let register = http.post(api.join("/api/v1/auth/register")?).json(&body);
        let session: Session = answer(register, "registering").await?;
        Ok(Self { http, api: api.clone(), token: session.access_token, email })
    }

    /// The usual choice.
    pub async fn choose(&self) -> Result<Choice> {
        self.choose_at(PROVIDER).await
    }

    /// A provider's cheapest plan that is on sale, where it is on sale, with the usual image.
    pub async fn choose_at(&self, provider: &str) -> Result<Choice> {
        let plans: List<Plan> = self.get(&format!("plans?provider={provider}"), "listing plans").await?;
        let on_sale = plans.data.into_iter().filter(|plan| !plan.regions.is_empty());
        let plan = on_sale.min_by_key(|plan| plan.price_monthly).context("no plan is on sale")?;
        let images: List<Image> = self.get(&format!("images?provider={provider}"), "listing images").await?;
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
        let request = self.http.post(self.url("orders")?).bearer_auth(&self.token).json(&body);
        let request = request.header("Idempotency-Key", Uuid::new_v4().to_string());
        let (placed, turned_away) = patiently(&request).await?;
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
        let body = json!({"order_id": order.gateway_order_id});
        let request = self.http.post(gateway.join("/__sim/pay")?).json(&body);
        let _: serde_json::Value = answer(request, "paying").await?;
        Ok(())
    }

    /// Where the order stands.
    pub async fn order_state(&self, order: &Order) -> Result<OrderState> {
        self.get(&format!("orders/{}", order.id), "reading the order").await
    }

    /// The order's story.
    pub async fn timeline(&self, order: &Order) -> Result<Vec<TimelineEntry>> {
        let request = self.http.get(self.url(&format!("orders/{}/timeline", order.id))?);
        // The demo speaks English, and a customer's own language is Indonesian at first.
        let request = request.bearer_auth(&self.token).header("Accept-Language", "en");
        let list: List<TimelineEntry> = answer(request, "reading the timeline").await?;
        Ok(list.data)
    }

    /// The server.
    pub async fn instance(&self, id: &str) -> Result<Instance> {
        self.get(&format!("instances/{id}"), "reading the server").await
    }

    /// Asks for an action on a server; answers with the action's id.
    pub async fn act(&self, instance: &str, action: &str) -> Result<String> {
        let path = format!("instances/{instance}/actions");
        let request = self.http.post(self.url(&path)?).bearer_auth(&self.token);
        let key = Uuid::new_v4().to_string();
        let request = request.header("Idempotency-Key", key).json(&json!({ "action": action }));
        let accepted: Accepted = answer(request, "asking for an action").await?;
        Ok(accepted.action.id)
    }

    /// How a read is answered, whatever the answer is.
    pub async fn status_of(&self, path: &str) -> Result<u16> {
        let request = self.http.get(self.url(path)?).bearer_auth(&self.token);
        let answer = request.send().await.with_context(|| format!("reading {path}"))?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        Ok(status)
    }

    /// Where an action stands.
    pub async fn action_status(&self, instance: &str, action: &str) -> Result<String> {
        let path = format!("instances/{instance}/actions/{action}");
        let action: ActionState = self.get(&path, "reading the action").await?;
        Ok(action.status)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, act: &str) -> Result<T> {
        answer(self.http.get(self.url(path)?).bearer_auth(&self.token), act).await
    }

    fn url(&self, path: &str) -> Result<Url> {
        Ok(self.api.join(&format!("/api/v1/{path}"))?)
    }
}

/// Sends an order until it is taken and can be paid; tells how often it was not.
async fn patiently(request: &RequestBuilder) -> Result<(PlacedOrder, u32)> {
    for turned_away in 0..TRIES {
        let copy = request.try_clone().context("a request with a stream can't be sent twice")?;
        let response = copy.send().await.context("ordering failed")?;
        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
            let placed: PlacedOrder = read(response, "ordering").await?;
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

/// Sends a request; a refusal becomes an error with the API's own words.
async fn answer<T: DeserializeOwned>(request: RequestBuilder, act: &str) -> Result<T> {
    read(request.send().await.with_context(|| format!("{act} failed"))?, act).await
}

async fn read<T: DeserializeOwned>(response: Response, act: &str) -> Result<T> {
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{act} was refused with {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{act}: the answer is not as documented: {text}"))
}
