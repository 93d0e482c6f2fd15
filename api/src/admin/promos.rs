//! Promo codes: staff read them and their uses, administrators make, change and delete them.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{DepositId, OrderId, PromoId, RedemptionId, UserId},
    promo::{PromoCode, PromoKind, PromoTerms, RedemptionState},
    sorting::{AmountSort, PromoSort},
};
use garde::Validate;
use serde::{Deserialize, Deserializer, Serialize};
use store::{
    promos::{ChangePromo, NewPromo, PromoDetail, PromoFilter, PromoRedemption},
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Moment, Paged, Params, Seen, SortedPaging, Versioned},
    problem::{Code, Problem},
};

/// A code to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreatePromo {
    /// 3 to 32 letters, digits, dashes and underscores; kept in upper case.
    #[schema(example = "HEMAT10")]
    code: String,
    kind: PromoKind,
    /// Whole percent from 1 to 100 for `*_PERCENT`, whole rupiah for `*_FIXED`.
    #[schema(example = 10)]
    value: i64,
    /// Least price after the term's discount and before tax, or least deposit, in whole rupiah.
    #[schema(example = 100_000)]
    min_amount: Option<Rupiah>,
    /// Most that it takes off or gives, in whole rupiah.
    #[schema(example = 50_000)]
    max_amount: Option<Rupiah>,
    /// How often one customer may use it.
    #[schema(example = 1)]
    per_user_limit: Option<i64>,
    /// How often it may be used in all.
    #[schema(example = 500)]
    global_limit: Option<i64>,
    /// From then on.
    #[schema(value_type = Option<DateTime<Utc>>)]
    starts_at: Option<Moment>,
    /// Only before then.
    #[schema(value_type = Option<DateTime<Utc>>)]
    ends_at: Option<Moment>,
}

/// What to change about a code. What is left out stays; `null` lifts a restriction.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub(super) struct ChangePromoRequest {
    /// Only before the first use.
    code: Option<String>,
    /// Only before the first use.
    kind: Option<PromoKind>,
    /// Only before the first use.
    value: Option<i64>,
    /// Least price or deposit.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    min_amount: Option<Option<Rupiah>>,
    /// Most that it takes off or gives.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    max_amount: Option<Option<Rupiah>>,
    /// How often one customer may use it. Who used it more often already keeps that.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    per_user_limit: Option<Option<i64>>,
    /// How often it may be used in all: not less than it is used.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    global_limit: Option<Option<i64>>,
    /// From then on.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    starts_at: Option<Option<Moment>>,
    /// Only before then.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    ends_at: Option<Option<Moment>>,
    /// Whether it is switched on.
    is_active: Option<bool>,
}

/// Tells a `null` from a field that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Which codes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PromoQuery {
    /// Only this kind.
    kind: Option<PromoKind>,
    /// Only those that are switched on (`true`) or off (`false`).
    active: Option<bool>,
    /// Only those with this in their code, in any case.
    #[param(example = "hemat")]
    search: Option<String>,
}

/// A promo code with what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPromo {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: PromoId,
    #[schema(example = "HEMAT10")]
    code: String,
    kind: PromoKind,
    /// Whole percent, or whole rupiah.
    #[schema(example = 10)]
    value: i64,
    #[schema(example = 100_000)]
    min_amount: Option<Rupiah>,
    #[schema(example = 50_000)]
    max_amount: Option<Rupiah>,
    #[schema(example = 1)]
    per_user_limit: Option<i64>,
    #[schema(example = 500)]
    global_limit: Option<i64>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    is_active: bool,
    /// Whether it was ever used: then `code`, `kind` and `value` stay, and it can't be deleted.
    was_used: bool,
    /// Uses that count towards the limits: `reserved` and `redeemed`.
    #[schema(example = 17)]
    uses: i64,
    /// Of them, by orders that do not run yet and deposits that are not paid yet.
    #[schema(example = 2)]
    reserved: i64,
    /// Of them, those that are final.
    #[schema(example = 15)]
    redeemed: i64,
    /// Uses beyond the limits: by expired orders that a late payment brought back when the code was used up.
    #[schema(example = 0)]
    honoured: i64,
    /// Whole rupiah that the final uses took off or gave.
    #[schema(example = 551_475)]
    given: Rupiah,
    /// The administrator who made it.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// One use of a promo code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRedemption {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: RedemptionId,
    customer_id: UserId,
    /// The order; absent for a deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// The deposit; absent for an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit_id: Option<DepositId>,
    /// Whole rupiah that it took off or gives.
    #[schema(example = 36_765)]
    amount: Rupiah,
    state: RedemptionState,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Make a promo code. It is switched on, and applies from `starts_at` or at once.
