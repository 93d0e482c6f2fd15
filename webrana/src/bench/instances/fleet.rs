//! Servers and whose they are, bought over the API as customers do. Only the end of their terms is moved by hand.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use domain::{
    Rupiah,
    ids::{InstanceId, UserId},
    life::LifePolicy,
    role::Role,
};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{Connection, PgConnection};
use store::{PoolSettings, Store, audit::Origin, users::NewUser};
use url::Url;
use uuid::Uuid;

use super::address;
use crate::bench::{load::closed_loop, samples::Samples};
use crate::demo::customer::{Choice, Customer};
use crate::stack::env_file::EnvFile;

/// Customers who order at once.
const AT_ONCE: usize = 50;
/// Servers of one customer.
const EACH: usize = 25;
/// Reboots one by one, to see how long one takes to reach its provider when nothing else goes on.
const REBOOTS: usize = 40;
/// Between two looks at something that is awaited.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than anything takes that is awaited alone.
const PATIENCE: Duration = Duration::from_secs(120);

/// A customer with their servers.
struct Owner {
    customer: Customer,
    servers: Vec<InstanceId>,
}

/// All servers.
pub struct Fleet {
    store: Store,
    database: String,
    gateway: Url,
    /// Renewed from the balance.
    renewing: Vec<Owner>,
    /// Paid through the gateway, after the end.
    paying: Vec<Owner>,
    /// Paid by nobody.
    leaving: Vec<Owner>,
    /// What a term costs.
    pub price: Rupiah,
    /// A quarter of the servers.
    pub quarter: usize,
}

impl Fleet {
    /// Buys four quarters of servers that live by `rules`.
    ///
    /// # Errors
    /// When the API refuses, or a server does not come up.
    pub async fn buy(env: &EnvFile, quarter: usize, rules: LifePolicy) -> Result<Self> {
        let database = env.get("DATABASE_URL").context("the stack has no DATABASE_URL")?.to_owned();
        let store = Store::connect(&database, &PoolSettings::of(4)).await?;
        let staff = staff(&store).await?;
        store.set_life_rules(&rules, staff, &Origin::system()).await?;
        let (api, gateway) = (address(env, "API_URL")?, address(env, "SIM_MIDTRANS_URL")?);
        let renewing = owners(&api, &gateway, 2 * quarter).await?;
        let paying = owners(&api, &gateway, quarter).await?;
        let leaving = owners(&api, &gateway, quarter).await?;
        let price = renewing.price;
        let fleet = Self {
            store,
            database,
            gateway,
            renewing: renewing.owners,
            paying: paying.owners,
            leaving: leaving.owners,
            price,
            quarter,
        };
        fleet.fill_balances().await?;
        Ok(fleet)
    }

