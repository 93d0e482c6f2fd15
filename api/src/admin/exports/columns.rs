//! What each export has in its columns. A new one is a filter with its columns here, a line in [`super::exports!`], and how
//! its rows are read in `store::admin::Snapshot`.

use store::admin::{
    AuditEntry, AuditFilter, EntryFilter, InstanceFilter, InstanceSummary, InvoiceDetail, InvoiceFilter,
    LedgerEntry, OrderFilter, OrderSummary, PaymentDetail, PaymentFilter, Snapshot, UserFilter, UserSummary,
};

use crate::csv_table::Column;

/// Everything of a kind that a filter leaves.
pub(super) trait Export: Send + Sync + 'static {
    /// A line of the table.
    type Row: Send + Sync + 'static;

    /// Its name, as in the address.
    const KIND: &'static str;

    /// The columns. They keep their names; new ones come last.
    const COLUMNS: &'static [Column<Self::Row>];

    /// The rows behind the last one, or the first ones; none at the end.
    fn batch(
        &self,
        snapshot: &mut Snapshot,
        last: Option<&Self::Row>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, store::StoreError>> + Send;
}

macro_rules! export {
    ($filter:ident $kind:literal, $row:ident by $read:ident: $columns:expr) => {
        impl Export for $filter {
            type Row = $row;

            const KIND: &'static str = $kind;

            const COLUMNS: &'static [Column<$row>] = &$columns;

            async fn batch(
                &self,
                snapshot: &mut Snapshot,
                last: Option<&$row>,
            ) -> Result<Vec<$row>, store::StoreError> {
                snapshot.$read(self, last.map(|row| row.id)).await
            }
        }
    };
}

export! { OrderFilter "orders", OrderSummary by orders: [
    ("id", |order| order.id.into()),
    ("status", |order| order.status.as_str().into()),
    ("placed_at", |order| order.placed_at.into()),
    ("customer_id", |order| order.customer.id.into()),
    ("customer_email", |order| order.customer.email.as_str().into()),
    ("customer_name", |order| order.customer.full_name.as_str().into()),
    ("provider", |order| order.provider.as_str().into()),
    ("plan", |order| order.plan.as_str().into()),
    ("region", |order| order.region.as_str().into()),
    ("image", |order| order.image.as_str().into()),
    ("hostname", |order| order.hostname.as_str().into()),
    ("term_months", |order| order.term_months.into()),
    ("total", |order| order.total.into()),
    ("expires_at", |order| order.expires_at.into()),
    ("paid_at", |order| order.paid_at.into()),
    ("active_at", |order| order.active_at.into()),
    ("failure_class", |order| order.failure_class.as_deref().into()),
    ("failure_message", |order| order.failure_message.as_deref().into()),
] }

export! { InvoiceFilter "invoices", InvoiceDetail by invoices: [
    ("id", |invoice| invoice.id.into()),
    ("number", |invoice| invoice.number.as_deref().into()),
    ("status", |invoice| invoice.status.as_str().into()),
    ("customer_id", |invoice| invoice.customer_id.into()),
    ("customer_email", |invoice| invoice.customer_email.as_str().into()),
    ("order_id", |invoice| invoice.order_id.into()),
    ("subtotal", |invoice| invoice.subtotal.into()),
    ("discount", |invoice| invoice.discount.into()),
    ("tax_base", |invoice| invoice.tax_base.into()),
    ("tax_rate_bp", |invoice| invoice.tax_bp.into()),
    ("tax", |invoice| invoice.tax.into()),
    ("total", |invoice| invoice.total.into()),
    ("created_at", |invoice| invoice.created_at.into()),
    ("issued_at", |invoice| invoice.issued_at.into()),
    ("due_at", |invoice| invoice.due_at.into()),
    ("paid_at", |invoice| invoice.paid_at.into()),
    ("note", |invoice| invoice.note.as_deref().into()),
] }

