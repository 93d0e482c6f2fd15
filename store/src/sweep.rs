//! What must have a workflow, and having one started or woken: safe at any time, since a workflow asks the database what
//! is to be done and does nothing where nothing is.

use domain::{
    delivery::{DeliveryChannel, DeliveryRun, DeliveryStart},
    event::WorkflowsRestarted,
    ids::{DeliveryId, InstanceId, OrderId, RefundId},
    instance::InstanceStatus,
    order::OrderStatus,
    outbox::{Message, instance_workflow_id, order_workflow_id},
    refund::{RefundPolicy, RefundStart, refund_workflow_id},
    sweep::SweepRules,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    outbox,
};

/// Messages that one sweep looks at.
const DELIVERIES_AT_ONCE: i64 = 1_000;

/// What must have a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenWork {
    /// An order that has not come to its end.
    Order(OrderId),
    /// A server that is there, or for which something is asked.
    Instance(InstanceId),
    /// Money on its way back through a gateway.
    Refund(RefundId),
    /// A message that somebody has not been told yet.
    Delivery(DeliveryRun),
}

impl OpenWork {
    /// Its workflow.
    #[must_use]
    pub fn workflow_id(self) -> String {
        match self {
            Self::Order(order) => order_workflow_id(order),
            Self::Instance(instance) => instance_workflow_id(instance),
            Self::Refund(refund) => refund_workflow_id(refund),
            Self::Delivery(run) => run.workflow_id(),
        }
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::Instance(_) => "instance",
            Self::Refund(_) => "refund",
            Self::Delivery(_) => "delivery",
        }
    }
}

/// What must have a workflow, and how that comes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// What.
    pub work: OpenWork,
    /// Whether its workflow should have gone on long ago: it is to be woken, also when it runs.
    pub is_stalled: bool,
}

/// An order whose workflow was started or woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WokenOrder {
    /// Where the order stands.
    pub status: OrderStatus,
    /// Whether a message was written; else one is on its way already.
    pub is_new: bool,
}

