//! The second factor: setting it up, and answering for it at a login.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::{
    audit::Actor,
    second_factor::{CHALLENGE_LIFE, ChallengeAnswer, Factor, SecondFactor},
};
use utoipa::ToSchema;

use super::{
    LoggedIn,
    account::{NotCached, TokenAnswer, login_locked, new_session, not_cached},
    browser_session::{self, Keeping},
    principal::account_suspended,
    proving,
};
use crate::{
    AppState,
    client::Client,
    extract::Body,
    problem::{Code, Problem},
};

/// What a login is answered with whose account has a second factor.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginChallenge {
    /// Always `true`.
    #[schema(example = true)]
    two_factor_required: bool,
    /// For `/auth/login/2fa`, with the app's code or a recovery code.
    #[schema(example = "wbc_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    challenge_token: String,
    /// Seconds until the challenge ends.
    #[schema(example = 300)]
    expires_in: u64,
}

impl LoginChallenge {
    pub(super) fn of(token: &SecretString) -> Self {
        Self {
            two_factor_required: true,
            challenge_token: token.expose_secret().to_owned(),
            expires_in: CHALLENGE_LIFE.as_secs(),
        }
    }
}

/// The second factor of a login: either `code` or `recovery_code`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ChallengeReply {
    /// What the login was answered with.
    #[schema(value_type = String, example = "wbc_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    challenge_token: SecretString,
    /// The app's present code, which is good once.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<SecretString>,
    /// One of the recovery codes, each of which is good once.
    #[schema(value_type = Option<String>, example = "0f3a-77c1-9be2-4d05-81aa")]
    recovery_code: Option<SecretString>,
}

/// The password of whoever is logged in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct PasswordProof {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    password: SecretString,
}

/// A code of the app that was set up.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CodeProof {
    /// The app's present code.
    #[schema(value_type = String, example = "287082")]
    code: SecretString,
}

/// Password and app.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct PasswordAndCode {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    password: SecretString,
    /// The app's present code, which is good once.
    #[schema(value_type = String, example = "287082")]
    code: SecretString,
}

/// Password and second factor: either `code` or `recovery_code`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct PasswordAndFactor {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    password: SecretString,
    /// The app's present code, which is good once.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<SecretString>,
    /// One of the recovery codes, each of which is good once.
    #[schema(value_type = Option<String>, example = "0f3a-77c1-9be2-4d05-81aa")]
    recovery_code: Option<SecretString>,
}

/// How my second factor stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TwoFactor {
    /// Since when logins ask for it; `null`: they don't.
    enabled_at: Option<DateTime<Utc>>,
    /// Recovery codes that were not used.
    #[schema(example = 10)]
    recovery_codes_left: i64,
}

/// A secret for an app.
#[derive(Serialize, ToSchema)]
pub(super) struct TwoFactorSecret {
    /// In base32, to be typed into the app.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same, to be shown as a QR code.
    #[schema(
        example = "otpauth://totp/WeBrana%20Cloud:siti%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=WeBrana%20Cloud"
    )]
    otpauth_uri: String,
}

/// Codes in place of an app that was lost.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Ten, shown once, each good once.
    #[schema(example = json!(["0f3a-77c1-9be2-4d05-81aa"]))]
    recovery_codes: Vec<String>,
}

impl RecoveryCodes {
    fn of(codes: &[SecretString]) -> Json<Self> {
        Json(Self { recovery_codes: codes.iter().map(|code| code.expose_secret().to_owned()).collect() })
    }
}

