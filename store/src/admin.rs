//! What staff see and do beyond a customer's reach: stepping into an order's course (`order_commands`), and reading
//! orders, invoices, payments (`orders`, `invoices`, `payments`) and the audit log (`journal`) of everybody.

mod audit_log;
mod bulk_retry;
mod escalation;
mod invoices;
mod order_commands;
mod orders;
mod payments;

pub use audit_log::{AuditEntry, AuditFilter};
pub use bulk_retry::{BulkRetry, NewBulkRetry};
pub use invoices::{InvoiceDetail, InvoiceFilter};
pub use order_commands::{AttachedOrder, CancelledOrder, FoundServer, ReplacedServer, RetriedOrder};
pub use orders::{CustomerSummary, InvoiceSummary, OrderDetail, OrderFilter, OrderSummary, TaskDetail};
pub use payments::{PaymentDetail, PaymentFilter, WebhookSummary};
