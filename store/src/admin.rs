//! What staff see and do beyond a customer's reach: stepping into an order's course (`order_commands`), and reading
//! orders, invoices, payments, accounts, servers (`orders`, `invoices`, `payments`, `users`, `instances`) and the audit log
//! (`audit_log`) of everybody, finding any of them (`search`), taking all of a kind out (`exports`), news (`announcements`), and what it
//! all comes to (`dashboard`).

mod announcements;
mod audit_log;
mod bulk_retry;
mod dashboard;
mod escalation;
mod exports;
mod impersonation;
mod instances;
mod invoices;
mod order_commands;
mod orders;
mod payment_detail;
mod payments;
mod search;
mod user_notes;
mod users;

pub use announcements::{Announcement, AnnouncementError, Audience, NewAnnouncement};
pub use audit_log::{AuditEntry, AuditFilter};
pub use bulk_retry::{BulkRetry, NewBulkRetry};
pub use dashboard::{Dashboard, Liabilities, ProviderFigures, Revenue};
pub use exports::{EXPORT_PATIENCE, EntryFilter, LedgerEntry, Snapshot};
pub use impersonation::{Impersonated, Impersonation};
pub use instances::{InstanceDetail, InstanceFilter, InstanceSummary};
pub use invoices::{InvoiceDetail, InvoiceFilter};
pub use order_commands::{AttachedOrder, CancelledOrder, FoundServer, ReplacedServer, RetriedOrder};
pub use orders::{CustomerSummary, InvoiceSummary, OrderDetail, OrderFilter, OrderSummary, TaskDetail};
pub use payment_detail::{AskedPayment, PaymentAround, PaymentMovement};
pub use payments::{PaymentDetail, PaymentFilter, WebhookSummary};
pub use search::{Hit, SEARCH_MINIMUM};
pub use user_notes::UserNote;
pub use users::{UserDetail, UserError, UserFilter, UserSummary};
