//! Messages that fail: tried again later and later, then dead, which administrators are told. Staff have them tried
//! anew, or decide that they need not be delivered.

use chrono::{DateTime, Utc};
use domain::{event::MessageUndelivered, ids::OutboxId, outbox::MessageClass, sorting::AgeSort};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    page::{Page, SortCursor, SortedRequest},
};

/// What became of a message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// How often it did.
    pub failures: i32,
    /// Whether it is not tried any more.
    pub is_dead: bool,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutboxState {
    /// It is to be delivered.
    Waiting,
    /// It was given up.
    Dead,
    /// It was delivered.
    Delivered,
    /// Staff decided that it need not be delivered.
    Skipped,
}

impl OutboxState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Dead => "DEAD",
            Self::Delivered => "DELIVERED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// A message, for staff. What it carries is ids, which its workflow's name has.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// Its id, also the cursor of lists.
    pub id: OutboxId,
    /// The workflow it is for, such as `order/<uuid>`.
    pub workflow_id: String,
    /// What it says, such as `payment_confirmed`.
    pub kind: String,
    /// Who waits for it.
    pub class: MessageClass,
    /// How often a dispatcher took it.
    pub attempts: i32,
    /// How often it failed by its own fault.
    pub failures: i32,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Until when it is left alone, or a dispatcher has it.
    pub claimed_until: Option<DateTime<Utc>>,
    /// Since when it is dead.
    pub dead_at: Option<DateTime<Utc>>,
    /// When it was delivered, or staff decided that it need not be.
    pub dispatched_at: Option<DateTime<Utc>>,
    /// Whether staff decided so.
    pub skipped: bool,
}

impl OutboxMessage {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> OutboxState {
        match (self.dispatched_at, self.dead_at) {
            (Some(_), _) if self.skipped => OutboxState::Skipped,
            (Some(_), _) => OutboxState::Delivered,
            (None, Some(_)) => OutboxState::Dead,
            (None, None) => OutboxState::Waiting,
        }
    }
}

/// Which undelivered messages are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Only those that are dead, or only those that wait.
    pub dead: Option<bool>,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those to this workflow.
    pub workflow_id: Option<String>,
}

/// Every query of [`OutboxMessage`]s has the same columns; `query_as!` only takes literals, so a macro joins them.
macro_rules! messages {
    ($before:literal, $after:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            OutboxMessage,
            $before
                + r#" id AS "id: OutboxId", workflow_id, kind, class AS "class: MessageClass", attempts, failures,
                     last_error, created_at, claimed_until, dead_at, dispatched_at, skipped "#
                + $after
            $(, $argument)*
        )
    };
}

