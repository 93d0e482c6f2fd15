//! Proving an address by a link that was mailed there: verifying it, replacing a forgotten password, changing the address.
//! The mails' links carry what they prove themselves by behind `#`, which no server sees; the app sends it in a body.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use domain::email::{EmailAddress, EmailKey};
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::{StoreError, audit::Actor, mailed_links::AskedAtLogin, users::EMAIL_CONSTRAINT};
use utoipa::ToSchema;

use super::{LoggedIn, account::email_taken, bodies::deliverable, proving};
use crate::{
    AppState,
    client::Client,
    extract::Body,
    password,
    problem::{Code, Problem},
};

/// Asking takes this long whether or not there is such an account, so that the time tells nothing.
const ANSWERED_AFTER: Duration = Duration::from_millis(250);

/// Whose link is to be mailed.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct AccountAddress {
    /// In whatever case.
    #[schema(format = Email, example = "siti@example.com")]
    email: String,
}

/// What a mailed link proves itself by.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct MailedLink {
    /// What is behind `#token=` in the link. It is good once.
    #[schema(value_type = String, example = "wbl_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    token: SecretString,
}

/// A new password in place of a forgotten one.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct PasswordReset {
    /// What is behind `#token=` in the link. It is good once.
    #[schema(value_type = String, example = "wbl_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    token: SecretString,
    /// 10 to 128 characters, not the email address, and none of the common ones.
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 128, example = "gajah-biru-tidur-9")]
    new_password: SecretString,
}

/// The address that an account is to have.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAddress {
    /// The account's password.
    #[garde(skip)]
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    password: SecretString,
    /// One that mail can be sent to, in ASCII; unique regardless of case.
    #[garde(custom(deliverable))]
    #[schema(format = Email, max_length = 254, example = "siti.aminah@example.com")]
    new_email: String,
}

/// How a change of address stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddressChange {
    /// Whether the account has the new address now; otherwise it is to be confirmed from the other one, too.
    #[schema(example = false)]
    changed: bool,
}

/// Verify an email address
///
/// By the link that was mailed there, within 24 hours. It is good once.
#[utoipa::path(post, path = "/auth/verify-email", tag = "auth", request_body = MailedLink, responses(
    (status = 204, description = "The address is verified"),
    (status = 422, description = "`link_invalid`: the link is none, was used, expired or was replaced by a later one",
        body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn verify_email(
    State(state): State<AppState>,
    client: Client,
    Body(body): Body<MailedLink>,
) -> Result<StatusCode, Problem> {
    state.store.verify_email(body.token.expose_secret(), &client.origin(Actor::System)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mail the link that verifies an address once more
///
/// Earlier ones are good no more. The answer is the same whether or not there is such an account, and whether or not its
/// address is verified already: then nothing is mailed. An account is mailed five links of a kind within an hour at most, and
/// twenty within a day.
#[utoipa::path(post, path = "/auth/resend-verification", tag = "auth", request_body = AccountAddress, responses(
    (status = 202, description = "Whoever has the account will find a mail"),
))]
pub(super) async fn resend_verification(
    State(state): State<AppState>,
    client: Client,
    Body(body): Body<AccountAddress>,
) -> Result<StatusCode, Problem> {
    ask(&state, &client, &body.email, AskedAtLogin::Verification).await
}

/// Forgot the password
///
/// Mails a link that sets a new one, good for 30 minutes; earlier ones are good no more. The answer is the same whether or not
/// there is such an account. An account is mailed five links of a kind within an hour at most, and twenty within a day.
#[utoipa::path(post, path = "/auth/forgot-password", tag = "auth", operation_id = "request_password_reset", request_body = AccountAddress, responses(
    (status = 202, description = "Whoever has the account will find a mail"),
))]
pub(super) async fn forgot_password(
    State(state): State<AppState>,
    client: Client,
    Body(body): Body<AccountAddress>,
) -> Result<StatusCode, Problem> {
    ask(&state, &client, &body.email, AskedAtLogin::PasswordReset).await
}

