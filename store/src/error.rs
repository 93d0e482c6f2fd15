//! What can go wrong with the database.

use std::fmt;

/// A failed operation. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such object, or it belongs to somebody else.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The object's present state does not allow it.
    #[error("the {object} is {state}")]
    Conflict {
        /// What is in the way.
        object: Object,
        /// Its state, in the words of the API.
        state: String,
    },
    /// The same idempotency key came with another request.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    /// It is not of the version that was to be changed (any more).
    #[error("somebody changed it since it was read; read it again")]
    VersionDiffers,
    /// Administrators decide about other people's money only.
    #[error("this is about your own money; another administrator has to do it")]
    OwnMoney,
    /// A unique value is taken; the constraint's name says which.
    #[error("{constraint} is taken")]
    Taken {
        /// Name of the unique constraint or index.
        constraint: String,
    },
    /// The system gave no random bytes for a new secret.
    #[error("the system has no randomness")]
    Randomness(#[from] rand::rand_core::OsError),
    /// A root password can't be sealed or opened.
    #[error(transparent)]
    Credentials(#[from] crate::credentials::SealError),
    /// A promo code does not apply.
    #[error(transparent)]
    Promo(domain::promo::PromoRefusal),
    /// So much can't be paid in this way at once.
    #[error(transparent)]
    PaymentLimit(#[from] domain::payment_limits::OutsideLimits),
    /// The account has begun as much as it may without paying.
    #[error(transparent)]
    TooMuchUnpaid(domain::unpaid::TooMuchUnpaid),
    /// The customer has had as many actions done as one may within an hour.
    #[error("at most {limit} actions within an hour")]
    TooManyActions {
        /// How many one may.
        limit: u32,
        /// When there is room for another one.
        frees_in_seconds: u32,
    },
    /// A code of a second factor is wrong, or was used.
    #[error("this code is wrong, or was used before")]
    WrongCode,
    /// A second factor's secret is not what was kept.
    #[error("the secret of a second factor can't be read")]
    SecretUnreadable,
    /// The account has as many API tokens as it may.
    #[error("you have 20 API tokens already: remove one first")]
    TooManyApiTokens,
    /// A link that was mailed is none, was used, expired or was replaced. Which of these is nobody's business.
    #[error("this link is not valid (any more)")]
    LinkInvalid,
    /// As many links were mailed as may be within an hour, or a day.
    #[error("this was asked for too often; please wait")]
    TooManyLinks,
    /// As much is taken out of the database at once as may be.
    #[error("as many exports as may be at once are under way")]
    TooManyExports,
    /// The customer's balance is less than what was to be taken from it.
    #[error("the balance does not suffice")]
    InsufficientBalance,
    /// The ledger's rules can't make such a movement.
    #[error(transparent)]
    Ledger(domain::ledger::LedgerError),
    /// A sum left the range of whole rupiah.
    #[error(transparent)]
    Amount(#[from] domain::money::AmountOverflow),
    /// The database belongs to another installation.
    #[error(
        "the database belongs to the installation `{database}`, and this is `{ours}` (INSTALLATION_ID): servers would be \
         taken for the wrong one's. If it is a copy, run `webrana migrate --copied-from {database}` once"
    )]
    OtherInstallation {
        /// Whose it is.
        database: String,
        /// Who we are.
        ours: String,
    },
    /// A stored document is not of the shape this version knows.
    #[error("a stored document can't be read: {0}")]
    Document(#[from] serde_json::Error),
    /// The schema could not be brought up to date.
    #[error(transparent)]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database refused or did not answer.
    #[error(transparent)]
    Db(sqlx::Error),
}

/// A thing whose state may be in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// News from us to customers.
    Announcement,
    /// What a provider sells, as it lists it.
    Catalog,
    /// Something that somebody is to be told outside of the app.
    Delivery,
    /// A payment that its gateway took back.
    Dispute,
    /// A server of ours.
    Instance,
    /// A bill.
    Invoice,
    /// A message to a workflow.
    Message,
    /// A customer's private network at a provider.
    Network,
    /// An order.
    Order,
    /// An attempt to pay.
    Payment,
    /// A transfer of a gateway to us.
    Payout,
    /// A server at a provider that no order knows.
    QuarantinedServer,
    /// Money on its way back.
    Refund,
    /// The second factor of an account's logins.
    SecondFactor,
    /// A server at a provider.
    Server,
    /// Somebody's account.
    User,
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Announcement => "announcement",
            Self::Catalog => "provider's catalog",
            Self::Delivery => "delivery",
            Self::Dispute => "dispute",
            Self::Instance => "instance",
            Self::Invoice => "invoice",
            Self::Message => "message",
            Self::Network => "network",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Payout => "payout",
            Self::QuarantinedServer => "quarantined_server",
            Self::Refund => "refund",
            Self::SecondFactor => "second factor",
            Self::Server => "server",
            Self::User => "account",
        })
    }
}

/// Classes of `SQLSTATE` that pass: rolled back for the sake of others, out of resources, told to stop (which a statement
/// out of time is, 57014), connection lost.
const PASSING_CLASSES: [&str; 4] = ["40", "53", "57", "08"];
/// What passes besides: a lock that was not to be had in time, a transaction that paused or took for too long, a server
/// that takes no writes because another one is the primary now.
const PASSING: [&str; 4] = ["55P03", "25P03", "25P04", "25006"];

impl StoreError {
    /// True when the same call may succeed a little later: connection trouble, a serialization failure, a restart, a
    /// lock, a statement or a pause that took too long, or too little time left to begin.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Db(sqlx::Error::Database(e)) => e.code().is_some_and(|code| {
                PASSING_CLASSES.iter().any(|class| code.starts_with(class)) || PASSING.contains(&&*code)
            }),
            Self::Db(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::WorkerCrashed,
            ) => true,
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(e) if e.is_unique_violation() => {
                Self::Taken { constraint: e.constraint().unwrap_or("a unique value").to_owned() }
            }
            sqlx::Error::Database(e) if e.constraint() == Some("ledger_accounts_never_negative") => {
                Self::InsufficientBalance
            }
            _ => Self::Db(error),
        }
    }
}

impl From<domain::ledger::LedgerError> for StoreError {
    fn from(error: domain::ledger::LedgerError) -> Self {
        match error {
            domain::ledger::LedgerError::Insufficient => Self::InsufficientBalance,
            domain::ledger::LedgerError::Overflow(overflow) => Self::Amount(overflow),
            error => Self::Ledger(error),
        }
    }
}
