//! What staff see and do beyond a customer's reach: stepping into an order's course (`intervene`), and reading
//! orders, payments (`orders`, `payments`) and the audit log (`journal`) of everybody.

mod intervene;
mod journal;
mod orders;
mod payments;

pub use intervene::{CancelledOrder, RetriedOrder};
pub use journal::{AuditEntry, AuditFilter};
pub use orders::{CustomerSummary, InvoiceSummary, OrderDetail, OrderFilter, OrderSummary, TaskDetail};
pub use payments::{PaymentDetail, PaymentFilter, WebhookSummary};
