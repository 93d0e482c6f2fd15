//! The floors of `store`.

/// Lowest first.
#[rustfmt::skip]
pub const FLOORS: &[(&str, &[&str])] = &[
    // What every use case is written with.
    ("kernel", &[
        "audit", "awaited_money", "crash_point", "credentials", "database_server", "deadline", "elapsed", "error", "events", "idempotency", "installation",
        "locks", "money_act", "numbers", "opaque_token", "outbox", "own_actions", "page", "pool", "tax", "term", "time_limit",
        "unpaid", "versions",
    ]),
    // Who there is, and what there is to be sold.
    ("people and catalog", &[
        "api_keys", "api_tokens", "billing_profiles", "catalog", "catalog_sync", "deliveries", "gateways", "live", "mailed_links", "notifications", "pauses", "provider_budgets",
        "provider_reads", "refused_steps", "registration", "request_budgets", "second_factor", "sessions", "ssh_keys", "telegram", "throttles", "timeline", "users",
    ]),
    ("ledger", &["ledger"]),
    // An order that moves takes the use of its code along.
    ("promos", &["promos", "transition"]),
    ("invoices", &["invoices", "server_resizes", "server_terms"]),
    ("payments", &["payments"]),
    ("orders and servers", &[
        "cancellations", "disputes", "documents", "expiry", "final_snapshots", "instance_actions", "instances", "life", "orders", "payouts",
        "placements", "provisioning", "reconciliation", "refunds", "renewals", "resizes", "wallet", "webhooks",
    ]),
    ("staff and upkeep", &["admin", "figures", "purge", "queue_health", "seed", "sweep"]),
];
