//! Which requests are counted together.

use axum::http::Method;
use domain::{api_token::TokenScope, permission::Permission};

use crate::auth::{Access, access};

/// A class of requests, with a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// What only looks.
    Read,
    /// What changes something.
    Write,
    /// What orders, pays or moves money.
    Money,
    /// What shows a password or a code, or makes an account.
    Credentials,
    /// Refreshes and logouts. Many customers share an address, and each one's browser refreshes by itself: refreshing must not
    /// use up what is left to log in.
    Sessions,
    /// What monitoring asks. Whoever watches us must not be kept from it by what else comes from its address, nor the other way
    /// round, and is answered without a database.
    Health,
}

impl Class {
    /// What its budgets are called in the database.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Money => "money",
            Self::Credentials => "credentials",
            Self::Sessions => "sessions",
            Self::Health => "health",
        }
    }
}

/// The class of a request, by its address and the one it is routed to; `None` of what is not counted.
pub(super) fn class(method: &Method, path: &str, route: &str) -> Option<Class> {
    match path {
        // It asks nobody, and a process that seems dead is killed.
        "/livez" => return None,
        "/health" | "/readyz" => return Some(Class::Health),
        _ => {}
    }
    let Some(api) = path.strip_prefix("/api/v1/") else { return Some(Class::Read) };
    if api.starts_with("webhooks/") {
        // A gateway may send many from one address, and one that is refused is money told late. They are signed, so there is
        // nothing to guess.
        return None;
    }
    Some(match (method, api.strip_prefix("auth/")) {
        (&Method::POST, Some("refresh" | "logout" | "logout-all")) => Class::Sessions,
        (&Method::PUT, Some("me/password"))
        | (
            &Method::POST,
            Some("me/email" | "me/2fa/setup" | "me/2fa/confirm" | "me/2fa/disable" | "me/2fa/recovery-codes"),
        ) => Class::Credentials,
        (&Method::POST, Some(rest)) if !rest.starts_with("me/") => Class::Credentials,
        _ if method == Method::GET || method == Method::HEAD => Class::Read,
        _ => of_change(method, route),
    })
}

/// Of what may change something, by whom the table has it for.
fn of_change(method: &Method, route: &str) -> Class {
    match access(method, route) {
        Some(Access::Own { token: Some(TokenScope::Read), .. }) => Class::Read,
        Some(
            Access::Own { token: Some(TokenScope::Orders | TokenScope::Wallet), .. }
            | Access::Staff(Permission::MoneyMove),
        ) => Class::Money,
        // Further terms and plans of a server are paid.
        _ if route.ends_with("/renew") || route.ends_with("/resizes") => Class::Money,
        _ => Class::Write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_of_one_class() {
        for (method, path, expected) in [
            ("GET", "/livez", None),
            ("GET", "/readyz", Some(Class::Health)),
            ("GET", "/api/openapi.json", Some(Class::Read)),
            ("POST", "/api/v1/webhooks/midtrans", None),
            ("POST", "/api/v1/auth/login", Some(Class::Credentials)),
            ("POST", "/api/v1/auth/refresh", Some(Class::Sessions)),
            ("PUT", "/api/v1/auth/me/password", Some(Class::Credentials)),
            ("GET", "/api/v1/auth/me", Some(Class::Read)),
            ("PATCH", "/api/v1/auth/me", Some(Class::Write)),
            ("POST", "/api/v1/orders", Some(Class::Money)),
            ("POST", "/api/v1/orders/quote", Some(Class::Read)),
            ("POST", "/api/v1/wallet/deposits", Some(Class::Money)),
            ("POST", "/api/v1/instances/{id}/actions", Some(Class::Write)),
            ("POST", "/api/v1/instances/{id}/renew", Some(Class::Money)),
            ("POST", "/api/v1/admin/payouts", Some(Class::Money)),
            ("POST", "/api/v1/admin/users/{id}/notes", Some(Class::Write)),
        ] {
            assert_eq!(class(&method.parse().unwrap(), path, path), expected, "{method} {path}");
        }
    }
}
