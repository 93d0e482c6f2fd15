//! Servers that their owners call off: at once, with what is not served of what was paid on the balance, or when the paid
//! term ends. Until then that can be revoked. Carrying it out then is the server's workflow's.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    event::{ServerCancellationPlanned, ServerCancellationRevoked, ServerCancelled},
    ids::{ActionId, CancellationId, InstanceId, UserId},
    instance::{CancelWhen, InstanceAction, InstanceStatus},
    outbox::Message,
    refund::CreditReason,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Object, Result, Store, StoreError,
    audit::Origin,
    boxed,
    events::Entry,
    idempotency::{self, Claim, Idempotency},
    instance_actions::{self, NewAction, RequestedBy},
    new_id, outbox, refunds, server_terms,
};

/// A server to be called off.
#[derive(Debug, Clone, Copy)]
pub struct NewCancellation<'a> {
    /// Its owner.
    pub user: UserId,
    /// The server.
    pub instance: InstanceId,
    /// When it is to go.
    pub when: CancelWhen,
    /// Where the request came from.
    pub origin: &'a Origin,
}

/// A server that was called off.
#[derive(Debug, Clone)]
pub struct Cancellation {
    /// Its id.
    pub id: CancellationId,
    /// The server.
    pub instance_id: InstanceId,
    /// When it goes.
    pub when: CancelWhen,
    /// The moment.
    pub effective_at: DateTime<Utc>,
    /// At once: the delete to be watched.
    pub action_id: Option<ActionId>,
    /// What went to the balance.
    pub credited: Rupiah,
    /// When it was called off.
    pub created_at: DateTime<Utc>,
    /// When that was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The server as it is when it is called off.
struct Server {
    name: String,
    status: InstanceStatus,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    auto_renew: bool,
    being_deleted: bool,
    held: bool,
}

impl Store {
    /// Calls a server off. At once: its delete is asked for, and what is not served of the present term and those after
    /// it goes to the balance with credit notes, all in one transaction. At the term's end: nothing renews it any more,
    /// the unpaid invoice over a further term is void, and its workflow is told to look; one that is called off so already
    /// stays so. The same `request` again answers with the same cancellation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server, [`StoreError::Conflict`] when its state forbids it,
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn cancel_instance(
        &self,
        new: &NewCancellation<'_>,
        request: &Idempotency,
    ) -> Result<Cancellation> {
        let mut tx = self.pool.begin().await?;
        let server = lock(&mut tx, new.user, new.instance).await?;
        let open = match new.when {
            CancelWhen::PeriodEnd => open(&mut tx, new.instance).await?,
            CancelWhen::Now => None,
        };
        let id = open.unwrap_or_else(new_id);
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.user, request, id.0).await? {
            return read(&mut tx, earlier).await;
        }
        if open.is_none() {
            match new.when {
                CancelWhen::Now => at_once(&mut tx, new, id, &server).await?,
                CancelWhen::PeriodEnd => at_period_end(&mut tx, new, id, &server).await?,
            }
        }
        let cancellation = read(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(cancellation)
    }

    /// Has a server stay that was to go when its term ends, and be renewed by itself again if it was before. One that is
    /// not called off stays as it is: then `false`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server, [`StoreError::Conflict`] when it is too late.
    #[boxed]
    pub async fn revoke_cancellation(&self, user: UserId, instance: InstanceId) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let server = lock(&mut tx, user, instance).await?;
        let ends_at = refuse_if_impossible(&server)?;
        let Some(id) = open(&mut tx, instance).await? else { return Ok(false) };
        if ends_at <= server.now {
            return conflict("past the end of its term");
        }
        let auto_renew = sqlx::query_scalar!(
            "UPDATE cancellations SET revoked_at = now() WHERE id = $1 RETURNING auto_renew_before",
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query!(
            "WITH notice AS (DELETE FROM life_notices WHERE instance_id = $1 AND notice = 'cancellation')
             UPDATE instances SET cancels_at_period_end = false, auto_renew = $2, next_due_at = now(), updated_at = now()
             WHERE id = $1",
            instance.0,
            auto_renew,
        )
        .execute(&mut *tx)
        .await?;
        outbox::enqueue(&mut tx, &Message::ActionRequested { instance_id: instance }).await?;
        let revoked = ServerCancellationRevoked {
            cancellation_id: id,
            instance_id: instance,
            name: server.name,
            ends_at,
            auto_renew,
        };
        Entry::of(revoked).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn lock(tx: &mut PgConnection, user: UserId, instance: InstanceId) -> Result<Server> {
    sqlx::query_as!(
        Server,
        r#"SELECT s.name, s.status AS "status: InstanceStatus", s.expires_at, now() AS "now!", s.auto_renew,
                  EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                          AND a.status IN ('pending', 'in_progress')) AS "being_deleted!",
                  EXISTS (SELECT FROM instance_holds h WHERE h.instance_id = s.id AND h.released_at IS NULL
                          AND (h.held_until IS NULL OR h.held_until > now())) AS "held!"
           FROM instances s WHERE s.id = $1 AND s.user_id = $2 FOR NO KEY UPDATE OF s"#,
        instance.0,
        user.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))
}

/// What is called off for the end of the term and was not revoked.
async fn open(tx: &mut PgConnection, instance: InstanceId) -> Result<Option<CancellationId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT c.id AS "id: CancellationId" FROM cancellations c JOIN instances s ON s.id = c.instance_id
           WHERE c.instance_id = $1 AND c.kind = 'period_end' AND c.revoked_at IS NULL AND s.cancels_at_period_end"#,
        instance.0,
    )
    .fetch_optional(tx)
    .await?)
}

