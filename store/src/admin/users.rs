//! Accounts as staff see them, and what staff decide about them.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::UserId,
    permission::Permission,
    role::{AccountStatus, Role},
    sorting::UserSort,
};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::search::containing;
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
    second_factor, sessions, throttles,
    users::about,
    versions::{IfMatch, Thing},
};

/// Which accounts are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only those whose address or name has this in it, in any case.
    pub search: Option<String>,
    /// Only those that stand so.
    pub status: Option<AccountStatus>,
    /// Only those of this role.
    pub role: Option<Role>,
}

/// An account in a list.
#[derive(Debug, Clone)]
pub struct UserSummary {
    /// Its id.
    pub id: UserId,
    /// Its address, as it was written.
    pub email: String,
    /// The address as lists are sorted by it.
    pub email_key: String,
    /// Its name.
    pub full_name: String,
    /// What it may do.
    pub role: Role,
    /// `id` or `en`.
    pub language: String,
    /// When the address was proven.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Since when it is suspended.
    pub suspended_at: Option<DateTime<Utc>>,
    /// How many servers it has that are not terminated.
    pub servers: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An account with what is around it.
#[derive(Debug, Clone)]
pub struct UserDetail {
    /// The account.
    pub user: UserSummary,
    /// Why it is suspended.
    pub suspended_why: Option<String>,
    /// Who suspended it.
    pub suspended_by: Option<UserId>,
    /// What it can spend.
    pub wallet: Rupiah,
    /// What is set aside for its orders.
    pub holds: Rupiah,
    /// How many orders it placed.
    pub orders: i64,
    /// How many of its invoices are open.
    pub open_invoices: i64,
    /// How many notes staff wrote about it.
    pub notes: i64,
    /// When it last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Since when its address takes no mail, as the mail server said.
    pub email_undeliverable_since: Option<DateTime<Utc>>,
}

/// Why nothing was decided about an account.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Staff decide about other people's accounts.
    #[error("this is your own account; somebody else has to do it")]
    OwnAccount,
    /// Superadministrators decide about staff.
    #[error("the account is of staff; a superadministrator has to do it")]
    OfStaff,
    /// Nobody of the staff is impersonated.
    #[error("the account is of staff: only customers can be looked at so")]
    NoCustomer,
    /// Who decides has to have logged in lately.
    #[error("log in again first: you did so more than an hour ago")]
    StaleSession,
    /// The account is not there, is so already, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Accounts in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_users {
    ($on:expr, $filter:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            UserSummary,
            r#"SELECT u.id AS "id: UserId", u.email, u.email_key AS "email_key!", u.full_name, u.role AS "role: Role", u.language,
                      u.email_verified_at, u.suspended_at, u.created_at,
                      (SELECT count(*) FROM instances i WHERE i.user_id = u.id AND i.status <> 'TERMINATED') AS "servers!"
               FROM users u
               WHERE ($1::text IS NULL OR u.email_key LIKE lower($1) OR lower(u.full_name) LIKE lower($1))
                 AND ($2::text IS NULL OR $2 = CASE WHEN u.suspended_at IS NOT NULL THEN 'suspended'
                                                    WHEN u.email_verified_at IS NULL THEN 'unverified' ELSE 'active' END)
                 AND ($3::text IS NULL OR u.role = $3) AND ($4::uuid IS NULL OR u.id = $4)
                 AND ($5::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $7",
            $filter.search.as_deref().map(containing),
            $filter.status.map(AccountStatus::as_str),
            $filter.role.map(Role::as_str),
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

/// Everybody's accounts, in whatever transaction they are read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &UserFilter,
    sort: UserSort,
    page: &SortedRequest,
) -> Result<Vec<UserSummary>> {
    let all: Option<Uuid> = None;
    Ok(match sort {
        UserSort::Newest => select_users!(on, filter, all, page, "u.id < $6", "u.id DESC"),
        UserSort::Oldest => select_users!(on, filter, all, page, "u.id > $6", "u.id"),
        UserSort::Email => {
            select_users!(on, filter, all, page, "(u.email_key, u.id) > ($5, $6)", "u.email_key, u.id")
        }
        UserSort::EmailBackwards => select_users!(
            on,
            filter,
            all,
            page,
            "(u.email_key, u.id) < ($5, $6)",
            "u.email_key DESC, u.id DESC"
        ),
    })
}

impl Store {
    /// Everybody's accounts.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn users_for_staff(
        &self,
        filter: &UserFilter,
        sort: UserSort,
        page: SortedRequest,
    ) -> Result<Page<UserSummary, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |user: &UserSummary| match sort {
            UserSort::Newest | UserSort::Oldest => SortKey::Age,
            UserSort::Email | UserSort::EmailBackwards => SortKey::Text(user.email_key.clone()),
        };
        Ok(page.cut(rows, |user| SortCursor { key: key(user), id: user.id.0 }))
    }

