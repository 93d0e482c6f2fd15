//! Getting a server for a paid order: each method is one step that may run twice.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId, UserId},
    instance::PowerState,
    notification::NotificationKind,
    order::{OrderStatus, Transition},
    outbox::{InstanceStart, Message},
    provisioning::FailureClass,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError, new_id,
    notifications::{self, Notice},
    outbox,
    timeline::{self, Step, StepStatus},
    transition,
};

/// What became of the wish to begin provisioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedProvisioning {
    /// The order's status now; anything but `PROVISIONING` means there is nothing to do.
    pub status: OrderStatus,
    /// The server's id, once there is one.
    pub instance_id: Option<InstanceId>,
    /// Which try this is: 1 plus the failures so far.
    pub try_number: i64,
}

/// Everything the provider must be told, and how far earlier tries came.
#[derive(Debug, Clone)]
pub struct ProvisioningJob {
    /// The order's status now.
    pub status: OrderStatus,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of the server, once a create or a look-up told it.
    pub provider_instance_id: Option<String>,
    /// When a create was last sent whose outcome is not known.
    pub create_sent_at: Option<DateTime<Utc>>,
    /// Counts creates; whoever sends one must name the count it saw.
    pub create_fence: i32,
    /// Host name of the machine.
    pub hostname: String,
    /// The provider's slug of the size.
    pub size: String,
    /// The provider's slug of the region.
    pub region: String,
    /// The provider's slug of the image.
    pub image: String,
    /// SSH public keys for root.
    pub ssh_keys: Vec<String>,
}

/// Why a try ended for good.
#[derive(Debug, Clone)]
pub struct ProvisioningFailure {
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words.
    pub message: String,
}

/// The latest trouble with the provider, for admins.
#[derive(Debug, Clone)]
pub struct ProviderTrouble {
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words.
    pub message: String,
    /// The provider's error code.
    pub code: Option<String>,
    /// The provider's request id.
    pub request_id: Option<String>,
}

