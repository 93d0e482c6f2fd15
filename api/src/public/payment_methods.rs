//! How can be paid here, for everybody: the methods, their banks, and how much each takes at once.

use axum::{extract::State, http::HeaderMap, response::Response};
use domain::{Rupiah, payment_limits::Payable};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::cached::cached;
use crate::{
    AppState,
    extract::Params,
    payment_ways::PaymentWay,
    problem::{Code, Problem},
};

/// `/payment-methods`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(payment_methods))
}

/// What is to be paid.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Whole rupiah: each way then says whether it takes so much.
    #[param(example = 12_000_000, minimum = 1)]
    amount: Option<Rupiah>,
    /// Only ways to pay this.
    #[serde(rename = "for")]
    #[param(inline)]
    payable: Option<Payable>,
}

/// The ways to pay.
#[derive(Debug, Serialize, ToSchema)]
struct PaymentWays {
    data: Vec<PaymentWay>,
}

/// List the ways to pay, with how much each takes at once.
#[utoipa::path(
    get, path = "/payment-methods", tag = "catalog", operation_id = "list_payment_methods", params(Wanted),
    responses(
        (status = 200, description = "The ways to pay that are on offer.", body = PaymentWays,
         headers(("ETag" = String, description = "Send it as `If-None-Match` next time."))),
        (status = 304, description = "Nothing changed since the ETag in `If-None-Match`."),
        (status = 422, description = "`amount_out_of_range`: less than one rupiah.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn payment_methods(
    State(state): State<AppState>,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if wanted.amount.is_some_and(|amount| amount <= Rupiah::ZERO) {
        return Err(Problem::field(Code::AmountOutOfRange, "amount", "an amount is one rupiah or more"));
    }
    cached(&headers, &PaymentWays { data: PaymentWay::all(&state, wanted.payable, wanted.amount) })
}