/// Log in with the second factor
///
/// The second step of a login that was answered with a challenge. A challenge is answered five times at most, and wrong
/// answers make an account wait as wrong passwords do: from the fifth on 30 seconds, doubled with each, 15 minutes at most.
#[utoipa::path(post, path = "/auth/login/2fa", tag = "auth", operation_id = "login_with_second_factor",
    request_body = ChallengeReply,
    params(("X-Session" = Option<String>, Header,
        description = "`cookie` puts the refresh token into a cookie instead of the body")), responses(
        (status = 200, description = "Logged in", body = super::bodies::LoginAnswer),
        (status = 401, description = "`challenge_invalid`: the challenge is none, ended, was answered, or too often wrongly; \
            log in anew", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`account_suspended`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`wrong_code`: it is wrong, or was used; `validation_failed`: neither code, or both",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn login(
    State(state): State<AppState>,
    client: Client,
    keeping: Keeping,
    Body(body): Body<ChallengeReply>,
) -> Result<TokenAnswer, Problem> {
    let factor = factor(body.code, body.recovery_code)?;
    let (session, origin) = (new_session(&client, &state.auth), client.origin(Actor::System));
    let token = body.challenge_token.expose_secret();
    match state.store.answer_challenge(token, &factor, &session, &origin).await? {
        ChallengeAnswer::LoggedIn(opened) => browser_session::answer(*opened, keeping, &state.auth),
        ChallengeAnswer::Wrong => Err(store::StoreError::WrongCode.into()),
        ChallengeAnswer::Wait(seconds) => Err(login_locked(seconds)),
        ChallengeAnswer::Invalid => {
            Err(Problem::new(Code::ChallengeInvalid, "there is no such challenge any more; log in anew"))
        }
        ChallengeAnswer::Suspended => Err(account_suspended()),
    }
}

/// Read how my second factor stands
///
/// Whether logins ask for it, and how many recovery codes are left.
#[utoipa::path(get, path = "/auth/me/2fa", tag = "auth", operation_id = "get_two_factor", security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = TwoFactor)))]
pub(super) async fn get(State(state): State<AppState>, user: LoggedIn) -> Result<Json<TwoFactor>, Problem> {
    let SecondFactor { enabled_at, recovery_codes_left } = state.store.second_factor(user.id).await?;
    Ok(Json(TwoFactor { enabled_at, recovery_codes_left }))
}

/// Set a second factor up
///
/// Gives the secret for an authenticator app, once. Logins ask for its codes as soon as one was confirmed; a secret that was
/// not confirmed is replaced.
#[utoipa::path(post, path = "/auth/me/2fa/setup", tag = "auth", operation_id = "set_up_two_factor",
    security(("bearer" = [])), request_body = PasswordProof, responses(
        (status = 200, description = "The secret, shown once", body = TwoFactorSecret),
        (status = 409, description = "`two_factor_conflict`: it is on already", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "`wrong_password`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set_up(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<PasswordProof>,
) -> Result<NotCached<TwoFactorSecret>, Problem> {
    let proven = proving::by_password(&state, &user, body.password, "password").await?;
    let origin = client.origin(user.actor());
    let made = state.store.set_up_second_factor(user.id, &proven.attempt, &origin).await?;
    let secret = TwoFactorSecret {
        secret: made.secret.expose_secret().to_owned(),
        otpauth_uri: made.uri.expose_secret().to_owned(),
    };
    Ok(not_cached(Json(secret)))
}

/// Confirm the second factor
///
/// By a code of the app: from now on logins ask for one. Answers with ten recovery codes, shown once.
#[utoipa::path(post, path = "/auth/me/2fa/confirm", tag = "auth", operation_id = "confirm_two_factor",
    security(("bearer" = [])), request_body = CodeProof, responses(
        (status = 200, description = "On; the recovery codes, shown once", body = RecoveryCodes),
        (status = 409, description = "`two_factor_conflict`: none is set up, or it is on already", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "`wrong_code`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn confirm(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<CodeProof>,
) -> Result<NotCached<RecoveryCodes>, Problem> {
    let begun = proving::begin(&state, &user).await?;
    let origin = client.origin(user.actor());
    let codes = state.store.confirm_second_factor(user.id, &begun.attempt, &body.code, &origin).await?;
    Ok(not_cached(RecoveryCodes::of(&codes)))
}

/// Switch the second factor off
///
/// Needs the password and a code of the app, or a recovery code.
#[utoipa::path(post, path = "/auth/me/2fa/disable", tag = "auth", operation_id = "disable_two_factor",
    security(("bearer" = [])), request_body = PasswordAndFactor, responses(
        (status = 204, description = "Off"),
        (status = 409, description = "`two_factor_conflict`: it is off", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "`wrong_password`, `wrong_code`; `validation_failed`: neither code, or both",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn disable(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<PasswordAndFactor>,
) -> Result<StatusCode, Problem> {
    let factor = factor(body.code, body.recovery_code)?;
    let proven = proving::by_password(&state, &user, body.password, "password").await?;
    let origin = client.origin(user.actor());
    state.store.disable_second_factor(user.id, &proven.attempt, &factor, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes
///
/// Needs the password and a code of the app. Those before are good no more.
#[utoipa::path(post, path = "/auth/me/2fa/recovery-codes", tag = "auth", operation_id = "replace_recovery_codes",
    security(("bearer" = [])), request_body = PasswordAndCode, responses(
        (status = 200, description = "The recovery codes, shown once", body = RecoveryCodes),
        (status = 409, description = "`two_factor_conflict`: it is off", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "`wrong_password` or `wrong_code`", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn replace_recovery_codes(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<PasswordAndCode>,
) -> Result<NotCached<RecoveryCodes>, Problem> {
    let proven = proving::by_password(&state, &user, body.password, "password").await?;
    let origin = client.origin(user.actor());
    let codes = state.store.replace_recovery_codes(user.id, &proven.attempt, body.code, &origin).await?;
    Ok(not_cached(RecoveryCodes::of(&codes)))
}

/// One of the two.
fn factor(code: Option<SecretString>, recovery_code: Option<SecretString>) -> Result<Factor, Problem> {
    match (code, recovery_code) {
        (Some(code), None) => Ok(Factor::Code(code)),
        (None, Some(code)) => Ok(Factor::RecoveryCode(code)),
        _ => Err(Problem::field(Code::ValidationFailed, "code", "send either code or recovery_code")),
    }
}