impl Store {
    /// Moves a paid order to `PROVISIONING` and gives it its server's record. An order that is provisioning already
    /// (a retry, a second run of this step) only has its task marked as in progress.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    pub async fn start_provisioning(&self, order: OrderId) -> Result<StartedProvisioning> {
        let mut tx = self.pool.begin().await?;
        let started = transition::apply(&mut tx, order, Transition::StartProvisioning).await?;
        let status = order_status(&mut tx, order).await?;
        if status != OrderStatus::Provisioning {
            let instance_id = instance_of(&mut tx, order).await?;
            return Ok(StartedProvisioning {
                status,
                instance_id,
                try_number: next_try(&mut tx, order).await?,
            });
        }
        let instance_id = ensure_instance(&mut tx, order).await?;
        sqlx::query!(
            "UPDATE provisioning_tasks SET status = 'IN_PROGRESS', instance_id = $2, updated_at = now() WHERE order_id = $1",
            order.0,
            instance_id.0,
        )
        .execute(&mut *tx)
        .await?;
        if started {
            let step = Step::done("provisioning_started", "Your server is being set up.");
            timeline::record(&mut tx, order, &step).await?;
        }
        let try_number = next_try(&mut tx, order).await?;
        tx.commit().await?;
        Ok(StartedProvisioning { status, instance_id: Some(instance_id), try_number })
    }

    /// What is to be created, and how far it got.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the order has no server's record yet, or its image is not offered there.
    pub async fn provisioning_job(&self, order: OrderId) -> Result<ProvisioningJob> {
        sqlx::query_as!(
            ProvisioningJob,
            r#"SELECT o.status AS "status: OrderStatus", p.slug AS provider, i.provider_instance_id,
                      t.create_sent_at, t.create_fence, o.hostname, l.provider_slug AS size,
                      r.provider_slug AS region, s.provider_slug AS image, o.ssh_keys
               FROM orders o
               JOIN provisioning_tasks t ON t.order_id = o.id
               JOIN instances i ON i.order_id = o.id
               JOIN providers p ON p.id = o.provider_id
               JOIN plans l ON l.id = o.plan_id
               JOIN regions r ON r.id = o.region_id
               JOIN image_sources s ON s.image_id = o.image_id AND s.provider_id = o.provider_id
               WHERE o.id = $1"#,
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("provisioning job"))
    }

    /// Notes that a create is about to be sent. `false` when another worker sent one since `fence` was read, or the
    /// server is known by now: then nothing may be sent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; nothing may be sent then either.
    pub async fn mark_create_sent(&self, order: OrderId, fence: i32) -> Result<bool> {
        let marked = sqlx::query!(
            "UPDATE provisioning_tasks t
             SET create_sent_at = now(), create_fence = create_fence + 1, attempts = attempts + 1, updated_at = now()
             FROM instances i
             WHERE t.order_id = $1 AND t.create_fence = $2 AND i.order_id = t.order_id
               AND i.provider_instance_id IS NULL",
            order.0,
            fence,
        )
        .execute(&self.pool)
        .await?;
        Ok(marked.rows_affected() == 1)
    }

    /// Notes that the create of `fence` certainly had no effect: refused, never sent, or not found after the lag.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the next try then waits out the listing lag first.
    pub async fn clear_create_sent(&self, order: OrderId, fence: i32) -> Result<()> {
        sqlx::query!(
            "UPDATE provisioning_tasks SET create_sent_at = NULL, updated_at = now()
             WHERE order_id = $1 AND create_fence = $2",
            order.0,
            fence,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ties the provider's server to the order, once and for ever: the first id wins, and no server serves two orders.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the order has another server already or the server another order.
    pub async fn save_server(&self, order: OrderId, provider_instance_id: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let saved = sqlx::query!(
            "UPDATE instances SET provider_instance_id = $2, updated_at = now()
             WHERE order_id = $1 AND (provider_instance_id IS NULL OR provider_instance_id = $2)",
            order.0,
            provider_instance_id,
        )
        .execute(&mut *tx)
        .await;
        match saved.map_err(StoreError::from) {
            Ok(done) if done.rows_affected() == 1 => {}
            Ok(_) => return Err(taken("the order has another server")),
            Err(StoreError::Taken { .. }) => return Err(taken("the server belongs to another order")),
            Err(error) => return Err(error),
        }
        let detail = json!({ "provider_instance_id": provider_instance_id });
        let step =
            Step { detail, ..Step::done("server_created", "Your server was created and is starting.") };
        timeline::record(&mut tx, order, &step).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Unties a server that the provider confirmed is gone, so that another try may create one.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn forget_server(&self, order: OrderId, provider_instance_id: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let forgotten = sqlx::query!(
            "UPDATE instances SET provider_instance_id = NULL, ipv4 = NULL, ipv6 = NULL, updated_at = now()
             WHERE order_id = $1 AND provider_instance_id = $2 AND status = 'PROVISIONING'",
            order.0,
            provider_instance_id,
        )
        .execute(&mut *tx)
        .await?;
        if forgotten.rows_affected() == 1 {
            sqlx::query!(
                "UPDATE provisioning_tasks SET create_sent_at = NULL, updated_at = now() WHERE order_id = $1",
                order.0,
            )
            .execute(&mut *tx)
            .await?;
            let key = format!("server_lost/{provider_instance_id}");
            let step = Step {
                key: &key,
                status: StepStatus::Failed,
                detail: json!({ "provider_instance_id": provider_instance_id }),
                ..Step::done("server_lost", "The server did not come up.")
            };
            timeline::record(&mut tx, order, &step).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Saves where the running server is reached.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn save_address(
        &self,
        order: OrderId,
        ipv4: Option<String>,
        ipv6: Option<String>,
        power: PowerState,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE instances SET ipv4 = $2, ipv6 = $3, power_state = $4, updated_at = now() WHERE order_id = $1",
            order.0,
            ipv4,
            ipv6,
            power.as_str(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps the latest trouble with the provider where admins see it, while retries go on.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn note_provider_trouble(&self, order: OrderId, trouble: &ProviderTrouble) -> Result<()> {
        sqlx::query!(
            "UPDATE provisioning_tasks SET last_error_class = $2, last_error = $3, last_error_code = $4,
                    provider_request_id = $5, updated_at = now() WHERE order_id = $1",
            order.0,
            trouble.class.as_str(),
            trouble.message,
            trouble.code,
            trouble.request_id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Makes the order `ACTIVE`: the term begins, the customer is told, and the server's own workflow is started
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
        let server = sqlx::query!(
            r#"UPDATE instances i
               SET status = 'ACTIVE', starts_at = now(), expires_at = now() + make_interval(months => o.term_months),
                   auto_renew = o.auto_renew, updated_at = now()
               FROM orders o WHERE o.id = i.order_id AND o.id = $1
               RETURNING i.id, i.user_id, i.name, i.expires_at AS "expires_at!""#,
            order.0,
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
        let start = outbox::order_start(&mut tx, order).await?;
        let message = Message::StartInstance(InstanceStart {
            instance_id: server.id.into(),
            order_id: order,
            customer_id: start.customer_id,
            provider: start.provider,
            plan_slug: start.plan_slug,
            expires_at_ms: u64::try_from(server.expires_at.timestamp_millis()).unwrap_or_default(),
        });
        outbox::enqueue(&mut tx, &message).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a try in `PROVISIONING_FAILED`, with the reason for admins and a word to the customer. Doing it again
    /// changes nothing, also when an admin has begun the next try meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn fail_provisioning(
        &self,
        order: OrderId,
        try_number: i64,
        failure: &ProvisioningFailure,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT id FROM orders WHERE id = $1 FOR UPDATE", order.0).fetch_one(&mut *tx).await?;
        if next_try(&mut tx, order).await? != try_number
            || !transition::fail(&mut tx, order, failure.class.as_str(), &failure.message).await?
        {
            return Ok(());
        }
        // The code and request id that the provider's step noted with this very message stay.
        let noted = sqlx::query!(
            "UPDATE provisioning_tasks SET status = 'FAILED', last_error_class = $2, last_error = $3, updated_at = now(),
                    last_error_code = CASE WHEN last_error = $3 THEN last_error_code END,
                    provider_request_id = CASE WHEN last_error = $3 THEN provider_request_id END
             WHERE order_id = $1 RETURNING last_error_code, provider_request_id",
            order.0,
            failure.class.as_str(),
            failure.message,
        )
        .fetch_one(&mut *tx)
        .await?;
        let event = format!("provisioning_failed/{try_number}");
        let step = Step {
            key: &event,
            step: "provisioning_failed",
            status: StepStatus::Failed,
            message: "We could not set up your server yet. Our team has been told and is looking into it.",
            detail: json!({ "class": failure.class, "message": failure.message, "code": noted.last_error_code,
                            "provider_request_id": noted.provider_request_id }),
        };
        timeline::record(&mut tx, order, &step).await?;
        tell_of_failure(&mut tx, order, &event, failure).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes that a server's paid term is over. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    pub async fn note_term_end(&self, instance: InstanceId) -> Result<()> {
        let noted = sqlx::query!(
            "UPDATE instances SET term_ended_at = coalesce(term_ended_at, now()), updated_at = now() WHERE id = $1",
            instance.0,
        )
        .execute(&self.pool)
        .await?;
        if noted.rows_affected() == 0 { Err(StoreError::NotFound("instance")) } else { Ok(()) }
    }
}

fn taken(state: &str) -> StoreError {
    StoreError::Conflict { object: "server", state: format!("not free: {state}") }
}

/// The order's status within the caller's transaction.
pub(crate) async fn order_status(tx: &mut PgConnection, order: OrderId) -> Result<OrderStatus> {
    sqlx::query_scalar!(r#"SELECT status AS "status: OrderStatus" FROM orders WHERE id = $1"#, order.0)
        .fetch_optional(tx)
        .await?
        .ok_or(StoreError::NotFound("order"))
}

async fn instance_of(tx: &mut PgConnection, order: OrderId) -> Result<Option<InstanceId>> {
    let id = sqlx::query_scalar!("SELECT id FROM instances WHERE order_id = $1", order.0)
        .fetch_optional(tx)
        .await?;
    Ok(id.map(InstanceId))
}

/// 1 plus the failures the order's timeline tells of.
async fn next_try(tx: &mut PgConnection, order: OrderId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) + 1 AS "n!" FROM order_timeline WHERE order_id = $1 AND step = 'provisioning_failed'"#,
        order.0,
    )
    .fetch_one(tx)
    .await?)
}

async fn ensure_instance(tx: &mut PgConnection, order: OrderId) -> Result<InstanceId> {
    let id: InstanceId = new_id();
    sqlx::query!(
        "INSERT INTO instances (id, order_id, user_id, provider_id, plan_id, region_id, image_id, name, hostname, status)
         SELECT $2, id, user_id, provider_id, plan_id, region_id, image_id, hostname, hostname, 'PROVISIONING'
         FROM orders WHERE id = $1 ON CONFLICT (order_id) DO NOTHING",
        order.0,
        id.0,
    )
    .execute(&mut *tx)
    .await?;
    instance_of(tx, order).await?.ok_or(StoreError::NotFound("instance"))
}

async fn tell_of_failure(
    tx: &mut PgConnection,
    order: OrderId,
    event: &str,
    failure: &ProvisioningFailure,
) -> Result<()> {
    let people = sqlx::query!(
        r#"SELECT u.id, (u.id = o.user_id) AS "is_customer!" FROM orders o
           JOIN users u ON u.id = o.user_id OR u.role IN ('admin', 'superadmin') WHERE o.id = $1"#,
        order.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    let key = format!("order/{order}/{event}");
    for person in people {
        let (message, url) = if person.is_customer {
            (
                "We could not set up your server yet. Our team is looking into it.".to_owned(),
                format!("/orders/{order}"),
            )
        } else {
            (format!("{}: {}", failure.class, failure.message), format!("/admin/orders/{order}"))
        };
        let notice = Notice {
            kind: NotificationKind::ProvisioningFailed,
            title: "A server could not be set up",
            message: &message,
            action_url: Some(&url),
            metadata: json!({ "order_id": order, "class": failure.class }),
            dedupe_key: &key,
        };
        notifications::notify(tx, UserId(person.id), &notice).await?;
    }
    Ok(())
}
