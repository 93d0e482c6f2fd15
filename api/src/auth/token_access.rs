//! What a personal API token may be used for: one table of all operations that take a login. What is not in it takes none, and a
//! test holds the API's document against it, so that no operation is without a decision.

use axum::http::Method;
use domain::api_token::TokenScope;

/// Whether an operation takes personal API tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAccess {
    /// It does, with this right.
    With(TokenScope),
    /// It wants somebody who logged in: it is about who they are, or for staff.
    LoginOnly,
}

const READ: TokenAccess = TokenAccess::With(TokenScope::Read);
const ORDERS: TokenAccess = TokenAccess::With(TokenScope::Orders);
const WALLET: TokenAccess = TokenAccess::With(TokenScope::Wallet);
const INSTANCES: TokenAccess = TokenAccess::With(TokenScope::Instances);
const NOTIFICATIONS: TokenAccess = TokenAccess::With(TokenScope::Notifications);
const LOGIN: TokenAccess = TokenAccess::LoginOnly;

/// Whatever begins so is for who logged in.
const AREAS_WITHOUT_TOKENS: [&str; 1] = ["/api/v1/admin/"];

/// Operations by method and path, as the document has them.
#[rustfmt::skip]
const OPERATIONS: &[(&str, &str, TokenAccess)] = &[
    ("POST", "/api/v1/auth/logout", LOGIN),
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
    ("POST", "/api/v1/auth/me/email", LOGIN),
    ("GET", "/api/v1/auth/me/notification-preferences", READ),
    ("PUT", "/api/v1/auth/me/notification-preferences", LOGIN),
    ("PUT", "/api/v1/auth/me/password", LOGIN),
    ("GET", "/api/v1/auth/me/sessions", LOGIN),
    ("DELETE", "/api/v1/auth/me/sessions/{id}", LOGIN),
    ("GET", "/api/v1/auth/me/ssh-keys", READ),
    ("POST", "/api/v1/auth/me/ssh-keys", INSTANCES),
    ("DELETE", "/api/v1/auth/me/ssh-keys/{id}", INSTANCES),
    ("GET", "/api/v1/auth/me/ssh-keys/{id}", READ),
    ("DELETE", "/api/v1/auth/me/telegram-link", LOGIN),
    ("GET", "/api/v1/auth/me/telegram-link", LOGIN),
    ("POST", "/api/v1/auth/me/telegram-link", LOGIN),
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
    ("DELETE", "/api/v1/instances/{id}/cancel", INSTANCES),
    ("POST", "/api/v1/instances/{id}/cancel", INSTANCES),
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
];

/// Whether an operation takes tokens; `None` of one that nobody decided about.
#[must_use]
pub fn token_access(method: &Method, path: &str) -> Option<TokenAccess> {
    if AREAS_WITHOUT_TOKENS.iter().any(|area| path.starts_with(area)) {
        return Some(LOGIN);
    }
    // What reads a thing reads its headers.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    OPERATIONS.iter().find(|(of, at, _)| *of == method.as_str() && *at == path).map(|(.., access)| *access)
}

/// The operations in the table, by method and path.
pub fn token_operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATIONS.iter().map(|(method, path, _)| (*method, *path))
}
