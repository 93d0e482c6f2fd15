//! What moved a balance, as JSON in parts or as one CSV file.

use axum::{
    extract::State,
    http::{
        HeaderMap,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    Rupiah,
    ids::{MovementId, OrderId, PaymentId, UserId},
    ledger::MovementKind,
};
use serde::{Deserialize, Serialize};
use store::{
    page::PageRequest,
    wallet::{StatementFilter, Transaction},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::CurrentUser,
    csv_table::{self, Column},
    extract::{Moment, Paged, Paging, Params},
    problem::Problem,
};

/// Rows read at a time for a CSV file.
const CHUNK: i64 = 1_000;

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatementQuery {
    /// Only this kind.
    kind: Option<MovementKind>,
    /// Only from then on.
    #[param(value_type = Option<DateTime<Utc>>, example = "2026-11-01T00:00:00Z")]
    from: Option<Moment>,
    /// Only before then.
    #[param(value_type = Option<DateTime<Utc>>, example = "2026-12-01T00:00:00Z")]
    until: Option<Moment>,
    /// `csv` for one file of all lines; `Accept: text/csv` does the same.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

/// One line of a statement.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: MovementId,
    kind: MovementKind,
    /// What it did to the balance, in whole rupiah: more, or when negative, less.
    #[schema(example = -133_200)]
    amount: Rupiah,
    /// The balance afterwards.
    #[schema(example = 366_800)]
    balance: Rupiah,
    /// What it was, in words.
    #[schema(example = "Set aside for an order")]
    description: String,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// The payment it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<PaymentId>,
    at: DateTime<Utc>,
}

impl From<Transaction> for TransactionBody {
    fn from(line: Transaction) -> Self {
        let what = words(line.kind);
        Self {
            id: line.id,
            kind: line.kind,
            amount: line.amount,
            balance: line.balance,
            description: line.memo.map_or_else(|| what.to_owned(), |memo| format!("{what}: {memo}")),
            order_id: line.order_id,
            payment_id: line.payment_id,
            at: line.at,
        }
    }
}

const fn words(kind: MovementKind) -> &'static str {
    match kind {
        MovementKind::Deposit => "Deposit",
        MovementKind::Payment => "Payment of an order",
        MovementKind::PartPayment => "Part payment of an order",
        MovementKind::LatePayment => "Payment that came too late for its order",
        MovementKind::Surplus => "Transfer of more than was due",
        MovementKind::Hold => "Set aside for an order",
        MovementKind::Capture => "Taken for an order",
        MovementKind::Release => "Back from an order",
        MovementKind::Refund => "Refund",
        MovementKind::RefundOwed => "Refund on its way",
        MovementKind::RefundSettled => "Refund sent back",
        MovementKind::RefundReturned => "Refund that could not be sent back",
        MovementKind::Adjustment => "Correction by our team",
        MovementKind::Revenue => "Service",
        MovementKind::GatewayPayout => "Payout of a gateway",
        MovementKind::PromoBonus => "Bonus on a deposit",
        MovementKind::PayerFee => "Fee that a payer paid to the gateway",
        MovementKind::Dispute => "Payment that was taken back",
    }
}

/// Read what moved my balance, newest first, with the balance after each.
#[utoipa::path(
    get, path = "/wallet/transactions", tag = "billing", operation_id = "list_wallet_transactions",
    security(("bearer" = [])), params(StatementQuery, Paging),
    responses((status = 200, description = "A part of the list; as CSV, all of it.",
               content((Paged<TransactionBody> = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn transactions(
    me: CurrentUser,
    State(state): State<AppState>,
    Params(query): Params<StatementQuery>,
    paging: Paging,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = StatementFilter {
        kind: query.kind,
        from: query.from.map(Moment::get),
        until: query.until.map(Moment::get),
    };
    if wants_csv(query.format, &headers) {
        return csv(&state, me.id, &filter).await;
    }
    let page = state.store.wallet_statement(me.id, &filter, paging.request()).await?;
    Ok(Paged::new(page, TransactionBody::from).into_response())
}

fn wants_csv(format: Option<Format>, headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match format {
        Some(format) => format == Format::Csv,
        None => accepted.split([',', ';']).next().is_some_and(|first| first.trim() == "text/csv"),
    }
}

async fn csv(state: &AppState, owner: UserId, filter: &StatementFilter) -> Result<Response, Problem> {
    let unwritten = |error: ::csv::Error| Problem::internal(&error);
    let mut table = csv_table::header(COLUMNS).map_err(unwritten)?;
    let mut page = PageRequest { before: None, limit: CHUNK };
    loop {
        let part = state.store.wallet_statement(owner, filter, page).await?;
        let lines: Vec<TransactionBody> = part.data.into_iter().map(TransactionBody::from).collect();
        table.extend(csv_table::rows(COLUMNS, &lines).map_err(unwritten)?);
        page.before = part.next;
        if page.before.is_none() {
            break;
        }
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, r#"attachment; filename="wallet.csv""#),
    ];
    Ok((headers, table).into_response())
}

/// The columns; their names are a promise.
const COLUMNS: &[Column<TransactionBody>] = &[
    ("at", |line| line.at.to_rfc3339_opts(SecondsFormat::Secs, true).into()),
    ("kind", |line| line.kind.as_str().into()),
    ("amount", |line| line.amount.into()),
    ("balance", |line| line.balance.into()),
    ("description", |line| line.description.as_str().into()),
    ("order_id", |line| line.order_id.into()),
    ("payment_id", |line| line.payment_id.into()),
    ("id", |line| line.id.into()),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn header(accept: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())])
    }

    #[test]
    fn csv_is_given_to_who_asks_for_it() {
        assert!(wants_csv(Some(Format::Csv), &HeaderMap::new()));
        assert!(wants_csv(None, &header("text/csv")));
        assert!(wants_csv(None, &header("text/csv;q=1, application/json")));
        assert!(!wants_csv(Some(Format::Json), &header("text/csv")));
        assert!(!wants_csv(None, &header("*/*")));
        assert!(!wants_csv(None, &HeaderMap::new()));
    }
}
