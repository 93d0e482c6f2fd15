//! What the business comes to, in one look.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    money::{AmountOverflow, CURRENCY},
    order::OrderStatus,
    reconciliation::monthly_cost,
};
use serde::Serialize;
use store::admin::{Dashboard, ProviderFigures, Revenue};
use utoipa::ToSchema;

use crate::{AppState, auth::Staff, problem::Problem};

/// The orders in one status.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrdersFigure {
    status: OrderStatus,
    #[schema(example = 12)]
    orders: i64,
}

/// The failed orders of one class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailuresFigure {
    #[schema(example = "CAPACITY")]
    class: String,
    #[schema(example = 2)]
    orders: i64,
}

/// What the books say was earned in a month, without tax: whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevenueFigure {
    /// Recognised as earned. What is served today is booked by tomorrow.
    #[schema(example = 12_480_000)]
    recognised: Rupiah,
    /// Given back of what was earned.
    #[schema(example = 120_000)]
    refunded: Rupiah,
    /// The former less the latter.
    #[schema(example = 12_360_000)]
    net: Rupiah,
}

/// Revenue by month, Jakarta's.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevenueFigures {
    /// Since it began.
    this_month: RevenueFigure,
    last_month: RevenueFigure,
}

/// How many servers left within 30 days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChurnFigure {
    /// Servers that were active when the 30 days began.
    #[schema(example = 200)]
    servers: i64,
    /// Those of them that are terminated since.
    #[schema(example = 3)]
    lost: i64,
    /// The latter by the former in hundredths of a percent; null when there were none.
    #[schema(example = 150)]
    rate_bp: Option<i64>,
}

/// The servers at a provider, and what they bring and cost in a month: whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderFigure {
    /// Its slug.
    #[schema(example = "digitalocean")]
    provider: String,
    #[schema(example = "DigitalOcean")]
    name: String,
    #[schema(example = 42)]
    active_servers: i64,
    /// Servers that cost us and bring nothing: suspended, or being deleted.
    #[schema(example = 1)]
    idle_servers: i64,
    /// What the active ones bring: their plans' price less their terms' discounts, without tax.
    #[schema(example = 5_040_000)]
    mrr: Rupiah,
    /// What all of them cost by the catalog, in US dollars.
    #[schema(example = "258.0000")]
    cost_usd: String,
    /// The same at the configured rate.
    #[schema(example = 4_257_000)]
    cost: Rupiah,
    /// What is left of `mrr`.
    #[schema(example = 783_000)]
    margin: Rupiah,
}

/// Attempts to pay that are open.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingFigure {
    #[schema(example = 7)]
    payments: i64,
    /// Whole rupiah that they are over together.
    #[schema(example = 931_000)]
    amount: Rupiah,
    /// Those of them that are bank transfers, which somebody has to approve.
    #[schema(example = 2)]
    transfers: i64,
}

/// What we owe to customers: whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiabilityFigures {
    /// On their balances.
    #[schema(example = 3_200_000)]
    wallets: Rupiah,
    /// Set aside of their balances for orders.
    #[schema(example = 133_200)]
    held: Rupiah,
    /// Paid for service that is not served yet, without tax.
    #[schema(example = 8_100_000)]
    deferred_revenue: Rupiah,
    /// On its way back to them.
    #[schema(example = 0)]
    refunds_payable: Rupiah,
    #[schema(example = 11_433_200)]
    total: Rupiah,
}

/// What the business comes to. Amounts are whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminDashboard {
    /// As of when: all figures are of one moment.
    at: DateTime<Utc>,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// Rupiah to a US dollar, as configured.
    #[schema(example = "16500")]
    usd_idr: String,
    /// By status, none left out.
    orders: Vec<OrdersFigure>,
    /// Orders whose provisioning failed, by class; the most first.
    failures: Vec<FailuresFigure>,
    revenue: RevenueFigures,
    /// What active servers bring in a month: the sum over the providers.
    #[schema(example = 5_040_000)]
    mrr: Rupiah,
    /// The same less what all servers cost.
    #[schema(example = 783_000)]
    margin: Rupiah,
    churn: ChurnFigure,
    /// In alphabetical order, none left out.
    providers: Vec<ProviderFigure>,
    payments_pending: PendingFigure,
    liabilities: LiabilityFigures,
}

/// Show what the business comes to: orders by status, revenue by the books, monthly recurring revenue and margin by the
/// catalog, churn of 30 days, open payments, and what we owe to customers. All of it is of one moment, by the database's clock.
#[utoipa::path(
    get, path = "/admin/dashboard", tag = "admin", operation_id = "admin_get_dashboard", security(("bearer" = [])),
    responses((status = 200, description = "The figures.", body = AdminDashboard))
)]
pub(super) async fn get(_: Staff, State(state): State<AppState>) -> Result<Json<AdminDashboard>, Problem> {
    let figures = state.store.dashboard().await?;
    AdminDashboard::new(figures, &state).map(Json).map_err(|error| Problem::internal(&error))
}

impl AdminDashboard {
    fn new(figures: Dashboard, state: &AppState) -> Result<Self, AmountOverflow> {
        let owed = figures.liabilities;
        let provider = |row| ProviderFigure::new(row, state);
        let providers = figures.providers.into_iter().map(provider).collect::<Result<Vec<_>, _>>()?;
        let sum =
            |of: fn(&ProviderFigure) -> Rupiah| providers.iter().map(of).try_fold(Rupiah::ZERO, Rupiah::plus);
        Ok(Self {
            at: figures.at,
            currency: CURRENCY,
            usd_idr: state.reconcile.usd_idr.normalize().to_string(),
            orders: figures
                .orders
                .into_iter()
                .map(|(status, orders)| OrdersFigure { status, orders })
                .collect(),
            failures: figures
                .failures
                .into_iter()
                .map(|(class, orders)| FailuresFigure { class, orders })
                .collect(),
            revenue: RevenueFigures {
                this_month: RevenueFigure::new(figures.this_month)?,
                last_month: RevenueFigure::new(figures.last_month)?,
            },
            mrr: sum(|provider| provider.mrr)?,
            margin: sum(|provider| provider.margin)?,
            churn: ChurnFigure {
                servers: figures.served_before,
                lost: figures.lost,
                rate_bp: (figures.lost * 10_000).checked_div(figures.served_before),
            },
            providers,
            payments_pending: PendingFigure {
                payments: figures.payments_pending,
                amount: figures.payments_pending_amount,
                transfers: figures.transfers_pending,
            },
            liabilities: LiabilityFigures {
                wallets: owed.wallets,
                held: owed.holds,
                deferred_revenue: owed.deferred_revenue,
                refunds_payable: owed.refunds_payable,
                total: owed
                    .wallets
                    .plus(owed.holds)?
                    .plus(owed.deferred_revenue)?
                    .plus(owed.refunds_payable)?,
            },
        })
    }
}

impl RevenueFigure {
    fn new(revenue: Revenue) -> Result<Self, AmountOverflow> {
        let Revenue { recognised, refunded } = revenue;
        Ok(Self { recognised, refunded, net: recognised.minus(refunded)? })
    }
}

impl ProviderFigure {
    fn new(figures: ProviderFigures, state: &AppState) -> Result<Self, AmountOverflow> {
        let cost = monthly_cost(figures.cost_usd, state.reconcile.usd_idr)?;
        Ok(Self {
            provider: figures.slug,
            name: figures.name,
            active_servers: figures.active,
            idle_servers: figures.idle,
            mrr: figures.mrr,
            cost_usd: figures.cost_usd.to_string(),
            cost,
            margin: figures.mrr.minus(cost)?,
        })
    }
}
