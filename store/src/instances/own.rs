//! A customer's servers in lists, and the words by which they find them.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId, UserId},
    instance::{InstanceStatus, PowerState},
    sorting::OwnInstanceSort,
    tag::Tags,
};

use super::Instance;
use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
    versions::{IfMatch, Thing},
};

/// Which of a customer's servers are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct OwnInstanceFilter {
    /// Only those in this status.
    pub status: Option<InstanceStatus>,
    /// Only those of this plan (slug).
    pub plan: Option<String>,
    /// Only those with exactly this display name.
    pub name: Option<String>,
    /// Only those that have this tag.
    pub tag: Option<String>,
    /// Only those with this in their host name or display name, in any case.
    pub search: Option<String>,
    /// Only those that were ordered from the provider then or later.
    pub from: Option<DateTime<Utc>>,
    /// Only those that were ordered from the provider before then.
    pub until: Option<DateTime<Utc>>,
}

/// Servers in lists. One macro, so that each sorting is a query of its own.
macro_rules! list_instances {
    ($store:expr, $owner:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        select_instances!(
            "WHERE s.user_id = $1 AND ($2::text IS NULL OR s.status = $2) AND ($3::text IS NULL OR l.slug = $3)
               AND ($4::text IS NULL OR s.name = $4) AND ($5::text IS NULL OR $5 = ANY(s.tags))
               AND ($6::text IS NULL OR strpos(s.hostname, lower($6)) > 0 OR strpos(lower(s.name), lower($6)) > 0)
               AND ($7::timestamptz IS NULL OR s.created_at >= $7) AND ($8::timestamptz IS NULL OR s.created_at < $8)
               AND ($9::text IS NULL OR " $after ") ORDER BY " $order " LIMIT $11",
            $owner.0,
            $filter.status.map(InstanceStatus::as_str),
            $filter.plan,
            $filter.name,
            $filter.tag,
            $filter.search,
            $filter.from,
            $filter.until,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all(&$store.pool)
        .await?
    };
}

impl Store {
    /// A customer's servers.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn instances_of(
        &self,
        owner: UserId,
        filter: &OwnInstanceFilter,
        sort: OwnInstanceSort,
        page: SortedRequest,
    ) -> Result<Page<Instance, SortCursor>> {
        let rows = self.own_instances(owner, filter, sort, &page).await?;
        Ok(page.cut(rows, |server| SortCursor { key: key(server, sort), id: server.id.0 }))
    }

    async fn own_instances(
        &self,
        owner: UserId,
        filter: &OwnInstanceFilter,
        sort: OwnInstanceSort,
        page: &SortedRequest,
    ) -> Result<Vec<Instance>> {
        Ok(match sort {
            OwnInstanceSort::Newest => list_instances!(self, owner, filter, page, "s.id < $10", "s.id DESC"),
            OwnInstanceSort::Oldest => list_instances!(self, owner, filter, page, "s.id > $10", "s.id"),
            OwnInstanceSort::ExpiresFirst => list_instances!(
                self,
                owner,
                filter,
                page,
                "(coalesce(s.expires_at, 'infinity'::timestamptz), s.id) > ($9::text::timestamptz, $10)",
                "coalesce(s.expires_at, 'infinity'::timestamptz), s.id"
            ),
            OwnInstanceSort::ExpiresLast => list_instances!(
                self,
                owner,
                filter,
                page,
                "(coalesce(s.expires_at, 'infinity'::timestamptz), s.id) < ($9::text::timestamptz, $10)",
                "coalesce(s.expires_at, 'infinity'::timestamptz) DESC, s.id DESC"
            ),
            OwnInstanceSort::Hostname => list_instances!(
                self,
                owner,
                filter,
                page,
                "(s.hostname, s.id) > ($9::text, $10)",
                "s.hostname, s.id"
            ),
            OwnInstanceSort::HostnameBackwards => list_instances!(
                self,
                owner,
                filter,
                page,
                "(s.hostname, s.id) < ($9::text, $10)",
                "s.hostname DESC, s.id DESC"
            ),
            OwnInstanceSort::Plan => {
                list_instances!(self, owner, filter, page, "(l.slug, s.id) > ($9::text, $10)", "l.slug, s.id")
            }
            OwnInstanceSort::PlanBackwards => list_instances!(
                self,
                owner,
                filter,
                page,
                "(l.slug, s.id) < ($9::text, $10)",
                "l.slug DESC, s.id DESC"
            ),
            OwnInstanceSort::Status => list_instances!(
                self,
                owner,
                filter,
                page,
                "(s.status, s.id) > ($9::text, $10)",
                "s.status, s.id"
            ),
            OwnInstanceSort::StatusBackwards => list_instances!(
                self,
                owner,
                filter,
                page,
                "(s.status, s.id) < ($9::text, $10)",
                "s.status DESC, s.id DESC"
            ),
        })
    }

    /// Gives a customer's server these tags in place of those that it has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server.
    #[boxed]
    pub async fn set_tags(
        &self,
        owner: UserId,
        instance: InstanceId,
        tags: &Tags,
        condition: &IfMatch,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "SELECT id FROM instances WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE",
            instance.0,
            owner.0
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("instance"))?;
        condition.require(&mut tx, Thing::Instance(instance)).await?;
        sqlx::query!(
            "UPDATE instances SET tags = $2, updated_at = now() WHERE id = $1",
            instance.0,
            tags.as_slice(),
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn key(server: &Instance, sort: OwnInstanceSort) -> SortKey {
    match sort {
        OwnInstanceSort::Newest | OwnInstanceSort::Oldest => SortKey::Age,
        OwnInstanceSort::ExpiresFirst | OwnInstanceSort::ExpiresLast => SortKey::Time(server.expires_at),
        OwnInstanceSort::Hostname | OwnInstanceSort::HostnameBackwards => {
            SortKey::Text(server.hostname.clone())
        }
        OwnInstanceSort::Plan | OwnInstanceSort::PlanBackwards => SortKey::Text(server.plan.clone()),
        OwnInstanceSort::Status | OwnInstanceSort::StatusBackwards => {
            SortKey::Text(server.status.to_string())
        }
    }
}
