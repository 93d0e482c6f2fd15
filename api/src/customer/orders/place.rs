//! Quoting and placing an order.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    ids::{PlanId, SshKeyId},
    language::Language,
    money::CURRENCY,
    payment_limits::{Payable, Way},
    user_data::UserData,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    idempotency::Idempotency,
    orders::{NewOrder, Offer, Refusal, Selection},
    promos::PromoUse,
};
use utoipa::ToSchema;

use super::Order;
use crate::{
    AppState,
    auth::CurrentUser,
    bodies::server_spec::{parse_hostname, refuse_too_many},
    charging::{charge, charged_elsewhere},
    customer::promos::{plain_code, promo_code},
    extract::{Body, IdempotencyKey},
    payment_ways::{PaymentWay, gateway_for, not_begun},
    problem::{Code, Problem},
};

/// What to buy.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct QuoteRequest {
    plan_id: PlanId,
    /// Slug of the region.
    region: String,
    /// Slug of the image.
    image: String,
    /// RFC 1123, 63 characters at most.
    hostname: String,
    /// Months: one of the plan's terms.
    term_months: u32,
    /// Ids of own SSH keys, at most 10. With any, nobody gets in by password; without, the server has a root password.
    ssh_key_ids: Option<Vec<SshKeyId>>,
    /// A code for a discount, in any case.
    #[schema(example = "HEMAT10")]
    promo_code: Option<String>,
    /// What the server is told at its first boot, for cloud-init: begins with `#cloud-config`, `#!`, `#cloud-boothook` or
    /// `#include`. With its SSH keys and a kilobyte of ours it has to fit into what its provider takes: 64 KiB at DigitalOcean and
    /// Linode, 48 at Vultr; `user_data_too_long` says how much it could be. It is kept encrypted and shown to nobody; what it
    /// configures beside us is merged with ours.
    #[schema(value_type = Option<String>, write_only, example = "#!/bin/sh\napt-get install -y nginx\n")]
    user_data: Option<UserData>,
    /// Whether the term is to be renewed by itself; the price does not depend on it.
    #[allow(dead_code, reason = "taken so that an order's body can be quoted as it is")]
    auto_renew: Option<bool>,
    /// May be given as in the order, and is checked then, also whether it takes so much.
    payment_method: Option<PaymentMethod>,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    bank: Option<Bank>,
}

/// What to buy, and how it will be paid.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct OrderRequest {
    plan_id: PlanId,
    /// Slug of the region.
    region: String,
    /// Slug of the image.
    image: String,
    /// RFC 1123, 63 characters at most.
    hostname: String,
    /// Months: one of the plan's terms.
    term_months: u32,
    /// Ids of own SSH keys, at most 10. With any, nobody gets in by password; without, the server has a root password.
    ssh_key_ids: Option<Vec<SshKeyId>>,
    /// A code for a discount, in any case.
    #[schema(example = "HEMAT10")]
    promo_code: Option<String>,
    /// What the server is told at its first boot, for cloud-init: begins with `#cloud-config`, `#!`, `#cloud-boothook` or
    /// `#include`. With its SSH keys and a kilobyte of ours it has to fit into what its provider takes: 64 KiB at DigitalOcean and
    /// Linode, 48 at Vultr; `user_data_too_long` says how much it could be. It is kept encrypted and shown to nobody; what it
    /// configures beside us is merged with ours.
    #[schema(value_type = Option<String>, write_only, example = "#!/bin/sh\napt-get install -y nginx\n")]
    user_data: Option<UserData>,
    /// Whether the term is to be renewed by itself.
    auto_renew: Option<bool>,
    /// `QRIS`, `VIRTUAL_ACCOUNT`, `MANUAL_TRANSFER` or `WALLET` (my balance).
    payment_method: PaymentMethod,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    bank: Option<Bank>,
}

/// What an order would cost now. `subtotal − discount + tax = total`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuoteBody {
    plan_id: PlanId,
    /// Slug of the plan.
    #[schema(example = "do-basic-1gb")]
    plan: String,
    #[schema(example = 3)]
    term_months: u32,
    /// Before tax; discounts are negative.
    lines: Vec<QuoteLine>,
    /// Whole rupiah before discounts and tax.
    #[schema(example = 387_000)]
    subtotal: Rupiah,
    /// Whole rupiah taken off.
    #[schema(example = 19_350)]
    discount: Rupiah,
    /// What PPN is computed on.
    #[schema(example = 337_013)]
    tax_base: Rupiah,
    /// PPN in whole rupiah.
    #[schema(example = 40_442)]
    tax: Rupiah,
    /// PPN rate on `tax_base` in hundredths of a percent.
    #[schema(example = 1200)]
    tax_rate_bp: u32,
    /// Whole rupiah to be paid.
    #[schema(example = 408_092)]
    total: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// How it can be paid, and why not.
    payment_methods: Vec<PaymentWay>,
}

