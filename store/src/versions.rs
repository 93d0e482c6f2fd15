//! Versions of what people change: whoever names the version that they have seen changes nothing that somebody else changed
//! meanwhile.
//!
//! A version is a digest of what can be seen of a thing and changed, so it is made when it is asked for and nothing has to be kept.
//! It is compared in the transaction of the change, with the thing's row locked: of two who saw the same version one wins.

use domain::{
    ids::{InstanceId, InvoiceId, PromoId, UserId},
    life::Process,
};
use sqlx::PgConnection;

use crate::{Result, Store, StoreError, boxed};

/// A thing that has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing<'a> {
    /// An account: its profile, role and standing.
    User(UserId),
    /// By which channels somebody wants to be told of what.
    Preferences(UserId),
    /// A server.
    Instance(InstanceId),
    /// A plan, by slug.
    Plan(&'a str),
    /// A region, by slug.
    Region(&'a str),
    /// An image, by slug.
    Image(&'a str),
    /// A provider, by slug.
    Provider(&'a str),
    /// A term, by its months.
    Term(i32),
    /// A promo code.
    Promo(PromoId),
    /// A bill.
    Invoice(InvoiceId),
    /// A pause of provisioning, by scope.
    Pause(&'a str),
    /// A pause of a part of servers' lives, by scope.
    LifePause(&'a str, Process),
}

/// Under what condition something is to be changed: `If-Match` (RFC 9110 section 13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// However it is.
    #[default]
    Anyhow,
    /// If it is there.
    Exists,
    /// If it is of one of these versions.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Fails unless `thing` is as the condition says. Locks it until the transaction's end.
    ///
    /// # Errors
    /// [`StoreError::VersionDiffers`].
    pub(crate) async fn require(&self, tx: &mut PgConnection, thing: Thing<'_>) -> Result<()> {
        let holds = match self {
            Self::Anyhow => true,
            Self::Exists => locked_version(tx, thing).await?.is_some(),
            Self::OneOf(seen) => locked_version(tx, thing).await?.is_some_and(|is| seen.contains(&is)),
        };
        if holds { Ok(()) } else { Err(StoreError::VersionDiffers) }
    }
}

impl Store {
    /// The version that a thing is of. Ask for it before the thing itself is read: what is seen is then of this version or a later
    /// one, and a change that names it is not taken for one that has seen more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such thing.
    #[boxed]
    pub async fn version<'a>(&'a self, thing: Thing<'a>) -> Result<String> {
        let mut connection = self.pool.acquire().await?;
        version(&mut connection, thing).await?.ok_or(StoreError::NotFound("object"))
    }
}

/// Locks a thing, then looks: what a statement that waited for the lock would see of other rows is older.
async fn locked_version(tx: &mut PgConnection, thing: Thing<'_>) -> Result<Option<String>> {
    let locked = match thing {
        Thing::User(id) | Thing::Preferences(id) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM users WHERE id = $1 FOR NO KEY UPDATE", id.0)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Instance(id) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM instances WHERE id = $1 FOR NO KEY UPDATE", id.0)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Plan(slug) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM plans WHERE slug = $1 FOR NO KEY UPDATE", slug)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Region(slug) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM regions WHERE slug = $1 FOR NO KEY UPDATE", slug)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Image(slug) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM images WHERE slug = $1 FOR NO KEY UPDATE", slug)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Provider(slug) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM providers WHERE slug = $1 FOR NO KEY UPDATE", slug)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Term(months) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM terms WHERE months = $1 FOR NO KEY UPDATE", months)
                .fetch_optional(&mut *tx)
                .await?
        }
        // As whoever changes a code locks it: the strongest from the first on.
        Thing::Promo(id) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM promos WHERE id = $1 FOR UPDATE", id.0)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Invoice(id) => {
            sqlx::query_scalar!("SELECT 1 AS \"one!\" FROM invoices WHERE id = $1 FOR NO KEY UPDATE", id.0)
                .fetch_optional(&mut *tx)
                .await?
        }
        Thing::Pause(scope) => {
            sqlx::query_scalar!(
                "SELECT 1 AS \"one!\" FROM provisioning_pauses WHERE scope = $1 FOR NO KEY UPDATE",
                scope
            )
            .fetch_optional(&mut *tx)
            .await?
        }
        Thing::LifePause(scope, process) => {
            sqlx::query_scalar!(
                "SELECT 1 AS \"one!\" FROM life_pauses WHERE scope = $1 AND process = $2 FOR NO KEY UPDATE",
                scope,
                process.as_str(),
            )
            .fetch_optional(&mut *tx)
            .await?
        }
    };
    match locked {
        Some(_) => version(tx, thing).await,
        None => Ok(None),
    }
}