#[utoipa::path(
    post, path = "/admin/promos", tag = "admin", operation_id = "admin_create_promo", security(("bearer" = [])),
    request_body(content = CreatePromo, example = json!({
        "code": "HEMAT10", "kind": "ORDER_PERCENT", "value": 10, "min_amount": 100_000, "max_amount": 50_000,
        "per_user_limit": 1, "global_limit": 500, "ends_at": "2027-01-01T00:00:00Z"
    })),
    responses(
        (status = 201, description = "The code.", body = AdminPromo,
         headers(("Location" = String, description = "Where to read it again."))),
        (status = 409, description = "`promo_code_taken`: there is one with this code, in whatever case.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, or `validation_failed` with the field: a share that is not from 1 \
         to 100, a limit below 1, an end before the beginning. Nothing was made.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(request): Body<CreatePromo>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<AdminPromo>), Problem> {
    let new = request.into_promo()?;
    let made = state.store.create_promo(&new, admin.id, &client.origin(admin.actor())).await?;
    tracing::info!(event = "promo.created", promo_id = %made.id, "promo code made");
    let location = format!("/api/v1/admin/promos/{}", made.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made.into())))
}

/// List promo codes, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/promos", tag = "admin", operation_id = "admin_list_promos", security(("bearer" = [])),
    params(PromoQuery, SortedPaging<PromoSort>),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminPromo>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    Params(query): Params<PromoQuery>,
    paging: SortedPaging<PromoSort>,
) -> Result<Paged<AdminPromo>, Problem> {
    let filter = PromoFilter { kind: query.kind, is_active: query.active, search: query.search };
    let (sort, request) = paging.request()?;
    Ok(Paged::sorted(state.store.promos(&filter, sort, request).await?, sort, AdminPromo::from))
}

/// Read a promo code.
#[utoipa::path(
    get, path = "/admin/promos/{id}", tag = "admin", operation_id = "admin_get_promo", security(("bearer" = [])),
    params(("id" = PromoId, Path, description = "The promo.")),
    responses((status = 200, description = "The code.", body = AdminPromo))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(promo): Id<PromoId>,
) -> Result<Versioned<AdminPromo>, Problem> {
    let version = state.store.version(Thing::Promo(promo)).await?;
    Ok(Versioned { version, body: state.store.promo(promo).await?.into() })
}

/// List the uses of a promo code, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/promos/{id}/redemptions", tag = "admin", operation_id = "admin_list_promo_redemptions",
    security(("bearer" = [])), params(("id" = PromoId, Path, description = "The promo."), SortedPaging<AmountSort>),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminRedemption>))
)]
pub(super) async fn redemptions(
    _: Staff,
    State(state): State<AppState>,
    Id(promo): Id<PromoId>,
    paging: SortedPaging<AmountSort>,
) -> Result<Paged<AdminRedemption>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.promo_redemptions(promo, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminRedemption::from))
}