/// One line of a quote.
#[derive(Debug, Serialize, ToSchema)]
struct QuoteLine {
    #[schema(example = "Basic 1 GB, 3 months")]
    description: String,
    #[schema(example = 3)]
    quantity: u32,
    #[schema(example = 129_000)]
    unit_price: Rupiah,
    #[schema(example = 387_000)]
    total: Rupiah,
}

/// Compute what an order would cost now, without placing it.
#[utoipa::path(
    post, path = "/orders/quote", tag = "orders", operation_id = "quote_order", security(("bearer" = [])),
    request_body(content = QuoteRequest, example = json!({
        "plan_id": "0193e7d0-4362-7709-b262-4de1f9ad2f5e", "region": "sgp1", "image": "ubuntu-24-04",
        "hostname": "web-1.example.com", "term_months": 3
    })),
    responses(
        (status = 200, description = "The price.", body = QuoteBody),
        (status = 409, description = "`provider_disabled`: nothing of the plan's provider is sold at the moment; \
         `plan_unavailable`: the provider can't deliver it at the moment.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`unknown_plan`, `plan_inactive`, `region_unknown`, `region_without_plan`, \
         `image_unknown`, `image_not_for_provider`, `invalid_hostname`, `term_not_offered`, `promo_unknown`, \
         `promo_inactive`, `promo_not_started`, `promo_expired`, `promo_used_up` (also when somebody was quicker), \
         `promo_already_used`, `promo_minimum`, `promo_not_for_orders`, \
         `ssh_key_unknown`, `ssh_keys_too_long`, `invalid_user_data`, `user_data_too_long`, `payment_method_unavailable`, `bank_required`, `bank_not_allowed`, \
         `payment_method_limit`: the method does not take so much or so little, `detail` says what does; `invalid_body`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn quote(
    me: CurrentUser,
    State(state): State<AppState>,
    Body(request): Body<QuoteRequest>,
) -> Result<Json<QuoteBody>, Problem> {
    parse_hostname(&request.hostname)?;
    let promo = promo_code(request.promo_code.as_deref())?;
    let ssh_keys = request.ssh_key_ids.unwrap_or_default();
    refuse_too_many(&ssh_keys)?;
    let way = request.payment_method.map(|method| Way { method, bank: request.bank });
    let gateway = match way {
        Some(Way { method, bank }) => gateway_for(&state.payments, Payable::Order, method, bank)?,
        None => None,
    };
    let selection = Selection {
        plan_id: request.plan_id,
        region: request.region,
        image: request.image,
        term_months: request.term_months,
        configured: state.configured(),
    };
    let offer = match promo {
        Some(code) => {
            let wanted = PromoUse { user: me.id, code };
            state.store.quote_order_with_promo(&selection, &wanted).await?
        }
        None => state.store.quote_order(&selection).await?,
    };
    state.store.check_ssh_keys(me.id, &ssh_keys, request.user_data.as_ref(), &offer.provider).await?;
    let total = offer.quote.total;
    if let Some(way) = way {
        let within = state.store.check_payment_limits(gateway, way, total);
        within.map_err(|outside| not_begun(&state, Payable::Order, Refusal::from(outside)))?;
    }
    let ways = PaymentWay::all(&state, Some(Payable::Order), Some(total));
    Ok(Json(QuoteBody::new(offer, selection.term_months, ways, me.language)))
}

/// Place an order. The answer has what the customer needs in order to pay; if the payment gateway is slow or down, it
/// has none of it, and `POST /orders/{id}/pay` begins another attempt. Paid from the balance
/// (`WALLET`), the order is `PAID` at once: its price is set aside, and taken when the server runs. The same `Idempotency-Key` with the same body
/// answers with the same order, also when its promo code is used up by then. A promo code counts from here on: until the
/// order expires or is called off before it is `ACTIVE`.
#[utoipa::path(
    post, path = "/orders", tag = "orders", operation_id = "place_order", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "New for each new order, the same for a retry.")),
    request_body(content = OrderRequest, example = json!({
        "plan_id": "0193e7d0-4362-7709-b262-4de1f9ad2f5e", "region": "sgp1", "image": "ubuntu-24-04",
        "hostname": "web-1.example.com", "term_months": 3, "payment_method": "VIRTUAL_ACCOUNT", "bank": "BRI"
    })),
    responses(
        (status = 201, description = "The order, its invoice and its payment.", body = Order,
         headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`email_unverified`: prove the email address first; `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`provider_disabled`: nothing of the plan's provider is sold at the moment; \
         `plan_unavailable`: the provider can't deliver it at the moment; `out_of_stock`: as many are sold as may be; \
         `insufficient_balance`: `WALLET`, and there is not enough; `too_many_unpaid_orders`: as many of my orders wait for \
         payment as may; `too_many_reservations`: as many of my unpaid orders as may hold this promo code or this plan, of \
         which there are few. Nothing was placed.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_plan`, `plan_inactive`, `region_unknown`, `region_without_plan`, \
         `image_unknown`, `image_not_for_provider`, `invalid_hostname`, `term_not_offered`, `promo_unknown`, \
         `promo_inactive`, `promo_not_started`, `promo_expired`, `promo_used_up` (also when somebody was quicker), \
         `promo_already_used`, `promo_minimum`, `promo_not_for_orders`, \
         `ssh_key_unknown`, `ssh_keys_too_long`, `invalid_user_data`, `user_data_too_long`, `payment_method_unavailable`, `bank_required`, `bank_not_allowed`, \
         `payment_method_limit`: the method does not take so much or so little, `detail` says what does; \
         `idempotency_key_reused`, `invalid_body`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn place(
    me: CurrentUser,
    State(state): State<AppState>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<OrderRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Order>), Problem> {
    let request = request.with_defaults();
    let idempotency = Idempotency::new("POST /orders", &key, &request)?;
    let new = request.into_order(&me, &state)?;
    let placed = state.store.place_order(&new, &idempotency).await;
    let placed = placed.map_err(|error| not_begun(&state, Payable::Order, error))?;
    let payment = match placed.to_charge {
        Some(payment) => charge(&state, payment).await?,
        None => charged_elsewhere(&state, state.store.latest_payment(placed.order_id).await?).await?,
    };
    let order = state.store.order_of(me.id, placed.order_id).await?;
    let location = format!("/api/v1/orders/{}", order.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(Order::new(order, payment, me.language))))
}

impl OrderRequest {
    /// Spells out what was left to default, so that leaving it out and saying it are the same request, as is a promo
    /// code in another case.
    fn with_defaults(mut self) -> Self {
        self.ssh_key_ids.get_or_insert_default();
        self.auto_renew.get_or_insert(false);
        self.promo_code = self.promo_code.map(plain_code);
        self
    }

    /// Checks everything that needs no database.
    fn into_order(self, me: &CurrentUser, state: &AppState) -> Result<NewOrder, Problem> {
        if !me.email_verified && !state.orders.unverified_may_order {
            let detail = "please prove your email address before you order";
            return Err(Problem::new(Code::EmailUnverified, detail));
        }
        let hostname = parse_hostname(&self.hostname)?;
        let promo = promo_code(self.promo_code.as_deref())?;
        let ssh_key_ids = self.ssh_key_ids.unwrap_or_default();
        refuse_too_many(&ssh_key_ids)?;
        let gateway = gateway_for(&state.payments, Payable::Order, self.payment_method, self.bank)?;
        Ok(NewOrder {
            user: me.id,
            selection: Selection {
                plan_id: self.plan_id,
                region: self.region,
                image: self.image,
                term_months: self.term_months,
                configured: state.configured(),
            },
            hostname,
            ssh_key_ids,
            auto_renew: self.auto_renew.unwrap_or_default(),
            policy: state.orders.policy,
            method: self.payment_method,
            bank: self.bank,
            gateway,
            promo,
            user_data: self.user_data,
        })
    }
}

impl QuoteBody {
    fn new(offer: Offer, term_months: u32, payment_methods: Vec<PaymentWay>, language: Language) -> Self {
        let lines = offer
            .quote
            .lines
            .into_iter()
            .map(|line| QuoteLine {
                description: messages::invoice_line(&line.description, language),
                quantity: line.quantity,
                unit_price: line.unit_price,
                total: line.total,
            })
            .collect();
        Self {
            plan_id: offer.plan_id,
            plan: offer.plan,
            term_months,
            lines,
            subtotal: offer.quote.subtotal,
            discount: offer.quote.discount,
            tax_base: offer.quote.tax_base,
            tax: offer.quote.tax,
            tax_rate_bp: offer.tax.rate,
            total: offer.quote.total,
            currency: CURRENCY,
            payment_methods,
        }
    }
}