impl Store {
    /// Notes that a message failed by its own fault: it is left alone for a while that grows, and dead after as many
    /// failures as its class allows. Administrators are told of dead ones, of each kind once an hour.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the lease then runs out by itself.
    #[boxed]
    pub async fn fail_outbox(&self, id: OutboxId, error: &str) -> Result<Failed> {
        let mut tx = self.pool.begin().await?;
        let locked = sqlx::query!(
            r#"SELECT class AS "class: MessageClass", failures FROM outbox
               WHERE id = $1 AND dispatched_at IS NULL AND dead_at IS NULL FOR NO KEY UPDATE"#,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        // Another dispatcher, whose lease began when ours was over, had it delivered or given up.
        let Some(locked) = locked else { return Ok(Failed { failures: 0, is_dead: false }) };
        let failures = locked.failures.saturating_add(1);
        let pause = locked.class.pause_after(failures);
        sqlx::query!(
            "UPDATE outbox SET failures = $2, last_error = $3, claimed_until = now() + make_interval(secs => $4),
                    dead_at = CASE WHEN $4::float8 IS NULL THEN now() END
             WHERE id = $1",
            id.0,
            failures,
            error,
            pause,
        )
        .execute(&mut *tx)
        .await?;
        if pause.is_none() {
            tell_of_death(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(Failed { failures, is_dead: pause.is_none() })
    }

    /// Messages that were not delivered.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn undelivered_messages(
        &self,
        filter: &DeadFilter,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<OutboxMessage, SortCursor>> {
        let rows = match sort {
            AgeSort::Newest => messages!(
                "SELECT",
                "FROM outbox WHERE dispatched_at IS NULL AND ($1::boolean IS NULL OR (dead_at IS NOT NULL) = $1)
                   AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR workflow_id = $3)
                   AND ($4::uuid IS NULL OR id < $4)
                 ORDER BY id DESC LIMIT $5",
                filter.dead,
                filter.kind,
                filter.workflow_id,
                page.id(),
                page.fetch(),
            )
            .fetch_all(&self.pool)
            .await?,
            AgeSort::Oldest => messages!(
                "SELECT",
                "FROM outbox WHERE dispatched_at IS NULL AND ($1::boolean IS NULL OR (dead_at IS NOT NULL) = $1)
                   AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR workflow_id = $3)
                   AND ($4::uuid IS NULL OR id > $4)
                 ORDER BY id LIMIT $5",
                filter.dead,
                filter.kind,
                filter.workflow_id,
                page.id(),
                page.fetch(),
            )
            .fetch_all(&self.pool)
            .await?,
        };
        Ok(page.cut_by_age(rows, |message| message.id.0))
    }

    /// Has a dead message tried anew, as if it were new.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such message, [`StoreError::Conflict`] naming its state when it is not
    /// dead.
    #[boxed]
    pub async fn requeue_message(&self, id: OutboxId, origin: &Origin) -> Result<OutboxMessage> {
        let mut tx = self.pool.begin().await?;
        let before = lock_dead(&mut tx, id).await?;
        let anew = messages!(
            "UPDATE outbox SET dead_at = NULL, failures = 0, claimed_until = NULL WHERE id = $1 RETURNING",
            "",
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        record(&mut tx, "outbox.requeue", &before, None, origin).await?;
        tx.commit().await?;
        Ok(anew)
    }

    /// Has all dead messages tried anew, or those of one kind: after their cause was mended. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn requeue_dead_messages(&self, kind: Option<&str>, origin: &Origin) -> Result<u64> {
        let mut tx = self.pool.begin().await?;
        let requeued = sqlx::query!(
            "UPDATE outbox SET dead_at = NULL, failures = 0, claimed_until = NULL
             WHERE dispatched_at IS NULL AND dead_at IS NOT NULL AND ($1::text IS NULL OR kind = $1)",
            kind,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let act = AuditEntry {
            action: "outbox.requeue_dead",
            object_kind: "outbox",
            object_id: None,
            before: None,
            after: Some(json!({ "kind": kind, "requeued": requeued })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(requeued)
    }

    /// Decides that a dead message need not be delivered.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such message, [`StoreError::Conflict`] naming its state when it is not
    /// dead.
    #[boxed]
    pub async fn skip_message(&self, id: OutboxId, reason: &str, origin: &Origin) -> Result<OutboxMessage> {
        let mut tx = self.pool.begin().await?;
        let before = lock_dead(&mut tx, id).await?;
        let skipped = messages!(
            "UPDATE outbox SET skipped = true, dispatched_at = now(), claimed_until = NULL WHERE id = $1 RETURNING",
            "",
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        record(&mut tx, "outbox.skip", &before, Some(reason), origin).await?;
        tx.commit().await?;
        Ok(skipped)
    }
}

async fn lock_dead(tx: &mut PgConnection, id: OutboxId) -> Result<OutboxMessage> {
    let message = messages!("SELECT", "FROM outbox WHERE id = $1 FOR NO KEY UPDATE", id.0)
        .fetch_optional(tx)
        .await?
        .ok_or(StoreError::NotFound("message"))?;
    match message.state() {
        OutboxState::Dead => Ok(message),
        state => Err(StoreError::Conflict { object: Object::Message, state: state.as_str().to_owned() }),
    }
}

async fn record(
    tx: &mut PgConnection,
    action: &str,
    before: &OutboxMessage,
    reason: Option<&str>,
    origin: &Origin,
) -> Result<()> {
    let act = AuditEntry {
        action,
        object_kind: "outbox",
        object_id: Some(before.id.0),
        before: Some(json!({
            "workflow_id": before.workflow_id, "kind": before.kind, "failures": before.failures,
            "last_error": before.last_error, "dead_at": before.dead_at,
        })),
        after: reason.map(|reason| json!({ "reason": reason })),
    };
    audit::record(tx, origin, &act).await
}

async fn tell_of_death(tx: &mut PgConnection, id: OutboxId) -> Result<()> {
    let row = sqlx::query!(
        r#"SELECT workflow_id, kind, failures, to_char(now(), 'YYYYMMDDHH24') AS "hour!" FROM outbox WHERE id = $1"#,
        id.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let undelivered = MessageUndelivered {
        outbox_id: id,
        workflow_id: row.workflow_id,
        kind: row.kind,
        failures: row.failures,
        hour: row.hour,
    };
    Entry::of(undelivered).tell_administrators(tx).await
}