    /// One account with what is around it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none by that id.
    #[boxed]
    pub async fn user_for_staff(&self, user: UserId) -> Result<UserDetail> {
        let (all, one) = (UserFilter::default(), SortedRequest::first(1));
        let found = select_users!(&self.pool, all, Some(user.0), one, "u.id < $6", "u.id DESC").pop();
        let summary = found.ok_or(StoreError::NotFound("user"))?;
        let row = sqlx::query!(
            r#"SELECT u.suspended_why, u.suspended_by AS "suspended_by: UserId",
                      coalesce((SELECT balance FROM ledger_accounts WHERE owner_id = u.id AND kind = 'CUSTOMER_WALLET'), 0)
                          AS "wallet!: Rupiah",
                      coalesce((SELECT balance FROM ledger_accounts WHERE owner_id = u.id AND kind = 'CUSTOMER_HOLDS'), 0)
                          AS "holds!: Rupiah",
                      (SELECT count(*) FROM orders WHERE user_id = u.id) AS "orders!",
                      (SELECT count(*) FROM invoices WHERE user_id = u.id AND status = 'OPEN') AS "open_invoices!",
                      (SELECT count(*) FROM user_notes WHERE user_id = u.id) AS "notes!",
                      (SELECT max(created_at) FROM sessions WHERE user_id = u.id AND impersonated_by IS NULL)
                          AS last_login_at,
                      u.email_undeliverable_since
               FROM users u WHERE u.id = $1"#,
            user.0,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(UserDetail {
            user: summary,
            suspended_why: row.suspended_why,
            suspended_by: row.suspended_by,
            wallet: row.wallet,
            holds: row.holds,
            orders: row.orders,
            open_invoices: row.open_invoices,
            notes: row.notes,
            last_login_at: row.last_login_at,
            email_undeliverable_since: row.email_undeliverable_since,
        })
    }

    /// Suspends an account and ends its sessions, with an audit row: nobody logs in to it, refreshes or uses a token of it
    /// until the suspension is lifted. Its servers and orders go on.
    ///
    /// # Errors
    /// [`UserError::OwnAccount`]; [`UserError::OfStaff`] when it is of staff and `by` is no superadministrator;
    /// [`StoreError::Conflict`] when it is suspended already.
    #[boxed]
    pub async fn suspend_user(
        &self,
        user: UserId,
        reason: &str,
        by: UserId,
        origin: &Origin,
    ) -> Result<(), UserError> {
        let mut tx = self.pool.begin().await?;
        let locked = lock_to_decide(&mut tx, user, by).await?;
        if locked.is_suspended {
            return Err(conflict("suspended").into());
        }
        sqlx::query!(
            "UPDATE users SET suspended_at = now(), suspended_why = $2, suspended_by = $3, updated_at = now() WHERE id = $1",
            user.0,
            reason,
            by.0,
        )
        .execute(&mut *tx)
        .await?;
        let ended = sessions::revoke_all_but(&mut tx, user, None).await?;
        let after = json!({ "reason": reason, "sessions_ended": ended });
        let act = AuditEntry { after: Some(after), ..about("user.suspended", user) };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lifts an account's suspension, with an audit row. Its owner has to log in anew.
    ///
    /// # Errors
    /// As [`Self::suspend_user`]; [`StoreError::Conflict`] when it is not suspended.
    #[boxed]
    pub async fn unsuspend_user(&self, user: UserId, by: UserId, origin: &Origin) -> Result<(), UserError> {
        let mut tx = self.pool.begin().await?;
        let locked = lock_to_decide(&mut tx, user, by).await?;
        if !locked.is_suspended {
            return Err(conflict("not suspended").into());
        }
        // A login that was checked before the suspension may have opened a session after it.
        sessions::revoke_all_but(&mut tx, user, None).await?;
        sqlx::query!(
            "UPDATE users SET suspended_at = NULL, suspended_why = NULL, suspended_by = NULL, updated_at = now()
             WHERE id = $1",
            user.0,
        )
        .execute(&mut *tx)
        .await?;
        audit::record(&mut tx, origin, &about("user.unsuspended", user)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets all failed logins of an account, from wherever, with an audit row: its owner may try again at once.
    ///
    /// # Errors
    /// As [`Self::suspend_user`], but that it may be suspended or not.
    #[boxed]
    pub async fn unlock_user(&self, user: UserId, by: UserId, origin: &Origin) -> Result<(), UserError> {
        let mut tx = self.pool.begin().await?;
        lock_to_decide(&mut tx, user, by).await?;
        throttles::unlock(&mut tx, user, origin).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes the second factor of an account away, for an owner who lost the app and the recovery codes; the owner is told.
    ///
    /// # Errors
    /// As [`Self::suspend_user`], but that it may be suspended or not; [`StoreError::Conflict`] when there is none.
    #[boxed]
    pub async fn reset_second_factor(
        &self,
        user: UserId,
        by: UserId,
        origin: &Origin,
    ) -> Result<(), UserError> {
        let mut tx = self.pool.begin().await?;
        lock_to_decide(&mut tx, user, by).await?;
        second_factor::remove(&mut tx, user, origin).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives an account another role, with an audit row; it counts from the next request on. The same role changes nothing.
    ///
    /// # Errors
    /// [`UserError::OwnAccount`]; [`UserError::OfStaff`] when `by` is no superadministrator (any more), so that two who
    /// demote each other at once don't leave none.
    #[boxed]
    pub async fn set_user_role(
        &self,
        user: UserId,
        role: Role,
        by: UserId,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<(), UserError> {
        let mut tx = self.pool.begin().await?;
        let locked = lock_to_decide(&mut tx, user, by).await?;
        condition.require(&mut tx, Thing::User(user)).await?;
        if !locked.by_role.may(Permission::StaffManage) {
            return Err(UserError::OfStaff);
        }
        if locked.role != role {
            sqlx::query!(
                "UPDATE users SET role = $2, updated_at = now() WHERE id = $1",
                user.0,
                role.as_str()
            )
            .execute(&mut *tx)
            .await?;
            let act = AuditEntry {
                before: Some(json!({ "role": locked.role })),
                after: Some(json!({ "role": role })),
                ..about("user.role_changed", user)
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Two accounts that nobody else changes until the transaction's end, and for which no session is opened.
pub(super) struct Locked {
    pub(super) role: Role,
    pub(super) is_suspended: bool,
    pub(super) by_role: Role,
}

/// Locks the account that is decided about and whose who decides, in the order of their ids, and refuses who may not. `FOR
/// UPDATE`, so that a login under way has either opened its session before, or waits.
pub(super) async fn lock_to_decide(
    tx: &mut PgConnection,
    user: UserId,
    by: UserId,
) -> Result<Locked, UserError> {
    if user == by {
        return Err(UserError::OwnAccount);
    }
    let rows = sqlx::query!(
        r#"SELECT id AS "id: UserId", role AS "role: Role", suspended_at IS NOT NULL AS "is_suspended!"
           FROM users WHERE id = ANY($1) ORDER BY id FOR UPDATE"#,
        &[user.0, by.0],
    )
    .fetch_all(tx)
    .await?;
    let of = |id| rows.iter().find(|row| row.id == id).ok_or(StoreError::NotFound("user"));
    let (target, decider) = (of(user)?, of(by)?);
    let wanted = if target.role.is_staff() { Permission::StaffManage } else { Permission::AccountsManage };
    let may = decider.role.may(wanted);
    if decider.is_suspended || !may {
        return Err(UserError::OfStaff);
    }
    Ok(Locked { role: target.role, is_suspended: target.is_suspended, by_role: decider.role })
}

pub(super) fn conflict(state: &str) -> StoreError {
    StoreError::Conflict { object: Object::User, state: state.to_owned() }
}
