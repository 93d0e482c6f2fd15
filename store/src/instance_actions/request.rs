//! Asking for something to be done to a server.

use domain::{
    ids::{ActionId, InstanceId, UserId},
    instance::{ActionKind, InstanceAction, InstanceStatus},
    order::OrderStatus,
    outbox::Message,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{Action, by_id, params_of};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, idempotency,
    locks::lock_account,
    new_id, outbox, own_actions, server_terms,
};

/// Actions that may wait for one server. More are refused: whoever asks that often should look first.
const LONGEST_QUEUE: i64 = 10;

/// What a customer may have done to servers within an hour, unless it is set otherwise.
pub const ACTIONS_PER_HOUR: u32 = 120;

/// Who asks for an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestedBy {
    /// A customer, for a server of their own, and not for more than one customer may.
    Customer(UserId),
    /// A program of ours, for anybody's.
    Program,
}

impl RequestedBy {
    const fn customer(self) -> Option<UserId> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Program => None,
        }
    }
}

/// Something asked for a server.
#[derive(Debug, Clone, Copy)]
pub struct NewAction<'a> {
    /// The server.
    pub instance: InstanceId,
    /// Who asks, and so which servers are in reach.
    pub by: RequestedBy,
    /// What is to be done.
    pub action: &'a InstanceAction,
    /// Who asks.
    pub origin: &'a Origin,
    /// The requester's word that a second request of this key means the same one.
    pub idempotency_key: Option<&'a str>,
}

/// The server as it is when something is asked for it.
struct Asked {
    status: InstanceStatus,
    order_status: OrderStatus,
    being_deleted: bool,
    /// By staff, for a reason that is not about money.
    held: bool,
    waiting: i64,
}

impl Store {
    /// Takes an action in, with the message that makes the server's workflow look for it. The same key and action
    /// give the earlier one; a delete gives the one that is under way or done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server in reach, [`StoreError::Conflict`] naming what
    /// is in the way, [`StoreError::IdempotencyMismatch`] when the key was used for another action,
    /// [`StoreError::TooManyActions`] for a customer who had too many done lately.
    #[boxed]
    pub async fn request_action(&self, new: &NewAction<'_>) -> Result<Action> {
        let mut tx = self.pool.begin().await?;
        if let RequestedBy::Customer(owner) = new.by {
            lock_account(&mut tx, owner).await?;
        }
        let action = request(&mut tx, new).await?;
        if let RequestedBy::Customer(owner) = new.by {
            self.refuse_if_too_many(&mut tx, owner, new.action.kind()).await?;
        }
        tx.commit().await?;
        Ok(action)
    }

    /// The same with another bound on what a customer may have done to servers within an hour; 0 lifts it.
    #[must_use]
    pub const fn with_actions_per_hour(mut self, most: u32) -> Self {
        self.actions_per_hour = most;
        self
    }