async fn ask(
    state: &AppState,
    client: &Client,
    email: &str,
    asked: AskedAtLogin,
) -> Result<StatusCode, Problem> {
    let (email, origin) = (EmailKey::of(email), client.origin(Actor::System));
    let (mailed, ()) =
        tokio::join!(state.store.mail_link(&email, asked, &origin), tokio::time::sleep(ANSWERED_AFTER));
    mailed?;
    Ok(StatusCode::ACCEPTED)
}

/// Reset the password
///
/// By the link that was mailed for it. All sessions end, links that were mailed before are good no more, failed logins are
/// forgiven, and the address counts as verified.
#[utoipa::path(post, path = "/auth/reset-password", tag = "auth", request_body = PasswordReset, responses(
    (status = 204, description = "The new password is the account's"),
    (status = 422, description = "`link_invalid`: the link is none, was used, expired or was replaced by a later one; \
        `validation_failed`: a password that we don't accept, by which the link is not used up", body = Problem,
        content_type = "application/problem+json"),
))]
pub(super) async fn reset_password(
    State(state): State<AppState>,
    client: Client,
    Body(body): Body<PasswordReset>,
) -> Result<StatusCode, Problem> {
    let token = body.token.expose_secret();
    let email = state.store.password_reset_email(token).await?;
    password::acceptable(&body.new_password, &email)
        .map_err(|why| Problem::field(Code::ValidationFailed, "new_password", why.to_string()))?;
    let hash = password::hash(body.new_password, state.auth.password_cost).await?;
    state.store.reset_password(token, &hash, &client.origin(Actor::System)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the email address
///
/// Mails a link to the present address and one to the new one, good for 24 hours: the account has the new address once both
/// were used. A change that was asked for before is void. Wrong passwords, and addresses that have an account, make this
/// session wait as failed logins would.
#[utoipa::path(post, path = "/auth/me/email", tag = "auth", security(("bearer" = [])), request_body = NewAddress, responses(
    (status = 202, description = "Both addresses will find a mail"),
    (status = 409, description = "`email_taken`: the new address has an account, perhaps this one", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "`wrong_password`, or `validation_failed`: an address that we don't accept", body = Problem,
        content_type = "application/problem+json"),
    (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds; `too_many_links`: \
        five changes were asked for within an hour, or twenty within a day", body = Problem,
        content_type = "application/problem+json"),
))]
pub(super) async fn change_email(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<NewAddress>,
) -> Result<StatusCode, Problem> {
    let new = EmailAddress::parse(&body.new_email)
        .map_err(|why| Problem::field(Code::ValidationFailed, "new_email", why.to_string()))?;
    let proven = proving::by_password(&state, &user, body.password, "password").await?;
    let origin = client.origin(user.actor());
    match state.store.ask_email_change(user.id, &proven.attempt, &new, &origin).await {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(error) => Err(taken_or(error, "new_email")),
    }
}

/// Confirm a change of the email address
///
/// By the link that was mailed to one of the two addresses; each is good once. No login is needed: whoever reads the mail may
/// do so on another device.
#[utoipa::path(post, path = "/auth/confirm-email-change", tag = "auth", request_body = MailedLink, responses(
    (status = 200, description = "Confirmed from this address", body = AddressChange),
    (status = 409, description = "`email_taken`: the new address got an account meanwhile", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "`link_invalid`: the link is none, was used, expired or was replaced by a later one",
        body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn confirm_email_change(
    State(state): State<AppState>,
    client: Client,
    Body(body): Body<MailedLink>,
) -> Result<Json<AddressChange>, Problem> {
    let token = body.token.expose_secret();
    match state.store.confirm_email_change(token, &client.origin(Actor::System)).await {
        Ok(changed) => Ok(Json(AddressChange { changed })),
        Err(error) => Err(taken_or(error, "token")),
    }
}

fn taken_or(error: StoreError, field: &str) -> Problem {
    match error {
        StoreError::Taken { constraint } if constraint == EMAIL_CONSTRAINT => email_taken(field),
        other => other.into(),
    }
}
