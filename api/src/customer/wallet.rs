//! A customer's balance: what is there, what moved it ([`statement`]), and putting money in.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, LARGEST_DEPOSIT, PaymentMethod, PaymentStatus, SMALLEST_DEPOSIT},
    ids::DepositId,
    money::CURRENCY,
    payment_limits::Payable,
    promo::RedemptionState,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    idempotency::Idempotency,
    wallet::{Deposit, NewDeposit},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    payments::PaymentBody,
    promos::{plain_code, promo_code},
};
use crate::{
    AppState,
    auth::CurrentUser,
    bodies::WalletBody,
    charging::{charge, charged_elsewhere},
    extract::{Body, Id, IdempotencyKey, Paged, Paging},
    payment_ways::{gateway_for, not_begun},
    problem::{Code, Problem},
};

mod statement;

/// Routes under `/wallet`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(balance))
        .routes(routes!(statement::transactions))
        .routes(routes!(list, open))
        .routes(routes!(get))
}

/// Money to be put into the balance.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct DepositRequest {
    /// Whole rupiah, from 10,000 to 100,000,000.
    #[schema(example = 500_000, minimum = 10_000, maximum = 100_000_000)]
    amount: Rupiah,
    /// `QRIS` or `VIRTUAL_ACCOUNT`.
    payment_method: PaymentMethod,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    #[serde(default)]
    bank: Option<Bank>,
    /// A code for something on top, in any case.
    #[serde(default)]
    #[schema(example = "BONUS10")]
    promo_code: Option<String>,
}

/// Money on its way to the balance.
#[derive(Debug, Serialize, ToSchema)]
struct DepositBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: DepositId,
    /// Whole rupiah.
    #[schema(example = 500_000)]
    amount: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// Its payment's: `PAID` means that it is on the balance.
    status: PaymentStatus,
    created_at: DateTime<Utc>,
    /// When it was on the balance.
    credited_at: Option<DateTime<Utc>>,
    /// The promo code it was opened with; absent without one, as are `bonus` and `bonus_status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BONUS10")]
    promo_code: Option<String>,
    /// Whole rupiah that the code gives on top when the deposit is paid in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 50_000)]
    bonus: Option<Rupiah>,
    /// `RESERVED`: promised; `REDEEMED`: on the balance; `RELEASED`: the deposit was not paid in time. If it is paid
    /// later, the bonus comes with it only if the code is not used up by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    bonus_status: Option<RedemptionState>,
    payment: PaymentBody,
}

impl From<Deposit> for DepositBody {
    fn from(deposit: Deposit) -> Self {
        let (promo_code, bonus, bonus_status) = match deposit.bonus {
            Some(bonus) => (Some(bonus.code), Some(bonus.amount), Some(bonus.state)),
            None => (None, None, None),
        };
        Self {
            id: deposit.id,
            amount: deposit.amount,
            currency: CURRENCY,
            status: deposit.payment.status,
            created_at: deposit.created_at,
            credited_at: deposit.credited_at,
            promo_code,
            bonus,
            bonus_status,
            payment: deposit.payment.into(),
        }
    }
}

/// Read my balance.
#[utoipa::path(
    get, path = "/wallet", tag = "billing", operation_id = "get_wallet", security(("bearer" = [])),
    responses((status = 200, description = "The balance.", body = WalletBody))
)]
async fn balance(me: CurrentUser, State(state): State<AppState>) -> Result<Json<WalletBody>, Problem> {
    Ok(Json(state.store.wallet(me.id).await?.into()))
}

