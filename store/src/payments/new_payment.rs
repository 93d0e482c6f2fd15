//! Writing an attempt to pay, whatever it pays.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
};
use sqlx::PgConnection;

use crate::Result;

/// What an attempt pays.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pays {
    /// An order, by its invoice.
    Order {
        order: OrderId,
        invoice: InvoiceId,
    },
    /// An invoice that belongs to no order.
    Invoice(InvoiceId),
    Deposit(DepositId),
}

impl Pays {
    const fn order(self) -> Option<OrderId> {
        match self {
            Self::Order { order, .. } => Some(order),
            Self::Invoice(_) | Self::Deposit(_) => None,
        }
    }

    const fn invoice(self) -> Option<InvoiceId> {
        match self {
            Self::Order { invoice, .. } | Self::Invoice(invoice) => Some(invoice),
            Self::Deposit(_) => None,
        }
    }

    const fn deposit(self) -> Option<DepositId> {
        match self {
            Self::Deposit(deposit) => Some(deposit),
            Self::Order { .. } | Self::Invoice(_) => None,
        }
    }

    /// What gateways call the `attempt`-th payment of it: 37 characters and more, within every gateway's 50.
    fn gateway_order_id(self, attempt: u32) -> String {
        let (prefix, id) = match self {
            Self::Order { order, .. } => ("WB", order.0),
            Self::Invoice(invoice) => ("WI", invoice.0),
            Self::Deposit(deposit) => ("WD", deposit.0),
        };
        format!("{prefix}-{}-{attempt}", id.simple())
    }
}

/// Until when an attempt can be paid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PayableUntil {
    At(DateTime<Utc>),
    /// So many milliseconds from now on, by the database's clock.
    Within(u64),
}

impl PayableUntil {
    /// A moment, or seconds from now on.
    fn columns(self) -> (Option<DateTime<Utc>>, Option<f64>) {
        match self {
            Self::At(moment) => (Some(moment), None),
            #[allow(clippy::cast_precision_loss, reason = "a deadline to the millisecond is precise enough")]
            Self::Within(ms) => (None, Some(ms as f64 / 1000.0)),
        }
    }
}

/// An attempt to be written, for all of `amount`.
#[derive(Debug)]
pub(crate) struct NewPayment<'a> {
    pub id: PaymentId,
    pub pays: Pays,
    /// Which attempt to pay it this is; the first is 1.
    pub attempt: u32,
    pub customer: UserId,
    pub method: PaymentMethod,
    pub bank: Option<Bank>,
    /// Slug of the gateway that will be charged.
    pub gateway: Option<&'a str>,
    pub amount: Rupiah,
    pub until: PayableUntil,
}

/// Writes it. What it pays is new, or locked by the caller.
pub(crate) async fn insert(tx: &mut PgConnection, new: &NewPayment<'_>) -> Result<()> {
    let (at, within_seconds) = new.until.columns();
    sqlx::query!(
        "INSERT INTO payments (id, order_id, invoice_id, deposit_id, user_id, gateway, gateway_order_id, method, bank,
                               amount, status, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'PENDING',
                 coalesce($11::timestamptz, now() + make_interval(secs => $12)))",
        new.id.0,
        new.pays.order().map(|id| id.0),
        new.pays.invoice().map(|id| id.0),
        new.pays.deposit().map(|id| id.0),
        new.customer.0,
        new.gateway,
        new.pays.gateway_order_id(new.attempt),
        new.method.as_str(),
        new.bank.map(Bank::as_str),
        new.amount.get(),
        at,
        within_seconds,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which attempt the next one to pay an invoice is. The invoice or its order is locked by the caller.
pub(super) async fn next_attempt(tx: &mut PgConnection, invoice: InvoiceId) -> Result<u32> {
    let earlier = sqlx::query_scalar!(
        r#"SELECT count(*) AS "earlier!" FROM payments WHERE invoice_id = $1"#,
        invoice.0
    )
    .fetch_one(tx)
    .await?;
    Ok(u32::try_from(earlier).unwrap_or(u32::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_id;

    #[test]
    fn the_gateways_order_id_fits_midtrans() {
        let order = || Pays::Order { order: new_id(), invoice: new_id() };
        assert!(order().gateway_order_id(u32::MAX).len() <= 50);
        assert_ne!(order().gateway_order_id(1), order().gateway_order_id(1));
    }
}
