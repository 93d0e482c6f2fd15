//! The end of a try that went well: the server is the customer's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    event::ServerActive,
    ids::OrderId,
    order::{OrderStatus, Transition},
    outbox::Message,
    term::{self, AnchorDay},
};
use sqlx::PgConnection;

use super::order_status;
use crate::{
    Object, Result, Store, StoreError, boxed, events::Entry, instances, outbox, payments, transition,
};

impl Store {
    /// Makes the order `ACTIVE`: the term begins, what was set aside of the balance is taken, the customer is told, and the
    /// server's own workflow is started through the outbox. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the order is not provisioning, not active and not called off.
    #[boxed]
    pub async fn activate_order(&self, order: OrderId) -> Result<Activation> {
        let mut tx = self.pool.begin().await?;
        if !transition::apply(&mut tx, order, Transition::Activate).await? {
            return match order_status(&mut tx, order).await? {
                OrderStatus::Active => Ok(Activation::Before),
                closed @ (OrderStatus::Cancelled | OrderStatus::Refunded) => Ok(Activation::Closed(closed)),
                status => Err(StoreError::Conflict { object: Object::Order, state: status.to_string() }),
            };
        }
        let since_paid = begin_term(&mut tx, order).await?;
        tx.commit().await?;
        Ok(Activation::Now { since_paid })
    }
}

/// What became of the wish to make an order `ACTIVE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// It is from now on.
    Now {
        /// How long it took from the payment.
        since_paid: Option<Duration>,
    },
    /// It was already.
    Before,
    /// Staff called it off or gave the money back just before: its server is being deleted.
    Closed(OrderStatus),
}

/// What follows from an order's becoming `ACTIVE`. Answers with how long that took from the payment.
pub(crate) async fn begin_term(tx: &mut PgConnection, order: OrderId) -> Result<Option<Duration>> {
    let term = first_term(tx, order).await?;
    let server = sqlx::query!(
        r#"UPDATE instances i
           SET status = 'ACTIVE', starts_at = $2, expires_at = $3, anchor_day = $4, auto_renew = o.auto_renew,
               life_policy = (SELECT max(version) FROM life_policies), next_due_at = now(),
               final_snapshot_days = (SELECT l.final_snapshot_days FROM plans l WHERE l.id = i.plan_id),
               updated_at = now()
           FROM orders o WHERE o.id = i.order_id AND o.id = $1
           RETURNING i.id, i.user_id, i.name, extract(epoch FROM now() - o.paid_at)::float8 AS since_paid"#,
        order.0,
        term.starts_at,
        term.ends_at,
        term.anchor.day(),
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE provisioning_tasks SET status = 'COMPLETED', create_sent_at = NULL, replace_server = NULL,
                last_error = NULL, last_error_class = NULL, last_error_code = NULL, updated_at = now()
         WHERE order_id = $1",
        order.0,
    )
    .execute(&mut *tx)
    .await?;
    payments::capture_hold(tx, order).await?;
    let active = ServerActive { order_id: order, instance_id: server.id.into(), name: server.name };
    Entry::of(active).tell(tx, server.user_id.into()).await?;
    let start = instances::instance_start(tx, server.id.into()).await?;
    outbox::enqueue(tx, &Message::StartInstance(start)).await?;
    Ok(server.since_paid.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

struct FirstTerm {
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    anchor: AnchorDay,
}

/// The term that begins now, by the database's clock.
async fn first_term(tx: &mut PgConnection, order: OrderId) -> Result<FirstTerm> {
    let begun =
        sqlx::query!(r#"SELECT now() AS "starts_at!", term_months FROM orders WHERE id = $1"#, order.0)
            .fetch_one(tx)
            .await?;
    let anchor = AnchorDay::of(begun.starts_at);
    let ends_at = term::end(begun.starts_at, begun.term_months.unsigned_abs(), anchor);
    Ok(FirstTerm { starts_at: begun.starts_at, ends_at, anchor })
}