    /// Counts what a customer asked for within the hour, with the action just taken in: a repeated request is none. What
    /// frees a server and what needs no provider is not counted. The account is locked.
    async fn refuse_if_too_many(&self, tx: &mut PgConnection, owner: UserId, kind: ActionKind) -> Result<()> {
        if self.actions_per_hour == 0 || matches!(kind, ActionKind::Delete | ActionKind::Rename) {
            return Ok(());
        }
        let asked = sqlx::query!(
            r#"SELECT count(*) AS "count!",
                      ceil(extract(epoch FROM min(created_at) + interval '1 hour' - now()))::float8 AS frees_in
               FROM instance_actions
               WHERE requested_by = 'user' AND requester_id = $1 AND created_at > now() - interval '1 hour'
                 AND action NOT IN ('delete', 'rename')"#,
            owner.0,
        )
        .fetch_one(tx)
        .await?;
        if asked.count <= i64::from(self.actions_per_hour) {
            return Ok(());
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within an hour")]
        let frees_in_seconds = asked.frees_in.unwrap_or(1.0).clamp(1.0, 3_600.0) as u32;
        Err(StoreError::TooManyActions { limit: self.actions_per_hour, frees_in_seconds })
    }
}

/// The same as a part of the caller's transaction. Locks the server.
pub(crate) async fn request(tx: &mut PgConnection, new: &NewAction<'_>) -> Result<Action> {
    lock(tx, new).await?;
    if let Some(earlier) = earlier(tx, new).await? {
        return Ok(earlier);
    }
    let asked = asked(tx, new.instance).await?;
    refuse_if_impossible(new, &asked)?;
    let action = insert(tx, new).await?;
    if new.action.kind() == ActionKind::Delete {
        // Nobody is to pay for another term from here on; who does so all the same has the money on the balance.
        server_terms::withdraw_open(tx, new.instance).await?;
        own_actions::note_terminating(tx, new.instance).await?;
    }
    // A customer's own acts are in the list of actions; those of others are accounted for.
    if new.by == RequestedBy::Program {
        record(tx, new, action.id).await?;
    }
    outbox::enqueue(tx, &Message::ActionRequested { instance_id: new.instance }).await?;
    Ok(action)
}

async fn lock(tx: &mut PgConnection, new: &NewAction<'_>) -> Result<()> {
    sqlx::query_scalar!(
        "SELECT id FROM instances WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR NO KEY UPDATE",
        new.instance.0,
        new.by.customer().map(|id| id.0),
    )
    .fetch_optional(tx)
    .await?
    .map(drop)
    .ok_or(StoreError::NotFound("instance"))
}

async fn earlier(tx: &mut PgConnection, new: &NewAction<'_>) -> Result<Option<Action>> {
    if let Some(key) = new.idempotency_key {
        let found = sqlx::query!(
            "SELECT id, request_hash FROM instance_actions
             WHERE instance_id = $1 AND requester_id IS NOT DISTINCT FROM $2 AND idempotency_key = $3",
            new.instance.0,
            new.origin.actor.id(),
            key,
        )
        .fetch_optional(&mut *tx)
        .await?;
        match found {
            Some(row) if row.request_hash == hash(new.action)? => {
                idempotency::note_replay();
                return by_id(tx, row.id).await;
            }
            Some(_) => return Err(StoreError::IdempotencyMismatch),
            None => {}
        }
    }
    if new.action.kind() != ActionKind::Delete {
        return Ok(None);
    }
    let deletion = sqlx::query_scalar!(
        "SELECT id FROM instance_actions WHERE instance_id = $1 AND action = 'delete' AND status <> 'failed'",
        new.instance.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    match deletion {
        Some(id) => by_id(tx, id).await,
        None => Ok(None),
    }
}

async fn asked(tx: &mut PgConnection, instance: InstanceId) -> Result<Asked> {
    Ok(sqlx::query_as!(
        Asked,
        r#"SELECT s.status AS "status: InstanceStatus", o.status AS "order_status: OrderStatus",
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "being_deleted!",
                  EXISTS (SELECT FROM instance_holds h WHERE h.instance_id = s.id AND h.released_at IS NULL
                          AND h.kind <> 'billing' AND (h.held_until IS NULL OR h.held_until > now())) AS "held!",
                  (SELECT count(*) FROM instance_actions a WHERE a.instance_id = s.id AND a.status = 'pending')
                      AS "waiting!"
           FROM instances s JOIN orders o ON o.id = s.order_id WHERE s.id = $1"#,
        instance.0,
    )
    .fetch_one(tx)
    .await?)
}

fn refuse_if_impossible(new: &NewAction<'_>, asked: &Asked) -> Result<()> {
    let kind = new.action.kind();
    let refuse = |state: String| Err(StoreError::Conflict { object: Object::Instance, state });
    if asked.being_deleted {
        return refuse("being deleted".to_owned());
    }
    // A court or whoever it harms wants it as it is, or somebody of ours is at it.
    if asked.held && new.by.customer().is_some() {
        return refuse("held by our team: please ask them".to_owned());
    }
    if asked.waiting >= LONGEST_QUEUE && kind != ActionKind::Delete {
        return refuse(format!("busy: {} actions are waiting already", asked.waiting));
    }
    let possible = match asked.status {
        InstanceStatus::Active => true,
        InstanceStatus::Suspended | InstanceStatus::Terminating => kind == ActionKind::Delete,
        // Its order was called off while a server may exist at the provider.
        InstanceStatus::Provisioning => {
            kind == ActionKind::Delete
                && matches!(asked.order_status, OrderStatus::Cancelled | OrderStatus::Refunded)
        }
        InstanceStatus::Terminated => false,
    };
    if possible { Ok(()) } else { refuse(asked.status.to_string()) }
}

async fn insert(tx: &mut PgConnection, new: &NewAction<'_>) -> Result<Action> {
    let id: ActionId = new_id();
    sqlx::query!(
        "INSERT INTO instance_actions (id, instance_id, action, params, requested_by, requester_id, idempotency_key,
                                       request_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        new.instance.0,
        new.action.kind().as_str(),
        params_of(new.action)?,
        new.origin.actor.kind(),
        new.origin.actor.id(),
        new.idempotency_key,
        hash(new.action)?,
    )
    .execute(&mut *tx)
    .await?;
    by_id(tx, id.0).await?.ok_or(StoreError::NotFound("action"))
}

fn hash(action: &InstanceAction) -> Result<Vec<u8>> {
    Ok(Sha256::digest(serde_json::to_vec(action)?).to_vec())
}

async fn record(tx: &mut PgConnection, new: &NewAction<'_>, id: ActionId) -> Result<()> {
    let act = AuditEntry {
        action: "instance.action_requested",
        object_kind: "instance",
        object_id: Some(new.instance.0),
        before: None,
        after: Some(
            json!({ "action_id": id, "action": new.action.kind(), "params": params_of(new.action)? }),
        ),
    };
    audit::record(tx, new.origin, &act).await
}
