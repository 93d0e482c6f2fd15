//! Servers' lives: what is due for one is decided by [`domain::life::decide`] from what the database says under the
//! server's lock, and recorded in the same transaction. So a look that is made twice does nothing twice.
//!
//! Locks: the server, then what [`crate::locks`] says of a renewal's invoice and balance, then the hour's count of
//! suspensions and deletions.

use chrono::{DateTime, Utc};
use domain::{
    ids::InstanceId,
    instance::InstanceStatus,
    life::{Decision, Facts, Gates, Held, LifeLook, LifePolicy, LifeTurn, Notice, Told, decide},
};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError, boxed,
    instance_actions::{self, Standing},
};

mod facts;
mod gates;
mod held;
mod holds;
mod pauses;
mod put_back;
mod rules;
mod steps;
mod wishes;

pub use held::{HeldServer, Release, ReleaseError};
pub use holds::{InstanceHold, NewHold};
pub use pauses::LifePause;
pub use rules::LifeRules;

/// Steps that one look may record: more than any life has in a row.
const MOST_STEPS: u32 = 16;

/// What a look left the server waiting for.
struct Waits {
    now: DateTime<Utc>,
    held: Option<(Held, String)>,
    decision: Decision,
}

impl Store {
    /// Looks at a server's life: records what is due, says when to look again, and takes the next of its actions.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn look_at_life(&self, look: LifeLook) -> Result<LifeTurn> {
        let mut tx = self.pool.begin().await?;
        let instance = look.instance_id;
        put_back::lock_and_note_if(&mut tx, look).await?;
        let waits = live(&mut tx, instance).await?;
        let (turns, standing) = keep(&mut tx, instance, waits.as_ref()).await?;
        let turn = instance_actions::take_turn(&mut tx, instance, standing).await?;
        tx.commit().await?;
        let status = standing.status;
        let due = waits.as_ref().and_then(|waits| waits.decision.next_due.map(|at| (at, at - waits.now)));
        let ms = |ms: i64| u64::try_from(ms).unwrap_or_default();
        Ok(LifeTurn {
            turn,
            turns,
            status,
            next_due_ms: due.map(|(at, _)| ms(at.timestamp_millis())),
            changes_at_ms: waits
                .as_ref()
                .and_then(|waits| waits.decision.changes_at)
                .map(|at| ms(at.timestamp_millis())),
            // A fraction of a millisecond is waited for, too.
            due_in_ms: due.map(|(_, left)| ms(left.num_milliseconds() + 1)),
            waits_for: in_words(status, waits.as_ref()),
        })
    }
}

/// Records one step after the other until nothing is due. `None`: it has no term.
async fn live(tx: &mut PgConnection, instance: InstanceId) -> Result<Option<Waits>> {
    let mut closed = Gates::default();
    let mut held = None;
    for _ in 0..MOST_STEPS {
        let Some((subject, facts, policy)) = facts::read(tx, instance, closed).await? else {
            return Ok(None);
        };
        let decision = decide(&facts, &policy);
        let Some(step) = decision.do_now else { return Ok(Some(Waits { now: facts.now, held, decision })) };
        let due = decision.due_since.unwrap_or(facts.now);
        if let Some((gate, why)) = gates::closed_before(tx, &subject, &facts, &policy, (step, due)).await? {
            close(&mut closed, gate);
            held = Some((gate, why));
            continue;
        }
        tracing::info!(event = "life.step", instance_id = %instance, step = ?step, "a step of a server's life");
        steps::record(tx, &subject, &facts, &policy, step).await?;
    }
    Err(StoreError::Conflict {
        object: crate::Object::Instance,
        state: format!("{instance}, for which more is due than ever could be"),
    })
}

const fn close(closed: &mut Gates, gate: Held) {
    match gate {
        Held::Renew => closed.renew = true,
        Held::Suspend => closed.suspend = true,
        Held::Terminate => closed.terminate = true,
    }
}

/// When a notice's deadline comes, as things are once it is told.
fn deadline(facts: &Facts, policy: &LifePolicy, notice: Notice) -> Option<DateTime<Utc>> {
    let mut told = facts.clone();
    told.told.push(Told { notice, at: facts.now });
    decide(&told, policy).next_due
}

/// Keeps when to look again, and what is held back. Answers with the looks that there were, and how the server stands.
async fn keep(tx: &mut PgConnection, instance: InstanceId, waits: Option<&Waits>) -> Result<(i64, Standing)> {
    let held = waits.and_then(|waits| waits.held.as_ref());
    let kept = sqlx::query!(
        r#"UPDATE instances
         SET next_due_at = $2, life_turns = life_turns + 1, held_step = $3, held_why = $4,
             held_since = CASE WHEN $3::text IS NULL THEN NULL WHEN held_step = $3 THEN held_since ELSE now() END
         WHERE id = $1 RETURNING life_turns, status AS "status: InstanceStatus", expires_at"#,
        instance.0,
        waits.and_then(|waits| waits.decision.next_due),
        held.map(|(step, _)| step.as_str()),
        held.map(|(_, why)| why.as_str()),
    )
    .fetch_one(tx)
    .await?;
    Ok((kept.life_turns, Standing { status: kept.status, expires_at: kept.expires_at }))
}

/// What it waits for, for staff who read its workflow's details.
fn in_words(status: InstanceStatus, waits: Option<&Waits>) -> String {
    if let Some((step, why)) = waits.and_then(|waits| waits.held.as_ref()) {
        return format!("to {step}, which is held back: {why}");
    }
    let words = match status {
        InstanceStatus::Active => "a reminder, a renewal or the end of its term or grace",
        InstanceStatus::Suspended => "money, or the end of its retention",
        InstanceStatus::Terminating => "its deletion",
        InstanceStatus::Provisioning | InstanceStatus::Terminated => "nothing",
    };
    words.to_owned()
}
