//! The end of a try that went well: the server is the customer's.

use chrono::{DateTime, Utc};
use domain::{
    ids::OrderId,
    notification::NotificationKind,
    order::{OrderStatus, Transition},
    outbox::Message,
    term::{self, AnchorDay},
};
use serde_json::json;
use sqlx::PgConnection;

use super::order_status;
use crate::{
    Result, Store, StoreError, instances,
    notifications::{self, Notice},
    outbox, payments,
    timeline::{self, Step},
    transition,
};

impl Store {
    /// Makes the order `ACTIVE`: the term begins, what was set aside of the balance is taken, the customer is told, and the server's own workflow is started
    /// through the outbox. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the order is not provisioning and not active.
    pub async fn activate_order(&self, order: OrderId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        if !transition::apply(&mut tx, order, Transition::Activate).await? {
            return match order_status(&mut tx, order).await? {
                OrderStatus::Active => Ok(()),
                status => Err(StoreError::Conflict { object: "order", state: status.to_string() }),
            };
        }
        let term = first_term(&mut tx, order).await?;
        let server = sqlx::query!(
            r#"UPDATE instances i
               SET status = 'ACTIVE', starts_at = $2, expires_at = $3, anchor_day = $4, auto_renew = o.auto_renew,
                   updated_at = now()
               FROM orders o WHERE o.id = i.order_id AND o.id = $1
               RETURNING i.id, i.user_id, i.name"#,
            order.0,
            term.starts_at,
            term.ends_at,
            term.anchor.day(),
        )
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE provisioning_tasks SET status = 'COMPLETED', create_sent_at = NULL, last_error = NULL,
                    last_error_class = NULL, last_error_code = NULL, updated_at = now() WHERE order_id = $1",
            order.0,
        )
        .execute(&mut *tx)
        .await?;
        payments::capture_hold(&mut tx, order).await?;
        timeline::record(&mut tx, order, &Step::done("server_active", "Your server is running.")).await?;
        let url = format!("/instances/{}", server.id);
        let key = format!("order/{order}/active");
        let notice = Notice {
            kind: NotificationKind::VpsActive,
            title: "Your server is running",
            message: &format!("{} is active and ready to use.", server.name),
            action_url: Some(&url),
            metadata: json!({ "order_id": order, "instance_id": server.id }),
            dedupe_key: &key,
        };
        notifications::notify(&mut tx, server.user_id.into(), &notice).await?;
        let start = instances::instance_start(&mut tx, server.id.into()).await?;
        let message = Message::StartInstance(start);
        outbox::enqueue(&mut tx, &message).await?;
        tx.commit().await?;
        Ok(())
    }
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
