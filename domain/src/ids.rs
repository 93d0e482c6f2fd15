//! Identifiers as types, so that an order can't be looked up by an invoice's id.
//!
//! All are UUIDv7 (RFC 9562): they sort by creation, so they serve as paging cursors. They are *made* in `store`,
//! because making one needs a clock.
//!
//! ```
//! use domain::ids::OrderId;
//!
//! let order: OrderId = "0193e7d0-4362-7709-b262-4de1f9ad2f5e".parse()?;
//! assert_eq!(order.to_string(), "0193e7d0-4362-7709-b262-4de1f9ad2f5e");
//! assert_eq!(order.placed_at().map(|at| at.to_rfc3339()).as_deref(), Some("2024-12-21T06:03:25+00:00"));
//! # Ok::<(), uuid::Error>(())
//! ```
//!
//! ```compile_fail
//! # use domain::ids::{InvoiceId, OrderId};
//! fn pay(invoice: InvoiceId) {}
//! pay(OrderId(uuid::Uuid::nil()));
//! ```

use chrono::{DateTime, Utc};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(value: Uuid) -> Self {
                Self(value)
            }
        }

        impl From<$name> for Uuid {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                value.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A person with an account, customer or staff.
    UserId,
    /// A login session: one family of rotating refresh tokens.
    SessionId,
    /// A key for the internal endpoints.
    ApiKeyId,
    /// A token of somebody's own program.
    ApiTokenId,
    /// A cloud we resell.
    ProviderId,
    /// A size we sell at a provider.
    PlanId,
    /// A customer's order for one server.
    OrderId,
    /// A bill.
    InvoiceId,
    /// A further term of a server.
    RenewalId,
    /// Another plan for a server within its paid term.
    ResizeId,
    /// A server that its owner called off.
    CancellationId,
    /// One attempt to pay an invoice.
    PaymentId,
    /// A file that proves a bank transfer.
    ProofId,
    /// A server, from the moment it is ordered.
    InstanceId,
    /// Something asked to be done to a server.
    ActionId,
    /// The record of getting one server from a provider.
    TaskId,
    /// A message to be delivered to Temporal.
    OutboxId,
    /// An in-app notification.
    NotificationId,
    /// Money that a customer puts into the balance.
    DepositId,
    /// Money that moved in the books.
    MovementId,
    /// The paper for money of an invoice that went back.
    CreditNoteId,
    /// A promo code.
    PromoId,
    /// One use of a promo code.
    RedemptionId,
    /// Money that is given back.
    RefundId,
    /// Money that a gateway took back, and what we make of it.
    DisputeId,
    /// A notification of a payment gateway.
    WebhookEventId,
    /// A customer's SSH public key.
    SshKeyId,
    /// One time a provider was asked for its catalog.
    CatalogSyncId,
    /// One comparison of a provider with the database.
    ReconciliationId,
    /// One time the books were checked.
    LedgerCheckId,
    /// A server that waits for its deletion.
    QuarantineId,
    /// A link that somebody is mailed to prove an address.
    MailedLinkId,
    /// One event, told to one person by one channel.
    DeliveryId,
    /// Failed orders that are tried again together.
    BulkRetryId,
    /// News from us to customers.
    AnnouncementId,
}

impl OrderId {
    /// When the order was placed, to the second: a UUIDv7 tells. `None` of an id that is none.
    #[must_use]
    pub fn placed_at(self) -> Option<DateTime<Utc>> {
        let placed = i64::try_from(self.0.get_timestamp()?.to_unix().0).ok()?;
        DateTime::from_timestamp(placed, 0)
    }
}
