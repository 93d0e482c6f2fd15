//! Staff who look at what a customer sees, in a session in the customer's name: for a while, told to the customer, and each act
//! of it in the audit log with both.

use chrono::{DateTime, Utc};
use domain::{
    event::ImpersonationBegun,
    ids::{SessionId, UserId},
    permission::Permission,
};
use serde_json::json;

use super::users::{UserError, conflict, lock_to_decide};
use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    new_id, sessions,
    users::about,
};

/// Who looks at whose account.
#[derive(Debug, Clone, Copy)]
pub struct Impersonation<'a> {
    /// The customer.
    pub customer: UserId,
    /// Who of the staff.
    pub staff: UserId,
    /// Their own session, with which it ends.
    pub from: SessionId,
    /// For how long, 60 at most.
    pub minutes: u32,
    /// For the audit log.
    pub reason: &'a str,
}

/// A session in a customer's name.
#[derive(Debug, Clone, Copy)]
pub struct Impersonated {
    /// The session.
    pub session: SessionId,
    /// When it ends, if not before.
    pub ends_at: DateTime<Utc>,
}

impl Store {
    /// Opens a session in a customer's name, with an audit row, and tells the customer.
    ///
    /// # Errors
    /// [`UserError::OwnAccount`]; [`UserError::NoCustomer`] of staff; [`UserError::OfStaff`] when `staff` may not (any more);
    /// [`UserError::StaleSession`] when their session has ended, began more than an hour ago, or is itself in somebody's name;
    /// [`StoreError::Conflict`] when the account is suspended.
    #[boxed]
    pub async fn impersonate(
        &self,
        wish: &Impersonation<'_>,
        origin: &Origin,
    ) -> Result<Impersonated, UserError> {
        let mut tx = self.pool.begin().await?;
        let locked = lock_to_decide(&mut tx, wish.customer, wish.staff).await?;
        if locked.role.is_staff() {
            return Err(UserError::NoCustomer);
        }
        if !locked.by_role.may(Permission::AccountsImpersonate) {
            return Err(UserError::OfStaff);
        }
        if locked.is_suspended {
            return Err(conflict("suspended").into());
        }
        let session: SessionId = new_id();
        let opened = sqlx::query!(
            r#"INSERT INTO sessions (id, user_id, impersonated_by, impersonated_from, ends_at)
               SELECT $1, $2, s.user_id, s.id, now() + make_interval(mins => $5) FROM sessions s
               WHERE s.id = $4 AND s.user_id = $3 AND s.revoked_at IS NULL AND s.impersonated_by IS NULL
                 AND s.created_at > now() - interval '1 hour'
               RETURNING created_at, ends_at AS "ends_at!""#,
            session.0,
            wish.customer.0,
            wish.staff.0,
            wish.from.0,
            i32::try_from(wish.minutes).unwrap_or(i32::MAX),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(UserError::StaleSession)?;
        let after = json!({ "session": session, "reason": wish.reason, "ends_at": opened.ends_at });
        let act = AuditEntry { after: Some(after), ..about("user.impersonated", wish.customer) };
        audit::record(&mut tx, origin, &act).await?;
        let ends_at = opened.ends_at;
        let begun = ImpersonationBegun { session_id: session, begun_at: opened.created_at, ends_at };
        Entry::of(begun).tell(&mut tx, wish.customer).await?;
        tx.commit().await?;
        Ok(Impersonated { session, ends_at })
    }

    /// Ends whatever sessions staff have in a customer's name, whoever of them, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    #[boxed]
    pub async fn end_impersonations(&self, customer: UserId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let ended = sqlx::query_scalar!(
            r#"UPDATE sessions SET revoked_at = now()
               WHERE user_id = $1 AND impersonated_by IS NOT NULL AND revoked_at IS NULL AND ends_at > now()
               RETURNING id AS "id: SessionId""#,
            customer.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        if ended.is_empty() {
            return Err(StoreError::NotFound("impersonation"));
        }
        let after = json!({ "sessions": ended });
        let act = AuditEntry { after: Some(after), ..about("user.impersonation_ended", customer) };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes what is asked for in a session in a customer's name, before it is done, or that it was refused. `operation` is its
    /// method and path as the API's document has them, `path` the path as it was asked for.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; what is not noted is not to be done.
    #[boxed]
    pub async fn note_impersonated(
        &self,
        session: SessionId,
        operation: &str,
        path: &str,
        is_refused: bool,
        origin: &Origin,
    ) -> Result<()> {
        let action = if is_refused { "impersonation.refused" } else { "impersonation.used" };
        let after = json!({ "operation": operation, "path": path });
        let act = AuditEntry { after: Some(after), ..sessions::on_session(action, session) };
        let mut tx = self.pool.begin().await?;
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(())
    }
}
