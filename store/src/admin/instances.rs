//! Everybody's servers, with what only staff may see: whose, what it is at the provider, and where it is in its life.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InstanceId, OrderId, UserId},
    instance::{InstanceStatus, PowerState},
    order::OrderStatus,
    sorting::InstanceSort,
};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, boxed,
    final_snapshots::{self, FinalSnapshot},
    instance_actions::Action,
    page::{Page, PageRequest, SortCursor, SortKey, SortedRequest},
};

/// Which servers are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct InstanceFilter {
    /// Only those in this status.
    pub status: Option<InstanceStatus>,
    /// Only those at this provider (slug).
    pub provider: Option<String>,
    /// Only those of this plan (slug).
    pub plan: Option<String>,
    /// Only those in this region (slug).
    pub region: Option<String>,
    /// Only this customer's.
    pub customer: Option<UserId>,
    /// Only those that have to be looked at before then.
    pub due_before: Option<DateTime<Utc>>,
    /// Only those of which a step that is due is held back, or only the others.
    pub held: Option<bool>,
}

/// A server in a list.
#[derive(Debug, Clone)]
pub struct InstanceSummary {
    /// Its id.
    pub id: InstanceId,
    /// The order it was bought with.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: UserId,
    /// Their address.
    pub customer_email: String,
    /// Their name.
    pub customer_name: String,
    /// Since when they are suspended.
    pub customer_suspended_at: Option<DateTime<Utc>>,
    /// Its display name.
    pub name: String,
    /// Host name of the machine.
    pub hostname: String,
    /// Where it stands with us.
    pub status: InstanceStatus,
    /// Whether it is on, as last told by the provider.
    pub power_state: PowerState,
    /// Public IPv4.
    pub ipv4: Option<String>,
    /// Public IPv6.
    pub ipv6: Option<String>,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's own id.
    pub provider_instance_id: Option<String>,
    /// Slug of the plan.
    pub plan: String,
    /// Slug of the region.
    pub region: String,
    /// Slug of the image.
    pub image: String,
    /// Whether the term is renewed by itself.
    pub auto_renew: bool,
    /// Whether it goes when the present term ends.
    pub cancels_at_period_end: bool,
    /// When the paid term began.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the paid term ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When its life has to be looked at next.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Since when it is suspended.
    pub suspended_at: Option<DateTime<Utc>>,
    /// A step that is due and held back: `renew`, `suspend` or `terminate`.
    pub held_step: Option<String>,
    /// Why.
    pub held_why: Option<String>,
    /// Since when.
    pub held_since: Option<DateTime<Utc>>,
    /// When it was gone.
    pub terminated_at: Option<DateTime<Utc>>,
    /// When it was ordered from the provider.
    pub created_at: DateTime<Utc>,
}

/// A server with what is around it.
#[derive(Debug, Clone)]
pub struct InstanceDetail {
    /// The server.
    pub server: InstanceSummary,
    /// Where its order stands.
    pub order_status: OrderStatus,
    /// The months of its present term.
    pub term_months: i32,
    /// What its plan costs a month for new orders.
    pub price_monthly: Rupiah,
    /// Version of the rules it lives by.
    pub policy_version: i32,
    /// What became of its last snapshot; `None` while nothing did.
    pub final_snapshot: Option<FinalSnapshot>,
    /// Its latest twenty actions, newest first.
    pub actions: Vec<Action>,
}

