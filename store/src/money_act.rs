//! What administrators do to customers' money. Every such method takes a [`MoneyAct`], so none can forget who did it, that
//! a retry must not do it again, or that nobody decides about money of their own.

use domain::ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, StoreError,
    audit::{Actor, Origin},
    idempotency::{self, Claim, Idempotency},
};

/// An administrator's act on somebody's money.
#[derive(Debug, Clone)]
pub struct MoneyAct {
    /// The administrator.
    pub by: UserId,
    /// Where the request came from, for the audit log.
    pub origin: Origin,
    /// The administrator's word that a second request of this key means the same one.
    pub request: Idempotency,
}

impl MoneyAct {
    /// [`StoreError::OwnMoney`] when the money is the administrator's own.
    pub(crate) fn refuse_own(&self, owner: UserId) -> Result<()> {
        self.origin.refuse_own(owner)?;
        if self.by == owner { Err(StoreError::OwnMoney) } else { Ok(()) }
    }

    /// As [`idempotency::claim`].
    pub(crate) async fn claim(&self, tx: &mut PgConnection, object: Uuid) -> Result<Claim> {
        idempotency::claim(tx, self.by, &self.request, object).await
    }

    /// As [`idempotency::earlier`]. It alone keeps nobody else from doing the same at once: a lock must.
    pub(crate) async fn earlier(&self, connection: &mut PgConnection) -> Result<Option<Uuid>> {
        idempotency::earlier(connection, self.by, &self.request).await
    }
}

impl Origin {
    /// [`StoreError::OwnMoney`] when who acts is the one whose money it is.
    pub(crate) fn refuse_own(&self, owner: UserId) -> Result<()> {
        if self.actor == Actor::User(owner) { Err(StoreError::OwnMoney) } else { Ok(()) }
    }
}