/// One row and column, if the thing is there.
macro_rules! digest {
    ($on:expr, $query:literal, $($key:expr),+) => {
        sqlx::query_scalar!($query, $($key),+).fetch_optional($on).await?
    };
}

async fn version(on: &mut PgConnection, thing: Thing<'_>) -> Result<Option<String>> {
    Ok(match thing {
        Thing::User(id) => digest!(
            on,
            r#"SELECT md5(ROW(email, full_name, language, role, email_verified_at, suspended_at)::text) AS "version!"
               FROM users WHERE id = $1"#,
            id.0
        ),
        Thing::Preferences(id) => digest!(
            on,
            r#"SELECT md5(coalesce(string_agg(concat_ws(' ', type, channel, enabled), ',' ORDER BY type, channel), ''))
                      AS "version!"
               FROM notification_preferences WHERE user_id = $1"#,
            id.0
        ),
        Thing::Instance(id) => digest!(
            on,
            r#"SELECT md5(ROW(name, hostname, tags, status, power_state, ipv4, ipv6, plan_id, image_id, auto_renew, suspended_at,
                              cancels_at_period_end, starts_at, expires_at)::text) AS "version!"
               FROM instances WHERE id = $1"#,
            id.0
        ),
        Thing::Plan(slug) => digest!(
            on,
            r#"SELECT md5(ROW(l.name, l.price_monthly, l.cost_monthly_usd, l.stock_limit, l.final_snapshot_days, l.is_active,
                              l.sort_order, l.unavailable_since,
                              (SELECT string_agg(r.region_id::text, ',' ORDER BY r.region_id) FROM plan_regions r
                               WHERE r.plan_id = l.id))::text) AS "version!"
               FROM plans l WHERE l.slug = $1"#,
            slug
        ),
        Thing::Region(slug) => digest!(
            on,
            r#"SELECT md5(ROW(name, is_active, sort_order)::text) AS "version!" FROM regions WHERE slug = $1"#,
            slug
        ),
        Thing::Image(slug) => digest!(
            on,
            r#"SELECT md5(ROW(name, is_active, sort_order)::text) AS "version!" FROM images WHERE slug = $1"#,
            slug
        ),
        Thing::Provider(slug) => digest!(
            on,
            r#"SELECT md5(ROW(name, is_active)::text) AS "version!" FROM providers WHERE slug = $1"#,
            slug
        ),
        Thing::Term(months) => digest!(
            on,
            r#"SELECT md5(ROW(discount_bp, is_active)::text) AS "version!" FROM terms WHERE months = $1"#,
            months
        ),
        Thing::Promo(id) => digest!(
            on,
            r#"SELECT md5(ROW(code, kind, value, min_amount, max_amount, per_user_limit, global_limit, starts_at, ends_at,
                              is_active)::text) AS "version!"
               FROM promos WHERE id = $1"#,
            id.0
        ),
        Thing::Invoice(id) => digest!(
            on,
            r#"SELECT md5(ROW(i.status, i.number, i.note, i.paid_at,
                              (SELECT string_agg(l::text, ',' ORDER BY l.position) FROM invoice_lines l
                               WHERE l.invoice_id = i.id))::text) AS "version!"
               FROM invoices i WHERE i.id = $1"#,
            id.0
        ),
        Thing::Pause(scope) => digest!(
            on,
            r#"SELECT md5(ROW(reason, paused_at, paused_by)::text) AS "version!" FROM provisioning_pauses WHERE scope = $1"#,
            scope
        ),
        Thing::LifePause(scope, process) => digest!(
            on,
            r#"SELECT md5(ROW(reason, paused_at, paused_by)::text) AS "version!"
               FROM life_pauses WHERE scope = $1 AND process = $2"#,
            scope,
            process.as_str()
        ),
    })
}