/// Servers in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_servers {
    ($on:expr, $filter:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            InstanceSummary,
            r#"SELECT s.id AS "id: InstanceId", s.order_id AS "order_id: OrderId", s.user_id AS "customer_id: UserId",
                      u.email AS customer_email, u.full_name AS customer_name, u.suspended_at AS customer_suspended_at,
                      s.name, s.hostname, s.status AS "status: InstanceStatus", s.power_state AS "power_state: PowerState",
                      s.ipv4, s.ipv6, p.slug AS provider, s.provider_instance_id, l.slug AS plan, r.slug AS region,
                      i.slug AS image, s.auto_renew, s.cancels_at_period_end, s.starts_at, s.expires_at, s.next_due_at,
                      s.suspended_at, s.held_step, s.held_why, s.held_since, s.terminated_at, s.created_at
               FROM instances s
               JOIN users u ON u.id = s.user_id
               JOIN providers p ON p.id = s.provider_id
               JOIN plans l ON l.id = s.plan_id
               JOIN regions r ON r.id = s.region_id
               JOIN images i ON i.id = s.image_id
               WHERE ($1::text IS NULL OR s.status = $1) AND ($2::text IS NULL OR p.slug = $2)
                 AND ($3::text IS NULL OR l.slug = $3) AND ($4::text IS NULL OR r.slug = $4)
                 AND ($5::uuid IS NULL OR s.user_id = $5) AND ($6::timestamptz IS NULL OR s.next_due_at < $6)
                 AND ($7::boolean IS NULL OR $7 = (s.held_step IS NOT NULL)) AND ($8::uuid IS NULL OR s.id = $8)
                 AND ($9::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $11",
            $filter.status.map(InstanceStatus::as_str),
            $filter.provider,
            $filter.plan,
            $filter.region,
            $filter.customer.map(|customer| customer.0),
            $filter.due_before,
            $filter.held,
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

/// Everybody's servers, in whatever transaction they are read.
pub(super) async fn rows(
    on: impl PgExecutor<'_>,
    filter: &InstanceFilter,
    sort: InstanceSort,
    page: &SortedRequest,
) -> Result<Vec<InstanceSummary>> {
    let all: Option<Uuid> = None;
    Ok(match sort {
        InstanceSort::Newest => select_servers!(on, filter, all, page, "s.id < $10", "s.id DESC"),
        InstanceSort::Oldest => select_servers!(on, filter, all, page, "s.id > $10", "s.id"),
        InstanceSort::ExpiresFirst => select_servers!(
            on,
            filter,
            all,
            page,
            "(coalesce(s.expires_at, 'infinity'::timestamptz), s.id) > ($9::text::timestamptz, $10)",
            "coalesce(s.expires_at, 'infinity'::timestamptz), s.id"
        ),
        InstanceSort::ExpiresLast => select_servers!(
            on,
            filter,
            all,
            page,
            "(coalesce(s.expires_at, 'infinity'::timestamptz), s.id) < ($9::text::timestamptz, $10)",
            "coalesce(s.expires_at, 'infinity'::timestamptz) DESC, s.id DESC"
        ),
        InstanceSort::DueFirst => select_servers!(
            on,
            filter,
            all,
            page,
            "(coalesce(s.next_due_at, 'infinity'::timestamptz), s.id) > ($9::text::timestamptz, $10)",
            "coalesce(s.next_due_at, 'infinity'::timestamptz), s.id"
        ),
        InstanceSort::DueLast => select_servers!(
            on,
            filter,
            all,
            page,
            "(coalesce(s.next_due_at, 'infinity'::timestamptz), s.id) < ($9::text::timestamptz, $10)",
            "coalesce(s.next_due_at, 'infinity'::timestamptz) DESC, s.id DESC"
        ),
    })
}

impl Store {
    /// Everybody's servers.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn instances_for_staff(
        &self,
        filter: &InstanceFilter,
        sort: InstanceSort,
        page: SortedRequest,
    ) -> Result<Page<InstanceSummary, SortCursor>> {
        let rows = rows(&self.pool, filter, sort, &page).await?;
        let key = |server: &InstanceSummary| match sort {
            InstanceSort::Newest | InstanceSort::Oldest => SortKey::Age,
            InstanceSort::ExpiresFirst | InstanceSort::ExpiresLast => SortKey::Time(server.expires_at),
            InstanceSort::DueFirst | InstanceSort::DueLast => SortKey::Time(server.next_due_at),
        };
        Ok(page.cut(rows, |server| SortCursor { key: key(server), id: server.id.0 }))
    }

    /// One server with what is around it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn instance_for_staff(&self, instance: InstanceId) -> Result<InstanceDetail> {
        let (all, one) = (InstanceFilter::default(), SortedRequest::first(1));
        let found = select_servers!(&self.pool, all, Some(instance.0), one, "s.id < $10", "s.id DESC").pop();
        let server = found.ok_or(StoreError::NotFound("instance"))?;
        let around = sqlx::query!(
            r#"SELECT o.status AS "order_status: OrderStatus", s.life_policy, l.price_monthly AS "price_monthly: Rupiah",
                      coalesce((SELECT r.term_months FROM renewals r WHERE r.instance_id = s.id AND r.starts_at <= now()
                                ORDER BY r.starts_at DESC LIMIT 1), o.term_months) AS "term_months!"
               FROM instances s JOIN orders o ON o.id = s.order_id JOIN plans l ON l.id = s.plan_id WHERE s.id = $1"#,
            instance.0,
        )
        .fetch_one(&self.pool)
        .await?;
        let latest = PageRequest { before: None, limit: 20 };
        let final_snapshot = final_snapshots::of(&mut *self.pool.acquire().await?, instance).await?;
        Ok(InstanceDetail {
            server,
            order_status: around.order_status,
            term_months: around.term_months,
            price_monthly: around.price_monthly,
            policy_version: around.life_policy,
            final_snapshot,
            actions: self.any_actions(instance, &latest).await?.data,
        })
    }
}