export! { PaymentFilter "payments", PaymentDetail by payments: [
    ("id", |payment| payment.id.into()),
    ("status", |payment| payment.status.as_str().into()),
    ("outcome", |payment| payment.outcome.map(|outcome| outcome.as_str()).into()),
    ("customer_id", |payment| payment.customer_id.into()),
    ("order_id", |payment| payment.order_id.into()),
    ("invoice_id", |payment| payment.invoice_id.into()),
    ("deposit_id", |payment| payment.deposit_id.into()),
    ("method", |payment| payment.method.as_str().into()),
    ("bank", |payment| payment.bank.map(|bank| bank.as_str()).into()),
    ("gateway", |payment| payment.gateway.as_deref().into()),
    ("gateway_order_id", |payment| payment.gateway_order_id.as_str().into()),
    ("gateway_transaction_id", |payment| payment.gateway_transaction_id.as_deref().into()),
    ("amount", |payment| payment.amount.into()),
    ("amount_received", |payment| payment.amount_received.into()),
    ("payer_fee", |payment| payment.payer_fee.into()),
    ("disputed", |payment| payment.disputed.into()),
    ("created_at", |payment| payment.created_at.into()),
    ("expires_at", |payment| payment.expires_at.into()),
    ("paid_at", |payment| payment.paid_at.into()),
    ("approved_by", |payment| payment.approved_by.into()),
    ("note", |payment| payment.note.as_deref().into()),
] }

export! { EntryFilter "ledger-entries", LedgerEntry by ledger_entries: [
    ("id", |entry| entry.id.into()),
    ("movement_id", |entry| entry.movement_id.into()),
    ("at", |entry| entry.at.into()),
    ("kind", |entry| entry.kind.as_str().into()),
    ("account", |entry| entry.account.as_str().into()),
    ("owner_id", |entry| entry.owner_id.into()),
    ("amount", |entry| entry.amount.into()),
    ("balance_after", |entry| entry.balance_after.into()),
    ("customer_id", |entry| entry.customer_id.into()),
    ("order_id", |entry| entry.order_id.into()),
    ("invoice_id", |entry| entry.invoice_id.into()),
    ("payment_id", |entry| entry.payment_id.into()),
    ("cause", |entry| entry.cause.as_str().into()),
    ("memo", |entry| entry.memo.as_deref().into()),
] }

export! { UserFilter "users", UserSummary by users: [
    ("id", |user| user.id.into()),
    ("email", |user| user.email.as_str().into()),
    ("full_name", |user| user.full_name.as_str().into()),
    ("role", |user| user.role.as_str().into()),
    ("language", |user| user.language.as_str().into()),
    ("email_verified_at", |user| user.email_verified_at.into()),
    ("suspended_at", |user| user.suspended_at.into()),
    ("servers", |user| user.servers.into()),
    ("created_at", |user| user.created_at.into()),
] }

export! { InstanceFilter "instances", InstanceSummary by instances: [
    ("id", |server| server.id.into()),
    ("order_id", |server| server.order_id.into()),
    ("customer_id", |server| server.customer_id.into()),
    ("customer_email", |server| server.customer_email.as_str().into()),
    ("name", |server| server.name.as_str().into()),
    ("hostname", |server| server.hostname.as_str().into()),
    ("status", |server| server.status.as_str().into()),
    ("power_state", |server| server.power_state.as_str().into()),
    ("ipv4", |server| server.ipv4.as_deref().into()),
    ("ipv6", |server| server.ipv6.as_deref().into()),
    ("provider", |server| server.provider.as_str().into()),
    ("provider_instance_id", |server| server.provider_instance_id.as_deref().into()),
    ("plan", |server| server.plan.as_str().into()),
    ("region", |server| server.region.as_str().into()),
    ("image", |server| server.image.as_str().into()),
    ("auto_renew", |server| server.auto_renew.into()),
    ("cancels_at_period_end", |server| server.cancels_at_period_end.into()),
    ("created_at", |server| server.created_at.into()),
    ("starts_at", |server| server.starts_at.into()),
    ("expires_at", |server| server.expires_at.into()),
    ("next_due_at", |server| server.next_due_at.into()),
    ("suspended_at", |server| server.suspended_at.into()),
    ("terminated_at", |server| server.terminated_at.into()),
    ("held_step", |server| server.held_step.as_deref().into()),
] }

export! { AuditFilter "audit-log", AuditEntry by audit_log: [
    ("id", |act| act.id.into()),
    ("at", |act| act.at.into()),
    ("actor_kind", |act| act.actor_kind.as_str().into()),
    ("actor_id", |act| act.actor_id.into()),
    ("on_behalf_of", |act| act.on_behalf_of.into()),
    ("actor_name", |act| act.actor_name.as_deref().into()),
    ("action", |act| act.action.as_str().into()),
    ("object_kind", |act| act.object_kind.as_str().into()),
    ("object_id", |act| act.object_id.into()),
    ("before", |act| act.before.as_ref().map(ToString::to_string).into()),
    ("after", |act| act.after.as_ref().map(ToString::to_string).into()),
    ("ip", |act| act.ip.as_deref().into()),
    ("request_id", |act| act.request_id.as_deref().into()),
] }
