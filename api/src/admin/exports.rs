//! Everything of a kind as a table of comma-separated values, filtered as its list is: for bookkeeping and audits. For
//! administrators, since it is people and money by the thousand, and logged before the first line.

use axum::{
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use domain::{
    ids::UserId,
    ledger::{AccountKind, MovementKind},
};
use serde::{Deserialize, Serialize};
use store::{
    admin::{
        AuditFilter, EntryFilter, InstanceFilter, InvoiceFilter, OrderFilter, PaymentFilter, UserFilter,
    },
    audit::Origin,
};
use utoipa::IntoParams;

use super::{
    audit_log::AuditQuery, instances::InstanceQuery, invoices::AdminInvoiceQuery, orders::OrderQuery,
    payments::PaymentQuery, users::UserQuery,
};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Moment, Params},
    problem::Problem,
};

mod columns;
mod stream;

use columns::Export;

/// Which entries of the books are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EntryQuery {
    /// Only movements from then on.
    #[param(value_type = Option<DateTime<Utc>>)]
    since: Option<Moment>,
    /// Only movements before then.
    #[param(value_type = Option<DateTime<Utc>>)]
    before: Option<Moment>,
    /// Only movements of this kind.
    #[param(inline)]
    kind: Option<MovementKind>,
    /// Only entries in accounts of this kind.
    #[param(inline)]
    account: Option<AccountKind>,
    /// Only movements of this customer's money.
    customer_id: Option<UserId>,
}

/// An address for each: what it is, the function's name, the address, the operation's name, and the filters.
macro_rules! exports {
    ($($(#[doc = $doc:tt])+ $name:ident $path:tt $operation:tt $query:ident => $filter:ident)+) => {$(
        $(#[doc = $doc])+
        #[utoipa::path(
            get, path = $path, tag = "admin", operation_id = $operation, security(("bearer" = [])), params($query),
            responses(
                (status = 200, description = "The table, written while it is read: `\\r\\n` after each line, the names of the \
                 columns in the first. A text that looks like a formula has an apostrophe before it. An answer that ends \
                 without an error of the connection is whole.", body = String, content_type = "text/csv",
                 headers(("Content-Disposition" = String, description = "A name for the file."))),
                (status = 429, description = "`too_many_exports`, or `rate_limited`: try again after `Retry-After` seconds.",
                 body = Problem, content_type = "application/problem+json"),
            )
        )]
        pub(super) async fn $name(
            admin: Staff,
            client: Client,
            State(state): State<AppState>,
            Params(query): Params<$query>,
        ) -> Result<Response, Problem> {
            let origin = client.origin(admin.actor());
            let filters = serde_json::to_value(&query).map_err(|error| Problem::internal(&error))?;
            answer::<$filter>(&state, &origin, filters, query.into()).await
        }
    )+};
}

exports! {
    /// Export orders, the oldest first, filtered as their list.
    orders "/admin/exports/orders.csv" "admin_export_orders" OrderQuery => OrderFilter
    /// Export invoices, the oldest first, filtered as their list.
    invoices "/admin/exports/invoices.csv" "admin_export_invoices" AdminInvoiceQuery => InvoiceFilter
    /// Export attempts to pay, the oldest first, filtered as their list.
    payments "/admin/exports/payments.csv" "admin_export_payments" PaymentQuery => PaymentFilter
    /// Export the books, entry by entry with its movement, in the order in which they were written.
    ledger_entries "/admin/exports/ledger-entries.csv" "admin_export_ledger_entries" EntryQuery => EntryFilter
    /// Export accounts, the oldest first, filtered as their list.
    users "/admin/exports/users.csv" "admin_export_users" UserQuery => UserFilter
    /// Export servers, the oldest first, filtered as their list.
    instances "/admin/exports/instances.csv" "admin_export_instances" InstanceQuery => InstanceFilter
    /// Export who did what, the oldest first, filtered as the audit log.
    audit_log "/admin/exports/audit-log.csv" "admin_export_audit_log" AuditQuery => AuditFilter
}

async fn answer<E: Export>(
    state: &AppState,
    origin: &Origin,
    filters: serde_json::Value,
    export: E,
) -> Result<Response, Problem> {
    let snapshot = state.store.begin_export(E::KIND, given(filters), origin).await?;
    let name = format!("{}-{}.csv", E::KIND, snapshot.at().format("%Y%m%dT%H%M%SZ"));
    tracing::info!(event = "export.started", kind = E::KIND, "an export begins");
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!(r#"attachment; filename="{name}""#)),
    ];
    Ok((headers, stream::body(export, snapshot)).into_response())
}

/// The filters that restrict something.
fn given(filters: serde_json::Value) -> serde_json::Value {
    match filters {
        serde_json::Value::Object(all) => all.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

impl From<EntryQuery> for EntryFilter {
    fn from(query: EntryQuery) -> Self {
        Self {
            since: query.since.map(Moment::get),
            before: query.before.map(Moment::get),
            kind: query.kind,
            account: query.account,
            customer: query.customer_id,
        }
    }
}
