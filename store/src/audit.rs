//! Who did what. Append-only; the database refuses changes.

use domain::ids::{ApiKeyId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, new_id};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// Somebody of the staff in a customer's name.
    Impersonator {
        /// Who acts.
        staff: UserId,
        /// In whose name.
        customer: UserId,
    },
    /// A program with a key for the internal endpoints.
    ApiKey(ApiKeyId),
    /// We ourselves.
    System,
}

impl Actor {
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::User(_) | Self::Impersonator { .. } => "user",
            Self::ApiKey(_) => "api_key",
            Self::System => "system",
        }
    }

    pub(crate) const fn id(self) -> Option<Uuid> {
        match self {
            Self::User(id) | Self::Impersonator { staff: id, .. } => Some(id.0),
            Self::ApiKey(id) => Some(id.0),
            Self::System => None,
        }
    }

    /// In whose name it is, where not in their own.
    pub(crate) const fn on_behalf_of(self) -> Option<Uuid> {
        match self {
            Self::Impersonator { customer, .. } => Some(customer.0),
            Self::User(_) | Self::ApiKey(_) | Self::System => None,
        }
    }
}

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who acts.
    pub actor: Actor,
    /// Their address.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Origin {
    /// We ourselves, at nobody's request.
    #[must_use]
    pub const fn system() -> Self {
        Self { actor: Actor::System, ip: None, request_id: None }
    }
}

/// One act to be logged.
#[derive(Debug)]
pub(crate) struct AuditEntry<'a> {
    pub action: &'a str,
    pub object_kind: &'a str,
    pub object_id: Option<Uuid>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// Writes one act within the caller's transaction.
pub(crate) async fn record(tx: &mut PgConnection, origin: &Origin, act: &AuditEntry<'_>) -> Result<()> {
    let id: Uuid = new_id();
    sqlx::query!(
        "INSERT INTO audit_log (id, actor_kind, actor_id, action, object_kind, object_id, before, after, ip, request_id,
             on_behalf_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id,
        origin.actor.kind(),
        origin.actor.id(),
        act.action,
        act.object_kind,
        act.object_id,
        act.before,
        act.after,
        origin.ip,
        origin.request_id,
        origin.actor.on_behalf_of(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
