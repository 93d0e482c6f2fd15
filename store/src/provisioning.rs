//! Getting a server for a paid order: each method is one step that may run twice.

mod activate;
mod failover;
mod failure;
mod networks;
mod waiting;
mod watch;

use std::time::Duration;

use domain::{
    event::{ProvisioningStarted, ServerCreated, ServerLost},
    ids::{InstanceId, OrderId, UserId},
    instance::PowerState,
    order::{OrderStatus, Transition},
    policy::OrderPolicy,
    user_data::UserData,
};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;

pub use activate::Activation;
pub(crate) use activate::begin_term;
pub use failover::Moved;
pub use failure::{ProviderTrouble, ProvisioningFailure};
pub use waiting::Wanted;

use crate::{
    Elapsed, Object, Result, Store, StoreError, boxed, events::Entry, new_id, placements, transition,
};

/// What became of the wish to begin provisioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedProvisioning {
    /// The order's status now; anything but `PROVISIONING` means there is nothing to do.
    pub status: OrderStatus,
    /// The server's id, once there is one.
    pub instance_id: Option<InstanceId>,
    /// Which try this is: 1 plus the failures and failovers so far.
    pub try_number: i64,
    /// Slug of the provider the server is to be bought from, which need not be the one ordered from.
    pub provider: String,
    /// Slug of the plan it is to be bought as.
    pub plan: String,
    /// Why nothing is provisioned there for now.
    pub paused: Option<String>,
}

/// Everything the provider must be told, and how far earlier tries came.
#[derive(Debug, Clone)]
pub struct ProvisioningJob {
    /// The order's status now.
    pub status: OrderStatus,
    /// Whose server it is to be.
    pub customer: UserId,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of the server, once a create or a look-up told it.
    pub provider_instance_id: Option<String>,
    /// How long ago a create was last sent whose outcome is not known.
    pub create_sent_ago: Option<Elapsed>,
    /// The provider's id of a server that staff want replaced.
    pub replace_server: Option<String>,
    /// How long ago the order's server became known.
    pub server_known_ago: Option<Elapsed>,
    /// How long a server may take to come up before that is told.
    pub ready_patience: Duration,
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
    /// Root's password: always the same for an order. `None` with SSH keys, and once the server is known.
    pub root_password: Option<SecretString>,
    /// What its owner wants it told at its first boot; read only while it is to be made.
    pub user_data: Option<UserData>,
}

impl ProvisioningJob {
    /// How long its server may still take to come up before that is told.
    #[must_use]
    pub fn patience_left(&self) -> Duration {
        match self.server_known_ago {
            Some(known) => known.left_of(self.ready_patience).unwrap_or_default(),
            None => self.ready_patience,
        }
    }
}