/// Change a promo code from now on: orders that were placed and deposits that were opened with it stay as they are. Code,
/// kind and value of one that was used stay. `is_active: false` switches it off.
#[utoipa::path(
    patch, path = "/admin/promos/{id}", tag = "admin", operation_id = "admin_change_promo", security(("bearer" = [])),
    params(("id" = PromoId, Path, description = "The promo.")),
    request_body(content = ChangePromoRequest, example = json!({ "global_limit": 1_000, "ends_at": null })),
    responses(
        (status = 200, description = "The code as it is now.", body = AdminPromo),
        (status = 409, description = "`promo_in_use`: it was used, and code, kind or value would change, or the limit is \
         less than it is used; `promo_code_taken`. Nothing changed.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, or `validation_failed` with the field.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(promo): Id<PromoId>,
    Seen(condition): Seen,
    Body(request): Body<ChangePromoRequest>,
) -> Result<Json<AdminPromo>, Problem> {
    let change = request.into_change()?;
    let origin = client.origin(admin.actor());
    let changed = state.store.change_promo(promo, &change, &condition, &origin).await?;
    tracing::info!(
        event = "promo.changed",
        promo_id = %promo,
        is_active = changed.is_active,
        "promo code changed"
    );
    Ok(Json(changed.into()))
}

/// Delete a promo code that was never used.
#[utoipa::path(
    delete, path = "/admin/promos/{id}", tag = "admin", operation_id = "admin_delete_promo",
    security(("bearer" = [])), params(("id" = PromoId, Path, description = "The promo.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "`promo_in_use`: it was used; deactivate it instead.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(promo): Id<PromoId>,
) -> Result<StatusCode, Problem> {
    state.store.delete_promo(promo, &client.origin(admin.actor())).await?;
    tracing::info!(event = "promo.deleted", promo_id = %promo, "promo code deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn read_code(text: &str) -> Result<PromoCode, Problem> {
    PromoCode::parse(text).map_err(|error| Problem::field(Code::ValidationFailed, "code", error.to_string()))
}

impl CreatePromo {
    fn into_promo(self) -> Result<NewPromo, Problem> {
        Ok(NewPromo {
            code: read_code(&self.code)?,
            terms: PromoTerms {
                kind: self.kind,
                value: self.value,
                min_amount: self.min_amount,
                max_amount: self.max_amount,
                per_user_limit: self.per_user_limit,
                global_limit: self.global_limit,
                starts_at: self.starts_at.map(Moment::get),
                ends_at: self.ends_at.map(Moment::get),
            },
        })
    }
}

impl ChangePromoRequest {
    fn into_change(self) -> Result<ChangePromo, Problem> {
        Ok(ChangePromo {
            code: self.code.as_deref().map(read_code).transpose()?,
            kind: self.kind,
            value: self.value,
            min_amount: self.min_amount,
            max_amount: self.max_amount,
            per_user_limit: self.per_user_limit,
            global_limit: self.global_limit,
            starts_at: self.starts_at.map(|at| at.map(Moment::get)),
            ends_at: self.ends_at.map(|at| at.map(Moment::get)),
            is_active: self.is_active,
        })
    }
}

impl From<PromoDetail> for AdminPromo {
    fn from(promo: PromoDetail) -> Self {
        Self {
            id: promo.id,
            code: promo.code,
            kind: promo.terms.kind,
            value: promo.terms.value,
            min_amount: promo.terms.min_amount,
            max_amount: promo.terms.max_amount,
            per_user_limit: promo.terms.per_user_limit,
            global_limit: promo.terms.global_limit,
            starts_at: promo.terms.starts_at,
            ends_at: promo.terms.ends_at,
            is_active: promo.is_active,
            was_used: promo.was_used,
            uses: promo.reserved.saturating_add(promo.redeemed),
            reserved: promo.reserved,
            redeemed: promo.redeemed,
            honoured: promo.honoured,
            given: promo.given,
            created_by: promo.created_by,
            created_at: promo.created_at,
            updated_at: promo.updated_at,
        }
    }
}

impl From<PromoRedemption> for AdminRedemption {
    fn from(row: PromoRedemption) -> Self {
        Self {
            id: row.id,
            customer_id: row.user_id,
            order_id: row.order_id,
            deposit_id: row.deposit_id,
            amount: row.amount,
            state: row.state,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
