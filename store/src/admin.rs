//! What staff see and do beyond a customer's reach: stepping into an order's course (`intervene`), and reading
//! orders, invoices, payments (`orders`, `invoices`, `payments`) and the audit log (`journal`) of everybody.

mod bulk_retry;
mod escalation;
mod intervene;
mod invoices;
mod journal;
mod orders;
mod payments;

pub use bulk_retry::{BulkRetry, NewBulkRetry};
pub use intervene::{AttachedOrder, CancelledOrder, FoundServer, ReplacedServer, RetriedOrder};
pub use invoices::{InvoiceDetail, InvoiceFilter};
pub use journal::{AuditEntry, AuditFilter};
pub use orders::{CustomerSummary, InvoiceSummary, OrderDetail, OrderFilter, OrderSummary, TaskDetail};
pub use payments::{PaymentDetail, PaymentFilter, WebhookSummary};
