//! The floors of `webrana`, lowest first.

pub const FLOORS: &[(&str, &[&str])] = &[
    ("ground", &["progress", "random", "signals", "tasks"]),
    ("settings", &["config"]),
    ("parts", &["stack", "telemetry", "vendors", "wiring", "worker_health"]),
    ("the whole on one machine", &["local"]),
    (
        "commands",
        &[
            "admin",
            "api_key",
            "bench",
            "check",
            "demo",
            "dev",
            "health",
            "ledger",
            "serve",
            "simulate",
            "worker",
            "worker_version",
        ],
    ),
    ("the command line", &["cli"]),
];
