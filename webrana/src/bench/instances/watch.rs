//! Looking at the fleet while its terms end: how far it is, what is held back, and what became of each server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use domain::{ids::UserId, life::Held};
use sqlx::{Connection, PgConnection};
use store::{audit::Origin, life::ReleaseError};
use tokio::sync::Mutex;
use url::Url;

use super::{address, fleet::Fleet};
use crate::bench::meter::Meter;
use crate::progress::Progress;
use crate::stack::env_file::EnvFile;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Longer than any run.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Looks between two lines that tell how far it is.
const LOOKS_PER_LINE: u32 = 20;

/// The stack's database, and its janitor of payments: the bench has none running, and pays everything it owes.
pub struct Watch {
    database: Mutex<PgConnection>,
    provider: Url,
}

/// What became of all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Further terms that are paid.
    pub renewed: i64,
    /// Of them, servers that had more than one.
    pub renewed_twice: i64,
    /// Servers that are suspended, or were before they went.
    pub suspended: i64,
    /// Servers that are gone.
    pub terminated: i64,
    /// Reminders and other words of a term's end that owners got.
    pub told: i64,
    /// Whole rupiah taken from balances for further terms.
    pub charged: i64,
    /// Servers that are left at the simulators.
    pub at_providers: u64,
}

impl Watch {
    /// Connects.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(env: &EnvFile) -> Result<Self> {
        let database = env.get("DATABASE_URL").context("the stack has no DATABASE_URL")?;
        let database = Mutex::new(PgConnection::connect(database).await?);
        Ok(Self { database, provider: address(env, "SIM_DIGITALOCEAN_URL")? })
    }

    /// Waits until each server is renewed or suspended, letting go what is held back for being too many at once. Answers when.
    ///
    /// # Errors
    /// When that takes longer than an hour.
    pub async fn until_settled(&self, fleet: &Fleet, progress: &Progress) -> Result<Instant> {
        let wanted = i64::try_from(fleet.quarter)?;
        self.until(fleet, Held::Suspend, progress, |counts| {
            counts.renewed >= 3 * wanted && counts.suspended >= wanted
        })
        .await
    }

    /// Waits until the servers that nobody pays for are gone. Answers when.
    ///
    /// # Errors
    /// When that takes longer than an hour.
    pub async fn until_gone(&self, fleet: &Fleet, progress: &Progress) -> Result<Instant> {
        let wanted = i64::try_from(fleet.quarter)?;
        self.until(fleet, Held::Terminate, progress, |counts| counts.terminated >= wanted).await
    }

    async fn until(
        &self,
        fleet: &Fleet,
        step: Held,
        progress: &Progress,
        is_done: impl Fn(&Counts) -> bool,
    ) -> Result<Instant> {
        let (begun, staff) = (Instant::now(), fleet.staff().await?);
        for look in 0.. {
            let counts = self.counts().await?;
            if is_done(&counts) {
                return Ok(Instant::now());
            }
            if look % LOOKS_PER_LINE == 0 {
                let Counts { renewed, suspended, terminated, .. } = counts;
                progress.say(format!("{renewed} renewed, {suspended} suspended, {terminated} gone"));
            }
            if begun.elapsed() > PATIENCE {
                bail!("the fleet did not come to rest: {counts:?}");
            }
            fleet.store().note_payments_checked().await?;
            self.let_go(fleet, step, staff).await?;
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("the loop has no end of its own")
    }

    /// Lets go what is held back beyond the bound of an hour, as staff would: exactly so many as wait.
    async fn let_go(&self, fleet: &Fleet, step: Held, staff: UserId) -> Result<()> {
        let origin = Origin::system();
        match fleet.store().release_held(step, 1, "a bench", staff, &origin).await {
            Ok(_) => Ok(()),
            Err(ReleaseError::OtherNumber { waiting: 0, .. }) => Ok(()),
            Err(ReleaseError::OtherNumber { waiting, .. }) => {
                // More may have come to wait by now: then they are let go with the next look.
                match fleet
                    .store()
                    .release_held(step, i32::try_from(waiting)?, "a bench", staff, &origin)
                    .await
                {
                    Ok(_) | Err(ReleaseError::OtherNumber { .. }) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What became of all servers so far.
    ///
    /// # Errors
    /// When the database or a simulator does not answer.
    pub async fn counts(&self) -> Result<Counts> {
        let mut database = self.database.lock().await;
        let of = async |database: &mut PgConnection, sql: &'static str| -> Result<i64> {
            Ok(sqlx::query_scalar(sql).fetch_one(database).await?)
        };
        let renewed = of(&mut database, "SELECT count(*) FROM renewals WHERE starts_at IS NOT NULL").await?;
        let twice = "SELECT count(*) FROM (SELECT FROM renewals WHERE starts_at IS NOT NULL
                                           GROUP BY instance_id HAVING count(*) > 1) t";
        let renewed_twice = of(&mut database, twice).await?;
        let suspended =
            "SELECT count(*) FROM instance_actions WHERE action = 'suspend' AND status = 'completed'";
        let suspended = of(&mut database, suspended).await?;
        let terminated =
            of(&mut database, "SELECT count(*) FROM instances WHERE status = 'TERMINATED'").await?;
        let told = of(&mut database, "SELECT count(*) FROM life_notices").await?;
        let charged =
            "SELECT coalesce(sum(p.amount), 0)::bigint FROM payments p JOIN renewals r USING (invoice_id)
                       WHERE p.method = 'WALLET' AND p.status = 'PAID'";
        let charged = of(&mut database, charged).await?;
        let at_providers = Meter::new(self.provider.clone())?.servers().await?;
        Ok(Counts { renewed, renewed_twice, suspended, terminated, told, charged, at_providers })
    }
}

impl Counts {
    /// Fails unless each server was renewed or taken exactly once, and exactly that was charged.
    ///
    /// # Errors
    /// Naming what is not so.
    pub fn refuse_unless_exact(&self, fleet: &Fleet, to_the_end: bool) -> Result<()> {
        let quarter = i64::try_from(fleet.quarter)?;
        ensure!(self.renewed == 3 * quarter, "{} terms were renewed, not {}", self.renewed, 3 * quarter);
        ensure!(self.renewed_twice == 0, "{} servers were renewed twice", self.renewed_twice);
        ensure!(self.suspended == quarter, "{} servers were suspended, not {quarter}", self.suspended);
        let due = fleet.price.times(u32::try_from(2 * fleet.quarter)?)?.get();
        ensure!(self.charged == due, "{} was taken from balances, not {due}", self.charged);
        let gone = if to_the_end { quarter } else { 0 };
        ensure!(self.terminated == gone, "{} servers are gone, not {gone}", self.terminated);
        let left = u64::try_from(4 * quarter - gone)?;
        ensure!(
            self.at_providers == left,
            "{} servers are left at the provider, not {left}",
            self.at_providers
        );
        Ok(())
    }
}
