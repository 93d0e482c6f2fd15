//! Who may do what: one table of every operation, those of the internal port too. The extractors look up in it what they let
//! through, so no handler can forget or contradict it, and what is not in it is refused. A test holds the API's documents to
//! it, and walks all of it as everybody there is.
//!
//! What staff's roles may do is [`Permission::roles`], the other half.

use std::{collections::HashMap, sync::LazyLock};

use axum::extract::MatchedPath;
use axum::http::{Method, request::Parts};
use domain::{api_key::Scope, api_token::TokenScope, permission::Permission};

/// Whom an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: what is sent proves itself (a password, a link, a gateway's signature), or nothing needs proof.
    Anybody,
    /// Whoever logged in, whatever the role, about what is their own.
    Own {
        /// The scope by which a personal API token may do it too; `None` where somebody has to log in.
        token: Option<TokenScope>,
        /// Whether staff may do it in the owner's name: what shows no secret and changes nothing.
        support: bool,
    },
    /// Staff who logged in and whose role has this.
    Staff(Permission),
    /// A program with a key of this right.
    Key(Scope),
}

const ANYBODY: Access = Access::Anybody;
const READ: Access = token(TokenScope::Read);
const ORDERS: Access = token(TokenScope::Orders);
const WALLET: Access = token(TokenScope::Wallet);
const INSTANCES: Access = token(TokenScope::Instances);
const NOTIFICATIONS: Access = token(TokenScope::Notifications);
/// It is about who somebody is.
const LOGIN: Access = Access::Own { token: None, support: false };
/// The same, where staff may do it in the owner's name.
const SESSION: Access = Access::Own { token: None, support: true };

const SEE: Access = Access::Staff(Permission::AdminRead);
const EXPORTS: Access = Access::Staff(Permission::ExportsRead);
const MONEY: Access = Access::Staff(Permission::MoneyMove);
const SERVERS: Access = Access::Staff(Permission::ServersManage);
const LIFE: Access = Access::Staff(Permission::LifeManage);
const CATALOG: Access = Access::Staff(Permission::CatalogManage);
const PROMOS: Access = Access::Staff(Permission::PromosManage);
const ACCOUNTS: Access = Access::Staff(Permission::AccountsManage);
const IMPERSONATE: Access = Access::Staff(Permission::AccountsImpersonate);
const NEWS: Access = Access::Staff(Permission::AnnouncementsMake);
const RUN: Access = Access::Staff(Permission::OperationsRun);
const STAFF: Access = Access::Staff(Permission::StaffManage);
const PROVIDERS: Access = Access::Staff(Permission::ProvidersManage);

/// What only reads staff may do in the owner's name.
const fn token(scope: TokenScope) -> Access {
    Access::Own { token: Some(scope), support: matches!(scope, TokenScope::Read) }
}

const fn key(scope: Scope) -> Access {
    Access::Key(scope)
}

