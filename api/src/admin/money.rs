//! What administrators do to customers' balances. Refunds are in `refunds`.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Rupiah,
    ids::{MovementId, UserId},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::wallet::NewAdjustment;
use utoipa::ToSchema;

use super::treasurer::Treasurer;
use crate::{
    AppState,
    auth::Staff,
    bodies::WalletBody,
    extract::{Body, Id},
    problem::Problem,
};

/// Most that one correction may move, in rupiah either way.
const LARGEST_ADJUSTMENT: i64 = 1_000_000_000;

/// A correction of a balance.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdjustWallet {
    /// Whole rupiah up or, when negative, down: not 0, at most 1,000,000,000 either way.
    #[garde(custom(movable))]
    #[schema(example = -25_000)]
    amount: Rupiah,
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(super::order_commands::not_blank))]
    #[schema(
        min_length = 3,
        max_length = 500,
        example = "Deposit of 24 November was credited twice by hand"
    )]
    reason: String,
}

fn movable(amount: &Rupiah, _: &()) -> garde::Result {
    if amount.get() != 0 && (-LARGEST_ADJUSTMENT..=LARGEST_ADJUSTMENT).contains(&amount.get()) {
        return Ok(());
    }
    Err(garde::Error::new("must not be 0, nor more than 1000000000 either way"))
}

/// A correction that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WalletAdjustment {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: MovementId,
    /// Whole rupiah.
    #[schema(example = -25_000)]
    amount: Rupiah,
    /// The balance after it.
    #[schema(example = 341_800)]
    balance: Rupiah,
}

/// Read a customer's balance.
#[utoipa::path(
    get, path = "/admin/users/{id}/wallet", tag = "admin", operation_id = "admin_get_wallet",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The customer.")),
    responses((status = 200, description = "The balance; nothing for who never had any.", body = WalletBody))
)]
pub(super) async fn wallet(
    _: Staff,
    State(state): State<AppState>,
    Id(customer): Id<UserId>,
) -> Result<Json<WalletBody>, Problem> {
    Ok(Json(state.store.wallet(customer).await?.into()))
}

/// Correct a customer's balance, up or down. The customer is told with the reason.
#[utoipa::path(
    post, path = "/admin/users/{id}/wallet-adjustments", tag = "admin", operation_id = "admin_adjust_wallet",
    security(("bearer" = [])),
    params(
        ("id" = UserId, Path, description = "The customer."),
        ("Idempotency-Key" = String, Header, description = "New for each new correction, the same for a retry."),
    ),
    request_body(content = AdjustWallet),
    responses(
        (status = 201, description = "The correction.", body = WalletAdjustment),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: the balance is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_balance`: more is to be taken than is there. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn adjust_wallet(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(customer): Id<UserId>,
    Body(request): Body<AdjustWallet>,
) -> Result<(StatusCode, Json<WalletAdjustment>), Problem> {
    let act = treasurer.act(&format!("POST /admin/users/{customer}/wallet-adjustments"), &request)?;
    let new = NewAdjustment { customer, amount: request.amount, reason: request.reason.trim() };
    let made = state.store.adjust_wallet(&new, &act).await?;
    tracing::info!(
        event = "wallet.adjusted",
        customer_id = %customer,
        movement_id = %made.id,
        "balance corrected by hand"
    );
    let body = WalletAdjustment { id: made.id, amount: made.amount, balance: made.balance };
    Ok((StatusCode::CREATED, Json(body)))
}