    /// Each of those who renew from the balance has exactly what that takes.
    async fn fill_balances(&self) -> Result<()> {
        let filling = stream::iter(&self.renewing).map(|owner| async {
            let terms = u32::try_from(owner.servers.len())?;
            owner.customer.deposit(&self.gateway, self.price.times(terms)?).await?;
            for server in &owner.servers {
                owner.customer.renew_by_itself(&server.to_string()).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
        filling.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// From a customer's request to the call of its provider, when nothing else goes on.
    ///
    /// # Errors
    /// When a reboot does not come to its end.
    pub async fn action_latency(&self) -> Result<Samples> {
        let owner = self.renewing.first().context("there is no server")?;
        let server = owner.servers.first().context("there is no server")?.to_string();
        let mut asked = Vec::new();
        for _ in 0..REBOOTS {
            let action = owner.customer.act(&server, "reboot").await?;
            let ended = async {
                while owner.customer.action_status(&server, &action).await? != "completed" {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok::<_, anyhow::Error>(())
            };
            tokio::time::timeout(PATIENCE, ended).await.context("a reboot does not end")??;
            asked.push(action.parse::<Uuid>()?);
        }
        let mut database = PgConnection::connect(&self.database).await?;
        let seconds: Vec<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM sent_at - created_at)::float8 FROM instance_actions WHERE id = ANY($1)",
        )
        .bind(&asked)
        .fetch_all(&mut database)
        .await?;
        Ok(seconds.into_iter().map(Duration::from_secs_f64).collect())
    }

    /// Has all terms end, evenly spread over `within`, the first one in `lead`. Answers when that is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_terms(&self, lead: Duration, within: Duration) -> Result<Instant> {
        let mut database = PgConnection::connect(&self.database).await?;
        sqlx::query(
            "UPDATE instances SET expires_at = now() + make_interval(secs => $1)
                    + make_interval(secs => $2) * random()",
        )
        .bind(lead.as_secs_f64())
        .bind(within.as_secs_f64())
        .execute(&mut database)
        .await?;
        let first_end = Instant::now() + lead;
        let origin = Origin::system();
        let all: Vec<InstanceId> = self.all().flat_map(|owner| owner.servers.clone()).collect();
        closed_loop(all.len(), 4, async |number| Ok(self.store.wake_instance(all[number], &origin).await?))
            .await?;
        Ok(first_end)
    }

    /// Those who pay through the gateway do so once their terms are over, `at_once` at a time.
    ///
    /// # Errors
    /// When the API or the gateway refuses.
    pub async fn pay_after_the_end(&self, first_end: Instant, at_once: usize) -> Result<()> {
        tokio::time::sleep_until((first_end + Duration::from_secs(60)).into()).await;
        let wishes =
            self.paying.iter().flat_map(|owner| owner.servers.iter().map(move |server| (owner, server)));
        let paying = stream::iter(wishes)
            .map(|(owner, server)| owner.customer.renew(&self.gateway, server.to_string()));
        paying.buffer_unordered(at_once).try_collect().await
    }

    /// The stack's store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// A member of staff, who lets go what is held back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn staff(&self) -> Result<UserId> {
        staff(&self.store).await
    }

    fn all(&self) -> impl Iterator<Item = &Owner> {
        self.renewing.iter().chain(&self.paying).chain(&self.leaving)
    }
}

struct Bought {
    owners: Vec<Owner>,
    price: Rupiah,
}

/// Registers customers and buys them `wanted` servers together.
async fn owners(api: &Url, gateway: &Url, wanted: usize) -> Result<Bought> {
    let customers = closed_loop(wanted.div_ceil(EACH), 2, |_| Customer::register(api)).await?.outcomes;
    let choice = customers.first().context("there is no customer")?.choose().await?;
    let buying = closed_loop(wanted, AT_ONCE, async |number| {
        let of = number % customers.len();
        Ok((of, buy(&customers[of], &choice, gateway).await?))
    });
    let bought = buying.await?.outcomes;
    let price = bought.first().map_or(Rupiah::ZERO, |(_, (_, total))| *total);
    let servers =
        |of| bought.iter().filter(move |(to, _)| *to == of).map(|(_, (server, _))| *server).collect();
    let owners: Vec<Owner> = customers
        .into_iter()
        .enumerate()
        .map(|(of, customer)| Owner { customer, servers: servers(of) })
        .collect();
    Ok(Bought { owners, price })
}

async fn buy(customer: &Customer, choice: &Choice, gateway: &Url) -> Result<(InstanceId, Rupiah)> {
    let order = customer.order(choice).await?;
    customer.pay(gateway, &order).await?;
    let server = async {
        loop {
            if let Some(server) = customer.order_state(&order).await?.instance_id {
                return Ok::<_, anyhow::Error>(server);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let server = tokio::time::timeout(PATIENCE, server).await.context("a server does not come up")??;
    Ok((server.parse::<Uuid>()?.into(), order.total))
}

/// Somebody of ours.
async fn staff(store: &Store) -> Result<UserId> {
    let new = NewUser {
        email: format!("{}@bench.invalid", Uuid::now_v7().simple()),
        full_name: "Bench".to_owned(),
        password_hash: "none".to_owned(),
        role: Role::Admin,
        email_verified: true,
    };
    Ok(store.create_user(&new, &Origin::system()).await?.id)
}