/// Put money into my balance. The answer has what I need in order to pay; if the payment gateway is slow or down, it has
/// none of it: then begin another deposit. The same `Idempotency-Key` with the same body answers with the same deposit.
/// A promo code counts from here on, until the payment ends without money; its bonus comes with the money.
#[utoipa::path(
    post, path = "/wallet/deposits", tag = "billing", operation_id = "open_deposit", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "New for each new deposit, the same for a retry.")),
    request_body(content = DepositRequest, example = json!({ "amount": 500_000, "payment_method": "QRIS" })),
    responses(
        (status = 201, description = "The deposit and its payment.", body = DepositBody,
         headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`too_many_unpaid_deposits`: as many of my deposits wait for payment as may; \
         `too_many_reservations`: as many of them as may hold this promo code, of which there are few.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`amount_out_of_range`, `payment_method_unavailable`, `bank_required`, \
         `bank_not_allowed`, `payment_method_limit`: the method does not take so much or so little, `detail` says what \
         does; `promo_unknown`, `promo_inactive`, `promo_not_started`, `promo_expired`, `promo_used_up` \
         (also when somebody was quicker), `promo_already_used`, `promo_minimum`, `promo_not_for_deposits`, \
         `idempotency_key_reused`, or `invalid_body` (an amount that is not a whole \
         number, for example).", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn open(
    me: CurrentUser,
    State(state): State<AppState>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<DepositRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<DepositBody>), Problem> {
    let request = request.with_plain_code();
    let idempotency = Idempotency::new("POST /wallet/deposits", &key, &request)?;
    let new = request.into_deposit(&me, &state)?;
    let opened = state.store.open_deposit(&new, &idempotency).await;
    let opened = opened.map_err(|error| not_begun(&state, Payable::Deposit, error))?;
    let mut deposit = match opened.to_charge {
        Some(payment) => {
            charge(&state, payment).await?;
            state.store.deposit(opened.deposit_id, me.id).await?
        }
        None => state.store.deposit(opened.deposit_id, me.id).await?,
    };
    if opened.to_charge.is_none() {
        deposit.payment = charged_elsewhere(&state, deposit.payment).await?;
    }
    let location = format!("/api/v1/wallet/deposits/{}", deposit.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(deposit.into())))
}

/// List my deposits, newest first.
#[utoipa::path(
    get, path = "/wallet/deposits", tag = "billing", operation_id = "list_deposits", security(("bearer" = [])),
    params(Paging), responses((status = 200, description = "A part of the list.", body = Paged<DepositBody>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: Paging,
) -> Result<Paged<DepositBody>, Problem> {
    Ok(Paged::new(state.store.deposits_of(me.id, paging.request()).await?, DepositBody::from))
}

/// Read one of my deposits.
#[utoipa::path(
    get, path = "/wallet/deposits/{id}", tag = "billing", operation_id = "get_deposit", security(("bearer" = [])),
    params(("id" = DepositId, Path, description = "The deposit.")),
    responses((status = 200, description = "The deposit.", body = DepositBody))
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(deposit): Id<DepositId>,
) -> Result<Json<DepositBody>, Problem> {
    Ok(Json(state.store.deposit(deposit, me.id).await?.into()))
}

impl DepositRequest {
    /// A code in whatever case is the same request.
    fn with_plain_code(mut self) -> Self {
        self.promo_code = self.promo_code.map(plain_code);
        self
    }

    /// Checks everything that needs no database.
    fn into_deposit(self, me: &CurrentUser, state: &AppState) -> Result<NewDeposit, Problem> {
        if !(SMALLEST_DEPOSIT..=LARGEST_DEPOSIT).contains(&self.amount) {
            let message = format!("a deposit is from {SMALLEST_DEPOSIT} to {LARGEST_DEPOSIT}");
            return Err(Problem::field(Code::AmountOutOfRange, "amount", message));
        }
        let promo = promo_code(self.promo_code.as_deref())?;
        let served = gateway_for(&state.payments, Payable::Deposit, self.payment_method, self.bank)?;
        let gateway = served.ok_or_else(|| {
            let message = format!("a deposit can't be paid by {}", self.payment_method);
            Problem::field(Code::PaymentMethodUnavailable, "payment_method", message)
        })?;
        Ok(NewDeposit {
            user: me.id,
            amount: self.amount,
            method: self.payment_method,
            bank: self.bank,
            gateway,
            pay_within_ms: state.orders.policy.payment_window_ms,
            promo,
        })
    }
}
