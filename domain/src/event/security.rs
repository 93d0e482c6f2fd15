//! What is done to an account, or with it, that its owner has to know of. Nothing here names a device, a network or a key.

use chrono::{DateTime, Utc};

use super::{
    example::{id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    ids::{SessionId, UserId},
    notification::NotificationKind,
};

data! {
    /// An account's password was changed, and its other sessions ended.
    PasswordChanged { user_id: UserId, changed_at: DateTime<Utc> }

    /// A refresh token was shown again after one that came of it was used, and everything that came of it ended.
    SessionsRevoked { session_id: SessionId, revoked_at: DateTime<Utc> }
}

/// Where an account's owner sees the sessions and changes the password.
const SECURITY: &str = "/account/security";

impl EventData for PasswordChanged {
    fn facts(&self) -> Facts {
        let Self { user_id, changed_at } = self;
        Facts::of(format!("user/{user_id}/password_changed/{}", changed_at.timestamp_micros()))
            .told(NotificationKind::SecurityNotice)
            .at(SECURITY)
    }

    fn example() -> Self {
        Self { user_id: id(15), changed_at: moment() }
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
