//! An action from its turn to its end. Each method is a step that may run twice.

use chrono::{DateTime, Utc};
use domain::{
    ids::{ActionId, ApiKeyId, InstanceId, OrderId, UserId},
    instance::{ActionKind, ActionStatus, ActionTurn, ActionWork, InstanceAction, InstanceStatus},
    provisioning::FailureClass,
    rate_limit::Caller,
    server::ServerState,
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::typed;
use crate::{Result, Store, StoreError, boxed, credentials, provisioning::ProviderTrouble, resizes};

/// Everything the provider must be told for an action, and how far earlier tries came.
#[derive(Debug, Clone)]
pub struct ActionJob {
    /// The server.
    pub instance_id: InstanceId,
    /// The order it was bought with.
    pub order_id: OrderId,
    /// What is to be done, in our words.
    pub action: InstanceAction,
    /// How it goes.
    pub status: ActionStatus,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of the server.
    pub provider_instance_id: String,
    /// Who the calls are for: the server's owner or the program that asked; else it keeps the server or frees it, such as
    /// a suspension.
    pub caller: Caller,
    /// Set when the provider was asked and may be at it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When this was read, by the same clock.
    pub read_at: DateTime<Utc>,
    /// What the provider gave for it.
    pub receipt: Option<Value>,
    /// Whether the server's tags have shown that it is this installation's.
    pub is_proven_ours: bool,
    /// SSH public keys for root.
    pub ssh_keys: Vec<String>,
    /// The provider's slug of the image that a rebuild wants.
    pub image: Option<String>,
    /// The provider's slug of the size that a resize wants.
    pub size: Option<String>,
    /// Whether the wanted plan has a larger disk.
    pub grows_disk: bool,
    /// Ids of the snapshots that other actions of this server made.
    pub other_snapshots: Vec<String>,
}

impl Store {
    /// The action whose turn it is: the one that is being done, else the oldest that waits. What needs no provider
    /// is done on the way, and what the server's state does not allow any more fails.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn next_action(&self, instance: InstanceId) -> Result<ActionTurn> {
        let mut tx = self.pool.begin().await?;
        let standing = lock_standing(&mut tx, instance).await?;
        let turn = take_turn(&mut tx, instance, standing).await?;
        tx.commit().await?;
        Ok(turn)
    }

    /// What the provider is to be told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such action, or its server was never made.
    #[boxed]
    pub async fn action_job(&self, action: ActionId) -> Result<ActionJob> {
        let row = sqlx::query!(
            r#"SELECT a.instance_id, s.order_id, a.action AS "kind: ActionKind", a.params,
                      a.status AS "status: ActionStatus", p.slug AS provider, s.provider_instance_id AS "server!",
                      a.requested_by, a.requester_id, s.user_id, a.sent_at, now() AS "read_at!", a.receipt, o.ssh_keys,
                      coalesce(s.proven_of = $2, false) AS "is_proven_ours!",
                      src.provider_slug AS "image?", l.provider_slug AS "size?",
                      coalesce(l.disk_gb > now_plan.disk_gb, false) AS "grows_disk!",
                      ARRAY(SELECT e.result ->> 'snapshot_id' FROM instance_actions e
                            WHERE e.instance_id = a.instance_id AND e.id <> a.id AND e.action = 'snapshot'
                              AND e.result ? 'snapshot_id') AS "other_snapshots!"
               FROM instance_actions a
               JOIN instances s ON s.id = a.instance_id
               JOIN orders o ON o.id = s.order_id
               JOIN providers p ON p.id = s.provider_id
               JOIN plans now_plan ON now_plan.id = s.plan_id
               LEFT JOIN images i ON i.slug = a.params ->> 'image'
               LEFT JOIN image_sources src ON src.image_id = i.id AND src.provider_id = s.provider_id
               LEFT JOIN plans l ON l.id::text = a.params ->> 'plan_id' AND l.provider_id = s.provider_id
               WHERE a.id = $1 AND s.provider_instance_id IS NOT NULL"#,
            action.0,
            self.installation().id(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("action"))?;
        Ok(ActionJob {
            instance_id: row.instance_id.into(),
            order_id: row.order_id.into(),
            action: typed(row.kind, row.params)?,
            status: row.status,
            provider: row.provider,
            provider_instance_id: row.server,
            caller: caller(&row.requested_by, row.requester_id, row.user_id),
            sent_at: row.sent_at,
            read_at: row.read_at,
            receipt: row.receipt,
            is_proven_ours: row.is_proven_ours,
            ssh_keys: row.ssh_keys,
            image: row.image,
            size: row.size,
            grows_disk: row.grows_disk,
            other_snapshots: row.other_snapshots,
        })
    }

    /// Notes that a server's tags showed that it is this installation's.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the server is then read once more.
    #[boxed]
    pub async fn note_proven_ours(&self, instance: InstanceId, provider_instance_id: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE instances SET proven_of = $3 WHERE id = $1 AND provider_instance_id = $2",
            instance.0,
            provider_instance_id,
            self.installation().id(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that the provider is about to be asked. `false` when the action is over: then nothing may be sent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; nothing may be sent then either.
    #[boxed]
    pub async fn mark_action_sent(&self, action: ActionId) -> Result<bool> {
        let marked = sqlx::query!(
            "UPDATE instance_actions SET sent_at = coalesce(sent_at, now()), updated_at = now()
             WHERE id = $1 AND status = 'in_progress'",
            action.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(marked.rows_affected() == 1)
    }

    /// Notes that what was sent certainly had no effect.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the next try then looks first.
    #[boxed]
    pub async fn clear_action_sent(&self, action: ActionId) -> Result<()> {
        sqlx::query!(
            "UPDATE instance_actions SET sent_at = NULL, updated_at = now()
             WHERE id = $1 AND status = 'in_progress' AND receipt IS NULL",
            action.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps what the provider gave for an action: from now on it is only asked how it goes.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn save_receipt(&self, action: ActionId, receipt: &Value) -> Result<()> {
        sqlx::query!(
            "UPDATE instance_actions SET receipt = $2, updated_at = now() WHERE id = $1 AND status = 'in_progress'",
            action.0,
            receipt,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps the latest trouble with the provider where administrators see it, while tries go on.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_action_trouble(&self, action: ActionId, trouble: &ProviderTrouble) -> Result<()> {
        note_trouble(&mut *self.pool.acquire().await?, action, trouble).await
    }

    /// Ends an action that went well, and brings our record of the server up to date with it. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn complete_action(
        &self,
        action: ActionId,
        snapshot_id: Option<&str>,
        seen: &ServerState,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let Some(instance) = instance_of(&mut tx, action).await? else {
            return Err(StoreError::NotFound("action"));
        };
        lock(&mut tx, instance).await?;
        let result = snapshot_id.map(|id| json!({ "snapshot_id": id }));
        if !finish(&mut tx, action, result).await? {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE instances s
             SET power_state = $2, ipv4 = coalesce($3, s.ipv4), ipv6 = coalesce($4, s.ipv6), updated_at = now(),
                 image_id = coalesce((SELECT i.id FROM images i WHERE a.action = 'rebuild'
                                      AND i.slug = a.params ->> 'image'), s.image_id),
                 plan_id = coalesce((SELECT l.id FROM plans l WHERE a.action = 'resize'
                                     AND l.id::text = a.params ->> 'plan_id'), s.plan_id),
                 final_snapshot_days = CASE WHEN a.action = 'resize' THEN
                     (SELECT l.final_snapshot_days FROM plans l WHERE l.id::text = a.params ->> 'plan_id')
                     ELSE s.final_snapshot_days END
             FROM instance_actions a WHERE a.id = $1 AND s.id = a.instance_id",
            action.0,
            seen.power.as_str(),
            seen.ipv4.map(|ip| ip.to_string()),
            seen.ipv6.map(|ip| ip.to_string()),
        )
        .execute(&mut *tx)
        .await?;
        credentials::keep_new(&mut tx, action).await?;
        resizes::applied(&mut tx, action).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends an action that did not go well. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn fail_action(&self, action: ActionId, class: FailureClass, message: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        if let Some(instance) = instance_of(&mut tx, action).await? {
            lock(&mut tx, instance).await?;
            fail(&mut tx, action, class, message).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// A server as its next turn depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub status: InstanceStatus,
    pub expires_at: Option<DateTime<Utc>>,
}

async fn lock_standing(tx: &mut PgConnection, instance: InstanceId) -> Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"SELECT status AS "status: InstanceStatus", expires_at FROM instances WHERE id = $1 FOR NO KEY UPDATE"#,
        instance.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))
}

/// The same within the caller's transaction, which has locked the server and read how it stands.
pub(crate) async fn take_turn(
    tx: &mut PgConnection,
    instance: InstanceId,
    Standing { status, expires_at }: Standing,
) -> Result<ActionTurn> {
    let is_terminated = status == InstanceStatus::Terminated;
    let work = loop {
        let Some(waiting) = waiting(tx, instance).await? else { break None };
        let work = ActionWork { action_id: waiting.id, kind: waiting.kind };
        if waits_for_staff(tx, &waiting).await? {
            break None;
        }
        if waiting.status == ActionStatus::InProgress {
            break Some(work);
        }
        if !allows(status, waiting.kind) {
            let state = format!("the server was {status} when the turn came");
            fail(tx, waiting.id, FailureClass::Conflict, &state).await?;
            continue;
        }
        begin(tx, waiting.id).await?;
        match typed(waiting.kind, waiting.params)? {
            InstanceAction::Rename { name } => rename(tx, instance, waiting.id, &name).await?,
            _ => break Some(work),
        }
    };
    let expires_at_ms = expires_at.and_then(|at| u64::try_from(at.timestamp_millis()).ok());
    Ok(ActionTurn { is_terminated, work, expires_at_ms })
}

/// Keeps the latest trouble of an action that is being done.
pub(super) async fn note_trouble(
    tx: &mut PgConnection,
    action: ActionId,
    trouble: &ProviderTrouble,
) -> Result<()> {
    sqlx::query!(
        "UPDATE instance_actions
         SET trouble = $2::jsonb || jsonb_build_object('at', now()), updated_at = now()
         WHERE id = $1 AND status = 'in_progress'",
        action.0,
        json!({
            "class": trouble.class,
            "message": trouble.message,
            "code": trouble.code,
            "provider_request_id": trouble.request_id,
        }),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks a server's row; its actions are only moved under this lock.
pub(crate) async fn lock(tx: &mut PgConnection, instance: InstanceId) -> Result<InstanceStatus> {
    sqlx::query_scalar!(
        r#"SELECT status AS "status: InstanceStatus" FROM instances WHERE id = $1 FOR NO KEY UPDATE"#,
        instance.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))
}

pub(super) async fn instance_of(tx: &mut PgConnection, action: ActionId) -> Result<Option<InstanceId>> {
    let id = sqlx::query_scalar!("SELECT instance_id FROM instance_actions WHERE id = $1", action.0)
        .fetch_optional(tx)
        .await?;
    Ok(id.map(InstanceId))
}

struct Waiting {
    id: ActionId,
    kind: ActionKind,
    params: Value,
    status: ActionStatus,
}

/// The one that is being done, else the oldest that waits.
async fn waiting(tx: &mut PgConnection, instance: InstanceId) -> Result<Option<Waiting>> {
    Ok(sqlx::query_as!(
        Waiting,
        r#"SELECT id AS "id: ActionId", action AS "kind: ActionKind", params, status AS "status: ActionStatus"
           FROM instance_actions WHERE instance_id = $1 AND status IN ('pending', 'in_progress')
           ORDER BY status = 'in_progress' DESC, id LIMIT 1"#,
        instance.0,
    )
    .fetch_optional(tx)
    .await?)
}

/// What was allowed when it was asked for may not be so any more. A delete goes on whatever became of the server.
fn allows(status: InstanceStatus, kind: ActionKind) -> bool {
    match status {
        InstanceStatus::Active => kind != ActionKind::Suspend,
        InstanceStatus::Suspended => matches!(kind, ActionKind::Delete | ActionKind::Suspend),
        InstanceStatus::Provisioning | InstanceStatus::Terminating => kind == ActionKind::Delete,
        InstanceStatus::Terminated => false,
    }
}

/// Whether it takes something away and was asked for before the database was put back to an earlier state: by then it may
/// have been done, so nobody does it (again) before an administrator has looked.
async fn waits_for_staff(tx: &mut PgConnection, waiting: &Waiting) -> Result<bool> {
    let takes_away = matches!(
        waiting.kind,
        ActionKind::Rebuild
            | ActionKind::Restore
            | ActionKind::DeleteSnapshot
            | ActionKind::Suspend
            | ActionKind::Delete
    );
    if !takes_away {
        return Ok(false);
    }
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM instance_actions a, installation i
                          WHERE a.id = $1 AND a.created_at < i.restored_at) AS "waits!""#,
        waiting.id.0,
    )
    .fetch_one(tx)
    .await?)
}

/// Fails what would put something else on a server's disk and was asked for before `restored_at`, when the database was put
/// back to an earlier state: it may have been done already, and written over since. What its provider was asked for goes on.
pub(crate) async fn fail_overwriting(tx: &mut PgConnection, restored_at: DateTime<Utc>) -> Result<()> {
    let open: Vec<Uuid> = sqlx::query_scalar!(
        "SELECT id FROM instance_actions WHERE status IN ('pending', 'in_progress') AND sent_at IS NULL
         AND action IN ('rebuild', 'restore') AND created_at < $1 ORDER BY instance_id, id",
        restored_at,
    )
    .fetch_all(&mut *tx)
    .await?;
    for action in open {
        let why = "the database was put back to an earlier state, and this may have been done before";
        fail(tx, action.into(), FailureClass::Conflict, why).await?;
    }
    Ok(())
}

async fn begin(tx: &mut PgConnection, action: ActionId) -> Result<()> {
    sqlx::query!(
        "UPDATE instance_actions SET status = 'in_progress', started_at = now(), updated_at = now() WHERE id = $1",
        action.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn rename(tx: &mut PgConnection, instance: InstanceId, action: ActionId, name: &str) -> Result<()> {
    sqlx::query!("UPDATE instances SET name = $2, updated_at = now() WHERE id = $1", instance.0, name)
        .execute(&mut *tx)
        .await?;
    finish(tx, action, None).await.map(drop)
}

/// Ends an action well; `false` when it was over already.
pub(super) async fn finish(tx: &mut PgConnection, action: ActionId, result: Option<Value>) -> Result<bool> {
    let finished = sqlx::query!(
        "UPDATE instance_actions SET status = 'completed', result = $2, trouble = NULL, finished_at = now(),
                updated_at = now()
         WHERE id = $1 AND status = 'in_progress'",
        action.0,
        result,
    )
    .execute(tx)
    .await?;
    Ok(finished.rows_affected() == 1)
}

/// Ends an action badly, unless it is over; what was paid for it goes to the balance. The server is locked by the caller.
/// The code and request id that were noted with this very message stay.
async fn fail(tx: &mut PgConnection, action: ActionId, class: FailureClass, message: &str) -> Result<()> {
    let told = json!({ "class": class, "message": message });
    sqlx::query!(
        "UPDATE instance_actions SET status = 'failed', failure_class = $2, failure_message = $3,
                trouble = CASE WHEN trouble ->> 'message' = $4 THEN trouble
                               ELSE $5::jsonb || jsonb_build_object('at', now()) END,
                finished_at = now(),
                updated_at = now()
         WHERE id = $1 AND status IN ('pending', 'in_progress')",
        action.0,
        class.as_str(),
        // Customers read words, which are found by the class when it is shown.
        class.as_str(),
        message,
        told,
    )
    .execute(&mut *tx)
    .await?;
    credentials::forget_new(tx, action).await?;
    resizes::failed(tx, action).await
}

/// Ends everything that still waits for a server that is gone.
pub(super) async fn fail_all_waiting(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    let waiting: Vec<Uuid> = sqlx::query_scalar!(
        "SELECT id FROM instance_actions WHERE instance_id = $1 AND status = 'pending' ORDER BY id",
        instance.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    for action in waiting {
        fail(tx, action.into(), FailureClass::Conflict, "the server was deleted before the turn came")
            .await?;
    }
    Ok(())
}

/// What an owner or a program asked for counts as theirs; what staff or the system has done to somebody's server keeps it
/// or frees it.
fn caller(requested_by: &str, requester: Option<Uuid>, owner: Uuid) -> Caller {
    match (requested_by, requester) {
        ("user", Some(id)) if id == owner => Caller::Action(UserId(id).into()),
        ("api_key", Some(id)) => Caller::Action(ApiKeyId(id).into()),
        _ => Caller::Servers,
    }
}
