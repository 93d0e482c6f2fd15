//! Accounts.

use chrono::{DateTime, Utc};
use domain::{email::EmailKey, ids::UserId, locale::TimeZone, role::Role};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id,
    versions::{IfMatch, Thing},
};

/// A person with an account.
#[derive(Debug, Clone)]
pub struct User {
    /// Identifies them.
    pub id: UserId,
    /// As they wrote it; unique by its [`EmailKey`].
    pub email: String,
    /// How to address them.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// `id` or `en`.
    pub language: String,
    /// The clock that they are told times by.
    pub time_zone: TimeZone,
    /// When the address was proven.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// When the account was suspended, if it is.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// What a login is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose they are.
    pub user: User,
    /// PHC string.
    pub password_hash: String,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique by its [`EmailKey`].
    pub email: String,
    /// How to address them.
    pub full_name: String,
    /// PHC string.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// Whether the address counts as proven from the start.
    pub email_verified: bool,
}

/// What to change of a profile; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// How to address them.
    pub full_name: Option<String>,
    /// `id` or `en`.
    pub language: Option<String>,
    /// The clock that they are told times by.
    pub time_zone: Option<TimeZone>,
}

/// The unique index behind [`StoreError::Taken`] when an email address has an account.
pub const EMAIL_CONSTRAINT: &str = "users_email_key";

impl Store {
    /// Makes an account, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::Taken`] with [`EMAIL_CONSTRAINT`] when the address has an account.
    #[boxed]
    pub async fn create_user(&self, new: &NewUser, origin: &Origin) -> Result<User> {
        let mut tx = self.pool.begin().await?;
        let user = insert(&mut tx, new_id(), new, origin).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// One account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none by that id.
    #[boxed]
    pub async fn user(&self, id: UserId) -> Result<User> {
        sqlx::query_as!(
            User,
            r#"SELECT id AS "id: UserId", email, full_name, role AS "role: Role", language, time_zone AS "time_zone: TimeZone", email_verified_at,
                      suspended_at, created_at
               FROM users WHERE id = $1"#,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("user"))
    }

    /// The account of an email address, with what its login is checked against.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn credentials(&self, email: &EmailKey) -> Result<Option<Credentials>> {
        let row = sqlx::query!(
            r#"SELECT id AS "id: UserId", email, full_name, role AS "role: Role", language, time_zone AS "time_zone: TimeZone", email_verified_at,
                      suspended_at, created_at, password_hash
               FROM users WHERE email_key = $1"#,
            email.as_str(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Credentials {
            password_hash: row.password_hash,
            user: User {
                id: row.id,
                email: row.email,
                full_name: row.full_name,
                role: row.role,
                language: row.language,
                time_zone: row.time_zone,
                email_verified_at: row.email_verified_at,
                suspended_at: row.suspended_at,
                created_at: row.created_at,
            },
        }))
    }

    /// Changes a profile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account.
    #[boxed]
    pub async fn update_profile(
        &self,
        id: UserId,
        change: &ProfileChange,
        condition: &IfMatch,
    ) -> Result<User> {
        let mut tx = self.pool.begin().await?;
        condition.require(&mut tx, Thing::User(id)).await?;
        let user = sqlx::query_as!(
            User,
            r#"UPDATE users SET full_name = COALESCE($2, full_name), language = COALESCE($3, language),
                      time_zone = COALESCE($4, time_zone), updated_at = now()
               WHERE id = $1
               RETURNING id AS "id: UserId", email, full_name, role AS "role: Role", language, time_zone AS "time_zone: TimeZone", email_verified_at,
                      suspended_at, created_at"#,
            id.0,
            change.full_name,
            change.language,
            change.time_zone.map(TimeZone::as_str),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("user"))?;
        tx.commit().await?;
        Ok(user)
    }
}

/// Inserts an account and its audit row. A taken address is no error of the database, whose log would show it.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    id: UserId,
    new: &NewUser,
    origin: &Origin,
) -> Result<User> {
    let user = sqlx::query_as!(
        User,
        r#"INSERT INTO users (id, email, full_name, password_hash, role, email_verified_at)
           VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN now() END) ON CONFLICT DO NOTHING
           RETURNING id AS "id: UserId", email, full_name, role AS "role: Role", language, time_zone AS "time_zone: TimeZone", email_verified_at,
                     suspended_at, created_at"#,
        id.0,
        new.email,
        new.full_name,
        new.password_hash,
        new.role.as_str(),
        new.email_verified,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::Taken { constraint: EMAIL_CONSTRAINT.to_owned() })?;
    let act =
        AuditEntry { after: Some(serde_json::json!({ "role": new.role })), ..about("user.created", id) };
    audit::record(tx, origin, &act).await?;
    Ok(user)
}

/// That an address has no account. A taken one is no error of the database, whose log would show it; of two at once the
/// second is.
pub(crate) async fn ensure_free(tx: &mut PgConnection, email: &EmailKey) -> Result<()> {
    let is_taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE email_key = $1) AS "is_taken!""#,
        email.as_str(),
    )
    .fetch_one(tx)
    .await?;
    if is_taken { Err(StoreError::Taken { constraint: EMAIL_CONSTRAINT.to_owned() }) } else { Ok(()) }
}

/// An act upon an account.
pub(crate) fn about(action: &str, user: UserId) -> AuditEntry<'_> {
    AuditEntry { action, object_kind: "user", object_id: Some(user.0), before: None, after: None }
}