impl Store {
    /// Moves a paid order to `PROVISIONING` and gives it its server's record. An order that is provisioning already
    /// (a retry, a second run of this step) only has its task marked as in progress.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn start_provisioning(&self, order: OrderId) -> Result<StartedProvisioning> {
        let mut tx = self.pool.begin().await?;
        let started = transition::apply(&mut tx, order, Transition::StartProvisioning).await?;
        let status = order_status(&mut tx, order).await?;
        let place = placements::current(&mut tx, order).await?;
        let mut begun = StartedProvisioning {
            status,
            instance_id: None,
            try_number: next_try(&mut tx, order).await?,
            provider: place.provider,
            plan: place.plan,
            paused: None,
        };
        if status != OrderStatus::Provisioning {
            begun.instance_id = instance_of(&mut tx, order).await?;
            return Ok(begun);
        }
        placements::ensure_first(&mut tx, order).await?;
        let instance_id = ensure_instance(&mut tx, order).await?;
        sqlx::query!(
            "UPDATE provisioning_tasks SET status = 'IN_PROGRESS', instance_id = $2, updated_at = now() WHERE order_id = $1",
            order.0,
            instance_id.0,
        )
        .execute(&mut *tx)
        .await?;
        if started {
            Entry::of(ProvisioningStarted { order_id: order }).record(&mut tx).await?;
        }
        tx.commit().await?;
        let paused = self.pause_of(&begun.provider).await?.map(|pause| pause.reason);
        Ok(StartedProvisioning { instance_id: Some(instance_id), paused, ..begun })
    }

    /// What is to be created, and how far it got. Where there is neither a server yet nor an SSH key, the server's
    /// root password is made here, once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the order has no server's record yet, or its image is not offered there;
    /// [`StoreError::Credentials`] when a password is needed and this process can't make or open it.
    #[boxed]
    pub async fn provisioning_job(&self, order: OrderId) -> Result<ProvisioningJob> {
        let row = sqlx::query!(
            r#"SELECT o.status AS "status: OrderStatus", o.user_id AS "customer: UserId", p.slug AS provider,
                      i.id AS "instance_id: InstanceId", i.provider_instance_id, t.create_fence, o.hostname, l.provider_slug AS size,
                      extract(epoch FROM now() - t.create_sent_at)::float8 AS "create_sent_ago?: Elapsed",
                      extract(epoch FROM now() - t.server_known_at)::float8 AS "server_known_ago?: Elapsed",
                      t.replace_server, (o.policy -> 'ready_patience_ms')::bigint AS ready_patience_ms,
                      r.provider_slug AS region, s.provider_slug AS image, o.ssh_keys,
                      EXISTS (SELECT FROM order_user_data d WHERE d.order_id = o.id) AS "has_user_data!"
               FROM orders o
               JOIN current_placements c ON c.order_id = o.id
               JOIN provisioning_tasks t ON t.order_id = o.id
               JOIN instances i ON i.order_id = o.id
               JOIN providers p ON p.id = c.provider_id
               JOIN plans l ON l.id = c.plan_id
               JOIN regions r ON r.id = c.region_id
               JOIN image_sources s ON s.image_id = c.image_id AND s.provider_id = c.provider_id
               WHERE o.id = $1"#,
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("provisioning job"))?;
        let is_to_be_made = row.status == OrderStatus::Provisioning && row.provider_instance_id.is_none();
        let root_password = match is_to_be_made && row.ssh_keys.is_empty() {
            true => Some(self.ensure_root_password(row.instance_id).await?),
            false => None,
        };
        let user_data = match is_to_be_made && row.has_user_data {
            true => self.user_data_of(order).await?,
            false => None,
        };
        Ok(ProvisioningJob {
            status: row.status,
            customer: row.customer,
            provider: row.provider,
            provider_instance_id: row.provider_instance_id,
            create_sent_ago: row.create_sent_ago,
            replace_server: row.replace_server,
            server_known_ago: row.server_known_ago,
            ready_patience: Duration::from_millis(
                row.ready_patience_ms
                    .and_then(|ms| u64::try_from(ms).ok())
                    .unwrap_or(OrderPolicy::default().ready_patience_ms),
            ),
            create_fence: row.create_fence,
            hostname: row.hostname,
            size: row.size,
            region: row.region,
            image: row.image,
            ssh_keys: row.ssh_keys,
            root_password,
            user_data,
        })
    }

    /// Notes that a create is about to be sent. `false` when another worker sent one since `fence` was read, the server is
    /// known by now, the order is not being provisioned any more, or provisioning is paused: then nothing may be sent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; nothing may be sent then either.
    #[boxed]
    pub async fn mark_create_sent(&self, order: OrderId, fence: i32) -> Result<bool> {
        let marked = sqlx::query!(
            "UPDATE provisioning_tasks t
             SET create_sent_at = now(), create_fence = create_fence + 1, attempts = attempts + 1, updated_at = now()
             FROM instances i, orders o
             WHERE t.order_id = $1 AND t.create_fence = $2 AND i.order_id = t.order_id
               AND i.provider_instance_id IS NULL AND o.id = t.order_id AND o.status = 'PROVISIONING'
               AND NOT EXISTS (SELECT FROM provisioning_pauses
                               WHERE scope IN ('*', (SELECT slug FROM providers WHERE id = i.provider_id)))",
            order.0,
            fence,
        )
        .execute(&self.pool)
        .await?;
        Ok(marked.rows_affected() == 1)
    }

    /// Notes that the create of `fence` certainly had no effect: refused or never sent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the next try then waits out the listing lag first.
    #[boxed]
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
    #[boxed]
    pub async fn save_server(&self, order: OrderId, provider_instance_id: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        tie_server(&mut tx, order, provider_instance_id).await?;
        let detail = json!({ "provider_instance_id": provider_instance_id });
        let created =
            ServerCreated { order_id: order, provider_instance_id: provider_instance_id.to_owned() };
        Entry::of(created).detail(detail).record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Unties a server that the provider confirmed is gone, so that another try may create one.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
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
                "UPDATE provisioning_tasks SET create_sent_at = NULL, server_known_at = NULL, updated_at = now()
                 WHERE order_id = $1",
                order.0,
            )
            .execute(&mut *tx)
            .await?;
            let detail = json!({ "provider_instance_id": provider_instance_id });
            let lost = ServerLost { order_id: order, provider_instance_id: provider_instance_id.to_owned() };
            Entry::of(lost).detail(detail).record(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Saves where the running server is reached.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
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

    /// Notes that a server's paid term is over, unless it was renewed meanwhile. Doing it again changes nothing. Whoever
    /// waited for the end may be ahead of the database's clock by a little.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn note_term_end(&self, instance: InstanceId) -> Result<()> {
        let noted = sqlx::query!(
            "UPDATE instances SET updated_at = now(),
                    term_ended_at = CASE WHEN expires_at > now() + interval '1 minute' THEN term_ended_at
                                         ELSE coalesce(term_ended_at, now()) END
             WHERE id = $1",
            instance.0,
        )
        .execute(&self.pool)
        .await?;
        if noted.rows_affected() == 0 { Err(StoreError::NotFound("instance")) } else { Ok(()) }
    }
}

