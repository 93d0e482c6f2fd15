//! The floors of `api`, lowest first.

pub const FLOORS: &[(&str, &[&str])] = &[
    ("ground", &["crash_point", "etag", "request_id"]),
    ("problem", &["problem"]),
    ("state", &["live", "password", "state"]),
    ("reading requests", &["client", "extract"]),
    ("who asks", &["auth"]),
    (
        "what audiences share",
        &[
            "at_provider",
            "bodies",
            "charging",
            "csv_table",
            "documents",
            "instance_actions",
            "payment_ways",
            "provider_reads",
            "provisioning_retry",
            "wording",
        ],
    ),
    ("audiences", &["admin", "customer", "internal", "public", "webhooks"]),
    ("routes", &["openapi", "routes"]),
    ("layers", &["headers", "in_time", "known_query", "observe", "rate_limit"]),
    ("ports", &["serve", "server"]),
];
