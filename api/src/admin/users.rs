//! Everybody's accounts: reading them, suspending them, what they may do, and what staff note about them.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::UserId,
    role::{AccountStatus, Role},
    sorting::{AgeSort, UserSort},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    admin::{UserDetail, UserFilter, UserNote, UserSummary},
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{order_commands::not_blank, reason::WithReason};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Paged, Params, Seen, SortedPaging, Versioned},
    problem::Problem,
};

/// Which accounts are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Only accounts whose address or name has this in it, in any case.
    #[param(example = "budi")]
    search: Option<String>,
    /// Only accounts that stand so.
    status: Option<AccountStatus>,
    /// Only accounts of this role.
    role: Option<Role>,
}

/// An account in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminUserSummary {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: UserId,
    #[schema(example = "budi@example.com")]
    email: String,
    #[schema(example = "Budi Santoso")]
    full_name: String,
    role: Role,
    status: AccountStatus,
    /// `id` or `en`.
    #[schema(example = "id")]
    language: String,
    email_verified_at: Option<DateTime<Utc>>,
    suspended_at: Option<DateTime<Utc>>,
    /// Servers that are not terminated.
    #[schema(example = 2)]
    servers: i64,
    created_at: DateTime<Utc>,
}

/// Why an account is suspended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminSuspension {
    at: DateTime<Utc>,
    /// For colleagues; null when nobody said.
    #[schema(example = "Sends spam from two servers; ticket 4711")]
    reason: Option<String>,
    by: Option<UserId>,
}

/// An account with what is around it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminUser {
    #[serde(flatten)]
    user: AdminUserSummary,
    /// Null unless it is suspended.
    suspension: Option<AdminSuspension>,
    /// Whole rupiah that can be spent.
    #[schema(example = 250_000)]
    wallet: Rupiah,
    /// Whole rupiah that are set aside for orders.
    #[schema(example = 0)]
    held: Rupiah,
    /// Orders of all time.
    #[schema(example = 3)]
    orders: i64,
    /// Invoices that are open.
    #[schema(example = 1)]
    open_invoices: i64,
    /// Notes of staff.
    #[schema(example = 0)]
    notes: i64,
    /// Null when it never logged in.
    last_login_at: Option<DateTime<Utc>>,
    /// Since when the address takes no mail, as the mail server said; null while it does, as far as we know.
    email_undeliverable_since: Option<DateTime<Utc>>,
}

/// Another role.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct SetRole {
    role: Role,
}

/// A note about an account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserNote {
    /// For colleagues: 1 to 4000 characters. It can't be changed afterwards.
    #[garde(length(chars, min = 1, max = 4_000), custom(not_blank))]
    #[schema(
        min_length = 1,
        max_length = 4_000,
        example = "Called: wants to pay the invoice by transfer on Friday"
    )]
    text: String,
}

/// What somebody of the staff wrote about an account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminUserNote {
    id: Uuid,
    author_id: UserId,
    #[schema(example = "admin@example.com")]
    author_email: String,
    #[schema(example = "Called: wants to pay the invoice by transfer on Friday")]
    text: String,
    created_at: DateTime<Utc>,
}

/// List everybody's accounts, newest first where no other order is asked for. `search` finds a part of an address or a name.
#[utoipa::path(
    get, path = "/admin/users", tag = "admin", operation_id = "admin_list_users", security(("bearer" = [])),
    params(SortedPaging<UserSort>, UserQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminUserSummary>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<UserSort>,
    Params(query): Params<UserQuery>,
) -> Result<Paged<AdminUserSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.users_for_staff(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminUserSummary::from))
}

/// Show one account with its balance, what it has, and why it is suspended.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin", operation_id = "admin_get_user", security(("bearer" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses(
        (status = 200, description = "The account.", body = AdminUser),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
) -> Result<Versioned<AdminUser>, Problem> {
    let version = state.store.version(Thing::User(user)).await?;
    Ok(Versioned { version, body: state.store.user_for_staff(user).await?.into() })
}

