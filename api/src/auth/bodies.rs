//! What the auth endpoints take and answer.

use chrono::{DateTime, Utc};
use domain::{
    email::EmailAddress,
    ids::{SessionId, UserId},
    label::Label,
    language::Language,
    locale::TimeZone,
    role::Role,
};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::two_factor::LoginChallenge;
use crate::password;

/// A new account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    /// One that mail can be sent to, in ASCII; unique regardless of case.
    #[garde(custom(deliverable))]
    #[schema(format = Email, max_length = 254, example = "siti@example.com")]
    pub email: String,
    /// 10 to 128 characters, not the email address, and none of the common ones.
    #[garde(custom(acceptable_password(&self.email)))]
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 128, example = "kuda-hitam-lari-7")]
    pub password: SecretString,
    /// How to address the customer.
    #[garde(custom(acceptable_name))]
    #[schema(min_length = 1, max_length = 200, example = "Siti Aminah")]
    pub full_name: String,
}

/// Who wants in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct LoginBody {
    /// In whatever case.
    #[schema(format = Email, example = "siti@example.com")]
    pub email: String,
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    pub password: SecretString,
}

/// A refresh token to be exchanged.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct RefreshBody {
    /// The latest one; it works once.
    #[schema(value_type = String, example = "wbr_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    pub refresh_token: SecretString,
}

/// What to change of the profile; fields that are absent stay as they are.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileBody {
    /// How to address the customer.
    #[garde(inner(custom(acceptable_name)))]
    #[schema(min_length = 1, max_length = 200, example = "Siti Aminah")]
    pub full_name: Option<String>,
    /// Language of messages to the customer.
    #[garde(skip)]
    pub language: Option<Language>,
    /// The clock that notifications tell times by. Invoices and terms are by Jakarta's.
    #[garde(skip)]
    pub time_zone: Option<TimeZone>,
}

/// A new password, proven by the old one.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordBody {
    /// The present password.
    #[garde(skip)]
    #[schema(value_type = String, format = Password, example = "kuda-hitam-lari-7")]
    pub current_password: SecretString,
    /// 10 to 128 characters, not the email address, and none of the common ones.
    #[garde(skip)]
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 128, example = "gajah-biru-tidur-9")]
    pub new_password: SecretString,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserBody {
    /// Identifies them.
    pub id: UserId,
    /// Their email address.
    #[schema(example = "siti@example.com")]
    pub email: String,
    /// How to address them.
    #[schema(example = "Siti Aminah")]
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether the email address is proven.
    pub email_verified: bool,
    /// Language of messages to them: `id` or `en`.
    #[schema(example = "id")]
    pub language: String,
    /// The clock that notifications tell times by.
    pub time_zone: TimeZone,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

impl From<store::users::User> for UserBody {
    fn from(user: store::users::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            full_name: user.full_name,
            role: user.role,
            email_verified: user.email_verified_at.is_some(),
            language: user.language,
            time_zone: user.time_zone,
            created_at: user.created_at,
        }
    }
}

/// What a right password is answered with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum LoginReply {
    /// Logged in.
    LoggedIn(Box<LoginAnswer>),
    /// The account has a second factor, which is awaited.
    Challenge(LoginChallenge),
}

/// A login.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginAnswer {
    /// Who.
    pub user: UserBody,
    /// JWT to send as `Authorization: Bearer`.
    #[schema(example = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl")]
    pub access_token: String,
    /// For `/auth/refresh`; works once. Not there when it is in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "wbr_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d"
    )]
    pub refresh_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
}

/// One login of the user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionBody {
    /// Identifies it.
    pub id: SessionId,
    /// What the client called itself.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    pub user_agent: Option<String>,
    /// The same in words; `null` where it says nothing that we know.
    #[schema(example = "Firefox (Linux)")]
    pub device: Option<String>,
    /// Where it logged in from.
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// When it logged in.
    pub created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    pub last_used_at: DateTime<Utc>,
    /// Whether this request belongs to it.
    pub current: bool,
    /// Until when at most our team looks at the account in its owner's name; `null` of the owner's own logins.
    pub support_until: Option<DateTime<Utc>>,
}

/// The rule for passwords; `email` is what it must not be.
fn acceptable_password<C>(email: &str) -> impl FnOnce(&SecretString, &C) -> garde::Result + use<'_, C> {
    move |password, _| password::acceptable(password, email).map_err(|why| garde::Error::new(why.to_string()))
}

/// The rule for addresses.
pub(super) fn deliverable<C>(email: &str, _: &C) -> garde::Result {
    EmailAddress::parse(email).map(drop).map_err(|why| garde::Error::new(why.to_string()))
}

/// The rule for people's names.
fn acceptable_name<C>(name: &str, _: &C) -> garde::Result {
    Label::parse(name, 200).map(drop).map_err(|why| garde::Error::new(why.to_string()))
}
