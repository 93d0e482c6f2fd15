//! Another try at a failed order, where it is or with something changed.

use domain::{
    event::{ProvisioningRetried, ProvisioningRetriedElsewhere},
    failover::PlacementReason,
    ids::OrderId,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Before, lock, move_or_conflict};
use crate::{
    Result, Store,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    outbox,
    placements::{self, Elsewhere, ElsewhereRefusal, Place, RetryError},
};

/// An order that is being provisioned once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetriedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now.
    pub status: OrderStatus,
    /// Which manual retry of this order it is; the first is 1.
    pub retry: i64,
}

impl Store {
    /// Sends a failed order back to provisioning where it is: the task is `PENDING` again with its error cleared, and
    /// the workflow is told. `create_sent_at` stays: a server may exist from the failed try, and the next one must
    /// look for it first. Of several calls at once one wins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when it is
    /// not `PROVISIONING_FAILED`.
    #[boxed]
    pub async fn retry_provisioning(&self, order: OrderId, origin: &Origin) -> Result<RetriedOrder> {
        let mut tx = self.pool.begin().await?;
        let retried = retry(&mut tx, order, origin).await?;
        tx.commit().await?;
        Ok(retried)
    }

    /// The same with something changed: plan, region, image, host name, SSH keys. Refused while a server of the order exists
    /// or may exist where it was tried, since it could end up with two, or with one that is not as wished; what comes to the
    /// same as before is a plain retry.
    ///
    /// # Errors
    /// As [`Store::retry_provisioning`], and [`RetryError::Refused`] when the order can't go there.
    #[boxed]
    pub async fn retry_provisioning_elsewhere(
        &self,
        order: OrderId,
        wish: &Elsewhere,
        origin: &Origin,
    ) -> Result<RetriedOrder, RetryError> {
        let mut tx = self.pool.begin().await?;
        let before = take_back(&mut tx, order).await?;
        let now = placements::current(&mut tx, order).await?;
        let target = placements::resolve(&mut tx, order, &now, wish).await??;
        let is_changed = placements::change_order(&mut tx, order, wish).await?;
        let (is_moved, mut provider) = (target != now.target(), now.provider.clone());
        if (is_changed || is_moved) && !placements::is_settled(&mut tx, order).await? {
            return Err(ElsewhereRefusal::OutcomePending.into());
        }
        let moved = if is_moved {
            let to = placements::move_to(&mut tx, order, target, PlacementReason::Admin).await?;
            provider.clone_from(&to.provider);
            Some((now, to))
        } else {
            None
        };
        if (is_changed || is_moved) && !self.can_be_told(&mut tx, order, &provider).await? {
            return Err(ElsewhereRefusal::UserDataTooLong.into());
        }
        let retried = go_on(&mut tx, order, origin, &before, Changes { moved, wish: Some(wish) }).await?;
        tx.commit().await?;
        Ok(retried)
    }
}

/// The same as a part of the caller's transaction; an error changes nothing in it.
pub(in crate::admin) async fn retry(
    tx: &mut PgConnection,
    order: OrderId,
    origin: &Origin,
) -> Result<RetriedOrder> {
    let before = take_back(tx, order).await?;
    go_on(tx, order, origin, &before, Changes::default()).await
}

/// Locks a failed order and moves it back to `PROVISIONING`; answers how it was.
async fn take_back(tx: &mut PgConnection, order: OrderId) -> Result<Before> {
    let before = lock(tx, order).await?;
    move_or_conflict(tx, order, Transition::RetryProvisioning, &before).await?;
    Ok(before)
}

/// What is different in another try.
#[derive(Default)]
struct Changes<'a> {
    moved: Option<(Place, Place)>,
    wish: Option<&'a Elsewhere>,
}

/// What follows from a retry, the order being changed or not: the task begins anew, the step, the audit row and the
/// message to the workflow are written.
async fn go_on(
    tx: &mut PgConnection,
    order: OrderId,
    origin: &Origin,
    before: &Before,
    Changes { moved, wish }: Changes<'_>,
) -> Result<RetriedOrder> {
    placements::reset_task(tx, order).await?;
    let (mut was, mut is) =
        (before.to_json(), json!({ "status": "PROVISIONING", "task": { "status": "PENDING" } }));
    if let Some((from, to)) = &moved {
        was["placement"] = from.to_json();
        is["placement"] = to.to_json();
    }
    if let Some(wish) = wish {
        let keys = wish.ssh_key_ids.as_ref().map(Vec::len);
        is["wanted"] = json!({ "image": wish.image, "hostname": wish.hostname, "ssh_keys": keys });
    }
    let retry = record_retry(tx, order, before, moved.as_ref().map(|(_, to)| to)).await?;
    is["retry"] = json!(retry);
    let act = AuditEntry {
        action: "order.retry_provisioning",
        object_kind: "order",
        object_id: Some(order.0),
        before: Some(was),
        after: Some(is),
    };
    audit::record(tx, origin, &act).await?;
    outbox::enqueue(tx, &Message::RetryProvisioning { order_id: order }).await?;
    Ok(RetriedOrder { order_id: order, status: OrderStatus::Provisioning, retry })
}

/// Writes the retry to the timeline and answers its number; that it is elsewhere is told to the customer. The order's lock
/// makes the number unique.
async fn record_retry(
    tx: &mut PgConnection,
    order: OrderId,
    before: &Before,
    to: Option<&Place>,
) -> Result<i64> {
    let earlier = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM order_timeline WHERE order_id = $1 AND step = 'provisioning_retried'"#,
        order.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let retry = earlier + 1;
    let detail = json!({
        "retry": retry,
        "attempts": before.attempts,
        "failure_class": before.failure_class,
        "failure_message": before.failure_message,
        "provider_request_id": before.provider_request_id,
    });
    match to {
        None => {
            Entry::of(ProvisioningRetried { order_id: order, retry }).detail(detail).record(tx).await?;
        }
        Some(to) => {
            let event = ProvisioningRetriedElsewhere { order_id: order, retry, to: to.named() };
            Entry::of(event).detail(detail).tell(tx, before.user_id.into()).await?;
        }
    }
    Ok(retry)
}