/// Suspend an account: all its sessions end at once, and nobody can log in to it. What is asked with a token of it is answered
/// with 403 `account_suspended`. Its servers and orders go on. Staff are suspended by superadministrators.
#[utoipa::path(
    post, path = "/admin/users/{id}/suspend", tag = "admin", operation_id = "admin_suspend_user",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    request_body(content = WithReason),
    responses(
        (status = 200, description = "It is suspended.", body = AdminUser),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: it is of staff, or you may not.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`user_conflict`: it is suspended already.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn suspend(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
    Body(request): Body<WithReason>,
) -> Result<Json<AdminUser>, Problem> {
    let origin = client.origin(admin.actor());
    state.store.suspend_user(user, request.reason(), admin.id, &origin).await?;
    tracing::warn!(event = "user.suspended", user_id = %user, "account suspended");
    Ok(Json(state.store.user_for_staff(user).await?.into()))
}

/// Lift an account's suspension. Its owner logs in anew.
#[utoipa::path(
    post, path = "/admin/users/{id}/unsuspend", tag = "admin", operation_id = "admin_unsuspend_user",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    responses(
        (status = 200, description = "It is not suspended any more.", body = AdminUser),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: it is of staff, or you may not.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`user_conflict`: it is not suspended.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn unsuspend(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
) -> Result<Json<AdminUser>, Problem> {
    state.store.unsuspend_user(user, admin.id, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "user.unsuspended", user_id = %user, "account's suspension lifted");
    Ok(Json(state.store.user_for_staff(user).await?.into()))
}

/// Say what an account may do. It counts from its next request on. For superadministrators, and never about one's own.
#[utoipa::path(
    put, path = "/admin/users/{id}/role", tag = "admin", operation_id = "admin_set_user_role",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    request_body(content = SetRole, example = json!({ "role": "support" })),
    responses(
        (status = 200, description = "The account as it is now.", body = AdminUser),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: you may not.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_role(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
    Seen(condition): Seen,
    Body(request): Body<SetRole>,
) -> Result<Json<AdminUser>, Problem> {
    let origin = client.origin(admin.actor());
    state.store.set_user_role(user, request.role, admin.id, &condition, &origin).await?;
    tracing::warn!(event = "user.role_changed", user_id = %user, role = %request.role, "account's role changed");
    Ok(Json(state.store.user_for_staff(user).await?.into()))
}

/// Forget the failed logins of an account, so that its owner may try again at once: after a guesser locked it, or its owner
/// found the password again. Staff are unlocked by superadministrators.
#[utoipa::path(
    post, path = "/admin/users/{id}/unlock", tag = "admin", operation_id = "admin_unlock_user",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    responses(
        (status = 200, description = "Nothing keeps it from logging in, unless it is suspended.", body = AdminUser),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: it is of staff, or you may not.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn unlock(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
) -> Result<Json<AdminUser>, Problem> {
    state.store.unlock_user(user, admin.id, &client.origin(admin.actor())).await?;
    tracing::info!(event = "user.unlocked", user_id = %user, "account unlocked");
    Ok(Json(state.store.user_for_staff(user).await?.into()))
}

/// Switch the second factor of an account off, for an owner who lost the app and the recovery codes and proved who they are.
/// The owner is told. Staff's is switched off by superadministrators.
#[utoipa::path(
    post, path = "/admin/users/{id}/reset-2fa", tag = "admin", operation_id = "admin_reset_second_factor",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    responses(
        (status = 200, description = "Its logins need the password only.", body = AdminUser),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: it is of staff, or you may not.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`two_factor_conflict`: it has none.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn reset_second_factor(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
) -> Result<Json<AdminUser>, Problem> {
    state.store.reset_second_factor(user, admin.id, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "user.second_factor_reset", user_id = %user, "account's second factor switched off");
    Ok(Json(state.store.user_for_staff(user).await?.into()))
}

/// Write a note about an account, for colleagues. Notes are never changed and never removed.
#[utoipa::path(
    post, path = "/admin/users/{id}/notes", tag = "admin", operation_id = "admin_create_user_note",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account.")),
    request_body(content = NewUserNote),
    responses(
        (status = 201, description = "The note.", body = AdminUserNote),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn write_note(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
    Body(request): Body<NewUserNote>,
) -> Result<(StatusCode, Json<AdminUserNote>), Problem> {
    let origin = client.origin(admin.actor());
    let note = state.store.note_about_user(user, request.text.trim(), admin.id, &origin).await?;
    Ok((StatusCode::CREATED, Json(note.into())))
}

/// List what staff wrote about an account, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/users/{id}/notes", tag = "admin", operation_id = "admin_list_user_notes",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The account."), SortedPaging<AgeSort>),
    responses(
        (status = 200, description = "A part of the list.", body = Paged<AdminUserNote>),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn notes(
    _: Staff,
    State(state): State<AppState>,
    Id(user): Id<UserId>,
    paging: SortedPaging<AgeSort>,
) -> Result<Paged<AdminUserNote>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.notes_about_user(user, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminUserNote::from))
}

impl From<UserQuery> for UserFilter {
    fn from(query: UserQuery) -> Self {
        let search = query.search.filter(|words| !words.trim().is_empty());
        Self { search, status: query.status, role: query.role }
    }
}

impl From<UserSummary> for AdminUserSummary {
    fn from(user: UserSummary) -> Self {
        let status = match (user.suspended_at, user.email_verified_at) {
            (Some(_), _) => AccountStatus::Suspended,
            (None, None) => AccountStatus::Unverified,
            (None, Some(_)) => AccountStatus::Active,
        };
        Self {
            id: user.id,
            email: user.email,
            full_name: user.full_name,
            role: user.role,
            status,
            language: user.language,
            email_verified_at: user.email_verified_at,
            suspended_at: user.suspended_at,
            servers: user.servers,
            created_at: user.created_at,
        }
    }
}

impl From<UserDetail> for AdminUser {
    fn from(detail: UserDetail) -> Self {
        let (reason, by) = (detail.suspended_why, detail.suspended_by);
        Self {
            suspension: detail.user.suspended_at.map(|at| AdminSuspension { at, reason, by }),
            user: detail.user.into(),
            wallet: detail.wallet,
            held: detail.holds,
            orders: detail.orders,
            open_invoices: detail.open_invoices,
            notes: detail.notes,
            last_login_at: detail.last_login_at,
            email_undeliverable_since: detail.email_undeliverable_since,
        }
    }
}

impl From<UserNote> for AdminUserNote {
    fn from(note: UserNote) -> Self {
        Self {
            id: note.id,
            author_id: note.author_id,
            author_email: note.author_email,
            text: note.text,
            created_at: note.created_at,
        }
    }
}
