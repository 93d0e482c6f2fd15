//! What is not kept for ever: which rows serve nobody any more, and how long they are kept. What was billed, booked,
//! told or logged is none of these: it stays.

use crate::{policy::StepPolicy, text_enum::text_enum};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

text_enum! {
    /// A kind of rows that serve nobody after a while.
    Purgeable {
        /// Answers to requests that could be repeated. From then on the same key is a new one.
        IdempotencyKeys = "idempotency_keys",
        /// Messages that were delivered, unless a workflow that still lives could be made again from them.
        DeliveredMessages = "delivered_messages",
        /// Failed logins that nobody has to wait for any more.
        LoginThrottles = "login_throttles",
        /// Refresh tokens past their own end. A used one stays until then, so that showing it again betrays a thief.
        RefreshTokens = "refresh_tokens",
        /// Logins that were never ended by a second factor.
        LoginChallenges = "login_challenges",
        /// Links that were mailed and are good for nothing any more.
        MailedLinks = "mailed_links",
        /// What open connections were told of. Who comes back later reads everything anew.
        LiveChanges = "live_changes",
        /// What the links in old mails that switch such mails off prove themselves by.
        UnsubscribeTokens = "unsubscribe_tokens",
        /// Sessions none of whose refresh tokens is left.
        Sessions = "sessions",
    }
}

impl Purgeable {
    /// How long after they have served their purpose such rows are kept where nobody says otherwise, in milliseconds.
    #[must_use]
    pub const fn kept_for_ms(self) -> u64 {
        match self {
            Self::IdempotencyKeys | Self::DeliveredMessages | Self::Sessions => 30 * DAY_MS,
            Self::RefreshTokens | Self::MailedLinks => 7 * DAY_MS,
            Self::LoginThrottles | Self::LoginChallenges | Self::LiveChanges => DAY_MS,
            // People look for that link in a mail of last year.
            Self::UnsubscribeTokens => 400 * DAY_MS,
        }
    }
}

/// One kind of rows, and how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PurgeRule {
    /// Which rows.
    pub what: Purgeable,
    /// How long after they have served their purpose, in milliseconds.
    pub kept_for_ms: u64,
}

/// How much of one kind a run deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PurgeBounds {
    /// Rows in one transaction.
    pub rows_at_once: u32,
    /// So long, in milliseconds; what is left then is the next run's.
    pub longest_ms: u64,
}

impl Default for PurgeBounds {
    /// A thousand rows at once, for five minutes at most.
    fn default() -> Self {
        Self { rows_at_once: 1_000, longest_ms: 5 * 60_000 }
    }
}

/// What a purge starts with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PurgeStart {
    /// What goes, in this order.
    pub rules: Vec<PurgeRule>,
    /// How much of each.
    pub bounds: PurgeBounds,
    /// How patient it is.
    pub policy: StepPolicy,
}

impl Default for PurgeStart {
    /// All kinds, each after its time.
    fn default() -> Self {
        let rule = |what: &Purgeable| PurgeRule { what: *what, kept_for_ms: what.kept_for_ms() };
        Self {
            rules: Purgeable::ALL.iter().map(rule).collect(),
            bounds: PurgeBounds::default(),
            policy: StepPolicy::OF_UPKEEP,
        }
    }
}
