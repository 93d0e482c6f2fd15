//! The floors of `store`.

/// Lowest first.
#[rustfmt::skip]
pub const FLOORS: &[(&str, &[&str])] = &[
    ("kernel", &[
        "audit", "crash_point", "credentials", "deadline", "elapsed", "error", "events", "idempotency", "installation",
        "money_act", "numbers", "opaque_token", "outbox", "page", "pool", "server", "tax", "term", "time_limit",
        "transition", "unpaid",
    ]),
    ("people and catalog", &[
        "api_keys", "catalog", "catalog_sync", "gateways", "notifications", "pauses", "provider_budgets",
        "provider_reads", "refused_steps", "sessions", "ssh_keys", "throttles", "timeline", "users",
    ]),
    ("ledger", &["ledger"]),
    ("promos", &["promos"]),
    ("invoices", &["invoices"]),
    ("payments", &["payments"]),
    ("orders and servers", &[
        "disputes", "documents", "expiry", "instance_actions", "instances", "orders", "payouts", "placements",
        "provisioning", "reconciliation", "refunds", "renewals", "wallet", "webhooks",
    ]),
    ("staff and upkeep", &["admin", "figures", "purge", "seed", "sweep"]),
];