fn conflict<T>(state: impl Into<String>) -> Result<T> {
    Err(StoreError::Conflict { object: Object::Instance, state: state.into() })
}

/// The end of the paid term of a server that can be called off.
fn refuse_if_impossible(server: &Server) -> Result<DateTime<Utc>> {
    if server.being_deleted {
        return conflict("being deleted");
    }
    match (server.status, server.expires_at) {
        (InstanceStatus::Active | InstanceStatus::Suspended, Some(ends_at)) => Ok(ends_at),
        (status, _) => conflict(status.to_string()),
    }
}

async fn at_once(
    tx: &mut PgConnection,
    new: &NewCancellation<'_>,
    id: CancellationId,
    server: &Server,
) -> Result<()> {
    refuse_if_impossible(server)?;
    if server.held {
        return conflict("held by our team: please ask them");
    }
    let delete = NewAction {
        instance: new.instance,
        by: RequestedBy::Customer(new.user),
        action: &InstanceAction::Delete,
        origin: new.origin,
        idempotency_key: None,
    };
    let action = instance_actions::request(tx, &delete).await?;
    sqlx::query!(
        "UPDATE instances SET auto_renew = false, updated_at = now() WHERE id = $1 AND auto_renew",
        new.instance.0,
    )
    .execute(&mut *tx)
    .await?;
    let reason = CreditReason::ServerCancelled { server: server.name.clone() };
    let credited = refunds::give_back_unserved(tx, new.instance, new.user, &reason, Ok).await?;
    insert(tx, new, id, server.now, Some((action.id, credited)), server.auto_renew).await?;
    let cancelled = ServerCancelled {
        cancellation_id: id,
        instance_id: new.instance,
        name: server.name.clone(),
        credited: (credited > Rupiah::ZERO).then_some(credited),
    };
    Entry::of(cancelled).tell(tx, new.user).await
}

async fn at_period_end(
    tx: &mut PgConnection,
    new: &NewCancellation<'_>,
    id: CancellationId,
    server: &Server,
) -> Result<()> {
    let ends_at = refuse_if_impossible(server)?;
    if ends_at <= server.now {
        return conflict("past the end of its term: it can be called off at once");
    }
    server_terms::withdraw_open(tx, new.instance).await?;
    sqlx::query!(
        "WITH notice AS (
             INSERT INTO life_notices (instance_id, term_ends_at, notice) VALUES ($1, $2, 'cancellation')
             ON CONFLICT (instance_id, term_ends_at, notice) DO UPDATE SET told_at = now())
         UPDATE instances SET cancels_at_period_end = true, auto_renew = false, next_due_at = now(), updated_at = now()
         WHERE id = $1",
        new.instance.0,
        ends_at,
    )
    .execute(&mut *tx)
    .await?;
    insert(tx, new, id, ends_at, None, server.auto_renew).await?;
    outbox::enqueue(tx, &Message::ActionRequested { instance_id: new.instance }).await?;
    let planned = ServerCancellationPlanned {
        cancellation_id: id,
        instance_id: new.instance,
        name: server.name.clone(),
        ends_at,
    };
    Entry::of(planned).tell(tx, new.user).await
}

async fn insert(
    tx: &mut PgConnection,
    new: &NewCancellation<'_>,
    id: CancellationId,
    effective_at: DateTime<Utc>,
    done: Option<(ActionId, Rupiah)>,
    auto_renew_before: bool,
) -> Result<()> {
    let (action, credited) = done.unzip();
    sqlx::query!(
        "INSERT INTO cancellations (id, instance_id, user_id, kind, effective_at, action_id, credited, auto_renew_before)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        new.instance.0,
        new.user.0,
        new.when.as_str(),
        effective_at,
        action.map(|id| id.0),
        credited.unwrap_or_default().get(),
        auto_renew_before,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn read(tx: &mut PgConnection, id: Uuid) -> Result<Cancellation> {
    sqlx::query_as!(
        Cancellation,
        r#"SELECT id AS "id: CancellationId", instance_id AS "instance_id: InstanceId", kind AS "when: CancelWhen",
                  effective_at, action_id AS "action_id: ActionId", credited AS "credited: Rupiah", created_at, revoked_at
           FROM cancellations WHERE id = $1"#,
        id,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("cancellation"))
}
