//! Promo codes as customers meet them: reading one in a request, and asking what it would come to.

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    Rupiah,
    billing::{LARGEST_DEPOSIT, SMALLEST_DEPOSIT},
    ids::PlanId,
    language::Language,
    money::CURRENCY,
    promo::{PromoCode, PromoRefusal, Purpose},
};
use serde::{Deserialize, Serialize};
use store::promos::{PlanAndTerm, PromoCheck, PromoUse};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    extract::Params,
    problem::{Code, Problem},
};

/// Routes under `/promos`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(check))
}

/// Reads the code of a request. What can't be a code is one that nobody made.
pub(crate) fn promo_code(text: Option<&str>) -> Result<Option<PromoCode>, Problem> {
    text.map(PromoCode::parse).transpose().map_err(|_| PromoRefusal::Unknown.into())
}

/// A code as we write it; what can't be a code stays.
pub(crate) fn plain_code(text: String) -> String {
    PromoCode::parse(&text).map_or(text, |code| code.to_string())
}

/// What the code would be used for: a plan and its term, or the amount of a deposit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CheckQuery {
    /// For an order, with `term_months`: the plan.
    plan_id: Option<PlanId>,
    /// For an order, with `plan_id`: months bought.
    #[param(example = 3)]
    term_months: Option<u32>,
    /// For a deposit, and alone: whole rupiah.
    #[param(value_type = Option<i64>, example = 500_000)]
    amount: Option<Rupiah>,
}

/// What a code would come to.
#[derive(Debug, Serialize, ToSchema)]
struct PromoCheckBody {
    /// The code as we write it.
    #[schema(example = "HEMAT10")]
    code: String,
    applies: bool,
    /// Why it does not apply: the `code` that an order or deposit with it would be refused by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "promo_expired")]
    reason: Option<&'static str>,
    /// In words.
    #[schema(example = "This code takes Rp36.765 off.")]
    message: String,
    /// Orders: whole rupiah that it takes off, before tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 36_765)]
    discount: Option<Rupiah>,
    /// Deposits: whole rupiah that it gives on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 50_000)]
    bonus: Option<Rupiah>,
    /// Whole rupiah: what the order would cost with tax, or what would go to the balance. Without the code if it does
    /// not apply.
    #[schema(example = 367_283)]
    total: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
}

/// Ask what a promo code would come to for me, without using it: for an order (`plan_id` and `term_months`) or for a
/// deposit (`amount`). A code that does not apply is an answer, not an error. What is told may have changed when the
/// order is placed or the deposit opened; only that takes the code.
#[utoipa::path(
    get, path = "/promos/{code}/check", tag = "catalog", operation_id = "check_promo", security(("bearer" = [])),
    params(("code" = String, Path, description = "The code, in any case.", example = "HEMAT10"), CheckQuery),
    responses(
        (status = 200, description = "What it gives, or why it does not apply: `promo_unknown`, `promo_inactive`, \
         `promo_not_started`, `promo_expired`, `promo_used_up`, `promo_already_used`, `promo_minimum`, \
         `promo_not_for_orders`, `promo_not_for_deposits`.", body = PromoCheckBody),
        (status = 400, description = "`invalid_query`: neither a plan with its term nor an amount, or both.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`provider_disabled`: nothing of the plan's provider is sold at the moment.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_plan`, `plan_inactive`, `term_not_offered`, `amount_out_of_range`: there \
         could be no such order or deposit, with a code or without.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn check(
    me: CurrentUser,
    State(state): State<AppState>,
    Path(text): Path<String>,
    Params(query): Params<CheckQuery>,
) -> Result<Json<PromoCheckBody>, Problem> {
    let wanted = PromoCode::parse(&text).ok().map(|code| PromoUse { user: me.id, code });
    let checked = match query.question(&state)? {
        Question::Order(what) => {
            let checked = state.store.check_order_promo(wanted.as_ref(), &what).await?;
            PromoCheckBody {
                discount: checked.gives.ok(),
                ..PromoCheckBody::new(&checked, Purpose::Order, me.language)
            }
        }
        Question::Deposit(amount) => {
            let checked = state.store.check_deposit_promo(wanted.as_ref(), amount).await?;
            PromoCheckBody {
                bonus: checked.gives.ok(),
                ..PromoCheckBody::new(&checked, Purpose::Deposit, me.language)
            }
        }
    };
    let code = wanted.map_or(text, |wanted| wanted.code.to_string());
    Ok(Json(PromoCheckBody { code, ..checked }))
}

/// What is asked about.
enum Question {
    Order(PlanAndTerm),
    Deposit(Rupiah),
}

impl CheckQuery {
    fn question(self, state: &AppState) -> Result<Question, Problem> {
        match (self.plan_id, self.term_months, self.amount) {
            (Some(plan_id), Some(term_months), None) => {
                Ok(Question::Order(PlanAndTerm { plan_id, term_months, configured: state.configured() }))
            }
            (None, None, Some(amount)) if (SMALLEST_DEPOSIT..=LARGEST_DEPOSIT).contains(&amount) => {
                Ok(Question::Deposit(amount))
            }
            (None, None, Some(_)) => {
                let message = format!("a deposit is from {SMALLEST_DEPOSIT} to {LARGEST_DEPOSIT}");
                Err(Problem::field(Code::AmountOutOfRange, "amount", message))
            }
            _ => {
                let detail = "give plan_id and term_months for an order, or amount for a deposit";
                Err(Problem::new(Code::InvalidQuery, detail))
            }
        }
    }
}

impl PromoCheckBody {
    fn new(checked: &PromoCheck, purpose: Purpose, language: Language) -> Self {
        let message = match checked.gives {
            Ok(amount) => messages::promo_gives(purpose, amount, language),
            Err(refusal) => messages::promo_refusal(refusal, language),
        };
        Self {
            code: String::new(),
            applies: checked.gives.is_ok(),
            reason: checked.gives.err().map(|refusal| Code::from(refusal).word()),
            message,
            discount: None,
            bonus: None,
            total: checked.total,
            currency: CURRENCY,
        }
    }
}
