//! Open connections (WebSockets) of the API.

use std::time::Duration;

use api::LiveSettings;

/// Open connections of the API.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "WebSocket")]
pub struct WebSocketConfig {
    /// Whether people may be told what happens over a WebSocket, at /ws/notifications
    #[arg(
        id = "websocket.enabled",
        long = "websocket-enabled",
        env = "WEBSOCKET_ENABLED",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true",
        default_value_t = true
    )]
    enabled: bool,

    /// Most open connections of this process
    #[arg(
        id = "websocket.max_connections",
        long = "websocket-max-connections",
        env = "WEBSOCKET_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    max_connections: u32,

    /// Most of one account, in this process
    #[arg(
        id = "websocket.max_per_account",
        long = "websocket-max-per-account",
        env = "WEBSOCKET_MAX_PER_ACCOUNT",
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    max_per_account: u32,

    /// How often the other side is asked whether it is there; less than a proxy in front keeps a silent connection
    #[arg(
        id = "websocket.ping_every",
        long = "websocket-ping-every",
        env = "WEBSOCKET_PING_EVERY",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    ping_every: Duration,
}

impl WebSocketConfig {
    /// The bounds.
    pub fn settings(&self) -> LiveSettings {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        LiveSettings {
            enabled: self.enabled,
            connections: count(self.max_connections),
            per_account: count(self.max_per_account),
            ping_every: self.ping_every,
            ..LiveSettings::default()
        }
    }

    /// What is wrong with the settings, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let too_often = self.ping_every < Duration::from_secs(1);
        too_often.then(|| "WEBSOCKET_PING_EVERY must be a second or more".to_owned()).into_iter().collect()
    }
}
