//! What is seen of a running process.

use std::net::IpAddr;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For people.
    Text,
}

/// What is seen of a running process.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Observability")]
pub struct ObservabilityConfig {
    /// What is logged: a level, or levels by module as in `info,sqlx=warn`
    #[arg(
        id = "observability.log",
        long = "log",
        env = "WEBRANA_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// How log lines are written; by default JSON in production
    #[arg(
        id = "observability.log_format",
        long = "log-format",
        env = "WEBRANA_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: Option<LogFormat>,

    /// Whether metrics are served
    #[arg(
        id = "observability.prometheus_enabled",
        long = "prometheus-enabled",
        env = "PROMETHEUS_ENABLED",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true",
        default_value_t = true
    )]
    pub prometheus_enabled: bool,

    /// Address the metrics are served on: a private one
    #[arg(
        id = "observability.metrics_bind",
        long = "metrics-bind",
        env = "METRICS_BIND",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub metrics_bind: IpAddr,

    /// Port of the metrics, at /metrics
    #[arg(
        id = "observability.metrics_port",
        long = "metrics-port",
        env = "METRICS_PORT",
        value_name = "PORT",
        default_value_t = 9100
    )]
    pub metrics_port: u16,
}
