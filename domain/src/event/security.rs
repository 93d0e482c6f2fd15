//! What is done to an account, or with it, that its owner has to know of. Nothing here names a network or a
//! secret.

use chrono::{DateTime, Utc};

use super::{
    example::{id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    ids::{ApiTokenId, MailedLinkId, SessionId, UserId},
    notification::NotificationKind,
};

data! {
    /// An account's password was changed, and its other sessions ended.
    PasswordChanged { user_id: UserId, changed_at: DateTime<Utc> }

    /// A forgotten password was replaced, and all sessions ended.
    PasswordReset { user_id: UserId, reset_at: DateTime<Utc> }

    /// An account has another address: the owner of both confirmed it.
    EmailChanged { user_id: UserId, changed_at: DateTime<Utc> }

    /// Logins of an account ask for a second factor.
    TwoFactorEnabled { user_id: UserId, enabled_at: DateTime<Utc> }

    /// They don't any more.
    TwoFactorDisabled { user_id: UserId, disabled_at: DateTime<Utc> }

    /// A recovery code stood in for the second factor.
    RecoveryCodeUsed {
        user_id: UserId,
        used_at: DateTime<Utc>,
        /// Codes that are left.
        left: i64,
    }

    /// A token for programs was made.
    ApiTokenMade { token_id: ApiTokenId, name: String, made_at: DateTime<Utc> }

    /// Such a token was removed.
    ApiTokenRemoved { token_id: ApiTokenId, name: String, removed_at: DateTime<Utc> }

    /// An account was logged in to from a device or a network that was not seen there before.
    NewDeviceLogin {
        session_id: SessionId,
        /// In words of [`crate::device`].
        device: Option<String>,
        logged_in_at: DateTime<Utc>,
    }

    /// Our team began to look at an account as its owner sees it.
    ImpersonationBegun {
        session_id: SessionId,
        begun_at: DateTime<Utc>,
        /// Until when at most.
        ends_at: DateTime<Utc>,
    }

    /// An account's address is to be proven.
    EmailToVerify { link_id: MailedLinkId, expires_at: DateTime<Utc> }

    /// Somebody says that they forgot the password.
    PasswordResetAsked { link_id: MailedLinkId, expires_at: DateTime<Utc> }

    /// An account is to have another address.
    EmailChangeAsked {
        link_id: MailedLinkId,
        expires_at: DateTime<Utc>,
        /// Whether this mail goes to the address that it is to have.
        is_new_address: bool,
    }

    /// A refresh token was shown again after one that came of it was used, and everything that came of it ended.
    SessionsRevoked { session_id: SessionId, revoked_at: DateTime<Utc> }
}

/// Where an account's owner sees the tokens of programs.
const API_TOKENS: &str = "/account/api-tokens";

/// Where an account's owner sees the sessions and changes the password.
const SECURITY: &str = "/account/security";

impl EventData for PasswordChanged {
    fn facts(&self) -> Facts {
        notice(self.user_id, "password_changed", self.changed_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), changed_at: moment() }
    }
}

impl EventData for PasswordReset {
    fn facts(&self) -> Facts {
        notice(self.user_id, "password_reset", self.reset_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), reset_at: moment() }
    }
}

impl EventData for EmailChanged {
    fn facts(&self) -> Facts {
        notice(self.user_id, "email_changed", self.changed_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), changed_at: moment() }
    }
}

/// What happened to an account at a moment, which its owner has to know of.
fn notice(user: UserId, what: &str, at: DateTime<Utc>) -> Facts {
    Facts::of(format!("user/{user}/{what}/{}", at.timestamp_micros()))
        .told(NotificationKind::SecurityNotice)
        .at(SECURITY)
}

impl EventData for TwoFactorEnabled {
    fn facts(&self) -> Facts {
        notice(self.user_id, "two_factor_enabled", self.enabled_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), enabled_at: moment() }
    }
}

impl EventData for TwoFactorDisabled {
    fn facts(&self) -> Facts {
        notice(self.user_id, "two_factor_disabled", self.disabled_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), disabled_at: moment() }
    }
}

impl EventData for RecoveryCodeUsed {
    fn facts(&self) -> Facts {
        notice(self.user_id, "recovery_code_used", self.used_at)
    }

    fn example() -> Self {
        Self { user_id: id(15), used_at: moment(), left: 9 }
    }
}

impl EventData for ApiTokenMade {
    fn facts(&self) -> Facts {
        Facts::of(format!("api_token/{}/made", self.token_id))
            .told(NotificationKind::SecurityNotice)
            .at(API_TOKENS)
    }

    fn example() -> Self {
        Self { token_id: id(20), name: "Terraform".to_owned(), made_at: moment() }
    }
}

impl EventData for ApiTokenRemoved {
    fn facts(&self) -> Facts {
        Facts::of(format!("api_token/{}/removed", self.token_id))
            .told(NotificationKind::SecurityNotice)
            .at(API_TOKENS)
    }

    fn example() -> Self {
        Self { token_id: id(20), name: "Terraform".to_owned(), removed_at: moment() }
    }
}

impl EventData for NewDeviceLogin {
    fn facts(&self) -> Facts {
        Facts::of(format!("session/{}/new_device", self.session_id))
            .told(NotificationKind::SecurityNotice)
            .at(SECURITY)
    }

    fn example() -> Self {
        Self { session_id: id(21), device: Some("Chrome (Windows)".to_owned()), logged_in_at: moment() }
    }
}

impl EventData for ImpersonationBegun {
    fn facts(&self) -> Facts {
        Facts::of(format!("session/{}/impersonation", self.session_id))
            .told(NotificationKind::SecurityNotice)
            .at(SECURITY)
    }

    fn example() -> Self {
        Self { session_id: id(22), begun_at: moment(), ends_at: moment() }
    }
}

/// A mail with a link that leads to `path` of the app.
fn link(id: MailedLinkId, path: &str) -> Facts {
    Facts::of(format!("link/{id}")).told(NotificationKind::SecurityNotice).at(path)
}

impl EventData for EmailToVerify {
    fn facts(&self) -> Facts {
        link(self.link_id, "/verify-email")
    }

    fn example() -> Self {
        Self { link_id: id(17), expires_at: moment() }
    }
}

impl EventData for PasswordResetAsked {
    fn facts(&self) -> Facts {
        link(self.link_id, "/reset-password")
    }

    fn example() -> Self {
        Self { link_id: id(18), expires_at: moment() }
    }
}

impl EventData for EmailChangeAsked {
    fn facts(&self) -> Facts {
        link(self.link_id, "/confirm-email-change")
    }

    fn example() -> Self {
        Self { link_id: id(19), expires_at: moment(), is_new_address: true }
    }
}

impl EventData for SessionsRevoked {
    fn facts(&self) -> Facts {
        Facts::of(format!("session/{}/revoked", self.session_id))
            .told(NotificationKind::SecurityNotice)
            .at(SECURITY)
    }

    fn example() -> Self {
        Self { session_id: id(16), revoked_at: moment() }
    }
}