impl Store {
    /// All that must have a workflow and has had time to get one, what is paid first. What a message is on its way to is
    /// left out, and what was woken a moment ago.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn expected_workflows(&self, rules: &SweepRules) -> Result<Vec<Expected>> {
        let (mut paid, unpaid) = self.expected_of_orders(rules).await?;
        paid.extend(self.expected_of_refunds(rules).await?);
        paid.extend(self.expected_of_instances(rules).await?);
        paid.extend(unpaid);
        paid.extend(self.expected_of_deliveries(rules).await?);
        Ok(paid)
    }

    async fn expected_of_orders(&self, rules: &SweepRules) -> Result<(Vec<Expected>, Vec<Expected>)> {
        let rows = sqlx::query!(
            r#"SELECT o.id AS "id: OrderId", o.status <> 'PENDING_PAYMENT' AS "is_paid!",
                      ((o.status = 'PAID' AND o.updated_at < now() - make_interval(secs => $2)
                        OR o.status = 'PROVISIONING' AND o.updated_at < now() - make_interval(secs => $4))
                       AND (o.woken_at IS NULL OR o.woken_at < now() - make_interval(secs => $3))) AS "is_stalled!"
               FROM orders o
               WHERE o.status IN ('PENDING_PAYMENT', 'PAID', 'PROVISIONING', 'PROVISIONING_FAILED')
                 AND o.updated_at < now() - make_interval(secs => $1)
                 AND NOT EXISTS (SELECT FROM outbox m WHERE m.workflow_id = 'order/' || o.id
                                 AND m.dispatched_at IS NULL AND (m.failures = 0 OR m.kind = 'wake_order'))
               ORDER BY o.id"#,
            seconds(rules.settle_ms),
            seconds(rules.stalled_after_ms),
            seconds(rules.again_after_ms),
            seconds(rules.asleep_after_ms),
        )
        .fetch_all(&self.pool)
        .await?;
        let (mut paid, mut unpaid) = (Vec::new(), Vec::new());
        for row in rows {
            let of = if row.is_paid { &mut paid } else { &mut unpaid };
            of.push(Expected { work: OpenWork::Order(row.id), is_stalled: row.is_stalled });
        }
        Ok((paid, unpaid))
    }

    async fn expected_of_instances(&self, rules: &SweepRules) -> Result<Vec<Expected>> {
        let rows = sqlx::query!(
            r#"SELECT s.id AS "id: InstanceId",
                      ((a.waits_since < now() - make_interval(secs => $2) AND NOT a.is_at_work
                        OR s.next_due_at < now() - make_interval(secs => $3) AND NOT coalesce(a.is_at_work, false)
                        OR a.at_work_since < now() - make_interval(secs => $4))
                       AND (s.woken_at IS NULL OR s.woken_at < now() - make_interval(secs => $3))) AS "is_stalled?"
               FROM instances s
               LEFT JOIN LATERAL (
                   SELECT min(created_at) FILTER (WHERE status = 'pending') AS waits_since,
                          bool_or(status = 'in_progress') AS is_at_work,
                          min(updated_at) FILTER (WHERE status = 'in_progress') AS at_work_since, count(*) AS open
                   FROM instance_actions WHERE instance_id = s.id AND status IN ('pending', 'in_progress')) a ON true
               WHERE (s.status IN ('ACTIVE', 'SUSPENDED', 'TERMINATING') OR (s.status = 'PROVISIONING' AND a.open > 0))
                 AND s.updated_at < now() - make_interval(secs => $1)
                 AND NOT EXISTS (SELECT FROM outbox m WHERE m.workflow_id = 'instance/' || s.id
                                 AND m.dispatched_at IS NULL AND (m.failures = 0 OR m.kind = 'action_requested'))
               ORDER BY s.id"#,
            seconds(rules.settle_ms),
            seconds(rules.stalled_after_ms),
            seconds(rules.again_after_ms),
            seconds(rules.asleep_after_ms),
        )
        .fetch_all(&self.pool)
        .await?;
        let expected = rows.into_iter().map(|row| Expected {
            work: OpenWork::Instance(row.id),
            is_stalled: row.is_stalled.unwrap_or(false),
        });
        Ok(expected.collect())
    }

    /// A refund's workflow ends when its gateway says nothing final for as long as it is patient; from then on it is
    /// begun again now and then.
    async fn expected_of_refunds(&self, rules: &SweepRules) -> Result<Vec<Expected>> {
        let rows = sqlx::query_scalar!(
            r#"SELECT r.id AS "id: RefundId" FROM refunds r
               WHERE r.status IN ('REQUESTED', 'SENT') AND r.updated_at < now() - make_interval(secs => $1)
                 AND (r.woken_at IS NULL OR r.woken_at < now() - make_interval(secs => $2))
                 AND NOT EXISTS (SELECT FROM outbox m WHERE m.workflow_id = 'refund/' || r.id AND m.dispatched_at IS NULL)
               ORDER BY r.id"#,
            seconds(rules.settle_ms),
            seconds(rules.refunds_again_after_ms),
        )
        .fetch_all(&self.pool)
        .await?;
        let expected = |id| Expected { work: OpenWork::Refund(id), is_stalled: false };
        Ok(rows.into_iter().map(expected).collect())
    }

    /// The oldest messages that are not over, of channels that somebody serves; the next sweep looks at others once these are.
    async fn expected_of_deliveries(&self, rules: &SweepRules) -> Result<Vec<Expected>> {
        let rows = sqlx::query_as!(
            DeliveryRun,
            r#"SELECT d.id AS "delivery_id: DeliveryId", d.resends FROM notification_deliveries d
               JOIN delivery_channels c ON c.channel = d.channel
               WHERE d.state IN ('PENDING', 'SENDING') AND d.created_at < now() - make_interval(secs => $1)
                 AND NOT EXISTS (SELECT FROM outbox m WHERE m.dispatched_at IS NULL
                                 AND m.workflow_id = 'delivery/' || d.id || CASE WHEN d.resends > 0 THEN '/' || d.resends ELSE '' END)
               ORDER BY d.id LIMIT $2"#,
            seconds(rules.stalled_after_ms),
            DELIVERIES_AT_ONCE,
        )
        .fetch_all(&self.pool)
        .await?;
        let expected = |run| Expected { work: OpenWork::Delivery(run), is_stalled: false };
        Ok(rows.into_iter().map(expected).collect())
    }

    /// Has an order's workflow started where it is lost, and woken where it is asleep. Nothing moves in the database: the
    /// workflow goes on from where the order stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when it has come
    /// to its end.
    #[boxed]
    pub async fn wake_order(&self, order: OrderId, origin: &Origin) -> Result<WokenOrder> {
        let mut tx = self.pool.begin().await?;
        let standing = sqlx::query!(
            r#"SELECT status AS "status: OrderStatus",
                      EXISTS (SELECT FROM outbox m WHERE m.workflow_id = $2 AND m.kind = 'wake_order'
                              AND m.dispatched_at IS NULL AND m.dead_at IS NULL) AS "is_woken!"
               FROM orders WHERE id = $1 FOR NO KEY UPDATE"#,
            order.0,
            order_workflow_id(order),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("order"))?;
        let is_paid = match standing.status {
            OrderStatus::PendingPayment => false,
            OrderStatus::Paid | OrderStatus::Provisioning | OrderStatus::ProvisioningFailed => true,
            over => return Err(StoreError::Conflict { object: Object::Order, state: over.to_string() }),
        };
        if standing.is_woken {
            return Ok(WokenOrder { status: standing.status, is_new: false });
        }
        outbox::enqueue(&mut tx, &Message::WakeOrder { order_id: order, is_paid }).await?;
        sqlx::query!("UPDATE orders SET woken_at = now() WHERE id = $1", order.0).execute(&mut *tx).await?;
        record(&mut tx, OpenWork::Order(order), order.0, standing.status.as_str(), origin).await?;
        tx.commit().await?;
        Ok(WokenOrder { status: standing.status, is_new: true })
    }

    /// The same of a server's workflow, which then looks for what is to be done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server, [`StoreError::Conflict`] naming its status when it is gone,
    /// or being made by its order's workflow.
    #[boxed]
    pub async fn wake_instance(&self, instance: InstanceId, origin: &Origin) -> Result<InstanceStatus> {
        let mut tx = self.pool.begin().await?;
        let standing = sqlx::query!(
            r#"SELECT status AS "status: InstanceStatus",
                      EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id
                              AND a.status IN ('pending', 'in_progress')) AS "is_asked_for!"
               FROM instances s WHERE id = $1 FOR NO KEY UPDATE"#,
            instance.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("instance"))?;
        match standing.status {
            InstanceStatus::Active | InstanceStatus::Suspended | InstanceStatus::Terminating => {}
            InstanceStatus::Provisioning if standing.is_asked_for => {}
            status => {
                return Err(StoreError::Conflict { object: Object::Instance, state: status.to_string() });
            }
        }
        outbox::enqueue(&mut tx, &Message::ActionRequested { instance_id: instance }).await?;
        sqlx::query!("UPDATE instances SET woken_at = now() WHERE id = $1", instance.0)
            .execute(&mut *tx)
            .await?;
        record(&mut tx, OpenWork::Instance(instance), instance.0, standing.status.as_str(), origin).await?;
        tx.commit().await?;
        Ok(standing.status)
    }

    /// Has everything of `lost` started or woken, and tells administrators, once an hour. Answers how many that were:
    /// what ended meanwhile is left alone.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; what was begun by then stays.
    #[boxed]
    pub async fn wake_lost(&self, lost: &[OpenWork], refund: RefundPolicy) -> Result<usize> {
        let origin = Origin::system();
        let mut woken = Vec::with_capacity(lost.len());
        for work in lost {
            let outcome = match *work {
                OpenWork::Order(order) => self.wake_order(order, &origin).await.map(drop),
                OpenWork::Instance(instance) => self.wake_instance(instance, &origin).await.map(drop),
                OpenWork::Refund(id) => self.begin_refund_again(id, refund, &origin).await,
                OpenWork::Delivery(run) => self.begin_delivery_again(run.delivery_id, &origin).await,
            };
            match outcome {
                Ok(()) => woken.push(*work),
                Err(StoreError::Conflict { .. } | StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        // Messages are no news by themselves: where they were lost, orders or servers were, too.
        let news: Vec<OpenWork> =
            woken.iter().copied().filter(|work| !matches!(work, OpenWork::Delivery(_))).collect();
        if !news.is_empty() {
            self.tell_of_lost(&news).await?;
        }
        Ok(woken.len())
    }

    async fn begin_refund_again(
        &self,
        refund: RefundId,
        policy: RefundPolicy,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let status = sqlx::query_scalar!(
            "UPDATE refunds SET woken_at = now() WHERE id = $1 AND status IN ('REQUESTED', 'SENT') RETURNING status",
            refund.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("refund"))?;
        outbox::enqueue(&mut tx, &Message::StartRefund(RefundStart { refund_id: refund, policy })).await?;
        record(&mut tx, OpenWork::Refund(refund), refund.0, &status, origin).await?;
        Ok(tx.commit().await?)
    }

    async fn begin_delivery_again(&self, delivery: DeliveryId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let open = sqlx::query!(
            r#"SELECT d.channel AS "channel: DeliveryChannel", d.state, d.resends, c.policy
               FROM notification_deliveries d
               JOIN delivery_channels c ON c.channel = d.channel
               WHERE d.id = $1 AND d.state IN ('PENDING', 'SENDING') FOR NO KEY UPDATE OF d"#,
            delivery.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("delivery"))?;
        let policy = serde_json::from_value(open.policy)?;
        let start =
            DeliveryStart { delivery_id: delivery, channel: open.channel, policy, resends: open.resends };
        outbox::enqueue(&mut tx, &Message::StartDelivery(start)).await?;
        record(&mut tx, OpenWork::Delivery(start.run()), delivery.0, &open.state, origin).await?;
        Ok(tx.commit().await?)
    }

    async fn tell_of_lost(&self, woken: &[OpenWork]) -> Result<()> {
        let count = |kind: &str| woken.iter().filter(|work| work.kind() == kind).count();
        let (orders, instances, refunds) = (count("order"), count("instance"), count("refund"));
        let mut tx = self.pool.begin().await?;
        let hour = sqlx::query_scalar!(r#"SELECT to_char(now(), 'YYYYMMDDHH24') AS "hour!""#)
            .fetch_one(&mut *tx)
            .await?;
        let restarted = WorkflowsRestarted {
            orders,
            instances,
            refunds,
            first: woken.first().map(|work| work.workflow_id()).unwrap_or_default(),
            hour,
        };
        Entry::of(restarted).tell_administrators(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}

async fn record(
    tx: &mut PgConnection,
    work: OpenWork,
    id: uuid::Uuid,
    status: &str,
    origin: &Origin,
) -> Result<()> {
    let action = match work {
        OpenWork::Order(_) => "order.wake",
        OpenWork::Instance(_) => "instance.wake",
        OpenWork::Refund(_) => "refund.wake",
        OpenWork::Delivery(_) => "delivery.wake",
    };
    let act = AuditEntry {
        action,
        object_kind: work.kind(),
        object_id: Some(id),
        before: None,
        after: Some(json!({ "status": status })),
    };
    audit::record(tx, origin, &act).await
}

#[allow(clippy::cast_precision_loss, reason = "a time to the millisecond is precise enough")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
