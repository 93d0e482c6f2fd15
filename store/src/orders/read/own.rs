//! A customer's orders in lists.

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    ids::{InstanceId, InvoiceId, OrderId, PlanId, UserId},
    money::Rupiah,
    order::OrderStatus,
    provisioning::FailureClass,
    sorting::OwnOrderSort,
};

use super::{Order, Row};
use crate::{
    Result, Store, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Which of a customer's orders are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct OwnOrderFilter {
    /// Only those in this status.
    pub status: Option<OrderStatus>,
    /// Only those of this plan (slug).
    pub plan: Option<String>,
    /// Only those with this in their host name, in any case.
    pub search: Option<String>,
    /// Only those that were placed then or later.
    pub from: Option<DateTime<Utc>>,
    /// Only those that were placed before then.
    pub until: Option<DateTime<Utc>>,
}

/// Orders in lists. One macro, so that each sorting is a query of its own.
macro_rules! list_orders {
    ($store:expr, $owner:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        select_orders!(
            "WHERE o.user_id = $1 AND ($2::text IS NULL OR o.status = $2) AND ($3::text IS NULL OR l.slug = $3)
               AND ($4::text IS NULL OR strpos(o.hostname, lower($4)) > 0)
               AND ($5::timestamptz IS NULL OR o.placed_at >= $5) AND ($6::timestamptz IS NULL OR o.placed_at < $6)
               AND ($7::text IS NULL OR " $after ") ORDER BY " $order " LIMIT $9",
            $owner.0,
            $filter.status.map(OrderStatus::as_str),
            $filter.plan,
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
    /// A customer's orders.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn orders_of(
        &self,
        owner: UserId,
        filter: &OwnOrderFilter,
        sort: OwnOrderSort,
        page: SortedRequest,
    ) -> Result<Page<Order, SortCursor>> {
        let rows = self.own_orders(owner, filter, sort, &page).await?;
        let orders = rows.into_iter().map(Order::from).collect();
        Ok(page.cut(orders, |order| SortCursor { key: key(order, sort), id: order.id.0 }))
    }

    async fn own_orders(
        &self,
        owner: UserId,
        filter: &OwnOrderFilter,
        sort: OwnOrderSort,
        page: &SortedRequest,
    ) -> Result<Vec<Row>> {
        Ok(match sort {
            OwnOrderSort::Newest => list_orders!(self, owner, filter, page, "o.id < $8", "o.id DESC"),
            OwnOrderSort::Oldest => list_orders!(self, owner, filter, page, "o.id > $8", "o.id"),
            OwnOrderSort::Dearest => list_orders!(
                self,
                owner,
                filter,
                page,
                "(o.total, o.id) < ($7::text::bigint, $8)",
                "o.total DESC, o.id DESC"
            ),
            OwnOrderSort::Cheapest => list_orders!(
                self,
                owner,
                filter,
                page,
                "(o.total, o.id) > ($7::text::bigint, $8)",
                "o.total, o.id"
            ),
            OwnOrderSort::Hostname => list_orders!(
                self,
                owner,
                filter,
                page,
                "(o.hostname, o.id) > ($7::text, $8)",
                "o.hostname, o.id"
            ),
            OwnOrderSort::HostnameBackwards => list_orders!(
                self,
                owner,
                filter,
                page,
                "(o.hostname, o.id) < ($7::text, $8)",
                "o.hostname DESC, o.id DESC"
            ),
            OwnOrderSort::Plan => {
                list_orders!(self, owner, filter, page, "(l.slug, o.id) > ($7::text, $8)", "l.slug, o.id")
            }
            OwnOrderSort::PlanBackwards => list_orders!(
                self,
                owner,
                filter,
                page,
                "(l.slug, o.id) < ($7::text, $8)",
                "l.slug DESC, o.id DESC"
            ),
            OwnOrderSort::Status => {
                list_orders!(self, owner, filter, page, "(o.status, o.id) > ($7::text, $8)", "o.status, o.id")
            }
            OwnOrderSort::StatusBackwards => list_orders!(
                self,
                owner,
                filter,
                page,
                "(o.status, o.id) < ($7::text, $8)",
                "o.status DESC, o.id DESC"
            ),
        })
    }
}

fn key(order: &Order, sort: OwnOrderSort) -> SortKey {
    match sort {
        OwnOrderSort::Newest | OwnOrderSort::Oldest => SortKey::Age,
        OwnOrderSort::Dearest | OwnOrderSort::Cheapest => SortKey::Number(order.total.get()),
        OwnOrderSort::Hostname | OwnOrderSort::HostnameBackwards => SortKey::Text(order.hostname.clone()),
        OwnOrderSort::Plan | OwnOrderSort::PlanBackwards => SortKey::Text(order.plan.clone()),
        OwnOrderSort::Status | OwnOrderSort::StatusBackwards => SortKey::Text(order.status.to_string()),
    }
}