/// Ties a server of the provider to an order: the first id wins, and no server serves two orders.
pub(crate) async fn tie_server(
    tx: &mut PgConnection,
    order: OrderId,
    provider_instance_id: &str,
) -> Result<()> {
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
    sqlx::query!(
        "UPDATE provisioning_tasks SET server_known_at = coalesce(server_known_at, now()) WHERE order_id = $1",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn taken(state: &str) -> StoreError {
    StoreError::Conflict { object: Object::Server, state: format!("not free: {state}") }
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

/// 1 plus the tries that the order's timeline tells the end of: a failure each, or a failover.
async fn next_try(tx: &mut PgConnection, order: OrderId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) + 1 AS "n!" FROM order_timeline 
           WHERE order_id = $1 AND step IN ('provisioning_failed', 'provisioning_moved')"#,
        order.0,
    )
    .fetch_one(tx)
    .await?)
}

async fn ensure_instance(tx: &mut PgConnection, order: OrderId) -> Result<InstanceId> {
    let id: InstanceId = new_id();
    sqlx::query!(
        "INSERT INTO instances (id, order_id, user_id, provider_id, plan_id, region_id, image_id, name, hostname, status)
         SELECT $2, o.id, o.user_id, c.provider_id, c.plan_id, c.region_id, c.image_id, o.hostname, o.hostname,
                'PROVISIONING'
         FROM orders o JOIN current_placements c ON c.order_id = o.id
         WHERE o.id = $1 ON CONFLICT (order_id) DO NOTHING",
        order.0,
        id.0,
    )
    .execute(&mut *tx)
    .await?;
    instance_of(tx, order).await?.ok_or(StoreError::NotFound("instance"))
}
