//! Links that are mailed to people to prove that they read an address. What a link proves itself by is made when its mail
//! is sent, and known to nobody but its reader.

use std::time::Duration;

use crate::text_enum::text_enum;

const HOUR: u64 = 3_600;

/// As many links of one kind an account is mailed within an hour. A stranger who asks for them all keeps the owner from none:
/// the latest is in the owner's mailbox.
pub const MOST_PER_HOUR: i64 = 5;

/// As many within a day.
pub const MOST_PER_DAY: i64 = 20;

text_enum! {
    /// What a mailed link is for.
    MailedLinkKind {
        /// Proves the account's address.
        VerifyEmail = "VERIFY_EMAIL",
        /// Sets a new password.
        ResetPassword = "RESET_PASSWORD",
        /// Confirms that the account gets another address: one link to each of both addresses.
        ChangeEmail = "CHANGE_EMAIL",
    }
}

impl MailedLinkKind {
    /// How long such a link is good, from when it was asked for.
    #[must_use]
    pub const fn life(self) -> Duration {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => Duration::from_secs(24 * HOUR),
            // Whoever has it has the account.
            Self::ResetPassword => Duration::from_secs(HOUR / 2),
        }
    }
}