/// Operations by method and path, as the documents have them.
#[rustfmt::skip]
const OPERATIONS: &[(&str, &str, Access)] = &[
    // For anybody: who asks proves it by what is sent, or need not.
    ("POST", "/api/v1/auth/confirm-email-change", ANYBODY),
    ("POST", "/api/v1/auth/forgot-password", ANYBODY),
    ("POST", "/api/v1/auth/login", ANYBODY),
    ("POST", "/api/v1/auth/login/2fa", ANYBODY),
    ("POST", "/api/v1/auth/refresh", ANYBODY),
    ("POST", "/api/v1/auth/register", ANYBODY),
    ("POST", "/api/v1/auth/resend-verification", ANYBODY),
    ("POST", "/api/v1/auth/reset-password", ANYBODY),
    ("POST", "/api/v1/auth/verify-email", ANYBODY),
    ("GET", "/api/v1/images", ANYBODY),
    ("GET", "/api/v1/images/{slug}", ANYBODY),
    ("GET", "/api/v1/payment-methods", ANYBODY),
    ("GET", "/api/v1/plans", ANYBODY),
    ("GET", "/api/v1/plans/{slug}", ANYBODY),
    ("GET", "/api/v1/providers", ANYBODY),
    ("GET", "/api/v1/providers/{slug}", ANYBODY),
    ("GET", "/api/v1/regions", ANYBODY),
    ("GET", "/api/v1/regions/{slug}", ANYBODY),
    ("GET", "/api/v1/unsubscribe/{token}", ANYBODY),
    ("POST", "/api/v1/unsubscribe/{token}", ANYBODY),
    ("POST", "/api/v1/webhooks/midtrans", ANYBODY),
    ("POST", "/api/v1/webhooks/xendit", ANYBODY),
    ("GET", "/health", ANYBODY),
    ("GET", "/livez", ANYBODY),
    ("GET", "/readyz", ANYBODY),
    // Whose it is is said in its first message.
    ("GET", "/ws/notifications", ANYBODY),
    // One's own account and what it has.
    ("POST", "/api/v1/auth/logout", SESSION),
    ("POST", "/api/v1/auth/logout-all", LOGIN),
    ("GET", "/api/v1/auth/me", READ),
    ("PATCH", "/api/v1/auth/me", LOGIN),
    ("GET", "/api/v1/auth/me/2fa", LOGIN),
    ("POST", "/api/v1/auth/me/2fa/confirm", LOGIN),
    ("POST", "/api/v1/auth/me/2fa/disable", LOGIN),
    ("POST", "/api/v1/auth/me/2fa/recovery-codes", LOGIN),
    ("POST", "/api/v1/auth/me/2fa/setup", LOGIN),
    ("GET", "/api/v1/auth/me/api-tokens", LOGIN),
    ("POST", "/api/v1/auth/me/api-tokens", LOGIN),
    ("DELETE", "/api/v1/auth/me/api-tokens/{id}", LOGIN),
    ("GET", "/api/v1/auth/me/billing-profile", READ),
    ("PUT", "/api/v1/auth/me/billing-profile", LOGIN),
    ("DELETE", "/api/v1/auth/me/billing-profile", LOGIN),
    ("POST", "/api/v1/auth/me/email", LOGIN),
    ("GET", "/api/v1/auth/me/notification-preferences", READ),
    ("PUT", "/api/v1/auth/me/notification-preferences", LOGIN),
    ("PUT", "/api/v1/auth/me/password", LOGIN),
    ("GET", "/api/v1/auth/me/sessions", SESSION),
    ("DELETE", "/api/v1/auth/me/sessions/{id}", LOGIN),
    ("GET", "/api/v1/auth/me/ssh-keys", READ),
    ("POST", "/api/v1/auth/me/ssh-keys", INSTANCES),
    ("GET", "/api/v1/auth/me/ssh-keys/{id}", READ),
    ("DELETE", "/api/v1/auth/me/ssh-keys/{id}", INSTANCES),
    ("GET", "/api/v1/auth/me/telegram-link", LOGIN),
    ("POST", "/api/v1/auth/me/telegram-link", LOGIN),
    ("DELETE", "/api/v1/auth/me/telegram-link", LOGIN),
    ("GET", "/api/v1/credit-notes", READ),
    ("GET", "/api/v1/credit-notes/{id}", READ),
    ("GET", "/api/v1/credit-notes/{id}/html", READ),
    ("GET", "/api/v1/credit-notes/{id}/pdf", READ),
    ("GET", "/api/v1/instances", READ),
    ("GET", "/api/v1/instances/{id}", READ),
    ("GET", "/api/v1/instances/{id}/actions", READ),
    ("POST", "/api/v1/instances/{id}/actions", INSTANCES),
    ("GET", "/api/v1/instances/{id}/actions/{action_id}", READ),
    ("PUT", "/api/v1/instances/{id}/auto-renew", INSTANCES),
    ("POST", "/api/v1/instances/{id}/cancel", INSTANCES),
    ("DELETE", "/api/v1/instances/{id}/cancel", INSTANCES),
    ("POST", "/api/v1/instances/{id}/console", INSTANCES),
    ("GET", "/api/v1/instances/{id}/credentials", INSTANCES),
    ("GET", "/api/v1/instances/{id}/metrics", READ),
    ("POST", "/api/v1/instances/{id}/renew", INSTANCES),
    ("GET", "/api/v1/instances/{id}/renewals", READ),
    ("GET", "/api/v1/instances/{id}/renewals/{renewal_id}", READ),
    ("POST", "/api/v1/instances/{id}/resize/quote", INSTANCES),
    ("GET", "/api/v1/instances/{id}/resizes", READ),
    ("POST", "/api/v1/instances/{id}/resizes", INSTANCES),
    ("GET", "/api/v1/instances/{id}/resizes/{resize_id}", READ),
    ("GET", "/api/v1/instances/{id}/snapshots", READ),
    ("GET", "/api/v1/instances/{id}/snapshots/{snapshot_id}", READ),
    ("PUT", "/api/v1/instances/{id}/tags", INSTANCES),
    ("GET", "/api/v1/invoices", READ),
    ("GET", "/api/v1/invoices/{id}", READ),
    ("GET", "/api/v1/invoices/{id}/html", READ),
    ("POST", "/api/v1/invoices/{id}/pay", ORDERS),
    ("GET", "/api/v1/invoices/{id}/pdf", READ),
    ("GET", "/api/v1/notifications", READ),
    ("POST", "/api/v1/notifications/read-all", NOTIFICATIONS),
    ("GET", "/api/v1/notifications/unread-count", READ),
    ("DELETE", "/api/v1/notifications/{id}", NOTIFICATIONS),
    ("POST", "/api/v1/notifications/{id}/read", NOTIFICATIONS),
    ("GET", "/api/v1/orders", READ),
    ("POST", "/api/v1/orders", ORDERS),
    ("POST", "/api/v1/orders/quote", READ),
    ("GET", "/api/v1/orders/{id}", READ),
    ("POST", "/api/v1/orders/{id}/cancel", ORDERS),
    ("POST", "/api/v1/orders/{id}/pay", ORDERS),
    ("GET", "/api/v1/orders/{id}/timeline", READ),
    ("GET", "/api/v1/payments", READ),
    ("GET", "/api/v1/payments/{id}", READ),
    ("POST", "/api/v1/payments/{id}/proof", ORDERS),
    ("GET", "/api/v1/promos/{code}/check", READ),
    ("GET", "/api/v1/refunds", READ),
    ("GET", "/api/v1/refunds/{id}", READ),
    ("GET", "/api/v1/wallet", READ),
    ("GET", "/api/v1/wallet/deposits", READ),
    ("POST", "/api/v1/wallet/deposits", WALLET),
    ("GET", "/api/v1/wallet/deposits/{id}", READ),
    ("GET", "/api/v1/wallet/transactions", READ),
    // The admin area.
    ("GET", "/api/v1/admin/announcements", SEE),
    ("POST", "/api/v1/admin/announcements", NEWS),
    ("GET", "/api/v1/admin/announcements/{id}", SEE),
    ("POST", "/api/v1/admin/announcements/{id}/cancel", NEWS),
    ("GET", "/api/v1/admin/audit-log", SEE),
    ("GET", "/api/v1/admin/bulk-retries", SEE),
    ("POST", "/api/v1/admin/bulk-retries", RUN),
    ("GET", "/api/v1/admin/bulk-retries/{id}", SEE),
    ("POST", "/api/v1/admin/bulk-retries/{id}/stop", RUN),
    ("GET", "/api/v1/admin/catalog-syncs", SEE),
    ("GET", "/api/v1/admin/catalog-syncs/{id}", SEE),
    ("GET", "/api/v1/admin/dashboard", SEE),
    ("GET", "/api/v1/admin/deliveries", SEE),
    ("POST", "/api/v1/admin/deliveries/{id}/resend", RUN),
    ("GET", "/api/v1/admin/disputes", SEE),
    ("GET", "/api/v1/admin/disputes/{id}", SEE),
    ("POST", "/api/v1/admin/disputes/{id}/accept", MONEY),
    ("POST", "/api/v1/admin/disputes/{id}/dismiss", MONEY),
    ("GET", "/api/v1/admin/exports/audit-log.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/instances.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/invoices.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/ledger-entries.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/orders.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/payments.csv", EXPORTS),
    ("GET", "/api/v1/admin/exports/users.csv", EXPORTS),
    ("GET", "/api/v1/admin/images", SEE),
    ("GET", "/api/v1/admin/images/{slug}", SEE),
    ("PATCH", "/api/v1/admin/images/{slug}", CATALOG),
    ("GET", "/api/v1/admin/instances", SEE),
    ("GET", "/api/v1/admin/instances/{id}", SEE),
    ("GET", "/api/v1/admin/instances/{id}/holds", SEE),
    ("POST", "/api/v1/admin/instances/{id}/holds", SERVERS),
    ("DELETE", "/api/v1/admin/instances/{id}/holds/{hold_id}", SERVERS),
    ("POST", "/api/v1/admin/instances/{id}/waive-final-snapshot", SERVERS),
    ("POST", "/api/v1/admin/instances/{id}/wake", SERVERS),
    ("GET", "/api/v1/admin/invoices", SEE),
    ("POST", "/api/v1/admin/invoices", MONEY),
    ("GET", "/api/v1/admin/invoices/{id}", SEE),
    ("PUT", "/api/v1/admin/invoices/{id}/draft", MONEY),
    ("GET", "/api/v1/admin/invoices/{id}/html", SEE),
    ("POST", "/api/v1/admin/invoices/{id}/issue", MONEY),
    ("GET", "/api/v1/admin/invoices/{id}/pdf", SEE),
    ("POST", "/api/v1/admin/invoices/{id}/refund", MONEY),
    ("POST", "/api/v1/admin/invoices/{id}/void", MONEY),
    ("GET", "/api/v1/admin/ledger/checks", SEE),
    ("POST", "/api/v1/admin/ledger/checks", RUN),
    ("GET", "/api/v1/admin/ledger/checks/{id}", SEE),
    ("GET", "/api/v1/admin/ledger/trial-balance", SEE),
    ("POST", "/api/v1/admin/life/confirm-restore", LIFE),
    ("GET", "/api/v1/admin/life/held", SEE),
    ("GET", "/api/v1/admin/life/pauses", SEE),
    ("GET", "/api/v1/admin/life/pauses/{scope}/{process}", SEE),
    ("PUT", "/api/v1/admin/life/pauses/{scope}/{process}", LIFE),
    ("DELETE", "/api/v1/admin/life/pauses/{scope}/{process}", LIFE),
    ("POST", "/api/v1/admin/life/releases", LIFE),
    ("GET", "/api/v1/admin/life/rules", SEE),
    ("POST", "/api/v1/admin/life/rules", LIFE),
    ("GET", "/api/v1/admin/orders", SEE),
    ("GET", "/api/v1/admin/orders/{id}", SEE),
    ("POST", "/api/v1/admin/orders/{id}/approve-payment", MONEY),
    ("POST", "/api/v1/admin/orders/{id}/attach-server", SERVERS),
    ("POST", "/api/v1/admin/orders/{id}/cancel", MONEY),
    ("POST", "/api/v1/admin/orders/{id}/refund", MONEY),
    ("POST", "/api/v1/admin/orders/{id}/reject-payment", MONEY),
    ("POST", "/api/v1/admin/orders/{id}/replace-server", SERVERS),
    ("POST", "/api/v1/admin/orders/{id}/retry-provisioning", SERVERS),
    ("GET", "/api/v1/admin/orders/{id}/timeline", SEE),
    ("POST", "/api/v1/admin/orders/{id}/wake", SERVERS),
    ("GET", "/api/v1/admin/outbox", SEE),
    ("POST", "/api/v1/admin/outbox/requeue-dead", RUN),
    ("POST", "/api/v1/admin/outbox/{id}/requeue", RUN),
    ("POST", "/api/v1/admin/outbox/{id}/skip", RUN),
    ("GET", "/api/v1/admin/pauses", SEE),
    ("GET", "/api/v1/admin/pauses/{scope}", SEE),
    ("PUT", "/api/v1/admin/pauses/{scope}", RUN),
    ("DELETE", "/api/v1/admin/pauses/{scope}", RUN),
    ("GET", "/api/v1/admin/payments", SEE),
    ("GET", "/api/v1/admin/payments/{id}", SEE),
    ("POST", "/api/v1/admin/payments/{id}/check", MONEY),
    ("GET", "/api/v1/admin/payments/{id}/proofs", SEE),
    ("GET", "/api/v1/admin/payments/{id}/proofs/{proof_id}", SEE),
    ("GET", "/api/v1/admin/payouts", SEE),
    ("POST", "/api/v1/admin/payouts", MONEY),
    ("GET", "/api/v1/admin/plans", SEE),
    ("POST", "/api/v1/admin/plans", CATALOG),
    ("GET", "/api/v1/admin/plans/{slug}", SEE),
    ("PATCH", "/api/v1/admin/plans/{slug}", CATALOG),
    ("GET", "/api/v1/admin/promos", SEE),
    ("POST", "/api/v1/admin/promos", PROMOS),
    ("GET", "/api/v1/admin/promos/{id}", SEE),
    ("PATCH", "/api/v1/admin/promos/{id}", PROMOS),
    ("DELETE", "/api/v1/admin/promos/{id}", PROMOS),
    ("GET", "/api/v1/admin/promos/{id}/redemptions", SEE),
    ("GET", "/api/v1/admin/providers", SEE),
    ("GET", "/api/v1/admin/providers/{slug}", SEE),
    ("PATCH", "/api/v1/admin/providers/{slug}", PROVIDERS),
    ("POST", "/api/v1/admin/providers/{slug}/sync", CATALOG),
    ("GET", "/api/v1/admin/quarantined-servers", SEE),
    ("POST", "/api/v1/admin/quarantined-servers/{id}/release", SERVERS),
    ("GET", "/api/v1/admin/queues", SEE),
    ("GET", "/api/v1/admin/reconciliations", SEE),
    ("POST", "/api/v1/admin/reconciliations", SERVERS),
    ("GET", "/api/v1/admin/reconciliations/{id}", SEE),
    ("GET", "/api/v1/admin/refunds", SEE),
    ("GET", "/api/v1/admin/refunds/{id}", SEE),
    ("POST", "/api/v1/admin/refunds/{id}/retry", MONEY),
    ("GET", "/api/v1/admin/regions", SEE),
    ("GET", "/api/v1/admin/regions/{slug}", SEE),
    ("PATCH", "/api/v1/admin/regions/{slug}", CATALOG),
    ("GET", "/api/v1/admin/search", SEE),
    ("GET", "/api/v1/admin/terms", SEE),
    ("GET", "/api/v1/admin/terms/{months}", SEE),
    ("PATCH", "/api/v1/admin/terms/{months}", CATALOG),
    ("GET", "/api/v1/admin/users", SEE),
    ("GET", "/api/v1/admin/users/{id}", SEE),
    ("POST", "/api/v1/admin/users/{id}/impersonate", IMPERSONATE),
    ("DELETE", "/api/v1/admin/users/{id}/impersonate", IMPERSONATE),
    ("GET", "/api/v1/admin/users/{id}/notes", SEE),
    ("POST", "/api/v1/admin/users/{id}/notes", ACCOUNTS),
    ("POST", "/api/v1/admin/users/{id}/reset-2fa", ACCOUNTS),
    ("PUT", "/api/v1/admin/users/{id}/role", STAFF),
    ("POST", "/api/v1/admin/users/{id}/suspend", ACCOUNTS),
    ("POST", "/api/v1/admin/users/{id}/unlock", ACCOUNTS),
    ("POST", "/api/v1/admin/users/{id}/unsuspend", ACCOUNTS),
    ("GET", "/api/v1/admin/users/{id}/wallet", SEE),
    ("POST", "/api/v1/admin/users/{id}/wallet-adjustments", MONEY),
    ("GET", "/api/v1/admin/webhooks", SEE),
    ("GET", "/api/v1/admin/webhooks/{id}", SEE),
    ("POST", "/api/v1/admin/webhooks/{id}/replay", RUN),
    // Programs of ours.
    ("POST", "/api/v1/internal/orders/{id}/retry-provisioning", key(Scope::OrdersRetry)),
    ("GET", "/internal/images", key(Scope::CatalogRead)),
    ("GET", "/internal/instances/{id}", key(Scope::InstancesRead)),
    ("DELETE", "/internal/instances/{id}", key(Scope::InstancesDelete)),
    ("POST", "/internal/instances/{id}/action", key(Scope::InstancesAct)),
    ("GET", "/internal/instances/{id}/actions/{action_id}", key(Scope::InstancesRead)),
    ("POST", "/internal/provision", key(Scope::OrdersProvision)),
    ("GET", "/internal/regions", key(Scope::CatalogRead)),
    ("GET", "/internal/sizes", key(Scope::CatalogRead)),];

static BY_OPERATION: LazyLock<HashMap<(&str, &str), Access>> =
    LazyLock::new(|| operations().map(|(method, path, access)| ((method, path), access)).collect());

/// Every operation with whom it is for, by method and path.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str, Access)> {
    OPERATIONS.iter().copied()
}

/// Whom an operation is for, by its path as the documents have it; `None` of one that nobody decided about.
#[must_use]
pub fn access(method: &Method, path: &str) -> Option<Access> {
    // What reads a thing reads its headers.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    BY_OPERATION.get(&(method, path)).copied()
}

/// Whom the operation is for that a request is routed to.
pub(super) fn of_request(parts: &Parts) -> Option<Access> {
    access(&parts.method, path_of_request(parts))
}

/// The path that a request is routed to, as the documents have it.
pub(super) fn path_of_request(parts: &Parts) -> &str {
    parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)
}
