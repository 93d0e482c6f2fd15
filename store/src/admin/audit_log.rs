//! Reading the audit log.

use chrono::{DateTime, Utc};
use domain::sorting::AuditSort;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Result, Store, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// One act as read.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Its id, also the cursor of lists.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `user`, `api_key` or `system`.
    pub actor_kind: String,
    /// Who; `None` for the system.
    pub actor_id: Option<Uuid>,
    /// The person's email or the key's name.
    pub actor_name: Option<String>,
    /// In whose name they did it, where it was not their own.
    pub on_behalf_of: Option<Uuid>,
    /// What was done, such as `order.retry_provisioning`.
    pub action: String,
    /// What kind of thing it was done to.
    pub object_kind: String,
    /// Which one.
    pub object_id: Option<Uuid>,
    /// The thing before the act, as far as it matters.
    pub before: Option<serde_json::Value>,
    /// The thing after the act, as far as it matters.
    pub after: Option<serde_json::Value>,
    /// Address the request came from.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// Which acts are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only this action.
    pub action: Option<String>,
    /// Only acts on this kind of thing.
    pub object_kind: Option<String>,
    /// Only acts on this thing.
    pub object_id: Option<Uuid>,
    /// Only acts of this person or key.
    pub actor_id: Option<Uuid>,
    /// Only acts in this customer's name.
    pub on_behalf_of: Option<Uuid>,
}

/// Acts in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_acts {
    ($on:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            AuditEntry,
            r#"SELECT a.id, a.at, a.actor_kind, a.actor_id, coalesce(u.email, k.name) AS actor_name, a.on_behalf_of, a.action,
                      a.object_kind, a.object_id, a.before, a.after, a.ip, a.request_id
               FROM audit_log a
               LEFT JOIN users u ON a.actor_kind = 'user' AND u.id = a.actor_id
               LEFT JOIN api_keys k ON a.actor_kind = 'api_key' AND k.id = a.actor_id
               WHERE ($1::text IS NULL OR a.action = $1) AND ($2::text IS NULL OR a.object_kind = $2)
                 AND ($3::uuid IS NULL OR a.object_id = $3) AND ($4::uuid IS NULL OR a.actor_id = $4)
                 AND ($8::uuid IS NULL OR a.on_behalf_of = $8)
                 AND ($5::text IS NULL OR "#
                + $after
                + ") ORDER BY "
                + $order
                + " LIMIT $7",
            $filter.action,
            $filter.object_kind,
            $filter.object_id,
            $filter.actor_id,
            $page.key(),
            $page.id(),
            $page.fetch(),
            $filter.on_behalf_of,
        )
        .fetch_all($on)
        .await?
    };
}

/// The audit log, in whatever transaction it is read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &AuditFilter,
    sort: AuditSort,
    page: &SortedRequest,
) -> Result<Vec<AuditEntry>> {
    Ok(match sort {
        AuditSort::Newest => select_acts!(on, filter, page, "a.id < $6", "a.id DESC"),
        AuditSort::Oldest => select_acts!(on, filter, page, "a.id > $6", "a.id"),
        AuditSort::Action => select_acts!(on, filter, page, "(a.action, a.id) > ($5, $6)", "a.action, a.id"),
        AuditSort::ActionBackwards => {
            select_acts!(on, filter, page, "(a.action, a.id) < ($5, $6)", "a.action DESC, a.id DESC")
        }
    })
}

impl Store {
    /// The audit log.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn audit_log(
        &self,
        filter: &AuditFilter,
        sort: AuditSort,
        page: SortedRequest,
    ) -> Result<Page<AuditEntry, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |act: &AuditEntry| match sort {
            AuditSort::Newest | AuditSort::Oldest => SortKey::Age,
            AuditSort::Action | AuditSort::ActionBackwards => SortKey::Text(act.action.clone()),
        };
        Ok(page.cut(rows, |act| SortCursor { key: key(act), id: act.id }))
    }
}
