//! Codes as staff read them, with what became of their uses.

use chrono::{DateTime, Utc};
use domain::{
    ids::{DepositId, OrderId, PromoId, RedemptionId, UserId},
    money::Rupiah,
    promo::{PromoKind, PromoTerms, RedemptionState},
    sorting::{AmountSort, PromoSort},
};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Which codes are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct PromoFilter {
    /// Only this kind.
    pub kind: Option<PromoKind>,
    /// Only those that are switched on, or off.
    pub is_active: Option<bool>,
    /// Only those with this in their code, in any case.
    pub search: Option<String>,
}

/// A code as staff see it.
#[derive(Debug, Clone)]
pub struct PromoDetail {
    /// Its id, also the cursor of lists.
    pub id: PromoId,
    /// The code.
    pub code: String,
    /// What it gives, to whom, when and how often.
    pub terms: PromoTerms,
    /// Whether it is switched on.
    pub is_active: bool,
    /// Whether it was ever used: then code, kind and value stay, and it can't be deleted.
    pub was_used: bool,
    /// Uses by orders that do not run yet, and by deposits that are not paid yet.
    pub reserved: i64,
    /// Uses that are final.
    pub redeemed: i64,
    /// Uses by orders that a late payment revived when the code was used up; they do not count.
    pub honoured: i64,
    /// What the final uses took off or gave in all.
    pub given: Rupiah,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// One use of a code, as staff see it.
#[derive(Debug, Clone)]
pub struct PromoRedemption {
    /// Its id, also the cursor of lists.
    pub id: RedemptionId,
    /// Who used it.
    pub user_id: UserId,
    /// The order, if it was for one.
    pub order_id: Option<OrderId>,
    /// The deposit, if it was for one.
    pub deposit_id: Option<DepositId>,
    /// What it took off or gives.
    pub amount: Rupiah,
    /// Where it stands.
    pub state: RedemptionState,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A row of `promos` with what became of its uses.
struct Row {
    id: PromoId,
    code: String,
    kind: PromoKind,
    value: i64,
    min_amount: Option<Rupiah>,
    max_amount: Option<Rupiah>,
    per_user_limit: Option<i64>,
    global_limit: Option<i64>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    is_active: bool,
    was_used: bool,
    reserved: i64,
    redeemed: i64,
    honoured: i64,
    given: Rupiah,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for PromoDetail {
    fn from(row: Row) -> Self {
        let terms = PromoTerms {
            kind: row.kind,
            value: row.value,
            min_amount: row.min_amount,
            max_amount: row.max_amount,
            per_user_limit: row.per_user_limit,
            global_limit: row.global_limit,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        };
        Self {
            id: row.id,
            code: row.code,
            terms,
            is_active: row.is_active,
            was_used: row.was_used,
            reserved: row.reserved,
            redeemed: row.redeemed,
            honoured: row.honoured,
            given: row.given,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Uses in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_redemptions {
    ($on:expr, $promo:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            PromoRedemption,
            r#"SELECT id AS "id: RedemptionId", user_id AS "user_id: UserId", order_id AS "order_id: OrderId",
                      deposit_id AS "deposit_id: DepositId", amount AS "amount: Rupiah",
                      state AS "state: RedemptionState", created_at, updated_at
               FROM promo_redemptions
               WHERE promo_id = $1 AND ($2::text IS NULL OR "#
                + $after
                + ") ORDER BY "
                + $order
                + " LIMIT $4",
            $promo.0,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Codes.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn promos(
        &self,
        filter: &PromoFilter,
        sort: PromoSort,
        page: SortedRequest,
    ) -> Result<Page<PromoDetail, SortCursor>> {
        let rows = select(&mut *self.pool.acquire().await?, None, filter, sort, &page).await?;
        let key = |promo: &PromoDetail| match sort {
            PromoSort::Newest | PromoSort::Oldest => SortKey::Age,
            PromoSort::Code | PromoSort::CodeBackwards => SortKey::Text(promo.code.clone()),
        };
        Ok(page.cut(rows, |promo| SortCursor { key: key(promo), id: promo.id.0 }))
    }

    /// One code.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such promo.
    #[boxed]
    pub async fn promo(&self, promo: PromoId) -> Result<PromoDetail> {
        by_id(&mut *self.pool.acquire().await?, promo).await
    }

    /// The uses of a code.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such promo.
    #[boxed]
    pub async fn promo_redemptions(
        &self,
        promo: PromoId,
        sort: AmountSort,
        page: SortedRequest,
    ) -> Result<Page<PromoRedemption, SortCursor>> {
        self.promo(promo).await?;
        let on = &self.pool;
        let rows = match sort {
            AmountSort::Newest => select_redemptions!(on, promo, page, "id < $3", "id DESC"),
            AmountSort::Oldest => select_redemptions!(on, promo, page, "id > $3", "id"),
            AmountSort::Largest => select_redemptions!(
                on,
                promo,
                page,
                "(amount, id) < ($2::text::bigint, $3)",
                "amount DESC, id DESC"
            ),
            AmountSort::Smallest => {
                select_redemptions!(on, promo, page, "(amount, id) > ($2::text::bigint, $3)", "amount, id")
            }
        };
        let key = |row: &PromoRedemption| match sort {
            AmountSort::Newest | AmountSort::Oldest => SortKey::Age,
            AmountSort::Largest | AmountSort::Smallest => SortKey::Number(row.amount.get()),
        };
        Ok(page.cut(rows, |row| SortCursor { key: key(row), id: row.id.0 }))
    }
}

/// One code, as the caller's transaction sees it.
pub(super) async fn by_id(connection: &mut PgConnection, promo: PromoId) -> Result<PromoDetail> {
    let (all, one) = (PromoFilter::default(), SortedRequest::first(1));
    let mut found = select(connection, Some(promo), &all, PromoSort::Newest, &one).await?;
    found.pop().ok_or(StoreError::NotFound("promo"))
}

/// Codes in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_promos {
    ($on:expr, $only:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Row,
            r#"SELECT p.id AS "id: PromoId", p.code, p.kind AS "kind: PromoKind", p.value,
                  p.min_amount AS "min_amount: Rupiah", p.max_amount AS "max_amount: Rupiah", p.per_user_limit,
                  p.global_limit, p.starts_at, p.ends_at, p.is_active, u.was_used AS "was_used!",
                  u.reserved AS "reserved!", u.redeemed AS "redeemed!", u.honoured AS "honoured!",
                  u.given AS "given!: Rupiah", p.created_by AS "created_by: UserId", p.created_at, p.updated_at
           FROM promos p
           CROSS JOIN LATERAL (
               SELECT count(*) > 0 AS was_used,
                      count(*) FILTER (WHERE state = 'RESERVED') AS reserved,
                      count(*) FILTER (WHERE state = 'REDEEMED') AS redeemed,
                      count(*) FILTER (WHERE state = 'HONOURED') AS honoured,
                      coalesce(sum(amount) FILTER (WHERE state = 'REDEEMED'), 0)::bigint AS given
               FROM promo_redemptions r WHERE r.promo_id = p.id) u
           WHERE ($1::uuid IS NULL OR p.id = $1) AND ($2::text IS NULL OR p.kind = $2)
             AND ($3::boolean IS NULL OR p.is_active = $3)
             AND ($4::text IS NULL OR strpos(p.code, upper($4)) > 0)
             AND ($5::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $7",
            $only.map(|id| id.0),
            $filter.kind.map(PromoKind::as_str),
            $filter.is_active,
            $filter.search,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

async fn select(
    connection: &mut PgConnection,
    only: Option<PromoId>,
    filter: &PromoFilter,
    sort: PromoSort,
    page: &SortedRequest,
) -> Result<Vec<PromoDetail>> {
    let rows = match sort {
        PromoSort::Newest => select_promos!(connection, only, filter, page, "p.id < $6", "p.id DESC"),
        PromoSort::Oldest => select_promos!(connection, only, filter, page, "p.id > $6", "p.id"),
        PromoSort::Code => {
            select_promos!(connection, only, filter, page, "(p.code, p.id) > ($5, $6)", "p.code, p.id")
        }
        PromoSort::CodeBackwards => select_promos!(
            connection,
            only,
            filter,
            page,
            "(p.code, p.id) < ($5, $6)",
            "p.code DESC, p.id DESC"
        ),
    };
    Ok(rows.into_iter().map(PromoDetail::from).collect())
}
