//! What gateways pay out to our bank account, as administrators read it off their statements.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::MovementId, sorting::PayoutSort};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::payouts::NewPayout;
use utoipa::ToSchema;

use super::treasurer::Treasurer;
use crate::{
    AppState,
    auth::Staff,
    extract::{Body, Paged, SortedPaging},
    problem::{Code, Problem},
};

/// Most that one payout may be, in rupiah.
const LARGEST_PAYOUT: i64 = 1_000_000_000_000;

/// A payout as the gateway's statement has it.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookPayout {
    /// Slug of a gateway in use.
    #[garde(skip)]
    #[schema(example = "midtrans")]
    gateway: String,
    /// The gateway's name for it: 1 to 100 letters, digits, `.`, `_`, `:` and `-`. Each is booked once.
    #[garde(length(chars, min = 1, max = 100), pattern("^[A-Za-z0-9._:-]+$"))]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9._:-]+$", example = "2026-11-28-0001")]
    reference: String,
    /// Whole rupiah that it took in for us, fees included.
    #[garde(custom(possible))]
    #[schema(example = 12_500_000)]
    gross: Rupiah,
    /// Whole rupiah that it kept of that.
    #[garde(custom(possible_fee))]
    #[schema(example = 87_500)]
    fee: Rupiah,
}

fn possible(amount: &Rupiah, _: &()) -> garde::Result {
    if (1..=LARGEST_PAYOUT).contains(&amount.get()) {
        return Ok(());
    }
    Err(garde::Error::new("must be from 1 to 1000000000000"))
}

fn possible_fee(amount: &Rupiah, _: &()) -> garde::Result {
    if (0..=LARGEST_PAYOUT).contains(&amount.get()) {
        return Ok(());
    }
    Err(garde::Error::new("must be from 0 to 1000000000000"))
}

/// A payout that is booked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PayoutBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: MovementId,
    /// Gateway and reference.
    #[schema(example = "payout/midtrans/2026-11-28-0001")]
    cause: String,
    /// Whole rupiah that the gateway had taken in for us.
    #[schema(example = 12_500_000)]
    gross: Rupiah,
    /// Whole rupiah that it kept of that.
    #[schema(example = 87_500)]
    fee: Rupiah,
    booked_at: DateTime<Utc>,
}

impl From<store::payouts::Payout> for PayoutBody {
    fn from(row: store::payouts::Payout) -> Self {
        Self { id: row.id, cause: row.cause, gross: row.gross, fee: row.fee, booked_at: row.at }
    }
}

/// Book a gateway's payout. Its reference makes a second booking impossible; the same request again answers with the same
/// payout.
#[utoipa::path(
    post, path = "/admin/payouts", tag = "admin", operation_id = "admin_book_payout", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "New for each new payout, the same for a retry.")),
    request_body(content = BookPayout),
    responses(
        (status = 201, description = "The payout is in the books.", body = PayoutBody),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`payout_conflict`: it was booked before. Nothing moved.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`gateway_unknown`; `fee_too_large`: more than the whole; `validation_failed`, \
         `invalid_body` or `idempotency_key_reused`. Nothing moved.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn book(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Body(request): Body<BookPayout>,
) -> Result<(StatusCode, Json<PayoutBody>), Problem> {
    if !state.payments.gateways.contains_key(request.gateway.as_str()) {
        let message = format!("there is no gateway {} in use", request.gateway);
        return Err(Problem::field(Code::GatewayUnknown, "gateway", message));
    }
    if request.fee > request.gross {
        return Err(Problem::field(Code::FeeTooLarge, "fee", "the fee is more than what was taken in"));
    }
    let act = treasurer.act("POST /admin/payouts", &request)?;
    let new = NewPayout {
        gateway: &request.gateway,
        reference: &request.reference,
        gross: request.gross,
        fee: request.fee,
    };
    let booked = state.store.book_payout(&new, &act).await?;
    tracing::info!(
        event = "payout.booked",
        movement_id = %booked.id,
        gateway = request.gateway,
        "payout booked"
    );
    Ok((StatusCode::CREATED, Json(booked.into())))
}

/// List booked payouts, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/payouts", tag = "admin", operation_id = "admin_list_payouts", security(("bearer" = [])),
    params(SortedPaging<PayoutSort>),
    responses((status = 200, description = "A part of the list.", body = Paged<PayoutBody>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<PayoutSort>,
) -> Result<Paged<PayoutBody>, Problem> {
    let (sort, request) = paging.request()?;
    Ok(Paged::sorted(state.store.payouts(sort, &request).await?, sort, PayoutBody::from))
}
